"""Every random number comes from a seed derived here.

seed, names  ->  derive  ->  generator

Python's own `hash` of a string is salted anew in every process, so seeds go through SHA-256.
"""

import hashlib

import torch


def derive(seed: int, *names: str | int) -> int:
    """Return a 63-bit seed that depends on `seed` and every name, the same in every process.

    Examples
    --------
    >>> derive(0, "batch", 3) == derive(0, "batch", 3)
    True
    >>> derive(0, "batch", 3) == derive(0, "batch", 4)
    False
    """
    text = "\x1f".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> torch.Generator:
    """Return a CPU generator seeded with `derive(seed, *names)`.

    Random numbers are drawn on the CPU and moved, so a run on another device sees the same ones.
    """
    return torch.Generator().manual_seed(derive(seed, *names))
