"""`modeconn align`, from two files to a third that computes what the second does."""

import re
from pathlib import Path

import pytest
import torch
from torch.func import functional_call

from modeconn_lib.commands import align, merge
from modeconn_lib.commands.checkpoints import read
from modeconn_lib.commands.report import cosines, distance, pinned_summary
from modeconn_lib.core.hardware import torchvision
from modeconn_lib.models.registry import architecture
from modeconn_lib.permutation.equivalence import NotEquivalent
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec
from modeconn_lib.permutation.trace import trace
from tests.commands.own_network import ARCH, networks, planted, saved, write


@pytest.fixture
def own(folder, tmp_path, monkeypatch):
    return write(tmp_path, monkeypatch)


@pytest.fixture
def pair(own):
    """Files a and b, where b is a with its units in another order."""
    a, b = planted(own)
    return saved(Path("a.safetensors"), a), saved(Path("b.safetensors"), b, {"epoch": "7"})


def test_a_planted_permutation_is_undone_to_the_bit(modeconn, pair):
    status, out, err = modeconn("align", *pair, "--arch", ARCH, "--out", "c.safetensors")
    assert (status, err) == (0, "")
    a, c = read(pair[0]), read(pair[0].with_name("c.safetensors"))
    assert all(torch.equal(value, c.tensors[name]) for name, value in a.tensors.items())
    assert c.metadata == {"epoch": "7"}
    assert f"{ARCH}, inputs 3,32,32: 4 groups, 31 free units" in out
    assert re.search(r"\nstem +8 +\d +0\.\d+ 1\.000\n", out)
    assert re.search(r"distance \|A - B\| \d\.\d+, \|A - π\(B\)\| 0\n", out)
    assert re.search(r"equivalence error \d\.\de-1\d ", out)
    assert "stays in place: fc.weight and 1 more: is the network's output" in out
    assert re.search(r"wrote c\.safetensors in \d+\.\d s\n$", out)


def test_two_networks_come_nearer_and_the_second_computes_the_same(modeconn, own, tmp_path):
    a, b = networks(own, 2)
    saved(tmp_path / "a.safetensors", a)
    saved(tmp_path / "b.safetensors", b)
    files = ("a.safetensors", "b.safetensors")
    status, out, _ = modeconn(
        "align", *files, "--arch", ARCH, "--out", "new/c.safetensors", "--orders", 2
    )
    assert status == 0
    before, after = map(float, re.search(r"\|A - B\| (\S+), .* (\S+)\n", out).groups())
    assert after < before
    c, module = read(tmp_path / "new" / "c.safetensors").tensors, own.network().eval()
    x = torch.randn(3, 3, 9, 9)
    expected = functional_call(module, b, (x,))
    torch.testing.assert_close(functional_call(module, c, (x,)), expected, rtol=1e-4, atol=1e-5)
    assert not torch.equal(c["stem.weight"], b["stem.weight"])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_numbers_of_the_second_file_are_moved_and_not_rounded(modeconn, own, tmp_path, dtype):
    states = [
        {n: v.to(dtype) if v.is_floating_point() else v for n, v in state.items()}
        for state in planted(own, seed=1)
    ]
    for name, state in zip("ab", states, strict=True):
        saved(tmp_path / f"{name}.safetensors", state)
    files = ("a.safetensors", "b.safetensors")
    assert modeconn("align", *files, "--arch", ARCH, "--out", "c.safetensors")[0] == 0
    c = read(tmp_path / "c.safetensors").tensors
    assert all(torch.equal(value, c[name]) for name, value in states[0].items())
    assert all(value.dtype == states[0][name].dtype for name, value in c.items())


def test_running_statistics_do_not_count_in_weight_matching(modeconn, own, tmp_path):
    a, b = planted(own, seed=2)
    for state in (a, b):  # alike in both orders, and large: they speak for leaving all as it is
        state["norm.running_mean"] = 1e3 * torch.arange(11.0)
        saved(tmp_path / ("a.safetensors" if state is a else "b.safetensors"), state)
    files = ("a.safetensors", "b.safetensors")
    assert modeconn("align", *files, "--arch", ARCH, "--out", "c.safetensors")[0] == 0
    c = read(tmp_path / "c.safetensors").tensors
    names = {name for name, _ in own.network().named_parameters()}
    assert all(torch.equal(a[name], c[name]) for name in names)
    assert not torch.equal(a["norm.running_mean"], c["norm.running_mean"])


