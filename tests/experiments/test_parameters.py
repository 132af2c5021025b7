"""What a reader asks for is checked before any work: one line, with what is allowed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeconn_lib.core.errors import Refusal
from modeconn_lib.experiments.chapters import CHAPTERS, chapter
from modeconn_lib.experiments.parameters import (
    notebook_setting,
    parameters,
    setting,
    settings,
    subject_name,
)
from modeconn_lib.experiments.profiles import PROFILES, profile


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"profile": "fast"}, r"unknown profile 'fast'; known: smoke, quick, standard, paper"),
        ({"dataset": "cifar"}, r"unknown data set 'cifar'; known: cifar10, .*folder:PATH"),
        ({"architecture": "vgg"}, r"unknown architecture 'vgg'; known: mlp, .*tinyten"),
        ({"pairs": -1}, r"parameter 'pairs' is -1: input should be greater than or equal to 0"),
        ({"pairs": 101}, r"parameter 'pairs' is 101: input should be less than or equal to 100"),
        ({"pairs": "2"}, r"parameter 'pairs' is '2': input should be a valid integer"),
        ({"pairs": 2.0}, r"parameter 'pairs' is 2.0: input should be a valid integer"),
        ({"pairs": True}, r"parameter 'pairs' is True: input should be a valid integer"),
        ({"seed": -1}, r"parameter 'seed' is -1: input should be greater than or equal to 0"),
        ({"seed": 2**31}, r"parameter 'seed' is 2147483648: input should be less than"),
        ({"profile": 3}, r"parameter 'profile' is 3: input should be a valid string"),
        ({"dataset": None}, r"parameter 'dataset' is None: input should be a valid string"),
        (
            {"epochs": 3},
            r"unknown parameter 'epochs'; known: profile, dataset, architecture, pairs, seed",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(wrong, message):
    with pytest.raises(Refusal, match=message) as caught:
        setting(**wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", PROFILES)
def test_nothing_asked_for_is_the_profile_itself(name):
    found = setting(profile=name)
    assert found.numbers == profile(name)
    assert (found.pairs, found.seed) == (profile(name).pairs, 0)
    assert (found.dataset.name, found.architecture) == (
        profile(name).dataset,
        profile(name).architecture,
    )


def test_what_is_asked_for_takes_the_place_of_the_profiles_choice():
    found = setting(profile="smoke", dataset="mnist", architecture="mlp", pairs=7, seed=5)
    assert (found.dataset.name, found.architecture, found.pairs) == ("mnist", "mlp", 7)
    assert found.seed == 5
    assert (found.numbers.dataset, found.numbers.architecture) == ("mnist", "mlp")
    assert found.numbers.pairs == 7


TWO = replace(profile("smoke"), dataset="cifar10", architecture="mlp")
FAMILY = (TWO, replace(TWO, architecture="mlp_small"), replace(TWO, variant="once more"))
OTHERS = (replace(TWO, architecture="mlp_w16", subject="mine"), replace(TWO, dataset="cifar100"))


def of(**given) -> list[tuple[str, str, str]]:
    """Network, data set and variant of every subject that a reader gets."""
    found = settings(None, parameters(profile="smoke", **given), {"smoke": (*FAMILY, *OTHERS)})
    return [(one.architecture, one.dataset.name, one.numbers.variant) for one in found]


def test_subjects_of_the_data_set_asked_for_are_taken_as_they_are():
    assert of(dataset="cifar100") == [("mlp", "cifar100", "")]
    assert len(of()) == 5


def test_a_data_set_that_no_subject_has_is_put_into_all_that_go_along_with_the_first():
    assert of(dataset="mnist") == [
        ("mlp", "mnist", ""),
        ("mlp_small", "mnist", ""),
        ("mlp", "mnist", "once more"),
    ]


def test_with_a_network_asked_for_too_only_those_of_that_network_go_along():
    both = [("mlp", "mnist", ""), ("mlp", "mnist", "once more")]
    assert of(dataset="mnist", architecture="mlp") == both
    assert of(dataset="mnist", architecture="mlp_small") == [("mlp_small", "mnist", "")]
    assert of(architecture="tinyten") == [
        ("tinyten", "cifar10", ""),
        ("tinyten", "cifar10", "once more"),
    ]


@pytest.mark.parametrize("name", CHAPTERS)
@pytest.mark.parametrize(
    "asked", [{}, {"dataset": "tiny_imagenet"}, {"architecture": "tinyten"}, "both"]
)
def test_all_subjects_a_reader_can_get_have_names_of_their_own(name, asked):
    given = {"dataset": "tiny_imagenet", "architecture": "tinyten"} if asked == "both" else asked
    for profile_name in PROFILES:
        wanted = parameters(profile=profile_name, **given)
        names = [subject_name(one) for one in settings(None, wanted, CHAPTERS[name].profiles)]
        assert len(set(names)) == len(names)


def test_no_more_images_are_asked_for_than_the_data_set_has(monkeypatch):
    of_training = ("train", "align", "statistics", "measure", "adjust")
    wish = {f"{name}_examples": 10**6 for name in (*of_training, "test")}
    monkeypatch.setitem(PROFILES, "greedy", replace(profile("smoke"), **wish))
    numbers = setting(profile="greedy", dataset="fashion_mnist_small").numbers
    assert [getattr(numbers, f"{name}_examples") for name in of_training] == [10_000] * 5
    assert numbers.test_examples == 2_000


def test_other_sizes_are_those_of_the_profiles_own_network():
    numbers = replace(profile("smoke"), architecture="fc3_small", ladder=("fc5_small",))
    profiles = {"smoke": (numbers,)}
    assert setting(None, profiles, profile="smoke").numbers.ladder == ("fc5_small",)
    other = setting(None, profiles, profile="smoke", architecture="conv2fc1")
    assert other.numbers.ladder == ()


def test_a_notebooks_parameters_are_its_plain_values():
    shell = {"In": [""], "Out": {}, "exit": "", "quit": "", "_": 3, "_i1": "", "setting": setting}
    found = notebook_setting({**shell, "profile": "smoke", "pairs": 1, "seed": 3})
    assert found == setting(profile="smoke", pairs=1, seed=3)


@pytest.mark.parametrize("value", ["x", 1, 1.5, True, None, [1], {"a": 1}])
def test_a_parameter_that_papermill_was_given_by_mistake_is_refused(value):
    with pytest.raises(Refusal, match="unknown parameter 'pair'"):
        notebook_setting({"profile": "smoke", "pair": value})


@given(st.sampled_from(list(CHAPTERS)))
def test_a_chapter_is_found_by_its_name_its_number_and_its_topic(name):
    number, _, topic = name.partition("_")
    assert chapter(name) is chapter(number) is chapter(topic) is CHAPTERS[name]


@pytest.mark.parametrize("name", ["99", "", "1", "learned", "13_"])
def test_an_unknown_chapter_is_refused_with_those_there_are(name):
    with pytest.raises(Refusal, match=f"unknown chapter '{name}'; known: 11_.*13_learned_curves"):
        chapter(name)
