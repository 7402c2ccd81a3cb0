"""Recordings to WAV files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..files import write_bytes
from .bijections import Floats

_FULL = 1 << 15


def write_wav(path: Path, v: Floats, rate: int, *, whole: bool = True) -> int:
    """Write samples (t,) or (t, channels), with full scale at 1.

    Args:
        whole: as whole numbers of 16 bits, which reach from -1 to 1 - 2^-15: what is beyond is
            clipped. Otherwise as floats of 32 bits.

    Returns:
        How many samples were clipped.

    Raises:
        InputError: if a sample is not finite.
    """
    from scipy.io import wavfile

    samples = np.asarray(v, dtype=np.float64)
    if not np.isfinite(samples).all():
        raise InputError(f"{path}: samples are NaN or infinite; expected finite ones.")
    stored, clipped = samples.astype(np.float32), 0
    if whole:
        levels = np.rint(samples * _FULL)
        within = levels.clip(-_FULL, _FULL - 1)
        stored, clipped = within.astype(np.int16), int((np.abs(levels - within) >= 1.5).sum())
    stream = io.BytesIO()
    wavfile.write(stream, rate, stored)
    write_bytes(path, stream.getvalue())
    return clipped
