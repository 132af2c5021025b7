r"""Projected gradient descent on the images: attacks that training and evaluation defend against.

loss of images, images, Attack  ->  perturb  ->  images inside the ball, inside [0, 1]

Madry et al. 2018, equation (2.1) and section 3; Tatro et al. 2020, section 2.3. An attack looks at
a network only through the loss it is given: in which mode the network runs, and what becomes of
its batch-norm statistics meanwhile, is decided where that loss is made.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from modeconn_lib.core.errors import Refusal

ImageLoss = Callable[[Tensor], Tensor]  # a batch of images to one number, larger where it is worse


@dataclass(frozen=True, slots=True)
class Attack:
    r"""How strong an attack in the :math:`\ell_\infty` norm is; images are in [0, 1].

    Attributes
    ----------
    epsilon
        Radius of the ball around an image.
    step
        Size of a step.
    steps
        Number of steps.
    random_start
        Whether to begin at a point drawn uniformly from the ball, instead of at the image.
    """

    epsilon: float = 8 / 255
    step: float = 2 / 255
    steps: int = 10
    random_start: bool = True

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        if not 0 <= self.epsilon <= 1:
            raise Refusal(f"epsilon must lie in [0, 1], where white is 1, got {self.epsilon!r}")
        if not (self.step >= 0 and self.steps >= 0 and float(self.steps).is_integer()):
            raise Refusal(
                f"an attack has 0 steps or more, of a size of 0 or more, got steps={self.steps!r} "
                f"and step={self.step!r}"
            )


def perturb(
    loss: ImageLoss,
    images: Float[Tensor, "batch *image"],
    attack: Attack,
    generator: torch.Generator,
) -> Float[Tensor, "batch *image"]:
    r"""Return images within the ball that raise the loss.

    .. math:: x \leftarrow \Pi\bigl(x + \alpha \operatorname{sign} \nabla_x L(x)\bigr),
        \qquad \Pi = \text{projection onto } \{x' : \lVert x' - x_0 \rVert_\infty \le \epsilon\}
        \cap [0, 1]^d.

    The random start is projected, too; the published code of Tatro et al. projects only after the
    first step. Nothing but the gradient of the images is computed.

    Parameters
    ----------
    loss
        Called ``attack.steps`` times on a batch like `images`; a sum or mean over the images.
    images
        Pixels in [0, 1]; they are not changed.
    generator
        A CPU generator, from which the start is drawn.
    """
    if attack.epsilon == 0:
        return images
    low = (images - attack.epsilon).clamp_(min=0)
    high = (images + attack.epsilon).clamp_(max=1)
    current = images
    if attack.random_start:
        drawn = torch.rand(images.shape, generator=generator).to(images.device)
        current = torch.clamp(images + drawn.mul_(2).sub_(1).mul_(attack.epsilon), low, high)
    for _ in range(attack.steps):
        current = current.detach().requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(loss(current), current)
        with torch.no_grad():
            current = torch.clamp(current.add(gradient.sign(), alpha=attack.step), low, high)
    return current.detach()
