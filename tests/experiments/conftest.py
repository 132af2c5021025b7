"""A chapter small enough to be run in a second."""

import pytest

from modeconn_lib.experiments import tasks
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.profiles import PROFILES
from modeconn_lib.results.store import Store
from tests.experiments.tiny import TINY


@pytest.fixture
def tiny(monkeypatch):
    """The profile `tiny`: one pair of small MLPs, 64 images, two epochs."""
    monkeypatch.delenv("MODECONN_DATA", raising=False)
    monkeypatch.setitem(PROFILES, "tiny", TINY)
    return setting(profile="tiny")


@pytest.fixture
def store(tmp_path):
    """An empty store with nothing recorded."""
    return Store(tmp_path / "store")


@pytest.fixture
def plan(tiny):
    """Both networks of a pair, their alignment, the aligned curve, and the way along it."""
    return {
        "A": tasks.endpoint(tiny, 0, 0),
        "B": tasks.endpoint(tiny, 0, 1),
        "alignment": tasks.alignment(tiny, 0),
        "curve": tasks.curve(tiny, 0, aligned=True),
        "along": tasks.along(tiny, 0, aligned=True, learned=True),
    }
