"""The step of proximal alternating minimisation, and how others read what it found.

A, B, maybe their alignment  ->  minimise_over_permutations  ->  permutations and inner point

The tasks that name it are built in `pam_tasks`.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from modeconn_lib.core.params import Params
from modeconn_lib.experiments.feeds import TrainFeed
from modeconn_lib.experiments.git_rebasin.matching_steps import moved
from modeconn_lib.experiments.work import Outcome, Step, Work
from modeconn_lib.paths.pam import Method, Minimised, minimise
from modeconn_lib.permutation.apply import compose, identity, permute
from modeconn_lib.permutation.spec import Permutations
from modeconn_lib.training.fit import Recipe

PERMUTATION, POINT = "permutation.", "point."


def minimise_over_permutations(work: Work) -> Outcome:
    """Learn permutations of B's units and a curve in turn; input 2 may be where they start.

    The tensors are the permutations of the B given, start included, and the curve's inner point.
    """
    a, b, *rest = (work.tensors(record) for record in work.records)
    module, spec, config = work.network(), work.trace().spec, work.config
    start = rest[0] if config["aligned"] else identity(spec)
    found = minimise(
        module,
        spec,
        a,
        permute(b, spec, start),
        work.feed(),
        _judged(work),
        work.machine,
        _method(work),
        seed=config["seed"],
        loss=work.loss(),
        folder=work.folder,
        out_of_time=work.out_of_time,
        progress=work.progress,
    )
    permutations = compose(start, found.permutations)
    point = found.curve.points[1]
    return Outcome(
        scalars=_scalars(found),
        series=_series(found),
        tensors={
            **{f"{PERMUTATION}{group}": p for group, p in permutations.items()},
            **{f"{POINT}{name}": point[name] for name, _ in module.named_parameters()},
        },
    )


def parts(tensors: Mapping[str, Tensor]) -> tuple[Permutations, Params]:
    """Return the permutations and the inner point from the tensors of a record of the step."""

    def named(prefix: str) -> dict[str, Tensor]:
        return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}

    return named(PERMUTATION), named(POINT)


def _method(work: Work) -> Method:
    config = work.config
    return Method(
        permutation=Recipe(**config["permutation"]),
        curve=Recipe(**config["recipe"]),
        penalty=config["penalty"],
        nu_permutation=config["nu_permutation"],
        nu_curve=config["nu_curve"],
        rounds=config["rounds"],
        samples=config["samples"],
        terms=config["terms"],
        iterations=config["iterations"],
    )


def _judged(work: Work) -> TrainFeed:
    """Return the images that candidates are compared on, augmented as for training."""
    images = work.images("train", work.config["judged_examples"])
    config = work.config
    return TrainFeed(images, config["batch_size"], work.augmentation(), config["seed"], work.exact)


def _scalars(found: Minimised) -> dict[str, float | int | str]:
    """Return single numbers, of the last iteration; seconds are those of all."""
    last = found.iterations[-1]
    return {
        "train_loss": last.learned.losses[-1],
        "train_accuracy": last.learned.accuracies[-1],
        "chosen": last.choice.kind,
        "loss_before": last.choice.losses[0],
        "loss_after": last.choice.losses[last.choice.best],
        "moved": moved(found.permutations),
        "lowest": min(one.relaxed.lowest for one in found.iterations),
        "relaxing_seconds": sum(one.relaxed.history.seconds for one in found.iterations),
        "choosing_seconds": sum(one.choosing for one in found.iterations),
        "train_seconds": sum(one.learned.seconds for one in found.iterations),
    }


def _series(found: Minimised) -> dict[str, list[Any]]:
    """Return curves of learning over all iterations, and what is to be seen of the last."""
    last = found.iterations[-1]
    mixtures, previous = last.choice.proposal.mixtures, last.choice.proposal.candidates[0]
    matrices, nearest = last.relaxed.matrices, last.choice.proposal.candidates[1]
    return {
        "train_loss": [x for one in found.iterations for x in one.learned.losses],
        "train_accuracy": [x for one in found.iterations for x in one.learned.accuracies],
        "relaxed_loss": [x for one in found.iterations for x in one.relaxed.history.losses],
        "candidates": list(last.choice.proposal.kinds),
        "candidate_losses": list(last.choice.losses),
        "group": list(mixtures),
        "units": [mixture.permutations.shape[1] for mixture in mixtures.values()],
        "moved": [moved({g: p}) for g, p in found.permutations.items()],
        # How much of each matrix is still where it began, and whether its mixture begins with the
        # permutation nearest to it.
        "kept": [_mass(matrices[g], p) for g, p in previous.items()],
        "begins_nearest": [
            torch.equal(mixture.permutations[0], nearest[g]) for g, mixture in mixtures.items()
        ],
        "weights": [mixture.weights.tolist() for mixture in mixtures.values()],
    }


def _mass(matrix: Float[Tensor, "units units"], p: Int[Tensor, " units"]) -> float:
    """Return the mean of the entries that a permutation lies on."""
    return float(matrix[torch.arange(len(p)), p].mean())


STEPS: dict[str, Step] = {"pam": minimise_over_permutations}
