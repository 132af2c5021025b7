"""The command line in this process, on a store of its own."""

import signal
import sys

import pytest

from modeconn_lib import __main__ as command
from modeconn_lib.experiments.neuron_alignment import curve_profiles
from modeconn_lib.experiments.profiles import PROFILES
from modeconn_lib.results import provenance, store
from tests.experiments.tiny import TINY


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The local store; nothing is recorded, and no data set is here but the embedded one.

    The current folder takes the place of the checkout.
    """
    provenance.source()  # is remembered: not to be asked first while the package seems elsewhere
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "modeconn_lib")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(store.ENVIRONMENT, str(tmp_path / "store"))
    monkeypatch.delenv("MODECONN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("modeconn_lib.datasets.sources.SYSTEM", tmp_path / "system")
    monkeypatch.setitem(PROFILES, "tiny", TINY)
    monkeypatch.setitem(curve_profiles.PROFILES, "tiny", (TINY,))
    return tmp_path / "store"


@pytest.fixture
def modeconn(monkeypatch, capsys, folder):
    """Call the command; returns its exit status and what it printed on both streams."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["modeconn", *map(str, arguments)])
        before = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as end:
                command.main()
        finally:
            signal.signal(signal.SIGTERM, before)
        out, err = capsys.readouterr()
        return end.value.code, out, err

    return call
