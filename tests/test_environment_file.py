"""pyproject.toml, environment.yml, requirements.lock and the library's imports tell one story."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
CONDA_NAME = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
ONLY_CONDA = {"python", "pip", "make"}
LIBRARY = sorted((ROOT / "modeconn_lib").rglob("*.py"))
PROVIDERS = packages_distributions()  # top-level name -> packages that install it


def required(*extras: str) -> dict[str, SpecifierSet]:
    """Package -> versions that pyproject.toml allows, with those of some extras."""
    lines = PROJECT["dependencies"] + [
        line for extra in extras for line in PROJECT["optional-dependencies"][extra]
    ]
    return {canonicalize_name(r.name): r.specifier for r in map(Requirement, lines)}


def conda_lines() -> tuple[list[str], list[str]]:
    """Lines of environment.yml that conda reads, and those that pip reads."""
    lines = yaml.safe_load((ROOT / "environment.yml").read_text("utf8"))["dependencies"]
    (pip,) = (line["pip"] for line in lines if isinstance(line, dict))
    return [line for line in lines if isinstance(line, str)], pip


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text("utf8").splitlines()
    return {canonicalize_name(name): version for name, version in (x.split("==") for x in lines)}


def test_the_conda_environment_allows_the_versions_that_pyproject_allows():
    lines, pip = conda_lines()
    have = {}
    for line in lines:
        parts = re.fullmatch(r"([a-z0-9_.-]+)(?: ((?:(?:>=|<|==)[0-9a-z.]+,?)+))?", line)
        assert parts, f"{line!r} is not 'name specifier' with >=, < or =="
        have[parts[1]] = SpecifierSet(parts[2] or "")
    assert have["python"] == SpecifierSet(PROJECT["requires-python"])
    assert pip[-1] == "-e ."
    by_pip = {canonicalize_name(r.name): r.specifier for r in map(Requirement, pip[:-1])}
    want = required("book")
    assert by_pip == {name: want[name] for name in by_pip}
    assert {name: versions for name, versions in have.items() if name not in ONLY_CONDA} == {
        CONDA_NAME.get(name, name): want[name] for name in want.keys() - by_pip.keys()
    }


def test_conda_can_read_every_line():
    rattler = pytest.importorskip("rattler")
    for line in conda_lines()[0]:
        rattler.MatchSpec(line, strict=True)


def test_the_lock_names_an_allowed_version_of_every_requirement():
    pins = locked()
    for name, allowed in required("book", "test", "cluster").items():
        assert name in pins, f"{name} is not in requirements.lock; run `make lock`"
        assert pins[name] in allowed, f"{name}=={pins[name]} of the lock is not {allowed}"


def test_the_lock_fits_every_machine():
    assert not [line for line in locked() if line.startswith(("nvidia", "cuda", "triton"))]
    assert not [version for version in locked().values() if "+" in version]


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_import_of_the_library_is_a_declared_dependency(path):
    known = required("book")
    for node in ast.walk(ast.parse(path.read_text("utf8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [str(node.module)]
        for name in (name.partition(".")[0] for name in names):
            if name in sys.stdlib_module_names or name == "modeconn_lib":
                continue
            owners = {canonicalize_name(owner) for owner in PROVIDERS[name]}
            assert owners & known.keys(), f"{path.name} imports {name}: not in pyproject.toml"
