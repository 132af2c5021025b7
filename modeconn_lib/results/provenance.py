"""How a record was made: the commit, the versions, the machine, the time.

seconds, seed, machine  ->  collect  ->  Record.provenance

It is written beside a result and shown on its page. It never decides whether a result is found.
"""

import platform
import subprocess
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

PACKAGE = Path(__file__).resolve().parents[1]
VERSIONS_OF = ("torch", "numpy", "scipy", "modeconn-lib")


def collect(
    seconds: float,
    machine: str,
    seed: int | None = None,
    profile: str | None = None,
    threads: int | None = None,
) -> dict[str, Any]:
    """Return what is known of the work that has just ended.

    Parameters
    ----------
    seconds
        How long it took, over all its sessions.
    machine
        One line on processor and number formats (`Machine.describe`).
    seed
        The seed everything random was derived from.
    profile
        Name of the profile it was made for, a label only.
    threads
        Threads used; torch's own number where none is given.
    """
    now = datetime.now(UTC)
    commit, dirty = source()
    return {
        "commit": commit,
        "dirty": dirty,
        "versions": versions(),
        "device": machine,
        "threads": torch.get_num_threads() if threads is None else threads,
        "seconds": round(seconds, 3),
        "started": (now - timedelta(seconds=seconds)).isoformat(timespec="seconds"),
        "seed": seed,
        "profile": profile,
    }


def versions() -> dict[str, str | None]:
    """Return the versions of Python and of what numbers depend on; None is "not installed"."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in VERSIONS_OF:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


@cache
def source() -> tuple[str | None, bool | None]:
    """Return the commit of the library's checkout and whether the library differs from it.

    Both are None outside of a checkout. They are looked up once in a process: a commit made while
    a step runs is not the code that it runs.
    """
    return checkout(PACKAGE)


def checkout(package: Path) -> tuple[str | None, bool | None]:
    """Return commit and difference of the checkout that `package` lies in the top folder of."""
    if not (package.parent / ".git").exists():  # a folder, or a file in a worktree
        return None, None
    commit = _git(package, "rev-parse", "--verify", "HEAD")
    changed = _git(package, "status", "--porcelain", "--", ".")
    return commit, None if commit is None or changed is None else changed != ""


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints, or None where it is missing or fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
