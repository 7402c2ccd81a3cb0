"""Recordings brought to another rate."""

from __future__ import annotations

import math

import numpy as np

from ..errors import InputError
from .bijections import Floats


def resampled(v: Floats, rate: int, to: int) -> Floats:
    """Samples (t,) or (t, channels) of `rate` a second as samples of `to` a second.

    There are ceil(t to / rate) of them. What lies above half the lower rate is filtered out
    (`scipy.signal.resample_poly`, a finite impulse response without delay).

    Raises:
        InputError: if a rate is not positive.
    """
    if rate < 1 or to < 1:
        raise InputError(f"rates {rate} and {to} given; expected samples per second.")
    if rate == to:
        return v
    from scipy.signal import resample_poly

    common = math.gcd(rate, to)
    return np.asarray(resample_poly(v, to // common, rate // common, axis=0))
