"""Numbers as text have the digits that their standard error leaves."""

from __future__ import annotations

import math

import pytest

from ppgen.digits import plus_minus, with_error


@pytest.mark.parametrize(
    ("value", "stderr", "shown"),
    [
        (-1023.11, 123.0, "−1020 ± 120"),
        (-1023.11, 12.3, "−1023 ± 12"),
        (-1023.11, 0.0123, "−1023.110 ± 0.012"),
        (1.23456789, 1e-6, "1.2345679 ± 0.0000010"),
        (0.5, None, "0.500"),
        (0.5, math.nan, "0.500"),
        (0.5, 0.0, "0.500 ± 0.000"),
        (-math.inf, 1.0, "−∞"),
        (math.nan, 1.0, "not a number"),
        (None, None, ""),
    ],
)
def test_the_second_digit_of_the_error_is_the_last(
    value: float | None, stderr: float | None, shown: str
) -> None:
    assert plus_minus(value, stderr) == shown


def test_the_sign_of_a_difference_is_shown() -> None:
    assert with_error(3.21, 0.4, "+") == ("+3.21", "0.40")
