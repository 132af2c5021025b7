"""Print the lock: the exact version of every package that the book, the tests or a cluster need.

installed packages, plus what the extra `cluster` would add  ->  name==version, a line each

It is used as a pip constraint, so a package that a machine does not need is simply not installed.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions

# Builds of one torch for one machine, the installer, and this project itself.
LEFT_OUT = ("nvidia", "cuda", "triton", "pip", "modeconn-lib")


def installed() -> Iterator[tuple[str, str]]:
    """Name and version of every package of this environment."""
    for package in distributions():
        yield package.metadata["Name"], package.version


def added_by(extra: str) -> Iterator[tuple[str, str]]:
    """Name and version of what `extra` would install on top."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--report", "-"]
    report = subprocess.run([*command, f".[{extra}]"], check=True, capture_output=True).stdout
    for package in json.loads(report)["install"]:
        yield package["metadata"]["name"], package["metadata"]["version"]


def main() -> None:
    """Print one line a package, in alphabetical order."""
    pins = dict(installed()) | dict(added_by("cluster"))
    for name in sorted(pins, key=str.lower):
        if not name.lower().startswith(LEFT_OUT):
            # 2.13.0+cpu and 2.13.0 are the same release, built for different machines.
            print(f"{name}=={pins[name].partition('+')[0]}")


if __name__ == "__main__":
    main()
