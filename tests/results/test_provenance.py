"""Provenance says which code ran, where and when."""

import subprocess
from datetime import UTC, datetime

import pytest
import torch

from modeconn_lib.results import provenance
from modeconn_lib.results.record import Record


def git(folder, *arguments):
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def package(tmp_path):
    """A committed package in a fresh checkout."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "code.py").write_text("x = 1\n")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    return folder


def test_an_unchanged_checkout_has_a_commit_and_is_clean(package):
    commit, dirty = provenance.checkout(package)
    assert len(commit) == 40
    assert dirty is False


def test_changed_or_new_code_makes_it_dirty(package):
    (package / "code.py").write_text("x = 2\n")
    assert provenance.checkout(package)[1] is True
    (package / "code.py").write_text("x = 1\n")
    (package / "new.py").write_text("")
    assert provenance.checkout(package)[1] is True


def test_new_results_beside_the_code_do_not_make_it_dirty(package):
    (package.parent / "record.json").write_text("{}")
    assert provenance.checkout(package)[1] is False


def test_without_a_commit_or_a_checkout_it_is_unknown(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    assert provenance.checkout(package) == (None, None)
    git(tmp_path, "init")
    assert provenance.checkout(package) == (None, None)


def test_an_installation_inside_of_another_projects_checkout_is_unknown(package):
    installed = package / "site-packages" / "modeconn_lib"
    installed.mkdir(parents=True)
    assert provenance.checkout(installed) == (None, None)


def test_without_git_it_is_unknown(package, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.checkout(package) == (None, None)


def test_collect_fills_every_field_and_fits_into_a_record():
    before = datetime.now(UTC)
    found = provenance.collect(3600.00049, "a processor, float32", seed=3, profile="quick")
    assert found["seconds"] == 3600.0
    assert (found["seed"], found["profile"]) == (3, "quick")
    assert found["device"] == "a processor, float32"
    assert found["threads"] == torch.get_num_threads()
    assert provenance.collect(1.0, "", threads=99)["threads"] == 99
    assert found["versions"]["torch"] == torch.__version__
    assert 3599 <= (before - datetime.fromisoformat(found["started"])).total_seconds() <= 3601
    assert Record("s", 1, {}, provenance=found).provenance == found


def test_a_package_that_is_not_installed_has_no_version(monkeypatch):
    monkeypatch.setattr(provenance, "VERSIONS_OF", ("no-such-package",))
    assert provenance.versions()["no-such-package"] is None
