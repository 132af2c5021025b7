"""The subjects of the chapters that learn curves: which network on which data set, at what scale.

name  ->  profile  ->  a Profile for each subject

The scales themselves are in `profiles`; what is said here is where a subject departs from them.
"""

from dataclasses import replace

from modeconn_lib.experiments.profiles import PAPER, PERMUTATION, QUICK, SMOKE, STANDARD, Profiles
from modeconn_lib.training.fit import Recipe

STANDARD_CIFAR100 = replace(STANDARD, dataset="cifar100")
STANDARD_TINY_IMAGENET = replace(STANDARD, dataset="tiny_imagenet_40", pairs=1, permutation=None)
# 20 times the arithmetic of TinyTen: one pair, and a quarter of its schedule.
STANDARD_RESNET32 = replace(
    STANDARD,
    architecture="resnet32",
    pairs=1,
    permutation=None,
    test_examples=5_000,
    points=9,
    endpoint=replace(STANDARD.endpoint, epochs=4),
    curve=Recipe(epochs=3, weight_decay=0.0),
)
# The protocols of the paper and, where it is silent, of its authors' code: networks on CIFAR-10 are
# trained in batches of 64, curves on CIFAR-100 at a rate of 0.1 and others at 0.01 (section 4),
# permutations at half the rate of the curve.
PAPER_CIFAR10 = replace(
    PAPER,
    endpoint_batch_size=64,
    permutation=replace(PERMUTATION, epochs=20, learning_rate=0.005, schedule="step_decay"),
)
PAPER_CIFAR100 = replace(
    PAPER,
    dataset="cifar100",
    curve=Recipe(epochs=250, schedule="step_decay", learning_rate=0.1, weight_decay=0.0),
)
PAPER_TINY_IMAGENET = replace(
    PAPER,
    dataset="tiny_imagenet",
    augmentation="neuron_alignment_tiny",
    train_examples=100_000,
    align_examples=20_000,
    statistics_examples=100_000,
    measure_examples=100_000,
    permutation=PAPER_CIFAR10.permutation,
)

PROFILES: Profiles = {
    "smoke": (SMOKE,),
    "quick": (QUICK,),
    "standard": (STANDARD, STANDARD_CIFAR100, STANDARD_TINY_IMAGENET, STANDARD_RESNET32),
    "paper": (
        *(
            replace(one, architecture=architecture)
            for architecture in ("tinyten", "resnet32")
            for one in (PAPER_CIFAR10, PAPER_CIFAR100, PAPER_TINY_IMAGENET)
        ),
        # Tables 1 and 2 have no permutations learned for this one.
        *(
            replace(one, architecture="googlenet", permutation=None)
            for one in (PAPER_CIFAR10, PAPER_CIFAR100, PAPER_TINY_IMAGENET)
        ),
    ),
}
