"""Every study has a table of its own, and each table a name of its own."""

from modeconn_lib.experiments.study_tables import table_of_each
from modeconn_lib.results.study import Study


def test_studies_have_a_table_each_and_no_two_share_a_name():
    shown = {title: Study(title, "smoke", {}, {}) for title in ("one", "two")}
    text = table_of_each(shown, ["who"], lambda study: [[study.name]], "What is", "tab-x").text
    first, second = text.split("\n\n:::{table}")
    assert first.startswith(":::{table} What is. One\n:name: tab-x\n")
    assert second.startswith(" What is. Two\n:name: tab-x-2\n")
    assert "| one |" in first
    assert "| two |" in second
    assert "| one |" not in second


def test_no_studies_have_no_tables():
    assert table_of_each({}, ["who"], lambda study: [], "What is", "tab-x").text == ""
