"""Parts of a training set, named by plain values: for networks that see different data.

Images, choice  ->  subset  ->  Images

A choice is what a record's configuration can hold; the same choice is the same images everywhere.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.seeds import generator
from modeconn_lib.datasets.images import Images


def subset(images: Images, choice: Mapping[str, Any]) -> Images:
    """Return the chosen images, in the order of their data set.

    Parameters
    ----------
    choice
        ``{"kind": "split", "side": 0}``: one of the two biased halves of `split_by_label`, or
        ``{"kind": "random", "share": 0.5, "seed": 1}``: a random share of the images.

    Raises
    ------
    Refusal
        If there is no such kind of choice, a value of it is missing or out of its range, or the
        choice is of no image.
    """
    kinds = {"split": (_split, {"kind", "side"}), "random": (_random, {"kind", "share", "seed"})}
    kind = choice.get("kind")
    if kind not in kinds:
        raise Refusal(f"unknown kind of subset {kind!r}; known: {', '.join(kinds)}")
    pick, needed = kinds[kind]
    if set(choice) != needed:
        given = ", ".join(map(repr, choice))
        wanted = ", ".join(map(repr, sorted(needed)))
        raise Refusal(f"a subset of kind {kind!r} is told by {wanted}; got {given}")
    index = pick(images, choice).to(images.labels.device)
    if len(index) == 0:
        raise Refusal(f"the subset {dict(choice)!r} of {len(images)} images is empty")
    return replace(images, images=images.images[index], labels=images.labels[index])


def split_by_label(
    labels: Int[Tensor, " n"], classes: int, seed: int = 123
) -> tuple[Int[Tensor, " _"], Int[Tensor, " _"]]:
    """Return two disjoint halves of the data, each biased to one half of the classes.

    The first has 20 % of the images of the lower half of the classes and 80 % of the upper half,
    the second the rest (Ainsworth et al. 2022, section 5.4: CIFAR-100, labels 0-49 and 50-99).
    Within each half of the classes the images are shuffled before they are dealt out. The seed is
    that of the authors' code; their random generator is another one, so their images are, too.
    """
    order = torch.randperm(len(labels), generator=generator(seed, "split by label"))
    lower, upper = (order[of[order]] for of in (labels < classes // 2, labels >= classes // 2))
    few, many = len(lower) // 5, len(upper) - len(upper) // 5
    first = torch.cat([lower[:few], upper[-many:]])
    second = torch.cat([lower[few:], upper[:-many]])
    return first.sort().values, second.sort().values


def _split(images: Images, choice: Mapping[str, Any]) -> Tensor:
    side = choice["side"]
    if side not in (0, 1):
        raise Refusal(f"a split has the sides 0 and 1, not {side!r}")
    return split_by_label(images.labels.cpu(), images.info.classes)[side]


def _random(images: Images, choice: Mapping[str, Any]) -> Tensor:
    share, seed = choice["share"], choice["seed"]
    if not 0 < share <= 1:
        raise Refusal(f"a share is above 0 and at most 1, not {share!r}")
    order = torch.randperm(len(images), generator=generator(seed, "random subset"))
    return order[: round(share * len(images))].sort().values
