"""What `modeconn align` and `modeconn merge` have in common: files, a network, its symmetries.

paths, Request  ->  every refusal  ->  Prepared

All that can be wrong with the input is found here, before any matching.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from modeconn_lib.commands.checkpoints import Checkpoint, check_output, read
from modeconn_lib.commands.fits import check_alike, check_fits
from modeconn_lib.commands.inputs import Inputs, inputs, known_shape
from modeconn_lib.commands.networks import PREFIX, Network, parse_shape, resolve
from modeconn_lib.commands.normalisation import parse_normalisation
from modeconn_lib.commands.probe import is_random
from modeconn_lib.core.errors import Refusal
from modeconn_lib.core.params import Params
from modeconn_lib.permutation.equivalence import NotEquivalent
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
    mean, std
        How the images are normalised, one number or one a channel; empty for what is usual.
    orders, seed
        How many random orders weight matching tries, and the seed of everything random.
    spec
        A file with a spec of the user's in the place of the derived one.
    force
        Whether an existing output may be replaced.
    epochs
        How often the straight-through estimator sees the images.
    """

    arch: str
    out: Path
    shape: str = ""
    classes: int = 0
    data: str = ""
    examples: int = 1000
    mean: str = ""
    std: str = ""
    orders: int = 1
    seed: int = 0
    spec: Path | None = None
    force: bool = False
    epochs: int = 10


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
    colours = parse_normalisation(request.mean, request.std)
    if colours is not None and not request.data:
        raise Refusal("--mean and --std normalise the images of --data, and there is no --data")
    given = parse_shape(request.shape)
    shape = given or known_shape(request.data)
    check_output(request.out, paths, force=request.force)
    files = tuple(map(read, paths))
    of_data = "" if given else request.data
    network = resolve(request.arch, files[0].tensors, shape, request.classes, of_data)
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
            colours=colours,
        )
    params = tuple(file.params(network.module) for file in files)
    return Prepared(files, params, network, _traced(network, request.spec, params[0]), images)


@contextlib.contextmanager
def matching(ready: Prepared) -> Iterator[None]:
    """Tell in one line what a matching refuses, such as overflow, or why its gate stays shut.

    Raises
    ------
    Refusal
        In the place of any ValueError but the gate's.
    NotEquivalent
        The gate's own, or that the network is random.
    """
    try:
        yield
    except Refusal:
        raise
    except NotEquivalent as error:
        if not is_random(ready.network.module, ready.example()):
            raise
        raise NotEquivalent(
            f"{ready.network.arch} is random in evaluation mode, too: the same inputs give other "
            f"outputs, so no permutation can be checked ({error})"
        ) from None
    except ValueError as error:
        raise Refusal(f"the networks cannot be matched: {error}") from error


def _traced(network: Network, path: Path | None, like: Params) -> Traced:
    """Derive the symmetries, or hold the user's own against the network."""
    if path is None:
        return network.traced()
    spec = read_spec(path)
    empty = [g for g, spans in spec.spans.items() if not spans and g not in spec.inside.values()]
    if empty:  # nothing says how many units there can be
        raise Refusal(f"the spec {path} does not fit {network.arch}: {empty[0]!r} has no spans")
    try:
        return overridden(network.traced(), spec, like, network.example())
    except ValueError as error:
        raise Refusal(f"the spec {path} does not fit {network.arch}: {error}") from None
