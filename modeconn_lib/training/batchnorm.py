"""Batch-norm statistics for weights that no training step has seen.

module, Params, batches  ->  reestimate  ->  Params with exact streamed statistics

Interpolated weights come with statistics of neither endpoint; evaluating them with those is a
known way to see a barrier that is not there.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.modes import mode
from modeconn_lib.core.params import Params, untied

BatchNorm = nn.modules.batchnorm._BatchNorm


def has_batchnorm(module: nn.Module) -> bool:
    """Return whether `module` keeps running statistics."""
    return bool(_layers(module))


def _layers(module: nn.Module) -> dict[str, BatchNorm]:
    """Return the layers that keep running statistics."""
    return {
        name: m
        for name, m in module.named_modules()
        if isinstance(m, BatchNorm) and m.track_running_stats
    }


def unused_statistics(module: nn.Module, params: Params) -> Params:
    """Return running statistics of zero, for normalising by batch to write to instead."""
    return {
        f"{name}.{entry}": torch.zeros_like(params[f"{name}.{entry}"])
        for name in _layers(module)
        for entry in ("running_mean", "running_var", "num_batches_tracked")
    }


def normalise_by_batch(module: nn.Module) -> None:
    """Put batch norm into training mode, and all else (dropout) into evaluation mode."""
    for part in module.modules():
        part.training = isinstance(part, BatchNorm)


@torch.no_grad()
def reestimate(
    module: nn.Module, params: Params, batches: Iterable[Tensor], machine: Machine
) -> Params:
    r"""Return `params` with running statistics taken anew from `batches`.

    Every layer is normalised by its own batch while the statistics are gathered, as in training.
    Means and variances of equal-sized batches are pooled exactly,
    :math:`\sigma^2 = \overline{\sigma_b^2} + \overline{(\mu_b - \mu)^2}`, in float64, so one
    batch of all images gives the data's own statistics; smaller batches change only what the
    deeper layers see. Layers that evaluation does not visit (auxiliary heads) keep what they have.
    Parameters must be on the machine's device.

    Raises
    ------
    ValueError
        If there are no batches.
    """
    layers = _layers(module)
    if not layers:
        return dict(params)
    sums: dict[str, Tensor] = {}
    count = 0
    with mode(module, training=False), machine.precision():
        normalise_by_batch(module)
        for batch in batches:
            seen = _statistics_of(module, layers, params, batch)
            for name, value in seen.items():
                sums[name] = sums.get(name, 0) + value
            count += 1
    if count == 0:
        raise ValueError("batch-norm statistics need at least one batch of images, got none")
    out = dict(params)
    for name in layers:
        if sums[f"{name}.visits"] == 0:
            continue
        mean = sums[f"{name}.mean"] / count
        # E[mu_b^2] - mu^2 in float64: batch means differ little, yet lose no digits that matter.
        spread = (sums[f"{name}.square"] / count - mean.square()).clamp_min(0)
        out[f"{name}.running_mean"] = mean.float()
        out[f"{name}.running_var"] = (sums[f"{name}.var"] / count + spread).float()
    return out


def _statistics_of(
    module: nn.Module, layers: dict[str, BatchNorm], params: Params, batch: Tensor
) -> dict[str, Tensor]:
    """Return mean, squared mean and variance of each layer's input (float64), and its visits."""
    # From zero, and with a counter of zero, one update leaves momentum times the statistic.
    fresh = untied(module, params | unused_statistics(module, params))
    functional_call(module, fresh, (batch,))
    out: dict[str, Tensor] = {}
    for name, layer in layers.items():
        scale = 1.0 if layer.momentum is None else layer.momentum
        mean = fresh[f"{name}.running_mean"].double() / scale
        out[f"{name}.mean"], out[f"{name}.square"] = mean, mean.square()
        out[f"{name}.var"] = fresh[f"{name}.running_var"].double() / scale
        out[f"{name}.visits"] = fresh[f"{name}.num_batches_tracked"]
    return out
