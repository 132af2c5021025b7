"""Files of weights are read whole, or refused in one line that says what is wrong."""

import pytest
import torch
from safetensors import safe_open
from torch import nn

from modeconn_lib.commands import checkpoints
from modeconn_lib.commands.checkpoints import check_output, read, save, single
from modeconn_lib.commands.fits import check_fits
from modeconn_lib.core.errors import Refusal
from tests.commands.own_network import saved, write


@pytest.fixture
def layer():
    """The smallest network with a counter that a file may lack."""
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def test_a_pickle_file_is_refused_with_the_way_to_convert_it(tmp_path):
    for name, write_it in (
        ("zip.pt", lambda path: torch.save({}, path)),
        ("old.bin", lambda path: torch.save({}, path, _use_new_zipfile_serialization=False)),
        ("disguised.safetensors", lambda path: torch.save({}, path)),
        ("text.pth", lambda path: path.write_text("weights")),
    ):
        write_it(tmp_path / name)
        with pytest.raises(Refusal, match=r"is a pickle file, which can run code") as found:
            read(tmp_path / name)
        old = (tmp_path / name).with_suffix(".pt") if name[0] == "d" else tmp_path / name
        assert f"torch.load({str(old)!r}, map_location='cpu', weights_only=" in str(found.value)
        assert "\n" not in str(found.value)


@pytest.mark.parametrize("name", ["mine.pt", "mine.safetensors"])
def test_the_given_way_to_convert_a_pickle_file_works(tmp_path, monkeypatch, name):
    module = write(tmp_path, monkeypatch).tied()
    path = tmp_path / "deep" / name
    path.parent.mkdir()
    torch.save(module.state_dict(), path)  # tied weights share memory, which safetensors refuse
    with pytest.raises(Refusal) as found:
        read(path)
    if "rename it to mine.pt and convert it: " in str(found.value):
        path.rename(path.with_suffix(".pt"))
    exec("import torch; " + str(found.value).partition("convert it: ")[2])
    converted = read(path.with_suffix(".safetensors"))
    check_fits(converted, module, "tied")
    assert all(torch.equal(v, converted.tensors[n]) for n, v in module.state_dict().items())


def test_a_file_that_is_not_whole_is_refused(tmp_path, layer):
    path = saved(tmp_path / "a.safetensors", layer.state_dict())
    whole = path.read_bytes()
    for cut in (0, 5, 9, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(Refusal, match=r"a\.safetensors (cannot be read|is not a whole)"):
            read(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(Refusal, match=r"cannot read .*none\.safetensors \(No such file"):
        read(tmp_path / "none.safetensors")
    with pytest.raises(Refusal, match=r"cannot read .* \(Is a directory\)"):
        read(tmp_path)


def test_the_batch_counter_may_be_missing_and_is_not_written_then(tmp_path, layer):
    state = dict(layer.state_dict())
    del state["1.num_batches_tracked"]
    file = read(saved(tmp_path / "a.safetensors", state))
    check_fits(file, layer, "mine")
    params = file.params(layer)
    assert list(params) == list(layer.state_dict())
    save(tmp_path / "b.safetensors", params, file)
    assert read(tmp_path / "b.safetensors").tensors.keys() == state.keys()


def test_a_tensor_with_two_names_may_be_in_the_file_once(tmp_path, monkeypatch):
    module = write(tmp_path, monkeypatch).tied()
    state = dict(module.state_dict())
    state["first.weight"] = torch.eye(4)
    del state["second.weight"]
    file = read(saved(tmp_path / "a.safetensors", state))
    check_fits(file, module, "tied")
    assert torch.equal(file.params(module)["second.weight"], torch.eye(4))
    save(tmp_path / "b.safetensors", file.params(module), file)
    assert read(tmp_path / "b.safetensors").tensors.keys() == state.keys()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_read_and_written_back_as_they_were(tmp_path, layer, dtype):
    state = {n: v.to(dtype) if v.is_floating_point() else v for n, v in layer.state_dict().items()}
    file = read(saved(tmp_path / "a.safetensors", state, {"epoch": "3"}))
    check_fits(file, layer, "mine")
    params = file.params(layer)
    assert params["0.weight"].dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    save(tmp_path / "b.safetensors", params, file)
    again = read(tmp_path / "b.safetensors")
    assert again.metadata == {"epoch": "3"}
    for name, value in state.items():
        assert again.tensors[name].dtype == value.dtype
        assert torch.equal(again.tensors[name], value)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("c.pt", r"must end in \.safetensors"),
        ("a.safetensors", r"is one of the inputs"),
        ("x/../a.safetensors", r"is one of the inputs"),
        ("there.safetensors", r"exists; choose another name, or --force"),
        ("folder.safetensors", r"is a folder"),
        ("a.safetensors/c.safetensors", r"cannot write to the folder .*a\.safetensors"),
    ],
)
def test_an_output_that_must_not_be_written_is_refused(tmp_path, out, message):
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "x").mkdir()
    for name in ("a", "there"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"")
    with pytest.raises(Refusal, match=message):
        check_output(tmp_path / out, [tmp_path / "a.safetensors"], force=False)


