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
    """Write samples to a file, as `wav` has them; how many of them were clipped."""
    content, clipped = wav(v, rate, whole=whole)
    write_bytes(path, content)
    return clipped


def wav(v: Floats, rate: int, *, whole: bool = True) -> tuple[bytes, int]:
    """The content of a WAV file, and how many samples were clipped.

    Args:
        v: samples (t,) or (t, channels), with full scale at 1.
        rate: samples per second.
        whole: as whole numbers of 16 bits, which reach from -1 to 1 - 2^-15: what is beyond is
            clipped. Otherwise as floats of 32 bits.

    Raises:
        InputError: if a sample is not finite.
    """
    from scipy.io import wavfile

    samples = np.asarray(v, dtype=np.float64)
    if not np.isfinite(samples).all():
        raise InputError(
            "a recording to be written holds NaN or infinite samples; expected finite ones."
        )
    stored, clipped = samples.astype(np.float32), 0
    if whole:
        levels = np.rint(samples * _FULL)
        within = levels.clip(-_FULL, _FULL - 1)
        stored, clipped = within.astype(np.int16), int((np.abs(levels - within) >= 1.5).sum())
    stream = io.BytesIO()
    wavfile.write(stream, rate, stored)
    return stream.getvalue(), clipped
