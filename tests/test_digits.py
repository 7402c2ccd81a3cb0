"""Numbers as text have the digits that their standard error leaves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ppgen.digits import plus_minus, significant, with_error


@pytest.mark.parametrize(
    ("value", "stderr", "shown"),
    [
        (-1023.11, 123.0, "−1020 ± 120"),
        (-1023.11, 12.3, "−1023 ± 12"),
        (-1023.11, 0.0123, "−1023.110 ± 0.012"),
        (1.23456789, 1e-6, "1.2345679 ± 0.0000010"),
        (0.5, None, "0.500"),
        (-0.0001, 1.8, "0.0 ± 1.8"),
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


def test_what_is_computed_has_eight_digits_as_text() -> None:
    values = np.array([-1023.1111111111111, 1.23456789e-12, np.nan, -np.inf, 0.0, 12345678900.0])
    shown = significant(values)
    np.testing.assert_array_equal(
        shown, [-1023.1111, 1.2345679e-12, np.nan, -np.inf, 0.0, 12345679000.0]
    )
    assert significant(np.array([0.1], np.float32)).tolist() == [0.1]
    assert significant([3, 2**53 + 1]).tolist() == [3, 2**53 + 1]
    assert significant(["a"]).tolist() == ["a"]
    assert significant([None, 1 / 3, 2, "b"]).tolist() == [None, 0.33333333, 2, "b"]
