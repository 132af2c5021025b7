"""Where records lie: a local folder that is written, and recorded ones that are only read.

key, step  ->  local, then recorded  ->  Record | None;    Record, tensors  ->  put  ->  local

    <folder>/<step>/<key, 16 digits>.json               a record
    <folder>/<step>/<SHA-256, 16 digits>.safetensors    tensors that belong to one
    <local>/locks/, <local>/scratch/<key>/              one lock and one work folder a key

A record appears only after its tensors, and each file is whole or absent. Everything read is
verified. A damaged local file is set aside, warned of and computed again; a damaged recorded one
stops the program, for it cannot always be computed again. The store does not compute anything.
"""

import contextlib
import logging
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import filelock
from torch import Tensor

from modeconn_lib.core.files import (
    DamagedFile,
    atomic_write,
    pack_tensors,
    read_verified,
    sha256,
    unpack_tensors,
)
from modeconn_lib.results import provenance
from modeconn_lib.results.record import Record

ENVIRONMENT = "MODECONN_STORE"
PUBLISHED_BYTES = 1_000_000  # larger tensors are computed again instead of committed
_STALE_SECONDS = 86_400
_log = logging.getLogger(__name__)
Content = TypeVar("Content")


class MissingTensors(LookupError):
    """A record is there, but not the tensors that belong to it."""


