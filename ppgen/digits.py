"""Numbers as text: no more digits than their standard error leaves.

With e = floor(log10 s) of a standard error s, a value is rounded to the place of the error's second
digit, 10^(e - 1), before or after the point: 1023.11 with s = 12.3 is 1023 ± 12, and with s = 123
it is 1020 ± 120.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_COMPUTED = 8  # significant digits of what is computed of rows: beyond, nothing depends on them
_EXACT = 3  # decimals where nothing is known of the error
_MOST = 9  # decimals


def plus_minus(value: float | None, stderr: float | None, sign: str = "") -> str:
    """A value with its standard error, to two digits of the error; infinities as a sign. Nothing
    where there is no value.

    Args:
        sign: "+" to show that of positive values too.
    """
    shown, error = with_error(value, stderr, sign)
    return f"{shown} ± {error}" if error else shown


def with_error(value: float | None, stderr: float | None, sign: str = "") -> tuple[str, str]:
    """The value and its error as `plus_minus` shows them; an error that is not known is ""."""
    if value is None:
        return "", ""
    if math.isnan(value):
        return "not a number", ""
    if math.isinf(value):
        return f"{'−' if value < 0 else '+'}∞", ""
    if stderr is None or not math.isfinite(stderr):
        return _at(value, -_EXACT, sign), ""
    return _at(value, _place(stderr), sign), _at(stderr, _place(stderr))


def significant(values: ArrayLike) -> NDArray[Any]:
    """(n,) numbers as a text is to show them: to 8 significant digits. What is no float stays, also
    among other things."""
    given = np.asarray(values)
    if given.dtype.kind not in "fO":
        return given
    short = [float(f"{v:.{_COMPUTED}g}") if isinstance(v, float) else v for v in given.tolist()]
    return np.array(short, dtype=object if given.dtype.kind == "O" else None)


def _place(stderr: float) -> int:
    """Of the error's second digit, as a power of ten."""
    return -_EXACT if stderr <= 0 else max(-_MOST, math.floor(math.log10(stderr)) - 1)


def _at(value: float, place: int, sign: str = "") -> str:
    rounded = round(value, -place) or 0.0  # no minus before a zero
    return f"{rounded:{sign}.{max(0, -place)}f}".replace("-", "−")
