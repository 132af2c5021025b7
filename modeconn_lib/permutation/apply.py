"""Reorder the units of a network, and calculate with such reorderings.

params, spec, permutations  ->  permute  ->  params of the same function

Permutations gather: ``permute`` puts old unit ``p[i]`` in place i. Nothing here checks that
the function stays the same; that is what `equivalence` is for.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from modeconn_lib.core.params import Params
from modeconn_lib.permutation.spec import AxisSpan, Permutations, PermutationSpec


def permute(params: Params, spec: PermutationSpec, permutations: Permutations) -> Params:
    r"""Return :math:`\pi(\theta)`: every axis of every group reordered by its permutation.

    Tensors that no group touches are returned as they are, not copied.

    Raises
    ------
    ValueError
        If `permutations` are not one permutation for each group of `spec`.
    """
    check_permutations(spec, permutations)
    out = dict(params)
    permute_inside(out, spec, permutations)
    return out


def permute_inside(params: Params, spec: PermutationSpec, permutations: Permutations) -> None:
    """Put permuted tensors into the dictionary, one by one in the place of the old ones.

    For networks that memory has no room for twice; nothing is checked, no tensor is written to.
    """
    for (tensor, axis), claims in spec.by_axis().items():
        index = _axis_index(params[tensor].shape[axis], claims, permutations)
        params[tensor] = _gather(params[tensor], axis, index)


def _axis_index(
    size: int, claims: list[tuple[str, AxisSpan]], permutations: Permutations
) -> Int[Tensor, "{size}"]:
    """Where each entry of one axis is taken from; entries of no group stay."""
    index = torch.arange(size)
    for group, span in claims:
        p = permutations[group].cpu()
        entries = span.entries(len(p))
        index[entries] = entries[p]
    return index


def _gather(value: Tensor, axis: int, index: Int[Tensor, " n"]) -> Tensor:
    """index_select that keeps the memory layout, so a permuted network is as fast as before."""
    out = value.index_select(axis, index.to(value.device))
    if value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last):
        return out.contiguous(memory_format=torch.channels_last)
    return out


def identity(spec: PermutationSpec) -> dict[str, Int[Tensor, " _"]]:
    """Return the permutations that leave every unit in place."""
    return {group: torch.arange(size) for group, size in spec.sizes.items()}


def random_permutations(
    spec: PermutationSpec, generator: torch.Generator
) -> dict[str, Int[Tensor, " _"]]:
    """Return uniformly random permutations: one for each group, within blocks for nested ones."""
    out: dict[str, Int[Tensor, " _"]] = {}

    def draw(group: str) -> None:
        size, outer = spec.sizes[group], spec.inside.get(group)
        if group in out:
            return
        if outer is None:
            out[group] = torch.randperm(size, generator=generator)
            return
        draw(outer)
        blocks = len(out[outer])
        each = [torch.randperm(size // blocks, generator=generator) for _ in range(blocks)]
        out[group] = (out[outer][:, None] * (size // blocks) + torch.stack(each)).flatten()

    for group in spec.sizes:
        draw(group)
    return {group: out[group] for group in spec.sizes}


def compose(p: Permutations, q: Permutations) -> dict[str, Int[Tensor, " _"]]:
    r"""Return the permutations that do what applying `p` first and then `q` does.

    Since permutations gather, entry i of the result is ``p[q[i]]``.

    Raises
    ------
    ValueError
        If the two are not over the same groups.
    """
    if p.keys() != q.keys():
        only = sorted(p.keys() ^ q.keys())
        raise ValueError(f"cannot compose: group {only[0]!r} is in one of the two only")
    return {group: p[group][q[group]] for group in p}


def invert(p: Permutations) -> dict[str, Int[Tensor, " _"]]:
    """Return the permutations that undo `p`."""
    return {group: torch.argsort(index) for group, index in p.items()}


def check_permutations(spec: PermutationSpec, permutations: Permutations) -> None:
    """Raise ValueError unless there is one permutation of the right size for each group.

    Raises
    ------
    ValueError
        Naming the group, what was expected and what was found.
    """
    if spec.sizes.keys() != permutations.keys():
        only = sorted(spec.sizes.keys() ^ permutations.keys())
        where = "the spec" if only[0] in spec.sizes else "the permutations"
        raise ValueError(
            f"group {only[0]!r} is in {where} only; start from identity(spec) to permute a few"
        )
    for group, size in spec.sizes.items():
        p = permutations[group]
        if p.ndim != 1 or not torch.equal(p.sort().values.cpu(), torch.arange(size)):
            raise ValueError(
                f"group {group!r} has {size} units, but its permutation (shape {tuple(p.shape)}) "
                f"does not hold each of 0..{size - 1} once"
            )
    for group, outer in spec.inside.items():
        each = spec.sizes[group] // spec.sizes[outer]
        blocks = permutations[outer].cpu().repeat_interleave(each)
        if not torch.equal(permutations[group].cpu() // each, blocks):
            raise ValueError(
                f"group {group!r} is inside {outer!r}, but its permutation does not move blocks of "
                f"{each} units as that of {outer!r} does; `nested.assign` finds some that do"
            )


def squared_distance(p: Permutations, q: Permutations) -> int:
    r"""Return :math:`\lVert P - Q \rVert_F^2`: 2 for every unit that is elsewhere."""
    return 2 * sum(int((p[group] != q[group]).sum()) for group in p)
