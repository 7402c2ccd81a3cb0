"""Frequencies gathered in bands that are equally wide on the mel scale, and back.

Mels of a frequency of f Hz (HTK's formula) are

    m(f) = 2595 log10(1 + f / 700).

The centres of the bands are equally spaced in mels between two ends; band b is a triangle over
frequency, 1 at its own centre and 0 at those of its neighbours, so that between the first and the
last centre the bands of each frequency add up to 1. A band of a spectrogram is the mean magnitude
under its triangle.

Magnitudes m >= 0 with the bands y = B m are found by multiplicative steps,

    m <- m (B' y) / (B' B m),

which never raise ||y - B m|| (non-negative least squares), from y spread over the bands: so they
stay smooth where the bands do not tell.

References: O'Shaughnessy, "Speech communication: human and machine" (1987); Young et al., "The HTK
book" (2002), section 5.6; Lee and Seung, "Algorithms for non-negative matrix factorization" (2001),
https://proceedings.neurips.cc/paper/2000/hash/f9d1152547c0bde01830b7e8bd60024c-Abstract.html
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .bijections import Floats

_STEPS = 50  # towards magnitudes
_TINY = 1e-30


def mels(frequency: Floats) -> Floats:
    """Mels of frequencies in Hz."""
    return np.asarray(2595 * np.log10(1 + np.asarray(frequency) / 700))


def hertz(mel: Floats) -> Floats:
    """Frequencies in Hz of mels."""
    return np.asarray(700 * (10 ** (np.asarray(mel) / 2595) - 1))


@dataclass(frozen=True)
class MelBands:
    """Bands of a spectrogram whose frequencies are equally spaced from 0 to `nyquist` Hz.

    Attributes:
        bands, bins: how many bands, and frequencies.
        low, high, nyquist: the ends of the bands, and the highest frequency, in Hz.

    InputError if a band holds no frequency.
    """

    bands: int
    bins: int
    low: float
    high: float
    nyquist: float

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= self.nyquist:
            raise InputError(
                f"bands from {self.low:g} to {self.high:g} Hz given; expected ends in ascending "
                f"order between 0 and half the rate, {self.nyquist:g} Hz."
            )
        empty = np.flatnonzero(self.triangles().sum(axis=1) == 0)
        if len(empty):
            raise InputError(
                f"band {empty[0]} of {self.bands} holds none of {self.bins} frequencies. Take "
                "fewer bands, or a longer window, which has more frequencies."
            )

    def centres(self) -> Floats:
        """(bands,) in Hz."""
        return self._edges()[1:-1]

    def triangles(self) -> Floats:
        """(bands, bins) weights of frequencies."""
        edges, f = self._edges(), np.linspace(0, self.nyquist, self.bins)
        rise = (f - edges[:-2, None]) / np.diff(edges)[:-1, None]
        fall = (edges[2:, None] - f) / np.diff(edges)[1:, None]
        return np.minimum(rise, fall).clip(0.0)

    def gather(self, magnitudes: Floats) -> Floats:
        """(bands, k) mean magnitudes of (bins, k)."""
        return self._means() @ magnitudes

    def spread(self, y: Floats) -> Floats:
        """(bins, k) values of bands (bands, k): between centres those in proportion, beyond the
        last ones theirs."""
        shares = self.triangles()
        f = np.linspace(0, self.nyquist, self.bins)
        centres = self.centres()
        shares[0, f < centres[0]] = shares[-1, f > centres[-1]] = 1.0
        return shares.T @ y

    def magnitudes(self, y: Floats) -> Floats:
        """(bins, k) magnitudes, none negative, with the bands y (bands, k)."""
        means = self._means()
        found, wanted = self.spread(y), means.T @ y
        for _ in range(_STEPS):
            found *= wanted / np.maximum(means.T @ (means @ found), _TINY)
        return found

    def _edges(self) -> Floats:
        low, high = mels(np.array([self.low, self.high])).tolist()
        return hertz(np.linspace(low, high, self.bands + 2))

    def _means(self) -> Floats:
        triangles = self.triangles()
        return np.asarray(triangles / triangles.sum(axis=1, keepdims=True))
