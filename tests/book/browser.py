"""Find a Chromium: print its path, or say nothing and exit with 1."""

import os
import shutil
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Playwright keeps the browsers it downloads in a folder of its own.
CACHE = os.environ.get("PLAYWRIGHT_BROWSERS_PATH", "~/.cache/ms-playwright")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]


def find_browser() -> str | None:
    """Path of a Chromium: $CHROMIUM, one of the system's, or playwright's own."""
    for name in (os.environ.get("CHROMIUM", ""), *NAMES):
        if name and (path := shutil.which(name)):
            return path
    found = sorted(Path(CACHE).expanduser().glob("chromium-*/chrome-*/chrome*"))
    return next((str(path) for path in found if os.access(path, os.X_OK)), None)


if __name__ == "__main__":
    print(find_browser() or "no browser found")
    sys.exit(find_browser() is None)
