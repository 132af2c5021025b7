"""The module that a file of weights belongs to, from its name on the command line.

--arch, --shape, --classes, tensors of a file  ->  resolve  ->  Network  ->  traced

A name of our registry, ``torchvision:NAME``, or ``package.module:function`` of the user's own.
"""

import difflib
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from modeconn_lib.commands.probe import Shape, accepted
from modeconn_lib.commands.user_module import of_user
from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.hardware import torchvision
from modeconn_lib.models.registry import architecture
from modeconn_lib.permutation.trace import Traced, trace

Image = tuple[int, int, int]

PREFIX = "torchvision:"
SHAPES: tuple[Image, ...] = ((3, 32, 32), (1, 28, 28), (3, 64, 64), (3, 224, 224), (1, 32, 32))


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A network as a function, whatever its weights.

    Attributes
    ----------
    arch
        What the user called it.
    module
        In evaluation mode; its weights are not to be used.
    shape
        Of one input, without the batch axis.
    """

    arch: str
    module: nn.Module
    shape: Shape

    def example(self) -> Tensor:
        """Return two inputs, the same at every call."""
        drawn = torch.Generator().manual_seed(0)
        return torch.randn(2, *self.shape, generator=drawn)

    def traced(self) -> Traced:
        """Return the network's symmetries.

        Raises
        ------
        Refusal
            If its graph cannot be exported.
        """
        try:
            return trace(self.module, self.example())
        except RuntimeError as error:
            raise Refusal(
                f"torch.export cannot read the graph of {self.arch}: {_first_line(error)}; "
                "a network whose control flow depends on the values of tensors has no fixed graph"
            ) from error


def parse_shape(text: str) -> Shape | None:
    """Return ``C,H,W`` (or any other sizes of one input) as numbers; None for an empty text.

    Raises
    ------
    Refusal
        If it is not a list of positive numbers.
    """
    if not text:
        return None
    if not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", text):
        raise Refusal(f"cannot read the shape {text!r}; write the sizes of one input like 3,32,32")
    return tuple(map(int, text.split(",")))


def resolve(
    arch: str,
    tensors: Mapping[str, Tensor],
    shape: Shape | None = None,
    classes: int = 0,
    data: str = "",
) -> Network:
    """Return the network called `arch`, with inputs and classes as the file's tensors need them.

    Parameters
    ----------
    tensors
        Those of a file: what is not given is chosen so that they fit.
    shape
        Of one input. If not given: torchvision's own, or else the first of `SHAPES` that fits.
    classes
        Number of logits; 0 for that of the file.
    data
        The data set that `shape` was taken from, if it was.

    Raises
    ------
    Refusal
        If there is no such network, or it does not take inputs of that shape.
    """
    if arch.startswith(PREFIX):
        name = arch.removeprefix(PREFIX)
        module, own = _of_torchvision(name, tensors, classes)
        candidates: tuple[Shape, ...] = ((3, own, own),)
    elif ":" in arch:
        if classes:
            raise Refusal(f"{arch} is called without arguments; --classes cannot be given to it")
        module, candidates = of_user(arch), SHAPES
    else:
        module, image = _of_registry(arch, tensors, shape, classes)
        candidates = (image,)
    module.float().eval()  # inputs are float32; what a file holds keeps its own dtype
    shapes = (shape,) if shape else candidates
    return Network(arch, module, accepted(module, arch, shapes, data if shape else ""))


def _of_registry(
    name: str, tensors: Mapping[str, Tensor], shape: Shape | None, classes: int
) -> tuple[nn.Module, Image]:
    """Return the network of that name whose tensors are most like the file's."""
    if shape is not None and len(shape) != 3:
        raise Refusal(f"{name} takes images; write their shape like 3,32,32, got {shape!r}")
    try:
        build = architecture(name).build
    except Refusal as error:
        raise Refusal(
            f"{error}; or {PREFIX}NAME{_elsewhere(name)}, or package.module:function"
        ) from None
    images = SHAPES if shape is None else ((shape[0], shape[1], shape[2]),)

    def head(image: Image) -> int:
        with torch.device("meta"):
            return classes or _classes(build(image, 2).state_dict(), tensors)

    def unlike(image: Image) -> int:
        with torch.device("meta"):
            state = build(image, head(image)).state_dict()
        return sum(n not in tensors or tensors[n].shape != v.shape for n, v in state.items())

    image = min(images, key=unlike)
    return build(image, head(image)), image


def _of_torchvision(
    name: str, tensors: Mapping[str, Tensor], classes: int
) -> tuple[nn.Module, int]:
    """Return torchvision's network, and the side of the images its own weights were trained on."""
    models = torchvision().models
    known = models.list_models(module=models)
    if name not in known:
        near = ", ".join(difflib.get_close_matches(name, known, 4, 0.4)) or ", ".join(known[:6])
        raise Refusal(f"torchvision has no classifier {name!r}; it has {near}, ...")
    options: dict[str, Any] = {}
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two networks announce another initialisation
        state = models.get_model(name, weights=None).state_dict()
    if any(key.lower().startswith("aux") for key in state):
        options["init_weights"] = False  # takes a minute, for weights that are not used
        options["aux_logits"] = any(key.lower().startswith("aux") for key in tensors)
    options["num_classes"] = classes or _classes(state, tensors)
    transforms = models.get_model_weights(name).DEFAULT.transforms()
    return models.get_model(name, weights=None, **options), int(transforms.crop_size[0])


def _elsewhere(name: str) -> str:
    """Say so if a name that is not in our registry is one of torchvision's."""
    try:
        models = torchvision().models
    except ImportError:
        return ""
    return f" (torchvision has {name})" if name in models.list_models(module=models) else ""


def _classes(state: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> int:
    """Return the file's size of the last tensor, the head's bias or kernel; else the default."""
    name, value = list(state.items())[-1]
    found = tensors.get(name, value)
    return int((found if found.ndim else value).shape[0])


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
