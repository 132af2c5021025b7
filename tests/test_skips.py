"""A skipped test is announced, and fails the run where nothing may be skipped."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SKIPPING = """
import pytest

def test_a():
    pytest.skip("no tool for it")

def test_b():
    pass
"""


@pytest.mark.parametrize(("strict", "status"), [("", 0), ("1", 1)])
def test_a_skip_is_loud_and_fails_only_where_none_is_allowed(tmp_path, strict, status):
    conftest = Path(__file__).with_name("conftest.py").read_text("utf8")
    (tmp_path / "conftest.py").write_text(conftest, "utf8")
    (tmp_path / "test_one.py").write_text(SKIPPING, "utf8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    environment = os.environ | {"MODECONN_NO_SKIPS": strict}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == status, done.stdout
    assert "1 TESTS WERE SKIPPED" in done.stdout
    assert "   1  no tool for it" in done.stdout
