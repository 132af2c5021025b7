"""`modeconn check`: say whether everything that is here is whole.

store, data folders  ->  every file read and verified  ->  lines, exit status
"""

from pathlib import Path

from modeconn_lib.core.files import DamagedFile
from modeconn_lib.core.hardware import Machine
from modeconn_lib.datasets.images import MissingData, load
from modeconn_lib.datasets.info import SPLITS
from modeconn_lib.datasets.registry import DATASETS
from modeconn_lib.results.provenance import source, versions
from modeconn_lib.results.store import open_store


def check_everything(data: Path | None = None) -> int:
    """Print what is here and what is damaged; return 0 if nothing is, else 1."""
    commit, dirty = source()
    print(f"machine: {Machine.detect().describe()}")
    print("versions: " + ", ".join(f"{name} {v or 'absent'}" for name, v in versions().items()))
    print(f"source: {commit or 'not a checkout'}{' with changes' if dirty else ''}")
    store = open_store()
    damaged = store.damaged()
    for folder in (store.local, *store.recorded):
        print(f"records: {len(list(folder.glob('*/*.json')))} in {folder}")
    for name in DATASETS:
        try:
            sizes = [f"{len(load(name, split, data)):,} {split}" for split in SPLITS]
            print(f"data: {name}: {', '.join(sizes)}, verified")
        except MissingData:
            print(f"data: {name}: not here")
        except DamagedFile as error:
            damaged.append(str(error))
    for line in damaged:
        print(f"DAMAGED: {line}")
    print("all whole" if not damaged else f"{len(damaged)} damaged")
    return 1 if damaged else 0
