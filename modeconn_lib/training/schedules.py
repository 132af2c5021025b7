"""Learning-rate schedules: the factor on the peak rate at a given moment of training.

epochs done (a real number), epochs in all  ->  factor in [0, 1]

A schedule is a plain function; nothing here knows an optimiser.
"""

import math
from collections.abc import Callable

from modeconn_lib.core.errors import Refusal

Schedule = Callable[[float, int], float]


def constant(epoch: float, epochs: int) -> float:
    """Return 1."""
    return 1.0


def step(epoch: float, epochs: int) -> float:
    r"""Return :math:`0.5^{\lfloor e/20 \rfloor}`, the rule of Tatro et al. 2020, section 4."""
    return float(0.5 ** (math.floor(epoch) // 20))


def step_decay(epoch: float, epochs: int) -> float:
    r"""Return :math:`0.5^{\lfloor e/20 \rfloor}\,0.9996^{\lfloor e \rfloor}`.

    The published code of Tatro et al. has the second factor; their paper does not mention it.
    """
    return step(epoch, epochs) * 0.9996 ** math.floor(epoch)


def cosine(epoch: float, epochs: int) -> float:
    r"""Return :math:`\tfrac12 (1 + \cos \pi e/E)`: from 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * min(epoch / epochs, 1.0)))


def warmup_1(epoch: float, epochs: int) -> float:
    """Rise linearly from 1e-5 to 1 in one epoch, then fall along a cosine to 0.

    Git Re-Basin's code trains its VGG16s and CIFAR-10 MLPs so, over 100 epochs.
    """
    return _warmed_up(epoch, epochs, 1)


def warmup_5(epoch: float, epochs: int) -> float:
    """As `warmup_1`, with five epochs of rise: Git Re-Basin's ResNet20s, over 250 epochs."""
    return _warmed_up(epoch, epochs, 5)


def _warmed_up(epoch: float, epochs: int, rise: int) -> float:
    if epoch < rise:
        return 1e-5 + (1 - 1e-5) * epoch / rise
    return cosine(epoch - rise, max(epochs - rise, 1))


def one_cycle(epoch: float, epochs: int) -> float:
    """Rise along a cosine from 1/25 to 1 in the first 30 %, fall along one to 4e-7.

    The default shape of Smith & Topin, "Super-convergence", 2019, as in `torch.optim`.
    """
    done, low, end = min(epoch / epochs, 1.0), 1 / 25, 1 / 25 / 1e4
    if done < 0.3:
        return low + (1 - low) * 0.5 * (1 - math.cos(math.pi * done / 0.3))
    return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * (done - 0.3) / 0.7))


def garipov(epoch: float, epochs: int) -> float:
    """Stay at 1 for half the time, fall linearly to 0.01 at 90 %, stay there.

    Garipov et al. 2018, appendix A.
    """
    done = epoch / epochs
    if done <= 0.5:
        return 1.0
    return 1.0 - (done - 0.5) / 0.4 * 0.99 if done <= 0.9 else 0.01


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "step": step,
    "step_decay": step_decay,
    "cosine": cosine,
    "warmup_1": warmup_1,
    "warmup_5": warmup_5,
    "one_cycle": one_cycle,
    "garipov": garipov,
}


def schedule(name: str) -> Schedule:
    """Return the schedule called `name`.

    Raises
    ------
    Refusal
        If there is none of that name; the message lists them.
    """
    if name not in SCHEDULES:
        raise Refusal(f"unknown schedule {name!r}; known: {', '.join(SCHEDULES)}")
    return SCHEDULES[name]
