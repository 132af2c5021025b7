"""torchvision's classifiers: their names, how to build them, how far their symmetries reach.

name  ->  module without weights, input size  ->  `survey`  ->  a row of the coverage table
"""

import multiprocessing
import resource
import sys
import time
from dataclasses import asdict
from multiprocessing.connection import Connection

import torch
from torch import nn

from modeconn_lib.core.hardware import torchvision
from modeconn_lib.permutation.coverage import survey

Row = dict[str, float | int | str]


def names() -> list[str]:
    """Return the names of all of torchvision's classifiers."""
    models = torchvision().models
    return list(models.list_models(module=models))


def build(name: str) -> nn.Module:
    """Return the network without weights: on the meta device where it can be built there.

    A few cannot: RegNets compute their widths with tensors, Swin and MaxViT hold tables of
    positions, whose values matter.
    """
    models = torchvision().models
    # These two would draw their weights with scipy, which takes most of a minute.
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    try:
        with torch.device("meta"):
            module: nn.Module = models.get_model(name, weights=None, **options)
    except NotImplementedError:  # "Cannot copy out of meta tensor"
        return _hollow(models.get_model(name, weights=None, **options))
    integers = [b for b in module.buffers() if not b.is_floating_point() and b.numel() > 1]
    return models.get_model(name, weights=None, **options) if integers else module


def _hollow(module: nn.Module) -> nn.Module:
    """Return the module without values."""
    return module.to("meta")


def input_size(name: str, module: nn.Module) -> int:
    """Return the side of the images that the network is made for, by its published transforms."""
    size = getattr(module, "image_size", None)  # a ViT takes no other
    if size is not None:
        return int(size)
    weights = torchvision().models.get_model_weights(name).DEFAULT
    return int(weights.transforms().crop_size[0])


def survey_classifier(name: str, seed: int = 0) -> Row:
    """Return the row of one network, with the peak memory of this process in MiB.

    Raises
    ------
    NotEquivalent
        If what was derived is not a symmetry.
    """
    started = time.monotonic()
    module = build(name)
    built = time.monotonic() - started
    size = input_size(name, module)
    generator = torch.Generator().manual_seed(seed)
    found = survey(module, torch.randn(2, 3, size, size, generator=generator), seed)
    row = asdict(found) | {"pinned": "; ".join(f"{n} {why}" for why, n in found.pinned)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mebibytes = peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return {"name": name, "input_size": size, "build_seconds": built, **row, "peak_mib": mebibytes}


def survey_apart(name: str, seed: int = 0, threads: int | None = None) -> Row:
    """Return the row of one network, made in a process of its own: its memory goes with it.

    Raises
    ------
    NotEquivalent
        As `survey_classifier`.
    RuntimeError
        If the process ended without a result, as where the system takes the memory away.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_row, args=(sender, name, seed, threads))
    process.start()
    sender.close()  # so that the end of the process is the end of the pipe
    try:
        found = receiver.recv()
    except EOFError:
        process.join()
        raise RuntimeError(
            f"the process that surveyed {name!r} ended without a result, status {process.exitcode}"
        ) from None
    process.join()
    if isinstance(found, Exception):
        raise found
    return dict(found)


def _send_row(sender: Connection, name: str, seed: int, threads: int | None) -> None:
    """Survey in this process, and send the row or what went wrong."""
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        sender.send(survey_classifier(name, seed))
    except Exception as error:  # the caller raises it
        sender.send(error)
