"""`modeconn run` and `modeconn plan`: chapters, or one task at a time."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.commands.run import run_task, seconds, union
from modeconn_lib.core.errors import Refusal
from modeconn_lib.experiments import runner
from modeconn_lib.experiments.chapters import CHAPTERS, chapter
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.plan import in_order
from modeconn_lib.results.store import Store

TINY = ("13", "--profile", "tiny")
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


@given(
    number=st.decimals("0.001", "100000", places=3),
    unit=st.sampled_from(list(UNITS)),
    space=st.sampled_from(["", " ", "\n"]),
)
def test_a_time_limit_is_a_number_and_a_unit(number, unit, space):
    assert seconds(f"{space}{number}{unit}{space}") == float(number) * UNITS[unit]


def test_the_units_agree():
    assert seconds("2h") == seconds("120m") == seconds("7200s") == seconds("7200") == 7200.0
    assert seconds(None) is None


@pytest.mark.parametrize(
    "text",
    ["", "soon", "0", "0.0h", "-5m", "+5m", "5d", "5 m", "1h30m", "1e3", ".5h", "5.", "nan", "inf"],
)
def test_another_time_limit_is_refused_with_how_to_write_it(text):
    with pytest.raises(
        Refusal, match=r"cannot read the time limit .*; write it like 90s, 45m or 2h"
    ):
        seconds(text)


def test_no_chapter_named_means_every_chapter():
    wanted = setting(profile="smoke")
    every = union([], wanted)
    assert {name.split("/")[0] for name in every} == CHAPTERS.keys()
    assert every == union(list(CHAPTERS), wanted)
    for name in CHAPTERS:
        assert len(union([name], wanted)) == len(chapter(name).plan(wanted))


def listed(modeconn):
    status, out, err = modeconn("plan", *TINY)
    assert (status, err) == (0, "")
    return json.loads(out)


def test_a_plan_lists_every_task_after_its_inputs(modeconn, folder):
    tasks = listed(modeconn)
    keys = [task["key"] for task in tasks]
    wanted = in_order(chapter("13").plan(setting(profile="tiny")).values())
    assert keys == [task.key for task in wanted]
    for place, task in enumerate(tasks):
        assert set(task["inputs"]) <= set(keys[:place])
        assert not task["made"]
    assert [task["cost"] for task in tasks] == [task.cost for task in wanted]


def test_tasks_run_one_by_one_in_the_order_of_the_plan_make_the_chapter(modeconn, folder):
    tasks = listed(modeconn)
    last = tasks[-1]["key"]
    assert modeconn("run", *TINY, "--task", last)[0] == 2  # its inputs are not there
    for count, task in enumerate(tasks, start=1):
        status, out, _ = modeconn("run", *TINY, "--jobs", 1, "--task", task["key"][:16])
        assert (status, out) == (0, f"records are in {folder}\n")
        assert len(list(folder.glob("*/*.json"))) == count
    assert all(task["made"] for task in listed(modeconn))
    _, out, err = modeconn("run", *TINY)
    assert f"{len(tasks)} of {len(tasks)} records are there" in out
    assert err == ""


def test_a_key_that_several_tasks_begin_with_is_refused(tmp_path):
    plan = union(["13"], setting(profile="quick", pairs=10))  # more tasks than hexadecimal digits
    first = Counter(task.key[0] for task in in_order(plan.values()))
    digit, count = first.most_common(1)[0]
    with pytest.raises(Refusal, match=f"^{count} tasks of this plan .* begins with '{digit}'"):
        run_task(digit, plan, Store(tmp_path), runner.Options())


def test_a_time_limit_ends_with_status_3_and_how_to_go_on(modeconn, folder, monkeypatch):
    ticks = iter(range(1_000_000))
    clock = type("Clock", (), {"monotonic": lambda self: float(next(ticks))})()
    monkeypatch.setattr(runner, "time", clock)
    status, _, err = modeconn("run", *TINY, "--jobs", 1, "--time-limit", "5s")
    last = err.splitlines()[-1]
    assert status == 3
    assert last == "modeconn: stopped in epoch 1 of 2; run the same command again to go on"


def test_what_was_made_is_copied_to_the_checkout_on_request(modeconn, folder, tmp_path):
    (first, *_) = listed(modeconn)
    one = (*TINY, "--jobs", 1, "--task", first["key"])
    modeconn("run", *one)
    assert not (tmp_path / "data").exists()
    _, out, _ = modeconn("run", *one, "--record")
    assert f"2 files in {tmp_path / 'data' / 'results'}" in out
    made, copied = (
        {path.relative_to(top): path.read_bytes() for path in top.glob("endpoint/*")}
        for top in (folder, tmp_path / "data" / "results")
    )
    assert made == copied
    assert {path.suffix for path in made} == {".json", ".safetensors"}
