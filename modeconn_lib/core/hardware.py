"""What this machine can do, found out at run time.

Machine.detect()  ->  device, autocast dtype, memory format  ->  the training loop and evaluation

Also the one place that imports torchvision, which needs help on a CPU-only torch.
"""

import contextlib
import importlib
import os
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Machine:
    """The device to compute on and the number formats that are fast there.

    Attributes
    ----------
    device
        Where tensors live.
    autocast
        The dtype of matrix products under autocast, or None for plain float32.
    memory_format
        Layout of image batches and convolution kernels.
    """

    device: torch.device
    autocast: torch.dtype | None = None
    memory_format: torch.memory_format = torch.contiguous_format

    @staticmethod
    def detect() -> "Machine":
        """Return the fastest formats this machine has: GPU first, then bf16 on the CPU."""
        if torch.cuda.is_available():
            return Machine(torch.device("cuda"), torch.bfloat16, torch.channels_last)
        if has_fast_bfloat16():
            return Machine(torch.device("cpu"), torch.bfloat16, torch.channels_last)
        return Machine(torch.device("cpu"))

    @staticmethod
    def reference() -> "Machine":
        """Return plain float32 on the CPU: slower, for checks to the last digits."""
        return Machine(torch.device("cpu"))

    def exact(self) -> "Machine":
        """Return the same machine in float32: training may round, measuring should not."""
        return replace(self, autocast=None)

    def precision(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which networks are run.

        Float32 is meant as such: a GPU's convolutions would round to 10 bits by default (TF32).
        """
        if self.autocast is None and self.device.type == "cuda":
            cudnn = torch.backends.cudnn
            return cudnn.flags(
                enabled=cudnn.enabled,
                benchmark=cudnn.benchmark,
                deterministic=cudnn.deterministic,
                allow_tf32=False,
            )
        if self.autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.autocast)

    def place(self, images: Tensor) -> Tensor:
        """Return an image batch on the device in the fast layout; other tensors just move."""
        moved = images.to(self.device)
        return moved.contiguous(memory_format=self.memory_format) if moved.ndim == 4 else moved

    def describe(self) -> str:
        """Return one line for provenance: processor, threads, number formats."""
        name = (
            torch.cuda.get_device_name(self.device)
            if self.device.type == "cuda"
            else f"{processor_name()}, {torch.get_num_threads()} thread(s)"
        )
        return f"{name}, {'bf16 autocast' if self.autocast else 'float32'}"


def has_fast_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16 natively (AVX512-BF16 or AMX).

    Emulated bfloat16 is slower than float32, so support by the library alone does not count.
    """
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe and probe()) or bool(torch.cpu._is_amx_tile_supported())


def processor_name() -> str:
    """Return the processor's own name where the system tells it, else its architecture."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_schemas: list[torch.library.Library] = []  # kept alive: a schema goes with its Library object


def torchvision() -> ModuleType:
    """Import torchvision, also where its compiled operators cannot load.

    The package index's torchvision is built for CUDA. With a CPU-only torch its operators do not
    load, and its import then fails on registering fake kernels for two of them. Declaring their
    schemas first mends that; nothing here calls either. Needed as of torchvision 0.28.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    library = torch.library.Library("torchvision", "FRAGMENT")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _schemas.append(library)
    return importlib.import_module("torchvision")
