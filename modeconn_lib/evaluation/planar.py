r"""Where a small network of two inputs says yes, without rounding.

layers of fractions  ->  pieces: convex polygons on which f is linear  ->  areas, share_right

A network of ReLU layers is piecewise linear, so the regions it distinguishes are polygons. With
rational weights their corners and areas are rational, too: there is no grid and no sample, and an
output of exactly 0 is told from one that is nearly so. What the network is for is not known here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

Point = tuple[Fraction, Fraction]
Polygon = tuple[Point, ...]  # convex, counter-clockwise; empty where there is no area
Affine = tuple[Fraction, Fraction, Fraction]  # (u, v, w) is the function u x1 + v x2 + w

_ZERO = Fraction(0)
_INPUTS: tuple[Affine, Affine] = (
    (Fraction(1), _ZERO, _ZERO),
    (_ZERO, Fraction(1), _ZERO),
)


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights, one row for each unit, and biases."""

    weight: tuple[tuple[Fraction, ...], ...]
    bias: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A convex polygon, and the linear function that the network is on it."""

    polygon: Polygon
    output: Affine


def pieces(layers: Sequence[Layer], domain: Polygon, slope: Fraction = _ZERO) -> list[Piece]:
    r"""Return polygons that tile `domain`, on each of which the network is linear.

    Parameters
    ----------
    layers
        All but the last are followed by :math:`\sigma(z) = \max(z, 0) + s \min(z, 0)`. The last
        has one unit: the output f.
    slope
        The s of the nonlinearity; 0 for ReLU.

    Raises
    ------
    ValueError
        If the last layer has not exactly one unit.
    """
    if len(layers[-1].bias) != 1:
        raise ValueError(f"the last layer must have exactly 1 unit, got {len(layers[-1].bias)}")
    regions: list[tuple[Polygon, tuple[Affine, ...]]] = [(domain, _INPUTS)]
    for layer in layers[:-1]:
        regions = [
            (cell, tuple(_bend(unit, cell, slope) for unit in units))
            for polygon, inputs in regions
            for units in [_linear(layer, inputs)]
            for cell in _cells(polygon, units)
        ]
    return [Piece(polygon, _linear(layers[-1], units)[0]) for polygon, units in regions]


def share_right(
    found: Sequence[Piece], positive: Sequence[Affine], *, zero_is_yes: bool
) -> Fraction:
    r"""Return the share of the area on which the network's yes or no is the label.

    Parameters
    ----------
    positive
        The label is yes where all of these are at least 0.
    zero_is_yes
        Whether an output of exactly 0 is a yes, as for :math:`f \ge 0`, or a no.
    """
    right = _ZERO
    for piece in found:
        yes, no = _answers(piece, zero_is_yes=zero_is_yes)
        right += area(_within(yes, positive)) + area(no) - area(_within(no, positive))
    return right / _area_of(found)


def says_yes(found: Sequence[Piece]) -> list[Polygon]:
    """Return the polygons on which f is at least 0."""
    parts = [_answers(piece, zero_is_yes=True)[0] for piece in found]
    return [polygon for polygon in parts if polygon]


def share_of_zero(found: Sequence[Piece]) -> Fraction:
    """Return the share of the area on which f is exactly 0."""
    return _area_of([piece for piece in found if not any(piece.output)]) / _area_of(found)


def value(f: Affine, point: Point) -> Fraction:
    """Return the function at a point."""
    u, v, w = f
    return u * point[0] + v * point[1] + w


def area(polygon: Polygon) -> Fraction:
    """Return the area of a polygon."""
    around = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return sum((p[0] * q[1] - q[0] * p[1] for p, q in around), _ZERO) / 2


def clip(polygon: Polygon, f: Affine) -> Polygon:
    """Return the part of a polygon on which f is at least 0."""
    out: list[Point] = []
    for p, q in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        here, there = value(f, p), value(f, q)
        if here >= 0:
            out.append(p)
        if here * there < 0:
            t = here / (here - there)
            out.append((p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])))
    found = tuple(out)
    return found if area(found) > 0 else ()


def _linear(layer: Layer, inputs: Sequence[Affine]) -> tuple[Affine, ...]:
    """Return the units before the nonlinearity, as functions of x."""
    units = []
    for row, bias in zip(layer.weight, layer.bias, strict=True):
        terms = list(zip(row, inputs, strict=True))
        u, v, w = (sum((weight * f[i] for weight, f in terms), _ZERO) for i in range(3))
        units.append((u, v, w + bias))
    return tuple(units)


def _cells(polygon: Polygon, units: Sequence[Affine]) -> list[Polygon]:
    """Cut a polygon along the lines on which a unit is 0."""
    cells = [polygon]
    for unit in units:
        halves = [half for cell in cells for half in (clip(cell, unit), clip(cell, _minus(unit)))]
        # A unit that is 0 everywhere cuts nothing: both halves are the whole.
        cells = [half for half in halves if half] if any(unit) else cells
    return cells


def _bend(unit: Affine, cell: Polygon, slope: Fraction) -> Affine:
    """Return what the nonlinearity makes of a unit that keeps its sign in the cell."""
    if any(value(unit, corner) > 0 for corner in cell):
        return unit
    u, v, w = unit
    return slope * u, slope * v, slope * w


def _answers(piece: Piece, *, zero_is_yes: bool) -> tuple[Polygon, Polygon]:
    """Return where a piece says yes and where no; a mere line of zeros has no area."""
    if not any(piece.output):
        return (piece.polygon, ()) if zero_is_yes else ((), piece.polygon)
    return clip(piece.polygon, piece.output), clip(piece.polygon, _minus(piece.output))


def _within(polygon: Polygon, positive: Sequence[Affine]) -> Polygon:
    for f in positive:
        polygon = clip(polygon, f)
    return polygon


def _minus(f: Affine) -> Affine:
    u, v, w = f
    return -u, -v, -w


def _area_of(found: Sequence[Piece]) -> Fraction:
    return sum((area(piece.polygon) for piece in found), _ZERO)
