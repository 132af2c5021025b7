"""Files are whole or absent, and what is read is what was written."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.core import files
from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.files import (
    DamagedFile,
    atomic_write,
    canonical_json,
    load_tensors,
    pack_tensors,
    read_verified,
    save_tensors,
    sha256,
    unpack_tensors,
)
from modeconn_lib.core.params import Layout

TENSORS = {
    "weight": torch.arange(6, dtype=torch.float32).view(2, 3),
    "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "count": torch.tensor(7),
    "image": torch.arange(12, dtype=torch.uint8).view(3, 4),
    "mask": torch.tensor([True, False]),
    "empty": torch.zeros(0, 3),
}


def equal(a, b) -> bool:
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype and torch.equal(a[name], b[name]) for name in a
    )


@given(old=st.none() | st.binary(max_size=50), new=st.binary(max_size=50))
def test_what_is_written_is_read_whatever_was_there(tmp_path_factory, old, new):
    path = tmp_path_factory.mktemp("files") / "new" / "folder" / "file"
    if old is not None:
        atomic_write(path, old)
    atomic_write(path, new)
    assert path.read_bytes() == new
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("broken", ["fsync", "replace", "chmod"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, broken):
    path = tmp_path / "file"
    atomic_write(path, b"old")

    def fail(*_arguments, **_keywords):
        raise OSError("no space left")

    monkeypatch.setattr(files.os if broken == "fsync" else Path, broken, fail)
    with pytest.raises(OSError, match="no space left"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_unfinished_file_lies_beside_the_finished_one(tmp_path, monkeypatch):
    # a rename from another file system would be a copy, which is not atomic
    monkeypatch.setattr(files.tempfile, "tempdir", "/nonexistent")
    atomic_write(tmp_path / "file", b"")


def test_a_written_file_can_be_read_by_others(tmp_path):
    atomic_write(tmp_path / "file", b"")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_a_file_and_its_name_are_on_the_disk_before_the_write_returns(tmp_path, monkeypatch):
    order, sync, replace = [], files.os.fsync, Path.replace
    monkeypatch.setattr(files.os, "fsync", lambda f: (order.append("sync"), sync(f))[1])
    monkeypatch.setattr(Path, "replace", lambda a, b: (order.append("rename"), replace(a, b))[1])
    atomic_write(tmp_path / "file", b"x")
    assert order == ["sync", "rename", "sync"]


def test_canonical_json_does_not_depend_on_the_order_of_a_dictionary():
    assert canonical_json({"b": [1, 2.5], "a": "é"}) == rb'{"a":"\u00e9","b":[1,2.5]}'
    assert canonical_json({"a": "é", "b": [1, 2.5]}) == canonical_json({"b": [1, 2.5], "a": "é"})


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_canonical_json_refuses_what_is_not_finite(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": value})


def test_sha256_is_the_published_one():
    assert sha256(b"abc").startswith("ba7816bf8f01cfea414140de5dae2223b00361a396177a9c")


def test_tensors_come_back_with_their_types_and_shapes(tmp_path):
    digest = save_tensors(tmp_path / "t.safetensors", TENSORS)
    assert digest == sha256((tmp_path / "t.safetensors").read_bytes())
    assert equal(load_tensors(tmp_path / "t.safetensors", digest), TENSORS)
    assert equal(load_tensors(tmp_path / "t.safetensors"), TENSORS)


def test_the_same_tensors_give_the_same_bytes_in_any_order_and_layout():
    reordered = dict(reversed(TENSORS.items()))
    image = torch.arange(24.0).view(1, 2, 3, 4)
    other = image.contiguous(memory_format=torch.channels_last)
    assert pack_tensors(TENSORS) == pack_tensors(reordered)
    assert pack_tensors({"image": image}) == pack_tensors({"image": other})


def test_views_of_one_flat_buffer_are_stored_each_for_itself(tmp_path):
    params = {"weight": torch.arange(4.0).view(2, 2), "bias": torch.arange(2.0)}
    layout = Layout.of(params)
    views = layout.views(layout.ravel(params))
    assert pack_tensors(views) == pack_tensors(params)
    assert equal(unpack_tensors(pack_tensors(views), tmp_path), params)


def test_a_parameter_is_stored_without_its_gradient(tmp_path):
    weight = torch.nn.Parameter(torch.ones(2))
    assert equal(unpack_tensors(pack_tensors({"w": weight}), tmp_path), {"w": torch.ones(2)})


@given(length=st.integers(0, len(pack_tensors(TENSORS)) - 1))
def test_truncated_tensors_are_seen_even_without_a_digest(length):
    with pytest.raises(DamagedFile, match="here is not a whole safetensors file"):
        unpack_tensors(pack_tensors(TENSORS)[:length], Path("here"))


@given(position=st.integers(0, len(pack_tensors(TENSORS)) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_seen_by_the_digest(tmp_path_factory, position, bit):
    path = tmp_path_factory.mktemp("files") / "t.safetensors"
    digest = save_tensors(path, TENSORS)
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(DamagedFile, match=rf"t\.safetensors is damaged.* not {digest[:16]}"):
        load_tensors(path, digest)


def test_a_verified_read_gives_the_content(tmp_path):
    atomic_write(tmp_path / "file", b"abc")
    assert read_verified(tmp_path / "file", sha256(b"abc")) == b"abc"


def test_a_refusal_is_shown_as_one_line_in_a_notebook():
    assert Refusal("unknown profile 'x'")._render_traceback_() == ["Refusal: unknown profile 'x'"]
