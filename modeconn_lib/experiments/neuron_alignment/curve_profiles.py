"""The subjects of the chapters that learn curves: which network on which data set, at what scale.

name  ->  profile  ->  a Profile for each subject

The scales themselves are in `profiles`; what is said here is where a subject departs from them.
"""

from dataclasses import replace

from modeconn_lib.experiments.profiles import PAPER, QUICK, SMOKE, STANDARD, Profiles
from modeconn_lib.training.fit import Recipe

STANDARD_CIFAR100 = replace(STANDARD, dataset="cifar100")
STANDARD_TINY_IMAGENET = replace(STANDARD, dataset="tiny_imagenet_40", pairs=1, permutation=None)
# 20 times the arithmetic of TinyTen: one pair, and half its schedule.
STANDARD_RESNET32 = replace(
    STANDARD,
    architecture="resnet32",
    pairs=1,
    permutation=None,
    endpoint=replace(STANDARD.endpoint, epochs=8),
    curve=Recipe(epochs=5, weight_decay=0.0),
)
# Curves on CIFAR-100 are learned at a rate of 0.1, all others at 0.01 (Tatro et al., section 4).
_CIFAR100 = {
    "dataset": "cifar100",
    "curve": Recipe(epochs=250, schedule="step", learning_rate=0.1, weight_decay=0.0),
}
_TINY_IMAGENET = {"dataset": "tiny_imagenet", "augmentation": "neuron_alignment_tiny"}

PROFILES: Profiles = {
    "smoke": (SMOKE,),
    "quick": (QUICK,),
    "standard": (STANDARD, STANDARD_CIFAR100, STANDARD_TINY_IMAGENET, STANDARD_RESNET32),
    "paper": tuple(
        replace(PAPER, architecture=architecture, **data)
        for architecture in ("tinyten", "resnet32", "googlenet")
        for data in ({}, _CIFAR100, _TINY_IMAGENET)
    ),
}
