"""Making the embedded data set again, from the whole Fashion-MNIST.

four IDX files | whatever `load` finds  ->  checked against the registry  ->  data/embedded
"""

from pathlib import Path

from modeconn_lib.datasets.embedded import write_embedded
from modeconn_lib.datasets.idx import read_idx_pair
from modeconn_lib.datasets.images import Images, load, verified
from modeconn_lib.datasets.info import SPLITS, Split
from modeconn_lib.datasets.registry import dataset

WHOLE = "fashion_mnist"


def embed(source: Path | None, out: Path) -> list[Path]:
    """Write the embedded files to `out` and return them.

    Parameters
    ----------
    source
        Folder of the four IDX files, plain or gzipped; None takes the Fashion-MNIST that is
        installed or was fetched.

    Raises
    ------
    FileNotFoundError
        If `source` lacks one of the files.
    MissingData
        If no source is given and none is found.
    DamagedFile
        If the source is not Fashion-MNIST.
    """
    whole = {split: read_whole(source, split) for split in SPLITS}
    return write_embedded(
        out,
        {
            split: (found.images[:, 0].numpy(), found.labels.numpy())
            for split, found in whole.items()
        },
    )


def read_whole(source: Path | None, split: Split) -> Images:
    """Return a split of Fashion-MNIST, verified."""
    if source is None:
        return load(WHOLE, split)
    return verified(dataset(WHOLE), split, read_idx_pair(source, split), str(source))
