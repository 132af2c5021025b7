"""A map learned on some networks connects others."""

import pytest
import torch
from torch.func import functional_call

from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import params_of
from modeconn_lib.models.mlp import fully_connected
from modeconn_lib.paths.distribution.arc import arc
from modeconn_lib.paths.distribution.global_connection import LearnMiddle, through
from modeconn_lib.paths.distribution.normaliser import Design, Normaliser
from modeconn_lib.paths.distribution.samples import butterflies, samples, with_samples
from modeconn_lib.paths.path import Path
from modeconn_lib.permutation.trace import trace
from modeconn_lib.training.fit import Recipe, fit

MACHINE = Machine.detect().exact()
X = torch.randn(64, 1, 2, 2, generator=torch.Generator().manual_seed(0))
LABELS = (X.flatten(1)[:, 0] * X.flatten(1)[:, 1] > 0).long()


def build():
    return fully_connected((1, 2, 2), 2, (40,))


@pytest.fixture(scope="module")
def setting():
    torch.manual_seed(0)
    module = build()
    networks = [params_of(build()) for _ in range(4)]
    units = butterflies(trace(module, X).spec, "fc1", networks[0])
    together = torch.cat([samples(network, units) for network in networks])
    return module, networks, units, together


class Batches:
    steps, examples = 10, 640

    def __call__(self, epoch, step):
        return X, LABELS


def shaken(together) -> Normaliser:
    found = Normaliser.of(together, Design("realnvp", 3, 16))
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return found


def test_the_path_ends_exactly_and_is_close_to_its_ends_near_them(setting):
    _, (a, b, *_), units, together = setting
    path = through(a, b, units, shaken(together))
    assert isinstance(path, Path)
    for t, near, end in ((0.0, 1e-4, a), (1.0, 1 - 1e-4, b)):
        assert all(torch.equal(path.at(t)[name], value) for name, value in end.items())
        for name, value in end.items():
            torch.testing.assert_close(path.at(near)[name], value, rtol=0, atol=1e-2)
    with pytest.raises(ValueError, match=r"t must lie in \[0, 1\]"):
        path.at(1.5)


def test_untrained_it_is_the_arc_about_the_mean_of_the_networks_it_was_made_from(setting):
    _, (a, b, *_), units, _ = setting
    own = torch.cat([samples(a, units), samples(b, units)])
    path = through(a, b, units, Normaliser.of(own, Design("realnvp", 2, 8)))
    for t in (0.3, 0.5):
        expected = samples(arc(a, b, [units]).at(t), units)
        torch.testing.assert_close(samples(path.at(t), units), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(
        path.at(0.25)["fc.bias"], torch.lerp(a["fc.bias"], b["fc.bias"], 0.25)
    )


def test_its_middle_is_equation_7(setting):
    _, (a, b, *_), units, together = setting
    normaliser = shaken(together)
    with torch.no_grad():
        z = (normaliser(samples(a, units)) + normaliser(samples(b, units))) * 0.5**0.5
        expected = with_samples(a, units, normaliser.inverse(z))
    found = through(a, b, units, normaliser).at(0.5)
    torch.testing.assert_close(samples(found, units), samples(expected, units))


def test_learning_the_middle_lowers_its_loss_for_every_pair(setting):
    module, networks, units, together = setting
    normaliser = Normaliser.of(together, Design("realnvp", 3, 32))

    def losses():
        found = []
        for a, b in ((0, 1), (2, 3), (3, 0)):
            middle = through(networks[a], networks[b], units, normaliser).at(0.5)
            logits = functional_call(module, middle, (X,))
            found.append(torch.nn.functional.cross_entropy(logits, LABELS).item())
        return found

    before = losses()
    objective = LearnMiddle(normaliser, module, networks, units, MACHINE)
    history = fit(objective, Batches(), Recipe(6, 1e-2, weight_decay=0.0, optimiser="adam"), seed=0)
    assert history.losses[-1] < history.losses[0]
    assert all(after < old - 0.05 for after, old in zip(losses(), before, strict=True))


def test_one_network_has_no_middle(setting):
    module, networks, units, together = setting
    with pytest.raises(ValueError, match="learned on 2 networks or more, got 1"):
        LearnMiddle(shaken(together), module, networks[:1], units, MACHINE)
