"""The command `modeconn`: align, merge, run, plan, book, check, data.

arguments  ->  validated before any work  ->  `commands`  ->  exit status

0 done; 1 failed, with the reason; 2 bad input, one line; 3 stopped at the time limit, resumable.
"""

import json
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.files import DamagedFile
from modeconn_lib.permutation.equivalence import NotEquivalent
from modeconn_lib.results.store import MissingTensors
from modeconn_lib.training.fit import NonFiniteLoss, OutOfTime

app = typer.Typer(
    help="Align, connect and merge neural networks; execute and build the book.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="List, fetch and embed data sets.", no_args_is_help=True)
app.add_typer(data_app, name="data")

Chapters = Annotated[list[str] | None, typer.Argument(help="E.g. 13; none means all.")]
Profile = Annotated[str, typer.Option(help="How much to compute: smoke, quick, standard, paper.")]
Dataset = Annotated[str, typer.Option(help="Data set; empty: the profile's own.")]
Architecture = Annotated[str, typer.Option(help="Network; empty: the profile's own.")]
Pairs = Annotated[int, typer.Option(help="Pairs of networks; 0: the profile's own.")]
Data = Annotated[Path | None, typer.Option(help="Folder of prepared data sets.")]
Jobs = Annotated[int, typer.Option(min=0, help="Processes side by side; 0: one a core.")]
Limit = Annotated[str | None, typer.Option(help="Stop cleanly after, e.g., 90s, 45m, 2h.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Network = Annotated[str, typer.Option(help="Registry name, torchvision:NAME, module:function.")]
Out = Annotated[Path, typer.Option(help="Safetensors file to write.")]
Inputs = Annotated[
    str,
    typer.Option(
        help="Data set of `modeconn data list`, which lies in MODECONN_DATA or was fetched; or a "
        "folder with train/<class>/*.png."
    ),
]
Mean = Annotated[
    str,
    typer.Option(
        help="Normalise --data by this mean and --std, one number or one a channel; --mean 0 "
        "--std 1: pixels from 0 to 1; empty: as is usual for the data."
    ),
]
Std = Annotated[str, typer.Option(help="Goes with --mean.")]
Examples = Annotated[int, typer.Option(help="How many images of --data to use.")]
Shape = Annotated[str, typer.Option(help="Of one input, e.g. 3,32,32; empty: what fits.")]
Classes = Annotated[int, typer.Option(min=0, help="Number of logits; 0: the file's.")]
Orders = Annotated[int, typer.Option(help="Random orders of weight matching; the best is kept.")]
Spec = Annotated[Path | None, typer.Option(help="JSON file with a spec of your own.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing output.")]

FAILURES = (DamagedFile, MissingTensors, NonFiniteLoss, NotEquivalent, OSError, RuntimeError)


@app.command()
def align(
    a: Annotated[Path, typer.Argument(help="Network whose units keep their order.")],
    b: Annotated[Path, typer.Argument(help="Network whose units are put in that order.")],
    arch: Network,
    out: Out,
    method: Annotated[str, typer.Option(help="weights, activations or ste.")] = "weights",
    data: Inputs = "",
    examples: Examples = 1000,
    mean: Mean = "",
    std: Std = "",
    shape: Shape = "",
    classes: Classes = 0,
    orders: Orders = 1,
    epochs: Annotated[int, typer.Option(help="Of ste: how often it sees the images.")] = 10,
    seed: Seed = 0,
    spec: Spec = None,
    force: Force = False,
) -> None:
    """Write B with its units in the order of A's: the same function, nearer to A."""
    from modeconn_lib.commands.align import align_files
    from modeconn_lib.commands.request import Request

    request = Request(
        arch, out, shape, classes, data, examples, mean, std, orders, seed, spec, force, epochs
    )
    print(align_files(a, b, request, method))


@app.command()
def merge(
    files: Annotated[list[Path], typer.Argument(help="Two or more safetensors files.")],
    arch: Network,
    out: Out,
    weights: Annotated[str, typer.Option(help="One a file, e.g. 0.7,0.3; empty: mean.")] = "",
    data: Inputs = "",
    examples: Examples = 1000,
    mean: Mean = "",
    std: Std = "",
    shape: Shape = "",
    classes: Classes = 0,
    orders: Orders = 1,
    seed: Seed = 0,
    spec: Spec = None,
    force: Force = False,
) -> None:
    """Write the mean of networks whose units were put in one order first."""
    from modeconn_lib.commands.merge import merge_files
    from modeconn_lib.commands.request import Request

    request = Request(
        arch, out, shape, classes, data, examples, mean, std, orders, seed, spec, force
    )
    print(merge_files(files, request, weights))


@app.command()
def run(
    chapters: Chapters = None,
    profile: Profile = "quick",
    dataset: Dataset = "",
    architecture: Architecture = "",
    pairs: Pairs = 0,
    seed: Seed = 0,
    data: Data = None,
    time_limit: Limit = None,
    jobs: Jobs = 0,
    task: Annotated[str, typer.Option(help="Only the task with this key (see `plan`).")] = "",
    record: Annotated[bool, typer.Option(help="Copy the records to data/results.")] = False,
) -> None:
    """Compute the records of chapters; go on where an earlier run stopped."""
    from modeconn_lib.commands.run import publish, run_chapters, run_task, seconds, union
    from modeconn_lib.experiments.parameters import setting
    from modeconn_lib.experiments.runner import Options
    from modeconn_lib.results.store import open_store

    wanted = setting(
        data, profile=profile, dataset=dataset, architecture=architecture, pairs=pairs, seed=seed
    )
    options = Options(data, jobs, seconds(time_limit), profile)
    store = open_store()
    if task:
        plan = run_task(task, union(chapters or [], wanted), store, options)
    else:
        plan = run_chapters(chapters or [], wanted, store, options)
    if record:
        folder = store.recorded[0]
        print(f"{len(publish(plan, store, folder))} files in {folder}")
    print(f"records are in {store.local}")


@app.command()
def plan(
    chapters: Chapters = None,
    profile: Profile = "quick",
    dataset: Dataset = "",
    architecture: Architecture = "",
    pairs: Pairs = 0,
    seed: Seed = 0,
    data: Data = None,
) -> None:
    """Print the tasks of chapters as JSON: key, step, inputs, cost, whether it is made."""
    from modeconn_lib.commands.plan import described
    from modeconn_lib.commands.run import union
    from modeconn_lib.experiments.parameters import setting
    from modeconn_lib.results.store import open_store

    wanted = setting(
        data, profile=profile, dataset=dataset, architecture=architecture, pairs=pairs, seed=seed
    )
    print(json.dumps(described(union(chapters or [], wanted), open_store()), indent=1))


@app.command()
def book(
    profile: Profile = "quick",
    data: Data = None,
    time_limit: Limit = None,
    jobs: Jobs = 0,
    build: Annotated[Path, typer.Option(help="Folder for everything that is built.")] = Path(
        "_build"
    ),
    pages: Annotated[bool, typer.Option(help="Build the pages after the notebooks.")] = True,
) -> None:
    """Execute every notebook with papermill and build the book."""
    from modeconn_lib.commands.book import make_book
    from modeconn_lib.commands.run import seconds
    from modeconn_lib.experiments.runner import Options

    first = make_book(Options(data, jobs, seconds(time_limit), profile), build, pages=pages)
    print(f"open {first}")


@app.command()
def check() -> None:
    """Verify every record, tensor file and data set that is here."""
    from modeconn_lib.commands.check import check_everything

    raise typer.Exit(check_everything())


@data_app.command("list")
def data_list(data: Data = None) -> None:
    """Print every data set, its licence, and whether it is here."""
    from modeconn_lib.commands.data import table

    print(table(data))


@data_app.command("fetch")
def data_fetch(
    name: str, data: Annotated[Path | None, typer.Option(help="Where to put it.")] = None
) -> None:
    """Download a data set from where it was published, and verify it."""
    from modeconn_lib.commands.data import fetch_dataset

    print(fetch_dataset(name, data))


@data_app.command("embed")
def data_embed(
    source: Annotated[Path | None, typer.Option(help="Folder of the four IDX files.")] = None,
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("data/embedded"),
) -> None:
    """Make the embedded set again, from the published Fashion-MNIST files."""
    from modeconn_lib.commands.data import embed_dataset

    print(embed_dataset(source, out))


def main() -> None:
    """Run the command line; turn known failures into one line and an exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's stop is like Ctrl-C
    try:
        app()
    except Refusal as error:
        _end(str(error), 2)
    except OutOfTime as error:
        _end(f"{error}; run the same command again to go on", 3)
    except FAILURES as error:
        _end(str(error), 1)
    except SystemExit as end:
        if end.code == 130:  # what typer makes of Ctrl-C
            _end("interrupted; run the same command again to go on", 130)
        raise


def _end(message: str, status: int) -> None:
    print(f"modeconn: {message}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
