"""The table of tensor operators: which rule each one follows.

An operator that is not in the table pins everything it reads. Adding one is adding its name to a
row here, and a rule to `arithmetic`, `contraction` or `layout` if none fits.
"""

from collections.abc import Sequence
from typing import Any

from modeconn_lib.permutation import arithmetic, contraction, layout
from modeconn_lib.permutation.labels import Relations, Value
from modeconn_lib.permutation.rule import Out, Rule


def _first_of(rule: Rule) -> Rule:
    """Return the rule of an operator with several results, of which only the first is used."""

    def with_rest(
        relations: Relations, outs: Sequence[Out], *args: Any, **kwargs: Any
    ) -> list[Value]:
        first = rule(relations, outs[0], *args, **kwargs)
        return [first, *(out.value() for out in outs[1:])]

    return with_rest


def _rows(rule: Rule, names: str) -> dict[str, Rule]:
    """Return rows for operators that follow the same rule."""
    return dict.fromkeys(names.split(), rule)


# Nonlinear functions of one entry: where a unit's pre- and post-activation are.
_ACTIVATIONS = """relu relu6 hardtanh leaky_relu rrelu elu selu celu gelu silu mish hardswish
    softplus softsign tanh sigmoid hardsigmoid log_sigmoid"""
NONLINEARITIES = frozenset([*_ACTIVATIONS.split(), "prelu"])

_POINTWISE = """add sub mul div neg abs exp log sqrt rsqrt reciprocal square pow clamp clamp_min
    clamp_max maximum minimum erf sign where floor round dropout feature_dropout alpha_dropout
    bernoulli clone contiguous to _to_copy detach alias lift_fresh_copy type_as
    zeros_like ones_like zero eq ne lt le gt ge logical_not logical_and masked_fill"""
_POOLING = """max_pool2d avg_pool2d adaptive_avg_pool2d upsample_nearest2d upsample_bilinear2d"""
_VIEWS = "view reshape flatten unflatten squeeze unsqueeze _unsafe_view _reshape_copy"

RULES: dict[str, Rule] = {
    **_rows(arithmetic.pointwise, _ACTIVATIONS + " " + _POINTWISE),
    **_rows(_first_of(arithmetic.pointwise), "native_dropout"),
    **_rows(arithmetic.prelu, "prelu"),
    **_rows(arithmetic.linear, "linear"),
    **_rows(contraction.matmul, "matmul mm bmm"),
    **_rows(contraction.addmm, "addmm baddbmm"),
    **_rows(contraction.einsum, "einsum"),
    **_rows(contraction.attention, "scaled_dot_product_attention"),
    **_rows(arithmetic.conv, "conv1d conv2d conv3d"),
    **_rows(arithmetic.convolution, "convolution"),
    **_rows(arithmetic.channel_norm, "batch_norm instance_norm"),
    **_rows(_first_of(arithmetic.channel_norm), "_native_batch_norm_legit_no_training"),
    **_rows(arithmetic.layer_norm, "layer_norm rms_norm"),
    **_rows(_first_of(arithmetic.layer_norm), "native_layer_norm"),
    **_rows(arithmetic.group_norm, "group_norm"),
    **_rows(arithmetic.softmax, "softmax log_softmax _softmax _log_softmax"),
    **_rows(arithmetic.reduction, "mean sum amax amin logsumexp var std"),
    **_rows(arithmetic.vector_norm, "linalg_vector_norm"),
    **_rows(arithmetic.pooling, _POOLING),
    **_rows(_first_of(arithmetic.pooling), "max_pool2d_with_indices adaptive_max_pool2d"),
    **_rows(arithmetic.constant, "arange zeros ones full empty scalar_tensor new_zeros new_ones"),
    **_rows(layout.view, _VIEWS),
    **_rows(layout.permute, "permute"),
    **_rows(layout.transpose, "transpose t swapaxes"),
    **_rows(layout.expand, "expand broadcast_to"),
    **_rows(layout.copy, "copy"),
    **_rows(layout.slice_scatter, "slice_scatter"),
    **_rows(layout.index, "index"),
    **_rows(layout.embedding, "embedding"),
    **_rows(layout.roll, "roll"),
    **_rows(layout.concatenate, "cat concat"),
    **_rows(layout.slice_, "slice"),
    **_rows(layout.select, "select"),
    **_rows(layout.flip, "flip"),
    **_rows(layout.pad, "pad constant_pad_nd"),
    **_rows(layout.split, "split split_with_sizes chunk"),
    **_rows(layout.unbind, "unbind"),
}
