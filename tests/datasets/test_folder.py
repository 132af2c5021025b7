"""A folder of pictures as a data set."""

import numpy as np
import pytest

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.files import DamagedFile
from modeconn_lib.datasets.images import fingerprint, load
from modeconn_lib.datasets.registry import dataset


@pytest.fixture
def folder(tmp_path, write_picture):
    """Two classes, 3 + 2 pictures of 8 x 8 each to train, one each to test."""
    g = np.random.default_rng(0)
    pixels = {}
    for part, counts in (("train", {"bee": 3, "ant": 2}), ("val", {"bee": 1, "ant": 1})):
        for name, count in counts.items():
            for k in range(count):
                pixels[part, name, k] = g.integers(0, 256, (8, 8, 3), np.uint8)
                write_picture(tmp_path / part / name / f"{k}.png", pixels[part, name, k])
    (tmp_path / "train" / "bee" / "notes.txt").write_text("not a picture")
    return tmp_path, pixels


def test_a_folder_is_described_by_listing_it(folder):
    info = dataset(f"folder:{folder[0]}@8")
    assert (info.shape, info.classes, info.train, info.test) == ((3, 8, 8), 2, 5, 2)
    assert info.name == f"folder:{folder[0]}@8"
    assert info.order == "digest"


def test_the_pictures_come_with_their_classes_in_the_order_of_names(folder):
    path, pixels = folder
    data = load(f"folder:{path}@8", "train")
    expected = {
        (image.tobytes(), ["ant", "bee"].index(name))
        for (part, name, _), image in pixels.items()
        if part == "train"
    }
    got = data.images.permute(0, 2, 3, 1).contiguous().numpy()
    assert {(i.tobytes(), int(k)) for i, k in zip(got, data.labels, strict=True)} == expected


@pytest.mark.parametrize(("suffix", "size"), [("", 32), ("@16", 16), ("@5", 5)])
def test_pictures_are_brought_to_the_size_asked_for(folder, suffix, size):
    name = f"folder:{folder[0]}{suffix}"
    assert dataset(name).shape == (3, size, size)
    assert load(name, "test").images.shape == (2, 3, size, size)


def test_the_middle_square_of_a_picture_is_kept(tmp_path, write_picture):
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = 200
    for part in ("train", "test"):
        write_picture(tmp_path / part / "stripe" / "a.png", wide)
    assert (load(f"folder:{tmp_path}@8", "train").images == 200).all()


def test_grey_pictures_and_pictures_with_transparency_become_colour(tmp_path, write_picture):
    write_picture(tmp_path / "train" / "a" / "grey.png", np.full((8, 8), 7, np.uint8))
    write_picture(tmp_path / "test" / "a" / "clear.png", np.full((8, 8, 4), 7, np.uint8))
    for split in ("train", "test"):
        assert (load(f"folder:{tmp_path}@8", split).images == 7).all()


def test_changing_one_picture_changes_the_fingerprint(folder, write_picture):
    path, pixels = folder
    before = fingerprint(f"folder:{path}@8")
    assert fingerprint(f"folder:{path}@8") == before
    write_picture(path / "val" / "ant" / "0.png", pixels["train", "ant", 0])
    assert fingerprint(f"folder:{path}@8") != before


def test_one_folder_has_one_name(folder, monkeypatch):
    monkeypatch.chdir(folder[0].parent)
    assert dataset(f"folder:{folder[0].name}@8").name == dataset(f"folder:{folder[0]}@8").name


@pytest.mark.parametrize("name", ["folder:", "folder:x@0"])
def test_a_name_that_cannot_be_a_folder_is_refused(name):
    with pytest.raises(Refusal, match=f"expected folder:PATH or .* got '{name}'"):
        dataset(name)


def test_a_folder_without_parts_is_refused(tmp_path):
    with pytest.raises(Refusal, match=f"no folder train in {tmp_path}; expected train/<class>"):
        dataset(f"folder:{tmp_path}")
    (tmp_path / "train" / "a").mkdir(parents=True)
    with pytest.raises(Refusal, match=r"no pictures in .*train.a; known endings: .bmp, "):
        dataset(f"folder:{tmp_path}")


def test_parts_with_different_classes_are_refused(folder, write_picture):
    path, pixels = folder
    write_picture(path / "val" / "wasp" / "0.png", pixels["val", "bee", 0])
    with pytest.raises(Refusal, match="class 'wasp' is in only one of the train and test folders"):
        dataset(f"folder:{path}")


def test_a_picture_that_is_not_whole_is_named(folder):
    picture = folder[0] / "train" / "bee" / "1.png"
    picture.write_bytes(picture.read_bytes()[:60])
    with pytest.raises(DamagedFile, match=f"{picture} is not a whole picture"):
        load(f"folder:{folder[0]}@8", "train")
