"""What `modeconn align` and `modeconn merge` have in common: files, a network, its symmetries.

paths, Request  ->  every refusal  ->  Prepared

All that can be wrong with the input is found here, before any matching.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from modeconn_lib.commands.checkpoints import (
    Checkpoint,
    check_alike,
    check_fits,
    check_output,
    read,
)
from modeconn_lib.commands.inputs import Inputs, inputs, known_shape
from modeconn_lib.commands.networks import PREFIX, Network, parse_shape, resolve
from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.params import Params
from modeconn_lib.permutation.files import read_spec
from modeconn_lib.permutation.override import overridden
from modeconn_lib.permutation.trace import Traced


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for, as it was written on the command line.

    Attributes
    ----------
    arch
        A name of the registry, ``torchvision:NAME`` or ``package.module:function``.
    out
        Where to write.
    shape, classes
        Of one input (``C,H,W``) and number of logits; empty and 0 for what fits the files.
    data, examples
        Data set or folder of pictures, and how many of them; empty for none.
    orders, seed
        How many random orders weight matching tries, and the seed of everything random.
    epochs
        How often the straight-through estimator sees the images.
    spec
        A file with a spec of the user's in the place of the derived one.
    force
        Whether an existing output may be replaced.
    """

    arch: str
    out: Path
    shape: str = ""
    classes: int = 0
    data: str = ""
    examples: int = 1000
    orders: int = 1
    seed: int = 0
    epochs: int = 10
    spec: Path | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Files that belong to one network, and what is known of it.

    Attributes
    ----------
    params
        The content of each file, complete, halves as float32.
    images
        None where no data were named.
    """

    files: tuple[Checkpoint, ...]
    params: tuple[Params, ...]
    network: Network
    traced: Traced
    images: Inputs | None

    def example(self) -> Tensor:
        """Return two inputs for the equivalence gate: images where there are some."""
        return self.network.example() if self.images is None else next(iter(self.images))[:2]


def prepare(paths: Sequence[Path], request: Request) -> Prepared:
    """Read the files, find their network, and derive its symmetries.

    Raises
    ------
    Refusal
        If anything about files, network, data or output is not as it must be.
    """
    for name in ("orders", "epochs"):
        if getattr(request, name) < 1:
            raise Refusal(f"--{name} must be at least 1, got {getattr(request, name)}")
    shape = parse_shape(request.shape) or known_shape(request.data)
    check_output(request.out, paths, force=request.force)
    files = tuple(map(read, paths))
    network = resolve(request.arch, files[0].tensors, shape, request.classes)
    for file in files:
        check_fits(file, network.module, request.arch)
    check_alike(files)
    images = None
    if request.data:
        images = inputs(
            request.data,
            request.examples,
            network.shape,
            imagenet=request.arch.startswith(PREFIX),
            seed=request.seed,
        )
    params = tuple(file.params(network.module) for file in files)
    return Prepared(files, params, network, _traced(network, request.spec, params[0]), images)


def _traced(network: Network, path: Path | None, like: Params) -> Traced:
    """Derive the symmetries, or hold the user's own against the network."""
    if path is None:
        return network.traced()
    spec = read_spec(path)
    try:
        return overridden(network.traced(), spec, like, network.example())
    except ValueError as error:
        raise Refusal(f"the spec {path} does not fit {network.arch}: {error}") from None
