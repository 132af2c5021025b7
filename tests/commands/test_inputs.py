"""Images for methods that look at them, from a folder or a known data set."""

import pytest
import torch
from PIL import Image

from modeconn_lib.commands.inputs import BATCH, Feed, Inputs, inputs, known_shape
from modeconn_lib.commands.normalisation import USUAL, Normalisation
from modeconn_lib.core.errors import Refusal
from modeconn_lib.datasets.images import load

MNIST = "fashion_mnist_small"


@pytest.fixture
def pictures(tmp_path):
    """Three classes of 2, 3 and 4 pictures, each of one colour that is its class."""
    for label, (name, count) in enumerate({"cat": 2, "dog": 3, "emu": 4}.items()):
        (tmp_path / "train" / name).mkdir(parents=True)
        for i in range(count):
            picture = Image.new("RGB", (9, 7), (label * 100, 50, i))
            picture.save(tmp_path / "train" / name / f"{i}.png")
    return tmp_path


def test_pictures_of_a_folder_come_mixed_with_their_labels(pictures):
    found = inputs(str(pictures), 6, (3, 5, 5), imagenet=False, seed=0)
    assert found.pixels.shape == (6, 3, 5, 5)
    assert torch.equal(found.pixels[:, 0, 2, 2].long(), found.labels * 100)
    assert found.labels.tolist() != sorted(found.labels.tolist())
    assert found.classes == 3
    assert len(inputs(str(pictures), 100, (3, 5, 5), imagenet=False, seed=0).labels) == 9


def test_pictures_of_a_folder_are_normalised_as_for_imagenet(pictures):
    found = inputs(str(pictures), 9, (3, 5, 5), imagenet=False, seed=0)
    (batch,) = list(found)
    expected = (50 / 255 - 0.456) / 0.224
    torch.testing.assert_close(batch[:, 1], torch.full((9, 5, 5), expected))


@pytest.mark.parametrize("data", ["a folder", MNIST])
def test_images_are_normalised_as_the_user_says(pictures, data):
    data, shape = (str(pictures), (3, 5, 5)) if data == "a folder" else (data, (1, 28, 28))
    pixels = Normalisation((0.0,), (1.0,))
    found = inputs(data, 9, shape, imagenet=True, seed=0, colours=pixels)
    torch.testing.assert_close(torch.cat(list(found)), found.pixels / 255)
    assert found.described == f"{found.title}, normalised by mean 0, std 1"


def test_a_torchvision_network_gets_the_usual_normalisation_of_pictures(pictures):
    assert inputs(str(pictures), 9, (3, 5, 5), imagenet=True, seed=0).colours == USUAL


def test_means_of_another_number_of_channels_are_refused(pictures):
    two = Normalisation((0.0, 0.0), (1.0, 1.0))
    with pytest.raises(Refusal, match="the network takes 3 channels, but --mean has 2"):
        inputs(str(pictures), 6, (3, 5, 5), imagenet=False, seed=0, colours=two)


@pytest.mark.parametrize(("images", "sizes"), [(101, [51, 50]), (200, [100, 100]), (2, [2])])
def test_no_image_is_left_over_in_a_batch_of_its_own(images, sizes):
    found = inputs(MNIST, images, (1, 28, 28), imagenet=False, seed=0)
    assert [len(batch) for batch in found] == sizes
    assert [len(labels) for _, labels in found.labelled()] == sizes
    assert torch.equal(torch.cat([labels for _, labels in found.labelled()]), found.labels)


def test_a_folder_of_one_picture_is_refused(tmp_path):
    (tmp_path / "train" / "cat").mkdir(parents=True)
    Image.new("RGB", (9, 7)).save(tmp_path / "train" / "cat" / "0.png")
    with pytest.raises(Refusal, match=r"at least 2 images are needed, .* has 1$"):
        inputs(str(tmp_path), 1000, (3, 5, 5), imagenet=False, seed=0)


def test_data_that_are_not_here_are_refused_with_where_they_go(folder):
    with pytest.raises(Refusal) as found:
        inputs("mnist", 6, (1, 28, 28), imagenet=False, seed=0)
    assert str(found.value) == (
        "the train images of mnist were not found; set MODECONN_DATA to the folder that holds "
        "mnist/, or run `modeconn data fetch mnist`"
    )


def test_the_choice_of_images_depends_on_the_seed_alone():
    first, again, other = (
        inputs(MNIST, 5, (1, 28, 28), imagenet=False, seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(first.pixels, again.pixels)
    assert not torch.equal(first.pixels, other.pixels)


def test_images_of_a_known_data_set_are_normalised_by_its_own_constants():
    found = inputs(MNIST, 10_000, (1, 28, 28), imagenet=True, seed=0)
    # ImageNet has none for one channel
    assert found.colours == Normalisation((0.286,), (0.353,))
    assert found.described.endswith(" images, normalised by mean 0.286, std 0.353")
    everything = torch.cat(list(found))
    assert abs(float(everything.mean())) < 0.01
    assert sorted(found.labels.tolist()) == sorted(load(MNIST, "train").labels.tolist())


def test_only_known_data_sets_have_a_shape_of_their_own():
    assert known_shape(MNIST) == (1, 28, 28)
    assert known_shape("/some/folder") is None
    assert known_shape("") is None


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 5, 5), r"become square and RGB; the network takes \(1, 5, 5\)"),
        ((3, 5, 6), r"become square and RGB; the network takes \(3, 5, 6\)"),
        ((12,), r"become square and RGB; the network takes \(12,\)"),
    ],
)
def test_a_network_that_takes_no_square_pictures_is_refused(pictures, shape, message):
    with pytest.raises(Refusal, match=message):
        inputs(str(pictures), 6, shape, imagenet=False, seed=0)


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(Refusal, match=r"no folder train in .*; expected train/<class>/\*\.png"):
        inputs(str(tmp_path), 6, (3, 5, 5), imagenet=False, seed=0)


def test_images_of_another_shape_are_refused():
    with pytest.raises(Refusal, match=r"have shape \(1, 28, 28\), the network takes \(3, 32, 32\)"):
        inputs(MNIST, 6, (3, 32, 32), imagenet=False, seed=0)


@pytest.mark.parametrize(("images", "steps", "size"), [(250, 2, BATCH), (30, 1, 30)])
def test_training_sees_whole_batches_in_another_order_every_epoch(images, steps, size):
    data = Inputs(
        torch.arange(images * 3).view(images, 1, 1, 3).remainder(256).byte(),
        torch.arange(images),
        images,
        Normalisation((0.0,), (1.0,)),
        "numbers",
    )
    feed = Feed(data, seed=0)
    assert (feed.steps, feed.examples) == (steps, steps * size)
    epochs = [torch.cat([feed(e, k)[1] for k in range(steps)]).tolist() for e in (0, 1)]
    assert all(len(set(labels)) == steps * size for labels in epochs)
    assert epochs[0] != epochs[1]
    pixels, labels = feed(0, 0)
    torch.testing.assert_close(pixels[:, 0, 0, 0], (labels * 3 % 256) / 255)
    assert [len(x) for x, _ in data.labelled()] == [len(x) for x in data]
