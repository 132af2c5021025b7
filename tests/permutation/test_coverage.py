"""Coverage is counted as by hand, and every classifier of torchvision has one."""

import math
import signal

import pytest
import torch

from modeconn_lib.permutation import classifiers
from modeconn_lib.permutation.counting import log10_symmetries
from modeconn_lib.permutation.coverage import movable_share, survey
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec
from tests.permutation import networks, transformers

IMAGES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def test_orders_of_blocks_and_within_them_are_counted():
    spec = PermutationSpec(
        {"heads": 3, "inner": 12}, {"heads": (), "inner": ()}, {"inner": "heads"}
    )
    count = math.factorial(3) * math.factorial(4) ** 3
    assert log10_symmetries(spec) == pytest.approx(math.log10(count), rel=1e-12)


def test_an_entry_moves_if_one_of_its_axes_does():
    spec = PermutationSpec(
        {"a": 2, "b": 2}, {"a": (AxisSpan("w", 0),), "b": (AxisSpan("w", 1, 1),)}
    )
    # Of 3 x 4 entries, row 2 in columns 0 and 3 stays; the bias stays as a whole.
    share = movable_share(spec, {"w": torch.zeros(3, 4), "bias": torch.zeros(3)})
    assert share == pytest.approx(10 / 15)
    assert movable_share(spec, {}) == 0


def test_a_small_network_is_surveyed():
    torch.manual_seed(0)
    found = survey(transformers.HandWritten(), IMAGES)
    assert (found.groups, found.nested, found.units) == (4, 2, 12 + 3 + 12 + 12)
    orders = math.factorial(12) * math.factorial(3) * math.factorial(4) ** 6
    assert found.log10_symmetries == pytest.approx(math.log10(orders))
    assert found.error < 1e-12
    # All but the bias of the classifier: patches' 12 channels are on an axis of every other tensor.
    assert found.movable == pytest.approx(1 - 4 / found.parameters)
    assert found.pinned == (
        ("is the network's output", 8),
        ("meets the network's input in conv2d", 3),
    )


def test_weights_do_not_matter():
    with torch.device("meta"):
        module = networks.Auxiliary()
    found = survey(module, IMAGES)
    assert (found.groups, found.error < 1e-10) == (2, True)


def test_integers_that_matter_need_memory():
    with torch.device("meta"):
        module = transformers.Cosine()
    with pytest.raises(
        ValueError, match="'index' holds integers, which cannot be drawn, on the meta"
    ):
        survey(module, IMAGES)


FAST = {
    "shufflenet_v2_x0_5": (80, 1_366_792),
    "squeezenet1_1": (25, 1_235_496),
    "mobilenet_v3_small": (27, 2_542_856),
    "mnasnet0_5": (25, 2_218_512),
}


@pytest.mark.parametrize("name", FAST)
def test_small_classifiers_are_understood(name):
    row = classifiers.survey_classifier(name)
    assert (row["groups"], row["parameters"]) == FAST[name]
    assert row["error"] < 1e-12
    assert row["movable"] > 0.99


def test_there_are_eighty_classifiers():
    assert len(classifiers.names()) == 80


@pytest.mark.parametrize(
    ("name", "size"), [("inception_v3", 299), ("vit_h_14", 224), ("swin_v2_t", 256)]
)
def test_images_are_as_large_as_the_network_is_made_for(name, size):
    module = classifiers.build(name) if name.startswith("vit") else torch.nn.Identity()
    assert classifiers.input_size(name, module) == size


@pytest.mark.slow
@pytest.mark.parametrize("name", classifiers.names())
def test_every_classifier_is_understood(name):
    row = classifiers.survey_apart(name)
    assert row["error"] < 1e-9
    assert row["movable"] > 0.99
    assert row["peak_mib"] < 20 * 1024


def test_a_survey_apart_gives_its_row_or_raises_what_went_wrong_there():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as in a runner's worker
    try:
        row = classifiers.survey_apart("squeezenet1_1", threads=1)
        assert (row["name"], row["groups"]) == ("squeezenet1_1", 25)
        with pytest.raises(ValueError, match="no_such_network"):
            classifiers.survey_apart("no_such_network")
    finally:
        signal.signal(signal.SIGTERM, before)
