"""A path is a function from t in [0, 1] to a network.

t  ->  Path.at  ->  Params

Evaluation asks nothing else of a path, so any rule that makes networks out of t will do.
"""

from typing import Protocol, runtime_checkable

from modeconn_lib.core.params import Params


@runtime_checkable
class Path(Protocol):
    """A continuous map from [0, 1] to networks.

    `breakpoints` are the values of t at which the path may have a corner; every grid on which a
    path is measured contains them.
    """

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Return the corners of the path, 0 and 1 among them, rising."""
        ...

    def at(self, t: float) -> Params:
        """Return the network at `t`; exactly the given endpoints at 0 and 1."""
        ...
