"""Fetching, without a network: what torchvision would have brought is put in its place."""

from types import SimpleNamespace

import numpy as np
import pytest

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.files import DamagedFile
from modeconn_lib.datasets import fetch as module
from modeconn_lib.datasets import sources
from modeconn_lib.datasets.fetch import describe, fetch
from modeconn_lib.datasets.images import MissingData, load


class Network:
    """Stands for torchvision: counts downloads, or fails."""

    def __init__(self, split, failure=None):
        self.split, self.failure, self.downloads = split, failure, []

    def __call__(self):
        return SimpleNamespace(datasets=SimpleNamespace(Toy=self.download))

    def download(self, root, *, train, download):
        assert download
        assert root.is_dir()
        self.downloads.append("train" if train else "test")
        if self.failure:
            raise self.failure
        images, labels = self.split
        return SimpleNamespace(data=images, targets=labels.tolist())


@pytest.fixture
def network(monkeypatch, random_split, toy):
    def connect(failure=None):
        toy(torchvision="Toy")
        network = Network(random_split(), failure)
        monkeypatch.setattr(module, "torchvision", network)
        return network

    return connect


def test_what_is_fetched_is_found_by_load(network, tmp_path, random_split):
    network()
    assert fetch("toy", tmp_path / "data") == tmp_path / "data" / "toy"
    loaded = load("toy", "test", tmp_path / "data")
    assert np.array_equal(loaded.images.permute(0, 2, 3, 1).numpy(), random_split()[0])
    assert sorted(p.name for p in (tmp_path / "data").iterdir()) == ["toy"]  # nothing left behind


def test_without_a_folder_the_users_cache_is_filled(network):
    network()
    assert fetch("toy") == sources.cache_folder() / "toy"
    assert len(load("toy", "train")) == 12


def test_the_folder_of_the_environment_is_filled_where_there_is_one(network, tmp_path, monkeypatch):
    network()
    monkeypatch.setenv("MODECONN_DATA", str(tmp_path))
    assert fetch("toy") == tmp_path / "toy"
    assert (tmp_path / "toy" / "test.npz").is_file()


def test_a_split_that_is_there_is_not_fetched_again_and_a_damaged_one_is(network, tmp_path):
    there = network()
    fetch("toy", tmp_path)
    fetch("toy", tmp_path)
    assert there.downloads == ["train", "test"]
    path = tmp_path / "toy" / "test.npz"
    path.write_bytes(path.read_bytes()[:-50])
    fetch("toy", tmp_path)
    assert there.downloads == ["train", "test", "test"]
    assert len(load("toy", "test", tmp_path)) == 12


def test_a_download_that_is_something_else_is_not_kept(network, tmp_path, toy):
    network()
    toy(torchvision="Toy", fingerprints={"train": "0" * 64})
    with pytest.raises(DamagedFile, match="what was fetched for toy is not the known toy train"):
        fetch("toy", tmp_path)
    assert not list(tmp_path.glob("**/*.npz"))


@pytest.mark.parametrize("failure", [RuntimeError("File not found"), OSError("no route to host")])
def test_without_a_network_the_other_way_is_named(network, tmp_path, failure):
    network(failure)
    with pytest.raises(
        MissingData, match=rf"\({failure}\); check the network, or put toy/.*--data"
    ):
        fetch("toy", tmp_path)


def test_torchvisions_own_class_is_what_is_asked(tmp_path, monkeypatch):
    asked = []

    class Refuses:
        def __init__(self, root, train, download):
            asked.append((train, download))
            raise RuntimeError("no network here")

    tv = module.torchvision()
    monkeypatch.setattr(tv.datasets, "CIFAR10", Refuses)
    with pytest.raises(MissingData, match="cifar10 could not be downloaded"):
        fetch("cifar10", tmp_path)
    assert asked == [(True, True)]


@pytest.mark.parametrize("name", ["fashion_mnist_small", "folder:somewhere"])
def test_what_needs_no_download_is_refused(name, tmp_path, write_picture, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for part in ("train", "test"):
        write_picture(tmp_path / "somewhere" / part / "a" / "0.png", np.zeros((8, 8), np.uint8))
    with pytest.raises(Refusal, match=f"{name} needs no download"):
        fetch(name, tmp_path)


def test_tiny_imagenet_has_to_be_downloaded_by_hand(tmp_path):
    with pytest.raises(MissingData, match=r"download http://cs231n.* unpack it to .*imagenet-200"):
        fetch("tiny_imagenet", tmp_path)


def test_tiny_imagenet_is_prepared_from_its_folder(tmp_path, monkeypatch, toy, write_picture):
    toy(shape=(3, 64, 64), classes=1, train=1, test=1)
    monkeypatch.setitem(sources.TINY_EVERY, "toy", 3)
    top, white = tmp_path / "tiny-imagenet-200", np.full((64, 64, 3), 255, np.uint8)
    for wnid in ("n01443537", "n02", "n03"):  # the second and third are left out
        write_picture(top / "train" / wnid / "images" / "a.JPEG", white)
    write_picture(top / "val" / "images" / "b.JPEG", white)
    (top / "val" / "val_annotations.txt").write_text("b.JPEG\tn01443537\t0\t0\t62\t62\n")
    assert (load("toy", "train", tmp_path).images == 255).all()  # also without preparing it
    fetch("toy", tmp_path)
    for file in top.glob("**/*.JPEG"):
        file.unlink()
    assert (load("toy", "test", tmp_path).images == 255).all()


def test_the_list_says_what_is_here(tmp_path, prepare, random_split):
    prepare(tmp_path, "cifar10", "train", *random_split())
    rows = {row["name"]: row for row in describe(tmp_path)}
    assert not rows["cifar10"]["found"]  # half of it is not enough
    assert rows["fashion_mnist_small"]["found"].endswith("embedded")
    assert rows["cifar100"]["images"] == "50,000 + 10,000"
    assert rows["tiny_imagenet"]["size"] == "3 x 64 x 64"
    prepare(tmp_path, "cifar10", "test", *random_split())
    rows = {row["name"]: row for row in describe(tmp_path)}
    assert rows["cifar10"]["found"] == str(tmp_path / "cifar10" / "train.npz")
