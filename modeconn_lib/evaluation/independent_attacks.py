r"""Attacks that others wrote, to check that robustness is not owed to a weak attack of our own.

network, images, labels  ->  survivors  ->  which images each attack leaves correctly classified

They come from the Adversarial Robustness Toolbox (Nicolae et al. 2018), in the manner of
AutoAttack (Croce & Hein 2020): APGD on the cross-entropy, which finds its own step sizes, APGD on
the difference of logits ratio, and the square attack, which needs no gradient.
"""

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor, nn

from modeconn_lib.core.params import Params

BATCH = 500  # images


def survivors(
    module: nn.Module,
    params: Params,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float,
    iterations: int,
    queries: int,
    seed: int = 0,
) -> dict[str, Bool[Tensor, " n"]]:
    r"""Return which images are still correctly classified after each attack, in evaluation mode.

    Each attack sees what those before it have left, so the last entry is what AutoAttack calls
    robust. The first, ``clean``, is before all attacks; then ``apgd_ce``, ``apgd_dlr``, ``square``.

    Parameters
    ----------
    module
        The architecture; a copy of it is used.
    images
        Pixels in [0, 1].
    epsilon
        Radius of the ball in the :math:`\ell_\infty` norm.
    iterations
        Of each of the attacks by gradient.
    queries
        Of the square attack.
    seed
        Of the attacks' random numbers. They draw from numpy's and Python's global generators,
        which are put back afterwards.
    """
    network = classifier(module, params, images)
    pixels, classes = images.contiguous().cpu().numpy(), labels.cpu().numpy()
    left = _correct(network, pixels, classes)
    out = {"clean": torch.from_numpy(left.copy())}
    with _seeded(seed):
        for name, attack in _attacks(network, epsilon, iterations, queries).items():
            if left.any():
                found = attack.generate(pixels[left], classes[left])
                # By rounding some pixels lie outside by 1e-8.
                found = np.clip(found, pixels[left] - epsilon, pixels[left] + epsilon).clip(0, 1)
                left[left] = _correct(network, found, classes[left])
            out[name] = torch.from_numpy(left.copy())
    return out


def classifier(module: nn.Module, params: Params, images: Tensor) -> Any:
    """Return the network as the toolbox wants it; the toolbox is imported only here."""
    from art.estimators.classification import PyTorchClassifier

    network = copy.deepcopy(module).to(images.device).eval()
    network.load_state_dict(params)
    with torch.no_grad():
        classes = network(images[:1]).shape[1]
    return PyTorchClassifier(
        network,
        nn.CrossEntropyLoss(),
        input_shape=tuple(images.shape[1:]),
        nb_classes=classes,
        clip_values=(0.0, 1.0),
        device_type="gpu" if images.device.type == "cuda" else "cpu",
    )


def _attacks(network: Any, epsilon: float, iterations: int, queries: int) -> dict[str, Any]:
    from art.attacks.evasion import AutoProjectedGradientDescent, SquareAttack

    usual = {"norm": np.inf, "eps": epsilon, "batch_size": BATCH, "verbose": False}
    return {
        **{
            name: AutoProjectedGradientDescent(
                network,
                eps_step=2 * epsilon,  # where Croce & Hein 2020, section 3 begin
                max_iter=iterations,
                nb_random_init=1,
                loss_type=loss,
                **usual,
            )
            for name, loss in (
                ("apgd_ce", "cross_entropy"),
                ("apgd_dlr", "difference_logits_ratio"),
            )
        },
        "square": SquareAttack(network, max_iter=queries, p_init=0.8, nb_restarts=1, **usual),
    }


def _correct(network: Any, pixels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    return network.predict(pixels, batch_size=BATCH).argmax(1) == classes


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the two global generators the toolbox draws from, and put them back."""
    before = np.random.get_state(), random.getstate()  # noqa: NPY002
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before[0])  # noqa: NPY002
        random.setstate(before[1])
