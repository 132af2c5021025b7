"""Training graphs are compared with nothing dropped, wherever a layer would drop something."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from modeconn_lib.core.params import params_of
from modeconn_lib.permutation.apply import random_permutations
from modeconn_lib.permutation.equivalence import check_equivalence
from modeconn_lib.permutation.trace import trace


class Attending(nn.Module):
    """A head that only training runs, and whose attention drops half of its weights there."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs, self.outputs = nn.Linear(8, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        z = self.inputs(x).unsqueeze(1).unsqueeze(1)
        share = 0.5 if self.training else 0.0
        return self.outputs(scaled_dot_product_attention(z, z, z, dropout_p=share).flatten(1))


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last, self.auxiliary = nn.Linear(5, 8), nn.Linear(8, 3), Attending()

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = self.first(x).relu()
        return (self.last(x), self.auxiliary(x)) if self.training else self.last(x)


def test_attention_that_drops_in_training_passes_the_gate():
    torch.manual_seed(0)
    module = Network().eval()
    traced = trace(module, torch.zeros(2, 5))
    assert traced.spec.sizes == {"first": 8, "auxiliary.inputs": 6}
    p = random_permutations(traced.spec, torch.Generator().manual_seed(1))
    assert check_equivalence(traced, params_of(module), p, torch.randn(4, 5)) < 1e-12