@dataclass(frozen=True, slots=True)
class Store:
    """Records by key.

    Attributes
    ----------
    local
        Folder that new records go into, looked at first.
    recorded
        Folders of committed records, looked at next, in this order.
    """

    local: Path
    recorded: tuple[Path, ...] = ()

    def get(self, key: str, step: str) -> Record | None:
        """Return the record of `step` with this key, or None if there is none.

        Raises
        ------
        DamagedFile
            If it is damaged and lies in a recorded folder.
        """
        for folder in (self.local, *self.recorded):
            path = _record_path(folder, step, key)
            record = self._undamaged(path, _read_record)
            if record is None:
                continue
            if (record.key, record.step) == (key, step):
                return record
            self._set_aside(path, f"{path} holds another record: {record.step} {record.key}")
        return None

    def put(self, record: Record, tensors: Mapping[str, Tensor] | None = None) -> Record:
        """Write the record, after its tensors, and return it with their digest filled in."""
        if tensors is not None:
            data = pack_tensors(tensors)
            record = replace(record, tensors={"sha256": sha256(data), "bytes": len(data)})
            atomic_write(_tensors_path(self.local, record), data)
        atomic_write(_record_path(self.local, record.step, record.key), record.to_bytes())
        return record

    def tensors(self, record: Record) -> dict[str, Tensor]:
        """Return the tensors of `record`, verified.

        Raises
        ------
        MissingTensors
            If they are in no folder: recorded results come without large tensors.
        DamagedFile
            If they are damaged and lie in a recorded folder.
        """
        path, data = self._tensor_bytes(record)
        return unpack_tensors(data, path)

    def has_tensors(self, record: Record) -> bool:
        """Return whether `tensors` would find a file of the right size; does not read it."""
        return record.tensors is not None and any(
            path.is_file() and path.stat().st_size == record.tensors["bytes"]
            for path in (_tensors_path(folder, record) for folder in (self.local, *self.recorded))
        )

    def records(self, step: str) -> tuple[Record, ...]:
        """Return every record of `step`; of two with one key, the local one."""
        found: dict[str, Record] = {}
        for folder in (self.local, *self.recorded):
            for path in sorted((folder / step).glob("*.json")):
                record = self._undamaged(path, _read_record)
                if record is not None:
                    found.setdefault(record.key, record)
        return tuple(found.values())

    @contextlib.contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Hold the lock of a key: of all processes that want its record, one computes it.

        Look the record up again once inside. The lock goes with its process, however that ends.
        """
        folder = self.local / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / f"{key[:16]}.lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            _log.info("waiting for another process, which computes %s", key[:16])
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def scratch(self, key: str) -> Path:
        """Return the folder for unfinished work on a key; made if it is not there."""
        folder = self.local / "scratch" / key[:16]
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def clear_scratch(self, key: str) -> None:
        """Remove the unfinished work on a key, if there is any."""
        shutil.rmtree(self.local / "scratch" / key[:16], ignore_errors=True)

    def publish(self, records: Iterable[Record], folder: Path) -> list[Path]:
        """Copy records, and tensors of up to 1 MB, to `folder`; return the files.

        Raises
        ------
        MissingTensors
            If a record's tensors are small enough to be published but are not there.
        """
        written = []
        for record in records:
            if record.tensors is not None and record.tensors["bytes"] <= PUBLISHED_BYTES:
                written.append(_tensors_path(folder, record))
                atomic_write(written[-1], self._tensor_bytes(record)[1])
            written.append(_record_path(folder, record.step, record.key))
            atomic_write(written[-1], record.to_bytes())
        return written

    def damaged(self) -> list[str]:
        """Read every file of every folder; return one line for each that is damaged."""
        lines = []
        for folder in (self.local, *self.recorded):
            for path in sorted(folder.glob("*/*.json")):
                try:
                    record = _read_record(path)
                    if record.tensors is not None:
                        with contextlib.suppress(FileNotFoundError):
                            read_verified(_tensors_path(folder, record), record.tensors["sha256"])
                except DamagedFile as error:
                    lines.append(str(error))
        return lines

    def _tensor_bytes(self, record: Record) -> tuple[Path, bytes]:
        """Return the verified tensor file of a record, and where it is."""
        if record.tensors is None:
            raise MissingTensors(f"the record {record.step} {record.key[:16]} keeps no tensors")
        digest = record.tensors["sha256"]
        for folder in (self.local, *self.recorded):
            path = _tensors_path(folder, record)
            data = self._undamaged(path, lambda path: read_verified(path, digest))
            if data is not None:
                return path, data
        raise MissingTensors(
            f"the tensors of {record.step} {record.key[:16]} are neither in {self.local} nor "
            "recorded (large ones are not); compute the record again"
        )

    def _undamaged(self, path: Path, read: Callable[[Path], Content]) -> Content | None:
        """Return what `read` gives, or None if there is no file or it had to be set aside."""
        try:
            return read(path)
        except FileNotFoundError:
            return None
        except DamagedFile as error:
            self._set_aside(path, str(error))
            return None

    def _set_aside(self, path: Path, reason: str) -> None:
        """Rename a damaged local file, which makes it absent; refuse a recorded one."""
        if not path.is_relative_to(self.local):
            raise DamagedFile(
                f"{reason}; restore it (git checkout -- {path}) or delete it to have it computed"
            )
        aside = path.with_name(f"{path.name}.damaged")
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            path.replace(aside)
        warnings.warn(f"{reason}; moved to {aside.name}, to be computed again", stacklevel=2)


def open_store(local: Path | None = None) -> Store:
    """Return the store of this checkout.

    New records go to `local`, else to the folder that MODECONN_STORE names, else to
    ``_build/results``; committed ones are in ``data/results``. Outside of a checkout both lie in
    the current folder.
    """
    home = provenance.PACKAGE.parent
    if not (home / "data" / "results").is_dir():
        home = Path.cwd()
    named = local or os.environ.get(ENVIRONMENT) or home / "_build" / "results"
    provenance.source()  # asked now, and remembered: later it could be another commit
    folder = Path(named).absolute()
    _sweep(folder)
    return Store(folder, (home / "data" / "results",))


def _sweep(local: Path) -> None:
    """Remove what writers that were killed more than a day ago left behind."""
    for part in local.glob("*/.*.part"):
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                part.unlink()


def _record_path(folder: Path, step: str, key: str) -> Path:
    return folder / step / f"{key[:16]}.json"


def _tensors_path(folder: Path, record: Record) -> Path:
    assert record.tensors is not None
    return folder / record.step / f"{record.tensors['sha256'][:16]}.safetensors"


def _read_record(path: Path) -> Record:
    return Record.from_bytes(path.read_bytes(), path)
