"""`modeconn merge`: the mean of aligned networks, with honest batch-norm statistics."""

import re
from dataclasses import replace

import pytest
import torch
from torch.func import functional_call

from modeconn_lib.commands import merge
from modeconn_lib.commands.checkpoints import read
from modeconn_lib.commands.merge import parse_weights, weighted_mean
from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.params import params_of
from modeconn_lib.models.registry import architecture
from modeconn_lib.permutation.apply import compose, permute, random_permutations
from modeconn_lib.permutation.equivalence import NotEquivalent
from modeconn_lib.permutation.trace import trace
from tests.commands.own_network import ARCH, networks, planted, saved, write


@pytest.fixture
def own(folder, tmp_path, monkeypatch):
    return write(tmp_path, monkeypatch)


def shuffled(count, shape=(1, 28, 28)):
    """One small MLP, several times with its units in other orders."""
    torch.manual_seed(0)
    module = architecture("mlp_small").build(shape, 10)
    traced = trace(module, torch.zeros(2, *shape))
    drawn = torch.Generator().manual_seed(0)
    first = params_of(module)
    copies = [permute(first, traced.spec, random_permutations(traced.spec, drawn))]
    copies += [permute(first, traced.spec, random_permutations(traced.spec, drawn))]
    return [first, *copies][:count]


def test_copies_in_other_orders_are_merged_into_the_first(modeconn, folder, tmp_path):
    states = shuffled(2)
    for name, state in zip("ab", states, strict=True):
        saved(tmp_path / f"{name}.safetensors", state, {"file": name})
    status, out, err = modeconn(
        *("merge", "a.safetensors", "b.safetensors", "--arch", "mlp_small"),
        *("--out", "m.safetensors"),
    )
    assert (status, err) == (0, "")
    merged = read(tmp_path / "m.safetensors")
    assert merged.metadata == {"file": "a"}
    for name, value in states[0].items():
        torch.testing.assert_close(merged.tensors[name], value)
    for file in "ab":
        row = re.search(rf"\n{file}\.safetensors +(\S+) +(\S+)\n", out)
        assert float(row[1]) > 1 > 1e-5 > float(row[2])
    assert out.startswith(
        "mlp_small, inputs 1,28,28: 2 groups, 96 free units\n2 networks, weights 0.5"
    )
    assert re.search(r"\nfc1 +64 +\d+ +0\.\d+ 1\.000\n", out)
    assert "WARNING" not in out


def test_more_than_two_are_merged_in_the_order_of_the_first(
    modeconn, folder, tmp_path, monkeypatch
):
    real = merge.merge_many

    def in_another_order(spec, *arguments, **options):
        """All networks reordered once more, which makes the same mean in another order."""
        found = real(spec, *arguments, **options)
        q = random_permutations(spec, torch.Generator().manual_seed(5))
        return replace(found, permutations=tuple(compose(p, q) for p in found.permutations))

    monkeypatch.setattr(merge, "merge_many", in_another_order)
    states = shuffled(3)
    for name, state in zip("abc", states, strict=True):
        saved(tmp_path / f"{name}.safetensors", state)
    files = [f"{name}.safetensors" for name in "abc"]
    status, out, err = modeconn("merge", *files, "--arch", "mlp_small", "--out", "m.safetensors")
    assert (status, err) == (0, "")
    merged = read(tmp_path / "m.safetensors").tensors
    for name, value in states[0].items():
        torch.testing.assert_close(merged[name], value)
    assert "\n3 networks, weights 0.333333, 0.333333, 0.333333\nmerging many: " in out


def test_two_networks_give_their_weighted_mean_and_a_warning_of_batch_norm(modeconn, own, tmp_path):
    a, b = networks(own, 2)
    saved(
        tmp_path / "a.safetensors",
        {n: v.half() if n != "norm.num_batches_tracked" else v for n, v in a.items()},
    )
    saved(
        tmp_path / "b.safetensors",
        {n: v.half() if n != "norm.num_batches_tracked" else v for n, v in b.items()},
    )
    files = ("a.safetensors", "b.safetensors")
    assert modeconn("align", *files, "--arch", ARCH, "--out", "c.safetensors")[0] == 0
    status, out, _ = modeconn(
        "merge", *files, "--arch", ARCH, "--out", "m.safetensors", "--weights", "0.25,0.75"
    )
    assert status == 0
    assert "WARNING: the batch-norm statistics are means of the files' own" in out
    assert "name training images with --data to take them anew" in out
    mine, other, merged = (read(tmp_path / f"{n}.safetensors").tensors for n in "acm")
    for name, value in mine.items():
        if value.is_floating_point():
            assert merged[name].dtype == torch.float16
            expected = (0.25 * value.float() + 0.75 * other[name].float()).half()
            assert torch.equal(merged[name], expected)
    module = own.network()
    module.load_state_dict(merged)


def test_batch_norm_statistics_are_taken_anew_from_data(modeconn, folder, tmp_path):
    torch.manual_seed(0)
    for name in "ab":
        module = architecture("tinyten").build((1, 28, 28), 10)
        saved(tmp_path / f"{name}.safetensors", module.state_dict())
    status, out, _ = modeconn(
        *("merge", "a.safetensors", "b.safetensors", "--arch", "tinyten"),
        *("--out", "m.safetensors", "--data", "fashion_mnist_small", "--examples", 100),
    )
    assert status == 0
    assert "batch-norm statistics taken anew from 100 training images of Fashion-MNIST" in out
    assert "WARNING" not in out
    merged = read(tmp_path / "m.safetensors").tensors
    # the input of the first norm, on the very images: one batch, so exactly its own mean
    found = merge.prepare(
        [tmp_path / "m.safetensors"],
        merge.Request(
            "tinyten", tmp_path / "x.safetensors", data="fashion_mnist_small", examples=100
        ),
    )
    (batch,) = list(found.images)
    maps = torch.nn.functional.conv2d(batch, merged["conv1.weight"], merged["conv1.bias"], 1, 1)
    torch.testing.assert_close(
        merged["bn1.running_mean"], maps.mean((0, 2, 3)), rtol=1e-4, atol=1e-5
    )


