"""A spec changed by hand is held against the network, and says where it contradicts it."""

import dataclasses
import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.core.errors import Refusal
from modeconn_lib.permutation.equivalence import NotEquivalent
from modeconn_lib.permutation.files import from_json, read_spec, schema, to_json, write_spec
from modeconn_lib.permutation.override import drop, lint, overridden, pin, tie, with_spans
from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec
from modeconn_lib.permutation.trace import trace
from tests.permutation import networks, transformers

IMAGES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
TRACED = trace(transformers.UserWritten(), IMAGES)
LIKE = transformers.UserWritten().state_dict()
SPEC = TRACED.spec


def attention():
    module = transformers.HandWritten()
    return trace(module, IMAGES), module.state_dict()


def held(spec):
    return overridden(TRACED, spec, LIKE, IMAGES).spec


def test_the_derived_spec_contradicts_nothing():
    for traced in (TRACED, attention()[0]):
        assert lint(traced, traced.spec) == ()
    assert held(SPEC) == SPEC


def test_a_dropped_group_stays():
    spec = held(drop(SPEC, "left"))
    assert "left" not in spec.sizes
    assert lint(TRACED, spec) == ()


def test_a_group_dropped_from_its_blocks_keeps_its_order_within():
    traced, like = attention()
    spec = drop(traced.spec, "qkv")
    assert spec.inside == {"qkv[24:]": "qkv blocks"}
    assert AxisSpan("qkv.weight", 0, 12, 4) in spec.spans["qkv blocks"]
    assert overridden(traced, spec, like, IMAGES).spec == spec
    assert lint(traced, spec) == ()


def test_pinned_units_stay():
    spec = held(pin(SPEC, "fc1", [0, 3]))
    assert spec.sizes["fc1"] == 8
    assert {e for s in spec.spans["fc1"] for e in s.entries(8).flatten().tolist()} == {
        1, 2, 4, 5, 6, 7, 8, 9,
    }  # fmt: skip
    assert "fc1" not in held(pin(SPEC, "fc1", range(9))).sizes


def test_tied_groups_move_alike():
    module = Twins()
    traced = trace(module, IMAGES)
    spec = tie(traced.spec, "left", "right")
    assert spec.sizes == {"left": 5}
    assert overridden(traced, spec, module.state_dict(), IMAGES).spec == spec
    assert lint(traced, spec) == ()


class Twins(networks.Concatenation):
    """Two branches of the same width."""

    def __init__(self):
        super().__init__()
        self.right, self.norm = networks.conv(3, 5), torch.nn.BatchNorm2d(10)
        self.join = networks.conv(10, 1)
        self.fc = torch.nn.Linear(1, 4)


def test_sites_of_groups_that_changed_are_left_out():
    new = overridden(TRACED, pin(SPEC, "fc1", [0]), LIKE, IMAGES)
    assert list(new.sites) == [group for group in TRACED.sites if group != "fc1"]


def changed(group, *spans, units=None):
    return with_spans(SPEC, group, units or SPEC.sizes[group], spans)


WRONG = [
    (
        changed("left", *SPEC.spans["left"][:2]),
        "group 'left', axis 1 of 'fc1.weight': entries 0..15 move with the units of 'left', but "
        "not with the group",
    ),
    (
        changed("mine", AxisSpan("fc2.bias", 0), units=4),
        "group 'mine', axis 0 of 'fc2.bias': entry 0 stays: it is the network's output",
    ),
    (
        changed("mine", AxisSpan("stem.weight", 2), units=3),
        "group 'mine', axis 2 of 'stem.weight': entry 0 stays: it is a position",
    ),
    (
        with_spans(
            drop(drop(SPEC, "left"), "right"),
            "both",
            9,
            [AxisSpan("fc1.weight", 1, 0, 4)],
        ),
        "group 'both', axis 1 of 'fc1.weight': moves units of 'left' and 'right', which are not "
        "alike",
    ),
    (
        changed(
            "fc1",
            AxisSpan("fc1.weight", 0),
            AxisSpan("fc1.bias", 0),
            AxisSpan("fc2.weight", 1, starts=tuple(range(9, -1, -1))),
        ),
        "group 'fc1', axis 1 of 'fc2.weight': entry 9 is unit 0 of the group, but unit 9 of "
        "'fc1', which is unit 9 of the group elsewhere",
    ),
]


