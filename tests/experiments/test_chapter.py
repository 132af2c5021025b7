"""A chapter finds what is recorded of its subjects, the best profile of each."""

from dataclasses import replace

import pytest

from modeconn_lib.datasets.images import MissingData
from modeconn_lib.experiments.chapter import Chapter
from modeconn_lib.experiments.chapters import CHAPTERS
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.plan import Task
from modeconn_lib.experiments.profiles import SMOKE
from modeconn_lib.results.record import Record

PROFILES = {
    name: tuple(replace(SMOKE, pairs=pairs, subject=subject) for subject in subjects)
    for name, pairs, subjects in (
        ("smoke", 1, ("one",)),
        ("standard", 1, ("one", "two")),
        ("paper", 2, ("two", "one")),
    )
}
WANTED = setting(None, PROFILES, profile="smoke")


def plan(of):
    config = {"subject": of.numbers.subject}
    return {
        f"endpoint/{pair}": Task("endpoint", 1, config | {"pair": pair}, (), "data", "", 1)
        for pair in range(of.pairs)
    }


CHAPTER = Chapter("99_toys", plan, PROFILES)


def record(store, subject, pair):
    store.put(Record("endpoint", 1, {"subject": subject, "pair": pair}, data="data"))


def test_only_a_whole_subject_is_recorded_and_the_published_protocol_comes_first(store):
    assert CHAPTER.recorded(WANTED, store) == {}
    record(store, "one", 0)
    (found,) = CHAPTER.recorded(WANTED, store).values()
    assert (found.name, found.profile, found.config["subject"]) == ("99_toys", "standard", "one")
    record(store, "two", 1)  # the second pair of two, of which the first is missing
    assert list(CHAPTER.recorded(WANTED, store)) == ["one"]
    record(store, "one", 1)
    found = CHAPTER.recorded(WANTED, store)["one"]
    assert found.profile == "paper"
    assert list(found.records) == ["endpoint/0", "endpoint/1"]


def test_a_subject_whose_images_are_missing_is_passed_over(store):
    def absent(of):
        if of.numbers.subject == "two":
            raise MissingData("no images of two")
        return plan(of)

    record(store, "one", 0)
    record(store, "two", 0)
    assert list(CHAPTER.recorded(WANTED, store)) == ["one", "two"]
    assert list(Chapter("99_toys", absent, PROFILES).recorded(WANTED, store)) == ["one"]


def test_what_is_there_is_not_computed_again_and_each_subject_gets_its_own(store):
    wanted = setting(None, PROFILES, profile="standard")
    record(store, "one", 0)
    record(store, "two", 0)
    found = CHAPTER.run(wanted, store)
    for subject, study in found.items():
        assert study.config["subject"] == subject
        assert study["endpoint/0"].config == {"subject": subject, "pair": 0}
    assert list(found) == ["one", "two"]


def test_the_tasks_of_several_subjects_are_named_after_them():
    assert list(CHAPTER.plan(WANTED)) == ["endpoint/0"]
    both = CHAPTER.plan(setting(None, PROFILES, profile="standard"))
    assert list(both) == ["one/endpoint/0", "two/endpoint/0"]


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_chapter_has_the_four_profiles(name):
    assert CHAPTERS[name].name == name
    assert all(CHAPTERS[name].profiles[one] for one in ("smoke", "quick", "standard", "paper"))


@pytest.mark.parametrize("name", CHAPTERS)
def test_no_profile_asks_for_no_images(name):
    of = ("train", "test", "align", "statistics", "measure")
    for profile, subjects in CHAPTERS[name].profiles.items():
        for numbers in subjects:
            asked = {one: getattr(numbers, f"{one}_examples") for one in of}
            assert min(numbers.pairs, *asked.values()) > 0, (profile, asked)
