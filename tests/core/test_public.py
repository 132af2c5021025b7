"""The public names are one list, and each is where it is said to be."""

import subprocess
import sys

import pytest

import modeconn_lib


def test_the_list_and_the_homes_agree():
    homes = [name for names in modeconn_lib._HOMES.values() for name in names]
    assert sorted(homes) == sorted(modeconn_lib.__all__)


@pytest.mark.parametrize("name", modeconn_lib.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(modeconn_lib, name).__module__ is not None or name == "Params"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'allign'"):
        modeconn_lib.allign  # noqa: B018


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, modeconn_lib; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