def registry_pair(tmp_path, dtype=torch.float32):
    """Two files of a network of ours, the second one a shuffled first."""
    torch.manual_seed(0)
    state = architecture("mlp_small").build((1, 28, 28), 10).to(dtype).state_dict()
    for key in ("fc1.bias", "fc2.bias"):
        state[key] += 1  # a unit that never fires may go anywhere
    order = torch.randperm(64)
    other = dict(state)
    for key in ("fc1.weight", "fc1.bias"):
        other[key] = state[key][order]
    other["fc2.weight"] = state["fc2.weight"][:, order]
    saved(tmp_path / "a.safetensors", state)
    saved(tmp_path / "b.safetensors", other)
    return state


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("method", ["activations", "ste"])
def test_methods_that_look_at_images_undo_a_shuffle_too(modeconn, folder, tmp_path, method, dtype):
    state = registry_pair(tmp_path, dtype)
    status, out, err = modeconn(
        *("align", "a.safetensors", "b.safetensors", "--arch", "mlp_small"),
        *("--method", method, "--data", "fashion_mnist_small", "--examples", 150),
        *("--mean", 0.3, "--std", 0.35),
        *("--out", "c.safetensors", "--epochs", 1),
    )
    assert (status, err) == (0, "")
    assert "150 training images of Fashion-MNIST" in out
    assert "normalised by mean 0.3, std 0.35" in out
    c = read(tmp_path / "c.safetensors").tensors
    assert all(torch.equal(value, c[name]) for name, value in state.items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "guess"], "unknown method 'guess'; known: weights, activations, ste"),
        (["--method", "ste"], "the method 'ste' needs --data"),
        (["--data", "mnist"], "the method 'weights' looks at no data; leave --data out"),
        (["--orders", "0"], "--orders must be at least 1, got 0"),
        (["--epochs", "0"], "--epochs must be at least 1, got 0"),
        (["--shape", "3x3"], "cannot read the shape '3x3'"),
        (["--arch", "nonsense"], "unknown architecture 'nonsense'; known: mlp"),
        (["--out", "c.pt"], "the output 'c.pt' must end in .safetensors"),
        (["--spec", "none.json"], "none.json"),
        (["--classes", "3"], "'fc.weight' has shape (10, 32), expected (3, 32) (2 differ)"),
        (
            ["--arch", "resnet20"],
            "a.safetensors is not a file of resnet20: it lacks 'conv1.weight'",
        ),
        (
            ["--method", "activations", "--data", "nowhere"],
            "--data 'nowhere' is neither a folder nor a known data set: cifar10",
        ),
        (
            ["--method", "activations", "--data", "cifar10"],
            "a.safetensors is not a file of mlp_small: 'fc1.weight' has shape",
        ),
        (
            ["--method", "activations", "--data", "cifar10", "--shape", "1,28,28"],
            "the train images of cifar10 were not found",
        ),
        (
            ["--method", "activations", "--data", "fashion_mnist_small", "--examples", "1"],
            "matching activations needs at least 2 examples, got --examples 1",
        ),
        (
            ["--method", "activations", "--data", "fashion_mnist_small", "--mean", "0,0,0"],
            "--mean and --std go together",
        ),
        (["--mean", "0", "--std", "1"], "normalise the images of --data, and there is no --data"),
        (
            ["--method", "activations", "--data", "."],
            "pictures of a folder become square and RGB; the network takes (1, 28, 28)",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_refused_in_one_line_before_any_work(
    modeconn, folder, tmp_path, monkeypatch, options, message
):
    def work(*_, **__):
        raise AssertionError("work was begun")

    monkeypatch.setattr(align, "match_weights", work)
    registry_pair(tmp_path)
    given = {"--arch": "mlp_small", "--out": "c.safetensors"}
    given |= dict(zip(options[::2], options[1::2], strict=True))
    words = [word for pair in given.items() for word in pair]
    status, out, err = modeconn("align", "a.safetensors", "b.safetensors", *words)
    assert (status, out) == (2, "")
    assert message in err
    assert err.startswith("modeconn: ")
    assert err.count("\n") == 1
    assert sorted(p.name for p in tmp_path.glob("*.safetensors")) == [
        "a.safetensors",
        "b.safetensors",
    ]


def test_files_of_two_networks_are_refused(modeconn, folder, tmp_path):
    registry_pair(tmp_path)
    state = architecture("mlp_small").build((1, 28, 28), 7).state_dict()
    saved(tmp_path / "b.safetensors", state)
    status, _, err = modeconn(
        *("align", "a.safetensors", "b.safetensors", "--arch", "mlp_small"),
        *("--out", "c.safetensors"),
    )
    assert status == 2
    assert "b.safetensors is not a file of mlp_small: 'fc.weight' has shape (7, 32)" in err


def test_the_same_command_twice_needs_force(modeconn, pair):
    words = ("align", *pair, "--arch", ARCH, "--out", "c.safetensors")
    assert modeconn(*words)[0] == 0
    status, _, err = modeconn(*words)
    assert (status, err) == (
        2,
        "modeconn: the output c.safetensors exists; choose another name, or --force to replace "
        "it\n",
    )
    assert modeconn(*words, "--force")[0] == 0


def test_nothing_is_written_if_the_gate_does_not_open(modeconn, pair, monkeypatch, tmp_path):
    def shut(*_):
        raise NotEquivalent("the first to differ is node 'relu'")

    monkeypatch.setattr(align, "check_equivalence", shut)
    status, out, err = modeconn("align", *pair, "--arch", ARCH, "--out", "c.safetensors")
    assert (status, out, err) == (1, "", "modeconn: the first to differ is node 'relu'\n")
    assert not (tmp_path / "c.safetensors").exists()


def test_ste_is_refused_where_the_classes_are_not_the_networks(modeconn, folder, tmp_path):
    state = architecture("mlp_small").build((1, 28, 28), 7).state_dict()
    for name in "ab":
        saved(tmp_path / f"{name}.safetensors", state)
    status, _, err = modeconn(
        *("align", "a.safetensors", "b.safetensors", "--arch", "mlp_small"),
        *("--out", "c.safetensors", "--method", "ste", "--data", "fashion_mnist_small"),
        *("--examples", 5),
    )
    assert status == 2
    assert "have 10 classes, the network has 7 logits" in err


@pytest.mark.parametrize("command", ["align", "merge"])
def test_what_the_matching_refuses_is_one_line(modeconn, pair, monkeypatch, command):
    def refuse(*_, **__):
        raise ValueError("similarities must be finite")

    for place in (align, merge):
        monkeypatch.setattr(place, "match_weights", refuse)
    assert modeconn(command, *pair, "--arch", ARCH, "--out", "c.safetensors") == (
        2,
        "",
        "modeconn: the networks cannot be matched: similarities must be finite\n",
    )


def test_files_of_which_one_lacks_what_it_may_are_aligned(modeconn, own, tmp_path):
    a, b = planted(own)
    del b["norm.num_batches_tracked"]
    for name, state in {"a": a, "b": b}.items():
        saved(tmp_path / f"{name}.safetensors", state)
    files = ("a.safetensors", "b.safetensors")
    assert modeconn("align", *files, "--arch", ARCH, "--out", "c.safetensors")[0] == 0
    assert read(tmp_path / "c.safetensors").tensors.keys() == b.keys()


def test_cosines_are_of_all_tensors_that_a_group_indexes():
    spec = PermutationSpec(
        {"g": 2, "h": 1}, {"g": (AxisSpan("x", 0), AxisSpan("y", 0)), "h": (AxisSpan("z", 0),)}
    )
    a = {"x": torch.tensor([3.0, 0.0]), "y": torch.tensor([4.0, 0.0]), "z": torch.zeros(1)}
    b = {"x": torch.tensor([0.0, 5.0]), "y": torch.tensor([5.0, 0.0]), "z": torch.ones(1)}
    assert cosines(spec, a, b) == pytest.approx({"g": 20 / (5 * 50**0.5), "h": 0.0})
    assert distance(a, b) == pytest.approx((9 + 25 + 1 + 1) ** 0.5)


def test_what_is_pinned_is_summarised_by_reason(own):
    lines = pinned_summary(trace(own.network().eval(), torch.zeros(2, 3, 8, 8)))
    assert lines == [
        "stays in place: stem.weight: meets the network's input in conv2d",
        "stays in place: fc.weight and 1 more: is the network's output",
    ]


@pytest.mark.slow
def test_two_resnet18_of_torchvision_are_aligned(modeconn, folder, tmp_path):
    for seed, name in enumerate("ab"):
        torch.manual_seed(seed)
        saved(tmp_path / f"{name}.safetensors", torchvision().models.resnet18().state_dict())
    status, out, _ = modeconn(
        *("align", "a.safetensors", "b.safetensors", "--arch", "torchvision:resnet18"),
        *("--out", "c.safetensors"),
    )
    assert status == 0
    assert "torchvision:resnet18, inputs 3,224,224: " in out
    seconds = float(re.search(r"in (\d+\.\d) s\n$", out)[1])
    assert seconds < 60


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "spec.json"),
        (
            '{"groups": {"stem": {"units": 8, "spans": [{"tensor": "stem.weight", "axis": 0}]}}}',
            "the spec spec.json does not fit own_network_of_a_test:network: the spec is no symm",
        ),
        (
            '{"groups": {"stem": {"units": 8, "spans": [{"tensor": "root.weight", "axis": 0}]}}}',
            "does not fit own_network_of_a_test:network: group 'stem' names 'root.weight', which",
        ),
        (
            '{"groups": {"stem": {"units": 1000000000000, "spans": []}}}',
            "does not fit own_network_of_a_test:network: 'stem' has no spans",
        ),
    ],
)
def test_a_spec_that_does_not_fit_is_refused(modeconn, pair, tmp_path, text, message):
    (tmp_path / "spec.json").write_text(text)
    status, _, err = modeconn(
        *("align", *pair, "--arch", ARCH, "--out", "c.safetensors", "--spec", "spec.json"),
    )
    assert status == 2
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "c.safetensors").exists()
