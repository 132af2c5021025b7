"""A record's key covers what the result depends on; its file shows every changed byte."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeconn_lib.core.files import DamagedFile, sha256
from modeconn_lib.results.record import Record, record_key

HERE = Path("record.json")

words = st.text(max_size=8).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | words
plain = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3)
)
configs = st.dictionaries(words, plain, max_size=5)


def example() -> Record:
    return Record(
        step="curve",
        version=2,
        config={"architecture": "tinyten", "epochs": 6, "rate": 0.1, "nested": {"t": [0, 0.5, 1]}},
        inputs=("a" * 64, "b" * 64),
        data="fashion-é",
        scalars={"minimum": 0.87, "count": 3, "note": "ü", "fine": True, "missing": None},
        series={"loss": [0.5, 0.25], "plane": [[1.0, 2.0], [3.0, 4.0]]},
        tensors={"sha256": "c" * 64, "bytes": 12},
        provenance={"commit": None, "seconds": 1.5},
    )


def reversed_order(value):
    if isinstance(value, dict):
        return {name: reversed_order(value[name]) for name in reversed(value)}
    return [reversed_order(item) for item in value] if isinstance(value, list) else value


@settings(deadline=None)
@given(config=configs)
def test_the_key_does_not_depend_on_the_order_of_a_dictionary(config):
    assert record_key("s", 1, config, [], "") == record_key("s", 1, reversed_order(config), [], "")


def test_the_key_is_the_same_in_another_process():
    script = (
        "from modeconn_lib.results.record import record_key\n"
        "config = {name: 0.5 for name in {'a', 'b', 'c', 'd'}}\n"  # a set has the salted order
        "print(record_key('s', 1, config, ['k'], 'd'))"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for salt in ("1", "2")
    ]
    assert printed == [record_key("s", 1, dict.fromkeys("dcba", 0.5), ["k"], "d")] * 2


def test_the_key_of_a_fixed_configuration_never_changes():
    # If this fails, every committed record is lost. Made with: example().key
    assert example().key == "18cc64b6395ad0cd969609f0fd8a06a8e1bc78e02d3d1edcb0724a8d8b3c2524"


@pytest.mark.parametrize(
    "change",
    [
        {"step": "other"},
        {"version": 3},
        {"config": {"architecture": "tinyten", "epochs": 7, "rate": 0.1, "nested": {}}},
        {"inputs": ("b" * 64, "a" * 64)},
        {"data": "other"},
    ],
)
def test_whatever_the_result_depends_on_changes_the_key(change):
    assert replace(example(), **change).key != example().key


def test_what_was_found_and_how_does_not_change_the_key():
    other = replace(example(), scalars={}, series={}, tensors=None, provenance={"device": "gpu"})
    assert other.key == example().key


def test_a_whole_number_has_one_key_however_it_is_written():
    assert record_key("s", 1, {"rate": 1}, [], "") == record_key("s", 1, {"rate": 1.0}, [], "")
    assert record_key("s", 1, {"on": 1}, [], "") != record_key("s", 1, {"on": True}, [], "")


def test_a_tuple_and_a_list_are_one_configuration():
    made = Record("s", 1, {"widths": (64, 32)})
    assert made.config == {"widths": [64, 32]}
    assert made.key == record_key("s", 1, {"widths": [64, 32]}, [], "")


@settings(deadline=None)
@given(
    config=configs, scalars=st.dictionaries(words, scalars, max_size=4), series=st.lists(numbers)
)
def test_what_is_read_is_what_was_written(config, scalars, series):
    written = Record("s", 1, config, scalars=scalars, series={"x": series})
    assert Record.from_bytes(written.to_bytes(), HERE) == written


def test_a_record_does_not_change_with_the_dictionary_it_was_made_from():
    config = {"nested": {"epochs": 1}}
    made = Record("s", 1, config)
    config["nested"]["epochs"] = 2
    assert made.config == {"nested": {"epochs": 1}}


def test_the_file_is_json_with_one_entry_a_line_and_arrays_on_one():
    text = example().to_bytes().decode()
    values = json.loads(text)
    assert list(values)[:3] == ["step", "version", "key"]
    assert values["key"] == example().key
    assert '\n  "plane": [[1.0, 2.0], [3.0, 4.0]]\n' in text
    assert '\n  "minimum": 0.87,\n' in text
    assert text.endswith('"\n}\n')


@given(position=st.integers(0, len(example().to_bytes()) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_seen(position, bit):
    data = bytearray(example().to_bytes())
    data[position] ^= 1 << bit
    with pytest.raises(DamagedFile, match=r"record\.json is damaged or truncated"):
        Record.from_bytes(bytes(data), HERE)


@given(length=st.integers(0, len(example().to_bytes()) - 1))
def test_a_truncated_file_is_seen(length):
    with pytest.raises(DamagedFile, match=r"record\.json is damaged or truncated"):
        Record.from_bytes(example().to_bytes()[:length], HERE)


def test_bytes_after_the_end_are_seen():
    with pytest.raises(DamagedFile, match="damaged or truncated"):
        Record.from_bytes(example().to_bytes() + b"\n", HERE)


def with_checksum(text: str) -> bytes:
    """Sign an edited body again, as a careful hand would."""
    body = text[: text.rindex(',\n "checksum"')]
    return f'{body},\n "checksum": "{sha256(body.encode())}"\n}}\n'.encode()


def test_a_record_whose_content_is_not_its_key_is_seen():
    text = example().to_bytes().decode().replace('"epochs": 6', '"epochs": 7')
    with pytest.raises(DamagedFile, match=r"has the key [0-9a-f]{16}, its content [0-9a-f]{16}"):
        Record.from_bytes(with_checksum(text), HERE)


@pytest.mark.parametrize(
    ("old", "new"), [('"data"', '"date"'), (' "key"', ' "kex"'), (' "step"', ' "stop"')]
)
def test_a_record_with_other_fields_names_the_version_as_the_cause(old, new):
    text = example().to_bytes().decode().replace(old, new)
    with pytest.raises(DamagedFile, match="written by another version"):
        Record.from_bytes(with_checksum(text), HERE)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", ["config", "series"])
def test_a_number_that_is_not_finite_is_refused_with_its_place(place, value):
    fields = {"config": {}, place: {"loss": [1.0, value]}}
    with pytest.raises(ValueError, match=rf"{place}\['loss'\]\[1\] is -?(nan|inf); .*finite"):
        Record("s", 1, **fields)


def test_a_scalar_that_is_not_finite_is_refused_by_name():
    with pytest.raises(ValueError, match=r"scalars\['barrier'\] is nan"):
        Record("s", 1, {}, scalars={"barrier": math.nan})


@pytest.mark.parametrize("value", [np.float32(1), np.int64(1), np.zeros(2), {1, 2}, object()])
def test_what_is_not_plain_json_is_refused_with_its_place(value):
    with pytest.raises(TypeError, match=r"series\['x'\]\[0\] is a \w+; .* plain JSON"):
        Record("s", 1, {}, series={"x": [value]})


def test_a_numpy_float64_is_written_as_the_float_it_is():
    made = Record("s", 1, {}, scalars={"x": np.float64(0.1)})
    assert type(made.scalars["x"]) is float
    assert Record.from_bytes(made.to_bytes(), HERE) == made


def test_a_name_that_is_not_a_string_is_refused():
    with pytest.raises(TypeError, match=r"config\['a'\] has the key 1; .* strings"):
        record_key("s", 1, {"a": {1: 2}}, [], "")


@pytest.mark.parametrize("step", ["", "../up", "Curve", "a/b", "a b", "1st", "curve\n"])
def test_a_step_that_would_not_do_as_a_folder_is_refused(step):
    with pytest.raises(ValueError, match="a step is named in lower case"):
        Record(step, 1, {})