def test_force_replaces_what_exists_but_never_an_input(tmp_path):
    for name in ("a", "there"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"")
    inputs = [tmp_path / "a.safetensors"]
    check_output(tmp_path / "there.safetensors", inputs, force=True)
    with pytest.raises(Refusal, match="is one of the inputs"):
        check_output(inputs[0], inputs, force=True)


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    def full(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(checkpoints.tempfile, "TemporaryFile", full)
    with pytest.raises(Refusal, match=r"cannot write to the folder .* \(Read-only file system\)"):
        check_output(tmp_path / "new" / "c.safetensors", [], force=False)
    assert not (tmp_path / "new").exists()


def test_what_is_written_can_be_opened_by_others(tmp_path, layer):
    file = read(saved(tmp_path / "a.safetensors", layer.state_dict(), {"by": "me"}))
    save(tmp_path / "deep" / "b.safetensors", file.params(layer), file)
    with safe_open(tmp_path / "deep" / "b.safetensors", framework="pt") as other:
        assert other.metadata() == {"by": "me"}
        names = other.keys()
        layer.load_state_dict({name: other.get_tensor(name) for name in names})


def test_numbers_that_the_files_dtype_does_not_hold_are_not_written(tmp_path, layer):
    file = read(saved(tmp_path / "a.safetensors", layer.half().state_dict()))
    params = file.params(layer)
    params["0.weight"][0, 1] = 1e6
    with pytest.raises(Refusal) as found:
        save(tmp_path / "b.safetensors", params, file)
    assert str(found.value).startswith(
        "nothing was written: 1 of 6 entries of '0.weight' would be NaN or infinite in "
        "torch.float16, the dtype of "
    )
    assert not (tmp_path / "b.safetensors").exists()
    params["0.weight"][0, 1] = 6e4
    save(tmp_path / "b.safetensors", params, file)


def test_infinities_that_a_file_has_are_written_again(tmp_path, layer):
    state = {**layer.state_dict(), "0.bias": torch.tensor([0.0, -torch.inf, 0.0])}
    file = read(saved(tmp_path / "a.safetensors", state))
    save(tmp_path / "b.safetensors", file.params(layer), file)
    assert torch.equal(read(tmp_path / "b.safetensors").tensors["0.bias"], state["0.bias"])


def test_modules_compute_in_float32_whatever_the_file_holds():
    given = {"half": torch.ones(1).half(), "double": torch.ones(1).double(), "n": torch.tensor(3)}
    assert {n: v.dtype for n, v in single(given).items()} == {
        "half": torch.float32,
        "double": torch.float32,
        "n": torch.int64,
    }
