"""The graph of a network: the tensor operators it calls, as a function of its parameters.

module, example  ->  torch.export  ->  no in-place operators  ->  Graph

Nothing here knows about permutations.
"""

import contextlib
import io
import logging
import operator
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from modeconn_lib.core.params import Params

_ASSERTIONS = ("_assert", "sym_constrain_range")


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A network as a function of its parameters and its input.

    Attributes
    ----------
    module
        Called with one tensor for each of `names`, then the input.
    names
        ``state_dict`` names, or names of `constants`.
    constants
        Tensors that the network made or holds outside of its ``state_dict``.
    batch
        The only number of samples it takes, where tracing fixed that: ``len(x)`` in a network
        becomes a number, ``x.shape[0]`` does not.
    """

    module: fx.GraphModule
    names: tuple[str, ...]
    constants: Mapping[str, Tensor]
    batch: int | None = None

    def arguments(self, params: Params, x: Tensor) -> list[Tensor]:
        """Return what `module` is to be called with.

        Raises
        ------
        KeyError
            If `params` lacks a tensor that the network reads.
        ValueError
            If the graph does not take the number of samples of `x`.
        """
        if self.batch not in (None, len(x)):
            raise ValueError(
                f"the network was traced for batches of {self.batch} only, got {len(x)}; trace it "
                f"with an example of {len(x)}, or use x.shape[0] in it in the place of len(x)"
            )
        out = []
        for name in self.names:
            if name not in params and name not in self.constants:
                raise KeyError(f"the network reads {name!r}, which the parameters lack")
            out.append(params[name] if name in params else self.constants[name].to(x.device))
        return [*out, x]


def export(module: nn.Module, example: Tensor) -> Graph:
    """Return the graph of `module` in its present mode, for any number of samples.

    Parameters
    ----------
    example
        An input with at least two samples (one would be taken for a fixed size).

    Raises
    ------
    ValueError
        If the example has fewer than two samples.
    """
    if len(example) < 2:
        raise ValueError(f"tracing needs an example of at least 2 inputs, got {len(example)}")
    with torch.no_grad(), warnings.catch_warnings(), _plain_attention():
        warnings.simplefilter("ignore")  # torch.export warns about its own deprecated internals
        with _quiet():
            program = torch.export.export(module, (example,), dynamic_shapes=({0: Dim.AUTO},))
        if not _make_functional(program.graph):
            program = program.run_decompositions({})
    return _as_function(program)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch.export from printing a graph that it cannot read; what it raises says enough."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _plain_attention() -> Iterator[None]:
    """Let nn.MultiheadAttention call the operators that it is made of, not one for all of them."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _as_function(program: ExportedProgram) -> Graph:
    """Name the graph's arguments, and drop what is neither a result nor leads to one."""
    names, constants, batch = [], {}, None
    inputs = program.graph.find_nodes(op="placeholder")
    for node, spec in zip(inputs, program.graph_signature.input_specs, strict=True):
        if spec.kind is InputKind.USER_INPUT:
            size = node.meta["val"].shape[0]
            batch = size if isinstance(size, int) else size.node.maybe_as_int()
            continue
        target = str(spec.target)
        names.append(target)
        if target in program.constants:
            constants[target] = program.constants[target]
    graph = program.graph
    results = graph.output_node()
    kinds = [spec.kind for spec in program.graph_signature.output_specs]
    pairs = zip(results.args[0], kinds, strict=True)
    # Without updated buffers, which the exporter counts as results.
    results.args = (tuple(x for x, kind in pairs if kind is OutputKind.USER_OUTPUT),)
    for node in reversed(graph.nodes):
        if not node.users and any(part in str(node.target) for part in _ASSERTIONS):
            graph.erase_node(node)
    graph.eliminate_dead_code()
    return Graph(fx.GraphModule(program.graph_module, graph), tuple(names), constants, batch)


def _make_functional(graph: fx.Graph) -> bool:
    """Replace in-place operators by their out-of-place twins; False if that is not enough.

    It is not where the overwritten tensor is a view of another or has views: torch's own
    functionalisation handles those, and is not used for all because it also takes operators apart.
    """
    order = {node: i for i, node in enumerate(graph.nodes)}
    for node in list(graph.nodes):
        name = _inplace_name(node)
        if not name:
            continue
        target, overload = node.args[0], node.target._overloadname
        twin = getattr(getattr(torch.ops.aten, name, None), overload, None)
        viewed = [target, *target.users] if isinstance(target, fx.Node) else []
        if twin is None or not viewed or any(_is_view(other) for other in viewed):
            return False
        node.target = twin
        target.replace_all_uses_with(node, lambda user, n=node: order[user] > order[n])
    return True


def _inplace_name(node: fx.Node) -> str:
    """Return the name of the out-of-place twin of an in-place operator, or an empty string."""
    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return ""
    if not node.target._schema.is_mutable:
        return ""
    name = node.target._opname
    return name[:-1] if name.endswith("_") else name


def _is_view(node: fx.Node) -> bool:
    """Return whether the node's result shares memory with an argument that it leaves as it is."""
    if node.op != "call_function":
        return False
    if node.target is operator.getitem:
        return True
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    aliases = [r.alias_info for r in node.target._schema.returns if r.alias_info is not None]
    return any(not alias.is_write for alias in aliases) or node.target._opname in (
        "reshape",
        "flatten",
        "contiguous",
        "to",
        "dropout",
    )
