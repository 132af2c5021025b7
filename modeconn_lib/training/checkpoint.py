"""A training run on disk: whole at every moment, and exactly where it stopped.

Position, tensors  ->  save  ->  <hash>.safetensors + checkpoint.json  ->  load

The tensors go into a file named by their own SHA-256, and then the small JSON file that points
to it is replaced in one rename: a kill at any moment leaves the old checkpoint or the new one.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from modeconn_lib.core.files import DamagedFile, atomic_write, load_tensors, save_tensors

POINTER = "checkpoint.json"


@dataclass(frozen=True, slots=True)
class Position:
    """How far a run has come.

    Attributes
    ----------
    epoch, step
        The next batch to train on.
    losses, accuracies
        One mean per finished epoch.
    loss_sum, correct, examples
        Sums over the unfinished epoch; loss_sum is in nats.
    seconds
        Time spent so far, over all sessions.
    """

    epoch: int = 0
    step: int = 0
    losses: tuple[float, ...] = ()
    accuracies: tuple[float, ...] = ()
    loss_sum: float = 0.0
    correct: int = 0
    examples: int = 0
    seconds: float = 0.0

    def next_epoch(self) -> "Position":
        """Return the start of the next epoch, with this one's means appended."""
        return Position(
            epoch=self.epoch + 1,
            losses=(*self.losses, self.loss_sum / self.examples),
            accuracies=(*self.accuracies, self.correct / self.examples),
            seconds=self.seconds,
        )


def save(folder: Path, position: Position, tensors: Mapping[str, Tensor]) -> None:
    """Replace the checkpoint in `folder`."""
    part = folder / "next.safetensors"
    digest = save_tensors(part, tensors)
    part.rename(folder / f"{digest}.safetensors")
    pointer = {"tensors": digest, "position": asdict(position)}
    atomic_write(folder / POINTER, json.dumps(pointer).encode())
    for old in folder.glob("*.safetensors"):
        if old.stem != digest:
            old.unlink(missing_ok=True)


def load(folder: Path) -> tuple[Position, dict[str, Tensor]] | None:
    """Return the checkpoint in `folder`, or None where there is none.

    Raises
    ------
    DamagedFile
        If a file of it is not what was written.
    """
    path = folder / POINTER
    if not path.exists():
        return None
    try:
        pointer = json.loads(path.read_bytes())
        fields = pointer["position"]
        for name in ("losses", "accuracies"):
            fields[name] = tuple(fields[name])
        position, digest = Position(**fields), str(pointer["tensors"])
        return position, load_tensors(folder / f"{digest}.safetensors", digest)
    except (KeyError, TypeError, ValueError, FileNotFoundError) as error:
        raise DamagedFile(
            f"the checkpoint {path} is damaged ({error}); delete {folder} to start this run anew"
        ) from None
