"""What every test shares: repeatable examples, one thread, and skips that nobody can overlook."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]

# The same 30 examples on every machine; HYPOTHESIS_PROFILE=deep looks further, by hand.
settings.register_profile("repeatable", derandomize=True, max_examples=30, deadline=None)
settings.register_profile("deep", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The top folder of the repository."""
    return ROOT


def pytest_terminal_summary(terminalreporter):
    """Say last, and loudly, what was not checked; the reason says what is missing."""
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    terminalreporter.section(f"{len(skipped)} TESTS WERE SKIPPED", sep="!", red=True, bold=True)
    reasons: dict[str, int] = {}
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason] = reasons.get(reason, 0) + 1
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{count:4d}  {reason.removeprefix('Skipped: ')}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """Fail where MODECONN_NO_SKIPS is set and anything was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("MODECONN_NO_SKIPS") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
