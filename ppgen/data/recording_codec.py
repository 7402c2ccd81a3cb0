"""Recordings, of any length, into what a model that looks at spectrograms works in, and back.

Encoded, a row holds its samples at the rate of the model, a step after the other with its channels
side by side and zeros behind the end, and two whole numbers: how many steps and how many channels
there are (0 where the recording has no axis of channels). Samples stay in their own units, so that
a model may make recordings of one domain of those of another. What comes out has the rate of the
recordings that were fitted.
"""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .bijections import Floats
from .contents import Contents
from .encoded import Encoded
from .real_steps import RealSteps
from .resampling import resampled
from .spectrogram import mono

SILENT = 1e-4  # of full scale; what is never louder is silent
LOUD = 10.0  # what is louder is no share of full scale
_WHO = 5  # frames above this one in a warning's traceback


@dataclass(frozen=True)
class RecordingCodec(RealSteps):
    """The map of recordings to `Encoded` and back; made by `fit`.

    Attributes:
        rate: samples per second that a model sees.
        own: samples per second of the recordings fitted, and of what comes out.
        dtype: of what `decode` gives.
    """

    of: ClassVar[str] = "recordings"

    rate: int
    own: int
    dtype: str = "float64"

    @classmethod
    def fit(cls, data: Contents, rate: int) -> RecordingCodec:
        """The codec of recordings for a model that sees so many samples a second.

        Without rates of their own, they are taken to have this one. What comes out has the rate
        that most of them have.
        """
        own = Counter(data.rates).most_common(1)[0][0] if data.rates else rate
        return cls(rate, own, "float32" if data.like.endswith(":float32") else "float64")

    def encode(self, data: Contents) -> Encoded:
        """Recordings as (n, longest) samples at the rate of the model, and (n, 2) steps and
        channels. Warns where they are resampled.

        Raises:
            InputError: if one is silent, or far beyond full scale.
        """
        rates = data.rates or (self.own,) * len(data)
        others = sorted(set(rates) - {self.rate})
        if others:
            warnings.warn(
                f"recordings of {', '.join(map(str, others))} samples per second are resampled to "
                f"{self.rate}, the rate that the model works at.",
                UserWarning,
                stacklevel=_WHO,
            )
        rows = []
        for i, (row, rate) in enumerate(zip(data.sequences, rates, strict=True)):
            peak = float(np.abs(row).max())
            if peak > LOUD:
                raise InputError(
                    f"recording {i} (counted from 0) reaches {peak:g}; expected samples in about "
                    "[-1, 1]. Divide them by full scale, 32768 for whole numbers of 16 bits."
                )
            if np.abs(mono(row)).max() < SILENT:
                mixed = " once its channels are mixed down" if row.ndim == 2 else ""
                raise InputError(
                    f"recording {i} (counted from 0) is silent{mixed}: nothing in it is louder "
                    f"than {SILENT:g} of full scale. Leave it out, or give samples in [-1, 1]."
                )
            rows.append(resampled(row, rate, self.rate))
        x = np.zeros((len(rows), max(row.size for row in rows)))
        codes = np.empty((len(rows), 2), dtype=np.int32)
        for i, row in enumerate(rows):
            x[i, : row.size] = row.reshape(-1)
            codes[i] = len(row), row.shape[1] if row.ndim == 2 else 0
        return Encoded(x, codes, np.zeros(len(rows)))

    def decode(self, encoded: Encoded) -> list[NDArray[Any]]:
        """Recordings (t,) or (t, channels) at the rate of those fitted."""
        rows = waveforms(encoded)
        return [resampled(row, self.rate, self.own).astype(self.dtype) for row in rows]


def waveforms(encoded: Encoded) -> list[Floats]:
    """The samples (t,) or (t, channels) of encoded recordings, at the rate of the model."""
    rows = []
    for x, (steps, channels) in zip(encoded.x, encoded.codes.tolist(), strict=True):
        samples = np.asarray(x[: steps * max(channels, 1)], dtype=np.float64)
        rows.append(samples.reshape(steps, channels) if channels else samples)
    return rows


def like_encoded(rows: list[Floats], like: Encoded) -> Encoded:
    """Samples of the same lengths and channels as encoded recordings, in their place."""
    x = np.zeros(like.x.shape)
    for place, row in zip(x, rows, strict=True):
        place[: row.size] = row.reshape(-1)
    return Encoded(x, like.codes, like.log_det)
