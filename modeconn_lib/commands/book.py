"""`modeconn book`: compute, execute every notebook with papermill, build the pages.

profile  ->  records  ->  _build/notebooks/*.ipynb (side by side)  ->  _build/html/index.html
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from modeconn_lib.commands.run import run_chapters
from modeconn_lib.core.errors import Refusal
from modeconn_lib.experiments.parameters import setting
from modeconn_lib.experiments.runner import Options
from modeconn_lib.results.store import open_store


class BuildError(RuntimeError):
    """A notebook or the book failed; the message names the log."""


def notebooks(root: Path) -> tuple[Path, ...]:
    """Return the notebooks of the book, in order.

    Raises
    ------
    Refusal
        If there are none: the book is built from a checkout, not from an installed package.
    """
    found = tuple(sorted((root / "notebooks").glob("[0-9]*.ipynb")))
    if not found:
        raise Refusal(
            f"no notebooks in {root / 'notebooks'}; run `modeconn book` in a checkout of the "
            "repository"
        )
    return found


def execute(path: Path, build: Path, parameters: Mapping[str, str], env: Mapping[str, str]) -> None:
    """Execute one notebook into `build`/notebooks.

    Raises
    ------
    BuildError
        With the last lines of the log, if it fails; the executed part is kept.
    """
    out, log = build / "notebooks" / path.name, build / "logs" / f"{path.stem}.log"
    for file in (out, log):
        file.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "papermill", str(path), str(out)]
    command += ["--cwd", str(path.parent.parent), "-k", "python3", "--no-progress-bar"]
    for name, value in parameters.items():
        command += ["-r" if name in ("profile", "dataset", "architecture") else "-p", name, value]
    started = time.monotonic()
    with log.open("wb") as sink:
        done = subprocess.run(command, stdout=sink, stderr=subprocess.STDOUT, env=dict(env))
    if done.returncode != 0:
        tail = log.read_text(errors="replace").strip().splitlines()[-12:]
        raise BuildError("\n".join([f"{path.name} failed; its log is {log}", *tail]))
    print(f"  {path.name}: {time.monotonic() - started:.0f} s", flush=True)


def execute_all(
    paths: Sequence[Path], build: Path, parameters: Mapping[str, str], env: Mapping[str, str]
) -> None:
    """Execute notebooks two at a time; they mostly read records that exist by now."""
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(execute, p, build, parameters, env) for p in paths]:
            future.result()


def build_pages(root: Path, build: Path) -> Path:
    """Build the HTML pages strictly and return the first one.

    Raises
    ------
    BuildError
        If there is a single warning.
    """
    log = build / "logs" / "book.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    start = "from jupyter_book.cli.main import main; main()"  # it has no __main__ module
    command = [sys.executable, "-c", start, "build", str(root)]
    # jupyter-book appends "_build" to the folder it is given.
    out = build.parent if build.name == "_build" else build
    command += ["--path-output", str(out), "-W", "-n", "--keep-going"]
    env = {**os.environ, "MODECONN_BUILD": str(build)}
    with log.open("wb") as sink:
        done = subprocess.run(command, stdout=sink, stderr=subprocess.STDOUT, env=env)
    if done.returncode != 0:
        text = log.read_text(errors="replace").splitlines()
        lines = [x for x in text if "WARNING" in x or "ERROR" in x] or text[-12:]
        raise BuildError("\n".join([f"the book did not build; its log is {log}", *lines[:20]]))
    return out / "_build" / "html" / "index.html"


def make_book(options: Options, build: Path, *, pages: bool) -> Path:
    """Compute every chapter, execute every notebook, build the pages; return the first page."""
    started, root = time.monotonic(), Path.cwd()
    paths, build = notebooks(root), build.absolute()
    wanted = setting(options.data, profile=options.profile)
    store = open_store()
    print("1 of 3: computing", flush=True)
    run_chapters([], wanted, store, options)
    print("2 of 3: executing notebooks", flush=True)
    env = {**os.environ, "MODECONN_BUILD": str(build), "MODECONN_STORE": str(store.local)}
    if options.data is not None:
        env["MODECONN_DATA"] = str(options.data.absolute())
    execute_all(paths, build, {"profile": options.profile}, env)
    first = build
    if pages:
        print("3 of 3: building pages", flush=True)
        first = build_pages(root, build)
    print(f"done in {time.monotonic() - started:.0f} s")
    return first
