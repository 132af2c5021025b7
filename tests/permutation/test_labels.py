"""The algebra of labels: shapes change what is where, relations decide what moves together."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.permutation.labels import Label, Relations, Value
from modeconn_lib.permutation.reshape import reshape, segments
from modeconn_lib.permutation.units import solve

SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


def labelled(shape, axis, **options):
    """A value with one labelled axis, and the relations its ids are from."""
    relations = Relations()
    label = relations.fresh(axis, shape[axis])
    return relations, Value(tuple(shape), (label,), **options)


def see(relations, *labels):
    for label in labels:
        relations.see(Value((), (label,)))


@given(sizes=SIZES, data=st.data())
def test_segments_have_equal_products_and_cover_both_shapes(sizes, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(sizes)))) | {0, len(sizes)})
    merged = tuple(int(np.prod(sizes[a:b])) for a, b in pairwise(cuts))
    parts = segments(tuple(sizes), merged)
    assert [axis for old, _ in parts for axis in old] == list(range(len(sizes)))
    assert [axis for _, new in parts for axis in new] == list(range(len(merged)))
    for old, new in parts:
        assert np.prod([sizes[a] for a in old]) == np.prod([merged[a] for a in new])


@given(sizes=st.lists(st.integers(1, 4), min_size=2, max_size=4), data=st.data())
def test_splitting_what_was_merged_gives_the_label_back(sizes, data):
    axis = data.draw(st.integers(0, len(sizes) - 1))
    relations, x = labelled(sizes, axis)
    flat = Value((int(np.prod(sizes)),), reshape(relations, x, (int(np.prod(sizes)),)))
    (back,) = reshape(relations, flat, x.shape) or (None,)
    if sizes[axis] > 1:
        assert back.axes == (axis,)
        assert np.array_equal(back.ids, x.labels[0].ids)
        assert not back.slots.any()


def test_a_merge_numbers_the_entries_of_a_unit():
    relations, x = labelled((5, 3, 2, 2), 1)
    (label,) = reshape(relations, x, (5, 12))
    assert label.axes == (1,)
    assert label.ids.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    assert len(set(label.slots[:4].tolist())) == 4
    assert label.slots.tolist() == label.slots[:4].tolist() * 3


def test_samples_are_not_positions():
    relations, x = labelled((5, 3), 1, dynamic=frozenset({0}))
    (label,) = reshape(relations, x, (15,))
    assert label.ids.tolist() == [0, 1, 2] * 5
    assert not label.slots.any()


@given(groups=st.integers(2, 4), each=st.integers(2, 4))
def test_a_shuffle_moves_labels_as_it_moves_entries(groups, each):
    relations, x = labelled((2, groups * each), 1)
    (joint,) = reshape(relations, x, (2, groups, each))
    turned = Value((2, each, groups), (joint.on(2, 1),))
    (label,) = reshape(relations, turned, (2, groups * each))
    moved = np.arange(groups * each).reshape(groups, each).T.ravel()
    assert label.ids.tolist() == moved.tolist()


def test_two_labels_that_are_merged_keep_one():
    relations = Relations()
    x = Value((2, 3), (relations.fresh(0, 2), relations.fresh(1, 3)))
    (label,) = reshape(relations, x, (6,))
    assert sorted(set(label.ids.tolist())) == [2, 3, 4]
    ((pinned, reason),) = relations.pins
    assert pinned.tolist() == [0, 1]
    assert reason == "is merged with another labelled axis"


def test_the_entries_of_a_unit_are_matched_by_their_role_not_by_their_place():
    # Units {0, 1} and {3, 2}: the first entry of the second unit is entry 3 of the axis.
    relations = Relations()
    axis, unit = relations.fresh(0, 4), relations.fresh(0, 2)
    see(relations, axis)
    slots = relations.within(np.zeros(4, np.int64), np.array([0, 1, 0, 1]))
    order = np.array([0, 1, 3, 2])
    relations.edges.append((unit.ids.repeat(2), slots, axis.ids[order], np.zeros(4, np.int64)))
    units = solve(relations)
    spans = units.spans(int(units.groups_of(axis)[0]), axis, "w")
    assert [span.entries(2).ravel().tolist() for span in spans] == [[0, 3], [1, 2]]


def test_what_is_tied_to_different_things_is_told_apart():
    relations = Relations()
    a, b, c = (relations.fresh(0, 4) for _ in range(3))
    see(relations, a, b, c)
    half = Label((0,), a.ids[:2], a.slots[:2]), Label((0,), a.ids[2:], a.slots[2:])
    relations.equate(half[0], Label((0,), b.ids[:2], b.slots[:2]), "")
    relations.equate(half[1], Label((0,), c.ids[:2], c.slots[:2]), "")
    groups = solve(relations).groups_of(a).tolist()
    assert groups[0] == groups[1] != groups[2] == groups[3]


def test_a_pin_holds_everything_that_is_tied_to_it():
    relations = Relations()
    a, b, free = (relations.fresh(0, 3) for _ in range(3))
    see(relations, a, b, free)
    relations.equate(a, b, "")
    relations.equate(b, None, "meets a wall")
    units = solve(relations)
    assert units.groups_of(a).tolist() == units.groups_of(b).tolist() == [-1, -1, -1]
    assert units.reasons[int(units.unit[a.ids[0]])] == "meets a wall"
    assert len(set(units.groups_of(free).tolist())) == 1
    assert units.groups_of(free)[0] >= 0


def test_a_unit_without_another_like_it_is_no_group():
    relations = Relations()
    see(relations, relations.fresh(0, 1))
    assert solve(relations).group.tolist() == [-1]


@pytest.mark.parametrize("axis", [0, 1])
def test_blocks_tie_what_is_at_the_same_place(axis):
    relations = Relations()
    ids = np.arange(6).reshape(2, 3)
    relations.count = 6
    joint = Label((0, 1), ids, np.zeros_like(ids))
    see(relations, joint)
    block = relations.blocks(joint, axis)
    assert block.axes == (axis,)
    units = solve(relations)
    together = units.unit[ids] == units.unit[block.ids].reshape((2, 1) if axis == 0 else (1, 3))
    assert together.all()
    assert len(set(units.unit.tolist())) == (2, 3)[axis]
