"""The user's own function is imported and called, and what fails in it is told in one line."""

import sys

import pytest
from torch import nn

from modeconn_lib.commands import user_module
from modeconn_lib.commands.user_module import of_user
from modeconn_lib.core.errors import Refusal
from tests.commands.own_network import ARCH, write

FAILING = """
import sys
from torch import nn


class Named(nn.Module):
    pass


instance = Named()


def raising():
    raise KeyError("hidden")


def long():
    raise OSError("one line\\nand another")


def leaving():
    sys.exit("no configuration")
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write(tmp_path, monkeypatch)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write source of a module of the user's; return its name, forgotten after the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def call(source):
        (tmp_path / "failing_of_a_test.py").write_text(source)
        monkeypatch.delitem(sys.modules, "failing_of_a_test", raising=False)
        return "failing_of_a_test"

    yield call
    sys.modules.pop("failing_of_a_test", None)


def refused(arch):
    with pytest.raises(Refusal) as found:
        of_user(arch)
    assert "\n" not in str(found.value)
    return str(found.value)


def test_a_function_or_a_class_is_called(own):
    assert isinstance(of_user(ARCH), own.Own)
    assert isinstance(of_user("own_network_of_a_test:Own"), own.Own)


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        (":network", "':network' is not of the form package.module:function"),
        (".mine:network", "'.mine:network' is not of the form package.module:function"),
        ("mine.py:network", "names a file; write it without .py, as in 'mine:network'"),
        ("not_there:network", "importing 'not_there' failed: ModuleNotFoundError: No module"),
        ("own_network_of_a_test:", "has no function ''"),
        ("own_network_of_a_test:missing", "has no function 'missing'"),
        ("own_network_of_a_test:width", "has no function 'width'"),
        ("own_network_of_a_test:with_argument", "called without arguments, but: missing a"),
        ("own_network_of_a_test:no_module", "returned a value of type 'list', expected a torch"),
    ],
)
def test_what_builds_no_network_is_refused(own, arch, message):
    assert message in refused(arch)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("raising", "calling failing_of_a_test:raising failed: KeyError: 'hidden'"),
        ("long", "calling failing_of_a_test:long failed: OSError: one line"),
        ("leaving", "calling failing_of_a_test:leaving failed: SystemExit: no configuration"),
        ("instance", "is an instance of 'Named'; name its class, or a function that returns it"),
    ],
)
def test_what_fails_in_the_users_function_is_told(module, function, message):
    assert message in refused(f"{module(FAILING)}:{function}")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def build(:", "failed: SyntaxError: invalid syntax"),
        ("raise ValueError('no GPU')", "importing 'failing_of_a_test' failed: ValueError: no GPU"),
        ("raise ValueError", "importing 'failing_of_a_test' failed: ValueError"),
        ("import not_there", "failed: ModuleNotFoundError: No module named 'not_there'"),
    ],
)
def test_what_fails_in_the_users_file_is_told(module, source, message):
    assert message in refused(f"{module(source)}:build")


def test_torchvision_is_helped_to_load_before_the_users_file_imports_it(module, monkeypatch):
    seen = []

    def helped():
        seen.append("failing_of_a_test" in sys.modules)
        raise ImportError("it need not be installed")

    monkeypatch.setattr(user_module, "torchvision", helped)
    name = module("from torch import nn\n\n\ndef build():\n    return nn.Flatten()\n")
    assert isinstance(of_user(f"{name}:build"), nn.Flatten)
    assert seen == [False]
