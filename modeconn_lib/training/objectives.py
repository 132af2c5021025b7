"""What the training loop minimises.

a batch  ->  Objective.gradient  ->  loss, and the gradient on the learned tensors

`FlatNetwork` runs a module on one flat buffer of parameters; training a network learns that
buffer itself, and `paths.fit` writes points of a curve into it. Nothing here knows optimisers,
epochs or data sets.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import Layout, Params
from modeconn_lib.training.attacks import Attack, perturb

Network = Callable[[Tensor], Any]  # what the module gives: most give logits
Loss = Callable[[Network, Tensor, Tensor], tuple[Tensor, Tensor]]


def cross_entropy(
    network: Network, images: Tensor, labels: Int[Tensor, " batch"]
) -> tuple[Float[Tensor, ""], Float[Tensor, "batch classes"]]:
    """Return the mean cross-entropy in nats, and the logits."""
    logits = network(images).float()
    return nn.functional.cross_entropy(logits, labels), logits


def with_auxiliary(weight: float) -> Loss:
    r"""Return the loss of networks that in training give auxiliary heads' logits after their own.

    .. math:: L(z_0) + w \sum_{k \geq 1} L(z_k), \qquad L = \text{mean cross-entropy in nats}

    GoogLeNet's, with w = 0.3 (Szegedy et al. 2015, section 5). Answers are counted on the
    network's own logits :math:`z_0`, which are all that evaluation gives.
    """

    def loss(
        network: Network, images: Tensor, labels: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "batch classes"]]:
        outputs = network(images)
        logits, *others = outputs if isinstance(outputs, tuple) else (outputs,)
        own, *auxiliary = (
            nn.functional.cross_entropy(z.float(), labels) for z in (logits, *others)
        )
        return own + weight * sum(auxiliary), logits.float()

    return loss


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch gave: its loss (in nats, penalties included) and its correct answers."""

    loss: Float[Tensor, ""]
    correct: Int[Tensor, ""]


@runtime_checkable
class Objective(Protocol):
    """Something the training loop can minimise.

    `learned` are the tensors the optimiser updates; `gradient` fills their ``.grad`` for one
    batch; `state` names every tensor that a resumed run needs, and `restore` takes them back.
    """

    @property
    def learned(self) -> tuple[Tensor, ...]:
        """Return the tensors to learn, always the same ones."""
        ...

    def gradient(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Step:
        """Fill the gradient of every learned tensor for one batch."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Return the tensors to checkpoint, not copied."""
        ...


class FlatNetwork:
    """A module whose parameters live in one flat buffer.

    Attributes
    ----------
    values
        The parameters, one after another in the order of ``named_parameters``. Writing to it
        changes the network.
    buffers
        The network's buffers (batch-norm statistics), updated in training mode.
    """

    def __init__(self, module: nn.Module, params: Params, machine: Machine) -> None:
        """Copy `params` onto the machine; `module` gives only the architecture."""
        names = [name for name, _ in module.named_parameters()]
        self.module, self.machine = module.to(machine.device), machine
        self.layout = Layout.of({name: params[name] for name in names})
        self.values = self.layout.ravel(params).to(machine.device, torch.float32)
        # Buffers that no state_dict has are the module's own.
        self.buffers = {
            name: params.get(name, value).to(machine.device, copy=True)
            for name, value in module.named_buffers()
        }
        # Detached views share the buffer's memory: they are the leaves autograd sees.
        views = self.layout.views(self.values)
        self.leaves = {name: view.detach().requires_grad_() for name, view in views.items()}

    def params(self) -> Params:
        """Return a copy of the network in `state_dict` order, on the CPU, tied tensors equal."""
        whole = {**self.layout.views(self.values), **self.buffers}
        named = [*self.module.named_parameters(), *self.module.named_buffers()]
        first = {id(value): name for name, value in named}
        return {
            name: whole[first[id(value)]].detach().cpu().clone()
            for name, value in self.module.state_dict(keep_vars=True).items()
        }

    def attacked(
        self,
        images: Tensor,
        labels: Tensor,
        loss: Loss,
        attack: Attack,
        generator: torch.Generator,
    ) -> Tensor:
        """Return a batch perturbed against the network as it is, in the mode it is in.

        In training every step of the attack is so normalised by the batch it has just made, as in
        the code of Tatro et al.; unlike there, running statistics and counters stay as they were.
        """
        weights = {**self.layout.views(self.values), **_copies(self.buffers)}

        def raised(batch: Tensor) -> Tensor:
            with self.machine.precision():
                value, _ = loss(
                    lambda x: functional_call(self.module, weights, (x,)), batch, labels
                )
            return value

        return perturb(raised, images, attack, generator)

    def gradient(
        self, images: Tensor, labels: Tensor, loss: Loss, out: Float[Tensor, " params"]
    ) -> Step:
        """Write the gradient of the mean loss over a batch into `out`."""
        weights = {**self.leaves, **self.buffers}

        def network(batch: Tensor) -> Any:
            return functional_call(self.module, weights, (batch,))

        with self.machine.precision():
            value, logits = loss(network, images, labels)
        # Zero for what this mode does not read: auxiliary heads, in evaluation mode.
        gradients = torch.autograd.grad(value, list(self.leaves.values()), materialize_grads=True)
        torch.cat([gradient.reshape(-1) for gradient in gradients], out=out)
        return Step(value.detach(), (logits.detach().argmax(1) == labels).sum())


def _copies(buffers: Params) -> Params:
    """Return buffers that a forward pass may update in place of these."""
    return {name: value.clone() for name, value in buffers.items()}


class TrainNetwork:
    """The objective of ordinary training: the mean loss of one network.

    Parameters
    ----------
    attack
        Where given, the loss is that of images attacked by it: adversarial training (Madry et al.
        2018, equation 2.1). Each batch's generator draws the attack's start.
    """

    def __init__(
        self,
        module: nn.Module,
        params: Params,
        machine: Machine,
        loss: Loss = cross_entropy,
        attack: Attack | None = None,
    ) -> None:
        """Start from `params`, which are copied."""
        self.network, self.loss = FlatNetwork(module.train(), params, machine), loss
        self.attack = attack
        self.learned: tuple[Tensor, ...] = (self.network.values,)
        self.network.values.grad = torch.zeros_like(self.network.values)

    def gradient(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Step:
        """Fill the gradient of the network's parameters."""
        grad = self.network.values.grad
        assert grad is not None  # set in __init__, never cleared
        if self.attack:
            images = self.network.attacked(images, labels, self.loss, self.attack, generator)
        return self.network.gradient(images, labels, self.loss, grad)

    def state(self) -> dict[str, Tensor]:
        """Return parameters and batch-norm statistics."""
        return {"values": self.network.values, **self.network.buffers}
