"""A spec is a table: it can be read, printed, and held against a network."""

import pytest
import torch

from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec

PARAMS = {"conv.weight": torch.zeros(4, 3, 3, 3), "fc.weight": torch.zeros(10, 36)}


def spec(*spans: AxisSpan, size: int = 4) -> PermutationSpec:
    return PermutationSpec({"conv": size}, {"conv": spans})


def test_spans_follow_concatenation_flatten_and_shuffle():
    assert AxisSpan("w", 1).entries(3).tolist() == [[0], [1], [2]]
    assert AxisSpan("w", 1, offset=5, block=2).entries(2).tolist() == [[5, 6], [7, 8]]
    assert AxisSpan("w", 1, starts=(4, 0, 2)).entries(3).tolist() == [[4], [0], [2]]


def test_a_spec_that_fits_passes():
    spec(AxisSpan("conv.weight", 0), AxisSpan("fc.weight", 1, block=9)).check(PARAMS)


MISFITS = [
    (
        AxisSpan("fc.weight", 1, offset=33),
        r"claims entries 33:37 of axis 1 of .*shape is \(10, 36\)",
    ),
    (AxisSpan("fc.weight", 2), r"'conv' names axis 2 of 'fc.weight', whose shape is \(10, 36\)"),
    (AxisSpan("nothing", 0), r"names 'nothing', which .* not have; it has conv\.weight, fc"),
    (AxisSpan("conv.weight", 0), r"'conv' and 'conv' both claim entry 0 of axis 0"),
    (AxisSpan("fc.weight", 1, starts=(1, 2)), r"4 units, but its span .* gives the starts of 2"),
    (AxisSpan("fc.weight", 1, starts=(1, 2, 3, -1)), r"claims entries -1:4 of axis 1"),
]


@pytest.mark.parametrize(("span", "message"), MISFITS)
def test_a_span_that_does_not_fit_is_refused(span, message):
    with pytest.raises(ValueError, match=message):
        spec(AxisSpan("conv.weight", 0), span).check(PARAMS)


@pytest.mark.parametrize(
    ("span", "size", "reach"),
    [
        (AxisSpan("fc.weight", 1), 10**12, "0:1000000000000"),
        (AxisSpan("fc.weight", 1, 2, 10**12), 4, "2:4000000000002"),
        (AxisSpan("fc.weight", 1, 0, 10**12, (5, 3)), 2, "3:1000000000005"),
    ],
)
def test_entries_are_not_listed_before_it_is_known_that_they_fit(span, size, reach):
    with pytest.raises(ValueError, match=f"'conv' claims entries {reach} of axis 1"):
        spec(span, size=size).check(PARAMS)


def test_two_groups_cannot_own_the_same_entry():
    span = AxisSpan("fc.weight", 1)
    both = PermutationSpec(
        {"a": 4, "b": 4}, {"a": (span,), "b": (AxisSpan("fc.weight", 1, offset=3),)}
    )
    with pytest.raises(ValueError, match="'a' and 'b' both claim entry 3 of axis 1"):
        both.check(PARAMS)


def test_a_group_needs_a_size_and_spans():
    with pytest.raises(ValueError, match="group 'b' has a size or spans, but not both"):
        PermutationSpec({"a": 1, "b": 2}, {"a": ()}).check(PARAMS)


def test_the_table_names_every_place():
    spans = (
        AxisSpan("conv.weight", 0),
        AxisSpan("fc.weight", 1, 4, 9),
        AxisSpan("x", 0, 0, 1, (2, 0)),
    )
    assert spec(*spans).table().splitlines() == [
        "conv: 4 units",
        "    conv.weight axis 0",
        "    fc.weight axis 1, entries 4:40, 9 entries a unit",
        "    x axis 0, starts 2, 0, ...",
    ]
