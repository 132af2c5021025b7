"""Loading: where a split is found, that it is the right one, and what is said if not."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.files import DamagedFile
from modeconn_lib.datasets import sources
from modeconn_lib.datasets.fetch import describe
from modeconn_lib.datasets.images import MissingData, fingerprint, load, verified
from modeconn_lib.datasets.info import SPLITS, content_fingerprint
from modeconn_lib.datasets.registry import dataset

REAL = Path(os.environ["MODECONN_DATA"]) if os.environ.get("MODECONN_DATA") else None


def test_a_prepared_folder_gives_its_images_channels_first(tmp_path, toy, prepare, random_split):
    toy()
    images, labels = random_split()
    prepare(tmp_path, "toy", "train", images, labels)
    data = load("toy", "train", tmp_path)
    assert len(data) == 12
    assert data.split == "train"
    assert data.info.name == "toy"
    assert np.array_equal(data.images.numpy(), images.transpose(0, 3, 1, 2))
    assert np.array_equal(data.labels.numpy(), labels)


def test_grey_images_get_their_one_channel(tmp_path, toy, prepare, random_split):
    toy(shape=(1, 5, 4), mean=(0.5,), std=(0.5,))
    images, labels = random_split(shape=(5, 4))
    prepare(tmp_path, "toy", "test", images, labels)
    assert np.array_equal(load("toy", "test", tmp_path).images[:, 0].numpy(), images)


@given(seed=st.integers(0, 2**31))
def test_copies_in_another_order_load_as_the_same_tensor(seed):
    info = dataset("tiny_imagenet_40")
    g = np.random.default_rng(seed)
    known = {"order": "digest", "shape": (3, 2, 2), "train": 8, "fingerprints": {}}
    toy = type(info)(**({f: getattr(info, f) for f in info.__dataclass_fields__} | known))
    images, labels = g.integers(0, 2, (8, 2, 2, 3), np.uint8), g.integers(0, 40, 8)
    images[1] = images[0]  # equal images, perhaps of different classes
    shuffle = g.permutation(8)
    one = verified(toy, "train", (images, labels), "here")
    other = verified(toy, "train", (images[shuffle], labels[shuffle]), "there")
    assert torch.equal(one.images, other.images)
    assert torch.equal(one.labels, other.labels)
    pairs = {(image.tobytes(), label) for image, label in zip(images, labels, strict=True)}
    kept = one.images.permute(0, 2, 3, 1).contiguous().numpy()
    assert {(i.tobytes(), int(k)) for i, k in zip(kept, one.labels, strict=True)} == pairs


def test_a_split_sorted_by_class_is_mixed_by_its_digests(tmp_path, toy, prepare, random_split):
    toy(order="digest", train=300, classes=3)
    images, labels = random_split(300)
    prepare(tmp_path, "toy", "train", images, np.sort(labels))
    assert load("toy", "train", tmp_path).first(30).labels.bincount(minlength=3).min() > 2


def test_the_original_order_is_kept(tmp_path, toy, prepare, random_split):
    toy()
    images, labels = random_split()
    prepare(tmp_path, "toy", "train", images[::-1], labels[::-1])
    assert load("toy", "train", tmp_path).labels.tolist() == labels[::-1].tolist()


def test_the_fingerprint_sees_pixels_labels_and_shape():
    g = torch.Generator().manual_seed(0)
    images = torch.randint(256, (4, 1, 6, 4), generator=g, dtype=torch.uint8)
    labels = torch.arange(4)
    changed, relabelled = images.clone(), labels.clone()
    changed[3, 0, 5, 3] ^= 1
    relabelled[0] = 1
    seen = {
        content_fingerprint(*pair)
        for pair in (
            (images, labels),
            (changed, labels),
            (images, relabelled),
            (images.view(4, 1, 4, 6), labels),
        )
    }
    assert len(seen) == 4


def test_the_fingerprint_does_not_see_the_layout_in_memory():
    images = torch.arange(96, dtype=torch.uint8).view(2, 3, 4, 4)
    fast = images.contiguous(memory_format=torch.channels_last)
    assert content_fingerprint(images, torch.arange(2)) == content_fingerprint(
        fast, torch.arange(2)
    )


def test_another_version_of_the_data_is_refused(tmp_path, toy, prepare, random_split):
    images, labels = random_split()
    path = prepare(tmp_path, "toy", "train", images, labels)
    toy()
    known = load("toy", "train", tmp_path).fingerprint
    toy(fingerprints={"train": known})
    assert load("toy", "train", tmp_path).fingerprint == known
    images[0, 0, 0, 0] ^= 1
    prepare(tmp_path, "toy", "train", images, labels)
    with pytest.raises(
        DamagedFile, match=rf"{path} is not the known toy train: .* not {known[:16]}"
    ):
        load("toy", "train", tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda i, k: (i[:11], k[:11]),
            r"11 labels and uint8 images \(11, 5, 4, 3\); toy train is",
        ),
        (lambda i, k: (i[:, :4], k), r"is uint8 \(12, 5, 4, 3\)"),
        (lambda i, k: (i, k[:11]), "holds 11 labels"),
        (lambda i, k: (i.astype(np.float32), k), "12 labels and float32 images"),
        (lambda i, k: (i, k + 1), "has labels from 1 to 3; toy has 3 classes"),
        (lambda i, k: (i, k - 1), "has labels from -1 to 1; toy has 3 classes"),
    ],
)
def test_arrays_that_are_not_the_data_set_are_refused(
    tmp_path, toy, prepare, random_split, change, message
):
    toy()
    images, labels = random_split()
    prepare(tmp_path, "toy", "train", *change(images, labels))
    with pytest.raises(DamagedFile, match=message):
        load("toy", "train", tmp_path)


@pytest.mark.parametrize("keep", [0, 100, -1000])
def test_a_truncated_file_is_refused(tmp_path, toy, prepare, random_split, keep):
    toy()
    path = prepare(tmp_path, "toy", "train", *random_split())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedFile, match=rf"{path} is not a whole .npz file"):
        load("toy", "train", tmp_path)


def test_a_flipped_bit_is_detected_without_a_fingerprint(tmp_path, toy, prepare, random_split):
    toy()
    path = prepare(tmp_path, "toy", "train", *random_split())
    data = bytearray(path.read_bytes())
    data[300] ^= 1  # among the pixels; the archive keeps a checksum of them
    path.write_bytes(bytes(data))
    with pytest.raises(DamagedFile, match=r"is not a whole .npz file"):
        load("toy", "train", tmp_path)


def test_pickled_objects_are_not_opened(tmp_path, toy, prepare, random_split):
    toy()
    _, labels = random_split()
    prepare(tmp_path, "toy", "train", np.array([{}] * 12, dtype=object), labels)
    with pytest.raises(DamagedFile, match="Object arrays cannot be loaded"):
        load("toy", "train", tmp_path)


def test_a_single_array_is_not_an_archive(tmp_path, toy, random_split):
    toy()
    (tmp_path / "toy").mkdir()
    with (tmp_path / "toy" / "train.npz").open("wb") as file:
        np.save(file, random_split()[0])
    with pytest.raises(DamagedFile, match=r"is not a whole .npz file with images and labels"):
        load("toy", "train", tmp_path)


def test_an_archive_without_labels_is_refused(tmp_path, toy, random_split):
    toy()
    (tmp_path / "toy").mkdir()
    np.savez(tmp_path / "toy" / "train.npz", images=random_split()[0])
    with pytest.raises(DamagedFile, match="labels is not a file in the archive"):
        load("toy", "train", tmp_path)


def test_missing_data_says_where_it_was_looked_for_and_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MODECONN_DATA", str(tmp_path))
    with pytest.raises(MissingData) as caught:
        load("cifar10", "test")
    message = str(caught.value)
    for part in (
        "the test images of cifar10 were not found",
        str(tmp_path / "cifar10" / "test.npz"),
        str(tmp_path / "cache" / "modeconn" / "data" / "cifar10" / "test.npz"),
        "--data or MODECONN_DATA",
        "`modeconn data fetch cifar10`",
    ):
        assert part in message
    assert "\n" not in message


def test_fashion_mnist_and_tiny_imagenet_are_looked_for_in_their_own_places_too(tmp_path):
    with pytest.raises(MissingData, match=str(tmp_path / "system")):
        load("fashion_mnist", "train")
    with pytest.raises(MissingData, match="tiny-imagenet-200"):
        load("tiny_imagenet", "train", tmp_path)


def test_a_data_folder_that_does_not_exist_is_refused(tmp_path, monkeypatch):
    with pytest.raises(Refusal, match=r"the data folder '.*nowhere' \(--data\) does not exist"):
        load("fashion_mnist_small", "test", tmp_path / "nowhere")
    monkeypatch.setenv("MODECONN_DATA", str(tmp_path / "gone"))
    with pytest.raises(Refusal, match=r"the data folder '.*gone' \(MODECONN_DATA\) does not exist"):
        load("fashion_mnist_small", "test")


def test_a_split_that_does_not_exist_is_refused():
    with pytest.raises(Refusal, match="unknown split 'validation'; known: train, test"):
        load("fashion_mnist_small", "validation")


def test_the_folder_given_goes_before_the_environment_and_that_before_the_cache(
    tmp_path, monkeypatch, toy, prepare, random_split
):
    toy()
    places = [tmp_path / "given", tmp_path / "environment", sources.cache_folder()]
    for seed, place in enumerate(places):
        prepare(place, "toy", "train", *random_split(seed=seed))
    monkeypatch.setenv("MODECONN_DATA", str(places[1]))

    def found(data=None):
        pixels = load("toy", "train", data).images.permute(0, 2, 3, 1).numpy()
        return next(k for k in range(3) if np.array_equal(pixels, random_split(seed=k)[0]))

    assert found(places[0]) == 0
    assert found() == 1
    monkeypatch.delenv("MODECONN_DATA")
    assert found() == 2


def test_a_prepared_folder_goes_before_the_embedded_images(tmp_path, prepare, random_split):
    prepare(tmp_path, "fashion_mnist_small", "test", *random_split())
    with pytest.raises(DamagedFile, match=r"fashion_mnist_small.test.npz holds 12 labels"):
        load("fashion_mnist_small", "test", tmp_path)


def test_the_systems_fashion_mnist_is_found(monkeypatch, write_idx, tmp_path):
    info = dataset("fashion_mnist")
    for split, stem in (("train", "train"), ("test", "t10k")):
        write_idx(
            tmp_path / "system" / f"{stem}-images-idx3-ubyte.gz",
            np.zeros((info.size(split), 28, 28), np.uint8),
        )
        write_idx(tmp_path / "system" / f"{stem}-labels-idx1-ubyte.gz", np.zeros(info.size(split)))
    with pytest.raises(DamagedFile, match=r"system is not the known fashion_mnist test"):
        load("fashion_mnist", "test")


def test_the_first_images_are_the_first():
    data = load("fashion_mnist_small", "test")
    few = data.first(7)
    assert len(few) == 7
    assert torch.equal(few.images, data.images[:7])
    assert torch.equal(few.labels, data.labels[:7])
    assert few.fingerprint != data.fingerprint
    assert data.first(len(data)).fingerprint == data.fingerprint


@pytest.mark.parametrize("n", [0, -1, 2001])
def test_more_images_than_there_are_or_none_are_refused(n):
    with pytest.raises(Refusal, match=rf"has 2000 test images, cannot take the first {n}"):
        load("fashion_mnist_small", "test").first(n)


def test_moving_images_keeps_them():
    data = load("fashion_mnist_small", "test").first(3)
    assert data.to(torch.device("cpu")).fingerprint == data.fingerprint
    assert data.to(torch.device("meta")).labels.device.type == "meta"


def test_a_known_fingerprint_needs_no_images():
    assert fingerprint("cifar10") != fingerprint("cifar100")
    with pytest.raises(MissingData, match="the train images of tiny_imagenet were not found"):
        fingerprint("tiny_imagenet")


def test_an_unknown_fingerprint_is_that_of_the_images(tmp_path, toy, prepare, random_split):
    toy()
    for split in SPLITS:
        prepare(tmp_path, "toy", split, *random_split())
    loaded = {split: load("toy", split, tmp_path).fingerprint for split in SPLITS}
    computed = fingerprint("toy", tmp_path)
    toy(fingerprints=loaded)
    assert fingerprint("toy") == computed


def here():
    """The data sets that this machine has, outside the world without data of these tests."""
    return [row["name"] for row in describe(REAL) if row["found"]]


@pytest.mark.parametrize("name", here())
def test_every_data_set_that_is_here_is_the_known_one(name, monkeypatch):
    monkeypatch.undo()
    for split in SPLITS:
        data = load(name, split, REAL)
        assert data.fingerprint == dataset(name).fingerprints[split]
    assert data.images.float().mean() / 255 == pytest.approx(np.mean(data.info.mean), abs=0.01)
