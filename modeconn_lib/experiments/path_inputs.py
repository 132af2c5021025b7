"""What the inputs of a task make: both ends of a path, and the path.

A, B, [their alignment], [a curve's inner point]  ->  ends, path  ->  Params, Curve
A, B, what PAM found                              ->  ends, path  ->  Params, Curve

The tasks that name such inputs are built in `tasks` and in the modules of tasks of each paper.
"""

from modeconn_lib.core.params import Params
from modeconn_lib.experiments.neuron_alignment import pam_steps
from modeconn_lib.experiments.work import Work
from modeconn_lib.paths.curves import Curve, bezier, midpoint, segment
from modeconn_lib.permutation.apply import permute


def ends(work: Work, *, aligned: bool | None = None) -> tuple[Params, Params, Params | None]:
    """Return both ends, the second aligned where the task says so, and the inner point if any.

    The inputs are, in this order: network A, network B, the alignment, the curve; or A, B, and
    what proximal alternating minimisation found.

    Parameters
    ----------
    aligned
        Whether the alignment is among them; by default the task's configuration says so.
    """
    a, b, *rest = (work.tensors(record) for record in work.records)
    if work.config.get("pam"):
        permutations, inner = pam_steps.parts(rest.pop())
        return a, permute(b, work.trace().spec, permutations), inner
    if work.config["aligned"] if aligned is None else aligned:
        b = permute(b, work.trace().spec, rest.pop(0))
    return a, b, rest.pop(0) if rest else None


def join(a: Params, b: Params, inner: Params | None = None) -> Curve:
    """Return the Bezier curve through the inner point, or the segment where there is none.

    Parameters
    ----------
    inner
        The trained parameters; what else there is in a network is that of the midpoint.
    """
    return segment(a, b) if inner is None else bezier(a, {**midpoint(a, b), **inner}, b)


def path(work: Work) -> Curve:
    """Return the path that the inputs of the task make."""
    return join(*ends(work))