@pytest.mark.parametrize(("spec", "message"), WRONG)
def test_a_contradiction_names_the_group_the_tensor_and_the_derivation(spec, message):
    assert message in next(str(finding) for finding in lint(TRACED, spec))
    with pytest.raises(NotEquivalent, match="the spec is no symmetry of the network: group"):
        held(spec)


def test_a_spec_that_does_not_fit_the_tensors_is_refused():
    with pytest.raises(ValueError, match=r"claims entries 0:11 of axis 0 of 'fc1\.bias'"):
        held(with_spans(SPEC, "fc1", 11, [AxisSpan("fc1.bias", 0)]))


REFUSED = [
    (lambda: drop(SPEC, "nothing"), "no group 'nothing' in the spec; it has 'stem', 'left'"),
    (lambda: drop(attention()[0].spec, "qkv blocks"), "has 'qkv' inside; drop that first"),
    (lambda: pin(attention()[0].spec, "qkv", [0]), "'qkv' has to do with blocks"),
    (lambda: pin(SPEC, "left", [7]), r"'left' has units 0\.\.3, not \[7\]"),
    (lambda: tie(SPEC, "left", "right"), "cannot be tied: they have 4 and 5 units"),
    (lambda: tie(attention()[0].spec, "patches", "qkv"), "tied: they are in other blocks"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_what_cannot_be_changed_is_refused(change, message):
    with pytest.raises(Refusal, match=message):
        change()


NUMBERS = st.integers(0, 99)
SPANS = st.tuples(
    st.text(min_size=1), NUMBERS, NUMBERS, st.integers(1, 9), st.lists(NUMBERS, max_size=3)
)
GROUPS = st.dictionaries(
    st.text(), st.tuples(st.integers(1, 9), st.lists(SPANS, max_size=3)), max_size=4
)


@given(groups=GROUPS, data=st.data())
def test_a_spec_survives_its_file(groups, data):
    inside = {a: b for a in groups for b in groups if a != b and data.draw(st.booleans())}
    spans = {
        name: tuple(AxisSpan(*rest, tuple(starts)) for *rest, starts in found)
        for name, (_, found) in groups.items()
    }
    spec = PermutationSpec({name: n for name, (n, _) in groups.items()}, spans, inside)
    back = from_json(to_json(spec))
    assert back == spec
    assert list(back.sizes) == list(spec.sizes)


def test_a_spec_is_written_and_read(tmp_path):
    spec = attention()[0].spec
    write_spec(tmp_path / "spec.json", spec)
    assert read_spec(tmp_path / "spec.json") == spec
    assert set(schema()["properties"]) == set(json.loads(to_json(spec)))


NO_SPECS = [
    ("{", "'.*' is no permutation spec: the text: Invalid JSON"),
    ("{}", "no permutation spec: groups: Field required"),
    ('{"groups": {"a": {"units": 0, "spans": []}}}', r"groups\.a\.units: Input should be greater"),
    ('{"groups": {"a": {"units": 1, "spans": [], "x": 1}}}', r"groups\.a\.x: Extra inputs are not"),
    ('{"groups": {"a": {"units": 1, "spans": [{"tensor": "w"}]}}}', r"spans\.0\.axis: Field req"),
    (
        '{"groups": {"a": {"units": 1, "spans": []}, "a": {"units": 2, "spans": []}}}',
        r"no permutation spec: 'a' is there 2 times",
    ),
    ('{"groups": {"a": {"units": 1, "units": 2, "spans": []}}}', r"'units' is there 2 times"),
]


@pytest.mark.parametrize(("text", "message"), NO_SPECS)
def test_a_file_that_is_no_spec_is_refused(tmp_path, text, message):
    (tmp_path / "spec.json").write_text(text)
    with pytest.raises(Refusal, match=message):
        read_spec(tmp_path / "spec.json")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(Refusal, match="cannot read the spec"):
        read_spec(tmp_path / "none.json")


def test_the_arguments_stay_as_they_were():
    before = dataclasses.replace(SPEC, spans=dict(SPEC.spans))
    drop(SPEC, "left"), pin(SPEC, "fc1", [1]), with_spans(SPEC, "x", 1, [])
    assert before == SPEC
