"""`modeconn data`: what is here, and how to get the rest."""

import numpy as np

from modeconn_lib.commands import data as command
from modeconn_lib.datasets.registry import DATASETS


def test_the_list_has_every_data_set_with_its_size_and_licence(modeconn):
    status, out, err = modeconn("data", "list")
    assert (status, err) == (0, "")
    head, *lines = out.splitlines()
    assert head.split() == ["name", "images", "size", "classes", "found", "licence"]
    assert [line.split()[0] for line in lines] == list(DATASETS)
    for line, info in zip(lines, DATASETS.values(), strict=True):
        assert f"{info.train:,} + {info.test:,}" in line
        assert line.endswith(info.licence)


def test_the_list_says_where_a_data_set_is_or_that_it_is_not_here(modeconn, tmp_path):
    for split in ("train", "test"):
        path = tmp_path / "mine" / "cifar10" / f"{split}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, images=np.zeros(1), labels=np.zeros(1))
    _, out, _ = modeconn("data", "list", "--data", tmp_path / "mine")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert str(tmp_path / "mine") in lines["cifar10"]
    assert "embedded" in lines["fashion_mnist_small"]
    assert "not here" in lines["mnist"]


def test_fetching_says_where_the_data_set_is(modeconn, monkeypatch, tmp_path):
    monkeypatch.setattr(command, "fetch", lambda name, data: data / name)
    status, out, _ = modeconn("data", "fetch", "mnist", "--data", tmp_path)
    assert (status, out) == (0, f"mnist is in {tmp_path / 'mnist'}\n")


def test_what_needs_no_fetching_is_refused(modeconn):
    status, _, err = modeconn("data", "fetch", "fashion_mnist_small")
    assert status == 2
    assert "fashion_mnist_small needs no download" in err


def test_embedding_says_what_was_written(modeconn, monkeypatch, tmp_path):
    monkeypatch.setattr(command, "embed", lambda source, out: [out / "a", out / "b"])
    status, out, _ = modeconn("data", "embed", "--out", tmp_path)
    assert (status, out) == (0, f"wrote {tmp_path / 'a'}\nwrote {tmp_path / 'b'}\n")
