"""Numbers of any size as a reader sees them: powers of ten, not a computer's ``1e-08``.

number  ->  scientific  ->  text, for tables, sentences and labels of figures alike
"""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PLAIN = (1e-3, 1e5)  # from here to there a number needs no power of ten


def scientific(value: float, digits: int = 2) -> str:
    """Return a number to so many significant digits, like ``0.25``, ``2.2 × 10⁻⁵``, ``10⁻⁸``."""
    smallest, largest = _PLAIN
    if value == 0 or smallest <= abs(value) < largest:
        # As many zeros as are needed behind a long number: 12,345 is 12000, not 1.2e+04.
        return f"{float(f'{value:.{digits}g}') + 0.0:.15g}"  # and no minus before a zero
    factor, exponent = f"{value:.{digits - 1}e}".split("e")
    factor = f"{float(factor):g}"
    power = f"10{str(int(exponent)).translate(_RAISED)}"
    return power if factor == "1" else f"{factor} × {power}"
