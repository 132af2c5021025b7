"""The user's own network, by the name of the function that builds it.

package.module:function  ->  import  ->  call  ->  nn.Module

Whatever goes wrong in the user's code is told in one line, with its kind and its message.
"""

import contextlib
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.hardware import torchvision


def of_user(arch: str) -> nn.Module:
    """Call ``package.module:function``, which may lie in the current folder.

    Raises
    ------
    Refusal
        If it has another form, cannot be imported or called, or returns something else.
    """
    place, _, name = arch.partition(":")
    _check_form(arch, place, name)
    function = getattr(_imported(place), name, None)
    if isinstance(function, nn.Module):
        raise Refusal(
            f"{arch} is an instance of {type(function).__name__!r}; name its class, or a function "
            "that returns it"
        )
    if not callable(function):
        raise Refusal(f"the module {place!r} has no function {name!r}")
    _check_call(arch, function)
    with _told(f"calling {arch} failed"):
        module = function()
    if not isinstance(module, nn.Module):
        kind = type(module).__name__
        raise Refusal(f"{arch} returned a value of type {kind!r}, expected a torch.nn.Module")
    return module


def _check_form(arch: str, place: str, name: str) -> None:
    if place.endswith(".py"):
        right = f"{place.removesuffix('.py')}:{name}"
        raise Refusal(f"--arch {arch!r} names a file; write it without .py, as in {right!r}")
    if not all(place.split(".")):
        raise Refusal(f"--arch {arch!r} is not of the form package.module:function")


def _imported(place: str) -> Any:
    """Import a module, as Python itself would from the current folder."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    with contextlib.suppress(Exception):  # torchvision may not load by itself; needed or not
        torchvision()
    with _told(f"importing {place!r} failed"):
        return importlib.import_module(place)


def _check_call(arch: str, function: Any) -> None:
    """Refuse a function that must be given something."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # written in C, it tells nothing of itself
        return
    try:
        signature.bind()
    except TypeError as error:
        raise Refusal(f"{arch} is called without arguments, but: {error}") from None


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Turn any exception of the user's code, ``sys.exit`` too, into one line."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise Refusal(f"{what}: {named(error)}") from error


def named(error: BaseException) -> str:
    """Return the kind and the first line of what an exception says."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
