"""Loss and accuracy of networks of a plane, one after another; a run that is cut off goes on.

Plane, points, image sets  ->  measure_points  ->  loss and accuracy of each set at each point

Batch-norm statistics are estimated anew at every point. Every network is written into one flat
buffer, which the module runs on. What was measured is kept in a file, whole at every moment.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from modeconn_lib.core.files import DamagedFile, atomic_write, canonical_json, sha256
from modeconn_lib.core.hardware import Machine
from modeconn_lib.core.params import Params
from modeconn_lib.evaluation.along_path import LabelledBatches, ignore
from modeconn_lib.evaluation.planes import Plane
from modeconn_lib.training.batchnorm import reestimate
from modeconn_lib.training.fit import NonFiniteLoss, OutOfTime
from modeconn_lib.training.metrics import measure

Points = Sequence[tuple[float, float]]
Row = list[float]  # loss and accuracy of each set, at one point


@dataclass(frozen=True)
class Images:
    """On what the networks of a plane are measured.

    Attributes
    ----------
    sets
        Image sets for loss and accuracy by name, as re-iterable batches of (images, labels).
    statistics
        Image batches for the batch-norm statistics at every point.
    progress
        Called with the number of points that are newly done.
    """

    sets: Mapping[str, LabelledBatches]
    statistics: Iterable[Tensor]
    machine: Machine
    progress: Callable[[int], None] = field(default=ignore)


def never() -> bool:
    """Do not stop."""
    return False


def measure_points(
    plane: Plane,
    module: nn.Module,
    points: Points,
    images: Images,
    folder: Path | None = None,
    out_of_time: Callable[[], bool] = never,
) -> dict[str, list[float]]:
    """Return loss (nats) and accuracy (0 to 1) of every set at each (x, y) of `points`.

    Names are ``<set>_loss`` and ``<set>_accuracy``.

    Parameters
    ----------
    module
        Gives the architecture, and the buffers that no batch norm estimates.
    folder
        Where each measured point is kept at once. The same call finds them there; another plane, or
        other points, find nothing. Of the images only the sets' names are compared.

    Raises
    ------
    OutOfTime
        If `out_of_time` said so before a point.
    NonFiniteLoss
        If a loss is not a finite number.
    DamagedFile
        If the file in `folder` is not what was written.
    """
    names = [f"{name}_{what}" for name in images.sets for what in ("loss", "accuracy")]
    kept = _Kept.of(folder, plane, points, names)
    rows = kept.read(len(names))
    images.progress(len(rows))
    device = images.machine.device
    plane, flat = plane.to(device), torch.empty(plane.layout.size, device=device)
    buffers = {name: value.to(device) for name, value in module.named_buffers()}
    network = {**plane.layout.views(flat), **buffers}
    for x, y in points[len(rows) :]:
        if out_of_time():
            raise OutOfTime(f"stopped after {len(rows)} of {len(points)} points of a plane")
        plane.write(x, y, flat)
        rows.append(_measured(module, network, images, (x, y)))
        kept.write(rows)
        images.progress(1)
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def _measured(module: nn.Module, network: Params, images: Images, at: tuple[float, float]) -> Row:
    """Return loss and accuracy of each set for the network that is in the buffer."""
    whole, row = reestimate(module, network, images.statistics, images.machine), []
    for name, batches in images.sets.items():
        found = measure(module, whole, batches, images.machine)
        if not math.isfinite(found.loss):
            raise NonFiniteLoss(
                f"the {name} loss at x = {at[0]:g}, y = {at[1]:g} of the plane is {found.loss}; "
                "take a smaller part of the plane"
            )
        row += [found.loss, found.accuracy]
    return row


@dataclass(frozen=True, slots=True)
class _Kept:
    """The file with the points measured so far, if one is wanted."""

    path: Path | None

    @staticmethod
    def of(folder: Path | None, plane: Plane, points: Points, names: Sequence[str]) -> "_Kept":
        """Name the file by all that its content depends on, images excepted."""
        if folder is None:
            return _Kept(None)
        # The same task may be begun anew with inputs that were computed on another machine.
        content = hashlib.sha256(canonical_json([list(map(list, points)), list(names)]))
        for part in (plane.origin, plane.across, plane.up):
            content.update(part.cpu().numpy().tobytes())
        return _Kept(folder / f"plane-{content.hexdigest()[:16]}.json")

    def read(self, columns: int) -> list[Row]:
        """Return one row for each measured point; none where there is no file."""
        if self.path is None or not self.path.exists():
            return []
        try:
            content = json.loads(self.path.read_bytes())
            rows, digest = content["rows"], content["sha256"]
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(error) from None
        if digest != sha256(canonical_json(rows)):
            raise self._damaged("its checksum does not fit")
        assert all(len(row) == columns for row in rows)  # the name tells how many
        return rows

    def write(self, rows: list[Row]) -> None:
        """Replace the file."""
        if self.path is not None:
            content = {"rows": rows, "sha256": sha256(canonical_json(rows))}
            atomic_write(self.path, canonical_json(content))

    def _damaged(self, why: object) -> DamagedFile:
        return DamagedFile(
            f"the measured points in {self.path} are damaged ({why}); delete the file to measure "
            "them anew"
        )