def test_double_precision_is_kept_but_for_the_statistics(modeconn, folder, tmp_path):
    for seed, name in enumerate("ab"):
        torch.manual_seed(seed)
        module = architecture("tinyten").build((1, 28, 28), 10).double()
        for value in module.parameters():
            value.data.add_(torch.randn_like(value) * 1e-10)  # more digits than float32 has
        saved(tmp_path / f"{name}.safetensors", module.state_dict())
    merge_them = ("merge", "a.safetensors", "b.safetensors", "--arch", "tinyten", "--out")
    data = ("--data", "fashion_mnist_small", "--examples", 101, "--mean", 0, "--std", 1)
    assert modeconn(*merge_them, "plain.safetensors")[0] == 0
    status, out, err = modeconn(*merge_them, "anew.safetensors", *data)
    assert (status, err) == (0, "")
    assert "normalised by mean 0, std 1\n" in out
    plain, anew = (read(tmp_path / f"{n}.safetensors").tensors for n in ("plain", "anew"))
    for name, value in plain.items():
        assert torch.equal(value, anew[name]) != ("running" in name), name
        assert anew[name].dtype == value.dtype


def test_tensors_that_all_networks_have_are_kept_exactly():
    mask = torch.tensor([0.0, -torch.inf, 0.1])
    networks = [{"x": torch.full((1,), float(i)), "mask": mask} for i in (1, 2)]
    found = weighted_mean((1.5, -0.5), networks)
    assert torch.equal(found["mask"], mask)
    assert found["mask"] is not mask
    assert torch.equal(found["x"], torch.tensor([0.5]))


def test_a_mean_that_the_files_dtype_does_not_hold_is_not_written(modeconn, folder, tmp_path):
    for name, state in zip("ab", shuffled(2), strict=True):
        saved(
            tmp_path / f"{name}.safetensors",
            {n: v.half() * (1 + (name == "b")) for n, v in state.items()},
        )
    status, out, err = modeconn(
        *("merge", "a.safetensors", "b.safetensors", "--arch", "mlp_small"),
        *("--out", "m.safetensors", "--weights", "1000001,-1000000"),
    )
    assert (status, out) == (2, "")
    assert re.search(r"^modeconn: nothing was written: \d+ of \d+ entries of '.*float16", err)
    assert err.count("\n") == 1
    assert not (tmp_path / "m.safetensors").exists()


def test_data_for_a_network_without_batch_norm_are_said_to_be_unused(modeconn, folder, tmp_path):
    for name, state in zip("ab", shuffled(2), strict=True):
        saved(tmp_path / f"{name}.safetensors", state)
    status, out, _ = modeconn(
        *("merge", "a.safetensors", "b.safetensors", "--arch", "mlp_small"),
        *("--out", "m.safetensors", "--data", "fashion_mnist_small", "--examples", 4),
    )
    assert status == 0
    assert "no batch norm in this network: the data were not used" in out


def test_one_file_is_refused(modeconn, folder):
    status, _, err = modeconn("merge", "a.safetensors", "--arch", "mlp", "--out", "m.safetensors")
    assert (status, err) == (2, "modeconn: merging needs at least 2 files, got 1\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.5", r"there are 2 files but 1 weights in '0\.5'"),
        ("0.5,0.6", r"the weights '0\.5,0\.6' sum to 1\.1, not to 1"),
        ("nan,1", r"sum to nan, not to 1"),
        ("half,half", r"cannot read the weights 'half,half'; write them like 0\.5,0\.5"),
    ],
)
def test_weights_that_are_none_are_refused(text, message):
    with pytest.raises(Refusal, match=message):
        parse_weights(text, 2)


def test_weights_may_leave_the_segment_and_are_equal_if_not_given():
    assert parse_weights("1.5,-0.5", 2) == (1.5, -0.5)
    assert parse_weights("", 4) == (0.25,) * 4


def test_nothing_is_written_if_the_gate_does_not_open(modeconn, own, tmp_path, monkeypatch):
    def shut(*_):
        raise NotEquivalent("the first to differ is node 'relu'")

    for name, state in zip("ab", planted(own), strict=True):
        saved(tmp_path / f"{name}.safetensors", state)
    monkeypatch.setattr(merge, "check_equivalence", shut)
    status, out, _ = modeconn(
        *("merge", "a.safetensors", "b.safetensors", "--arch", ARCH, "--out", "m.safetensors"),
    )
    assert (status, out) == (1, "")
    assert not (tmp_path / "m.safetensors").exists()


def test_a_merged_network_computes_what_the_copies_do(modeconn, folder, tmp_path):
    states = shuffled(2)
    for name, state in zip("ab", states, strict=True):
        saved(tmp_path / f"{name}.safetensors", state)
    files = ("a.safetensors", "b.safetensors")
    assert modeconn("merge", *files, "--arch", "mlp_small", "--out", "m.safetensors")[0] == 0
    module = architecture("mlp_small").build((1, 28, 28), 10)
    module.load_state_dict(read(tmp_path / "m.safetensors").tensors)
    x = torch.randn(5, 1, 28, 28)
    torch.testing.assert_close(module(x), functional_call(module, states[1], (x,)))
