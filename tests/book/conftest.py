"""The book at profile smoke, built once, by the command a reader would use."""

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock


@dataclass(frozen=True)
class Build:
    """What one `modeconn book` left behind."""

    folder: Path
    status: int
    output: str


@pytest.fixture(scope="session")
def smoke(root: Path, testrun_uid: str) -> Build:
    """Every notebook executed at profile smoke from an empty store, and the pages built.

    Test processes side by side share one build: the first to ask makes it, the others wait.
    """
    folder = root / "_build" / "smoke"
    note = root / "_build" / "smoke.json"
    note.parent.mkdir(exist_ok=True)
    with FileLock(note.with_suffix(".lock")):
        known = json.loads(note.read_text("utf8")) if note.exists() else {}
        if known.get("run") != testrun_uid:
            build = _build(root, folder)
            known = {"run": testrun_uid, "status": build.status, "output": build.output}
            note.write_text(json.dumps(known), "utf8")
    return Build(folder, known["status"], known["output"])


def _build(root: Path, folder: Path) -> Build:
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "modeconn_lib", "book", "--profile", "smoke"]
    done = subprocess.run(
        [*command, "--build", str(folder)],
        cwd=root,
        env=os.environ | {"MODECONN_STORE": str(folder / "results")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Build(folder, done.returncode, done.stdout)


@pytest.fixture(scope="session")
def html(smoke: Build) -> Path:
    """Folder of the built pages."""
    if smoke.status != 0:
        pytest.fail("the book did not build: see test_the_book_builds", pytrace=False)
    return smoke.folder / "_build" / "html"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def site(html: Path) -> Iterator[str]:
    """Address of a server of the built pages, on this machine only."""
    handler = functools.partial(Quiet, directory=str(html))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
