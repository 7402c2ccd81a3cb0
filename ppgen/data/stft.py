"""The short-time Fourier transform of a recording, and its inverse.

With the periodic Hann window w_n = sin^2(pi n / N) of N samples and hop H, frame k is centred on
sample k H, and

    S_fk = sum_n w_n v_(n + k H - N/2) exp(-2 pi i f n / N) / sum_n w_n,        f = 0 ... N/2,

where v is 0 outside of the recording: a tone of amplitude a has |S| = a / 2 at its frequency. The
inverse is the signal whose transform is nearest to S by least squares,

    v_n = sum_k w_(n - k H) s_k(n - k H) / sum_k w_(n - k H)^2,

with s_k the inverse Fourier transform of frame k. Of a transform it gives back the signal.

Reference: Griffin and Lim, "Signal estimation from modified short-time Fourier transform" (1984),
https://doi.org/10.1109/TASSP.1984.1164317
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .bijections import Floats

Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Stft:
    """The transform.

    Attributes:
        window: N, samples, an even number.
        hop: H, samples between frames, a divisor of N of at most N / 2.
    """

    window: int = 256
    hop: int = 64

    def __post_init__(self) -> None:
        n, hop = self.window, self.hop
        if n < 4 or n % 2 or hop < 1 or 2 * hop > n or n % hop:
            raise InputError(
                f"window {n} and hop {hop} given; expected an even window of 4 samples or more, "
                "and a hop that divides it into two parts or more, such as 256 and 64."
            )

    @property
    def bins(self) -> int:
        """N / 2 + 1 frequencies."""
        return self.window // 2 + 1

    def frames(self, samples: int) -> int:
        """How many frames so many samples have."""
        return 1 + math.ceil(samples / self.hop)

    def forward(self, v: Floats) -> Complex:
        """(bins, frames) of samples (t,)."""
        k = self.frames(len(v))
        padded = np.zeros((k - 1) * self.hop + self.window)
        padded[self.window // 2 :][: len(v)] = v
        cut = np.lib.stride_tricks.sliding_window_view(padded, self.window)[:: self.hop]
        return np.asarray(np.fft.rfft(cut * self._hann(), axis=1).T / self._hann().sum())

    def inverse(self, s: Complex, samples: int) -> Floats:
        """(t,) samples of (bins, frames)."""
        w = self._hann()
        cut = np.fft.irfft(s.T * w.sum(), self.window, axis=1) * w
        whole = self._added(cut) / self._covered(s.shape[1])
        return whole[self.window // 2 :][:samples]

    def norm(self, s: Complex | Floats) -> float:
        """The Euclidean norm of (bins, frames) over all N frequencies, of which a half is here.

        By Parseval's theorem its square is N / (sum w)^2 times sum_n v_n^2 sum_k w_(n - k H)^2.
        """
        twice = np.full((self.bins, 1), 2.0)
        twice[[0, -1]] = 1.0
        return float(np.sqrt((twice * np.abs(s) ** 2).sum()))

    def _hann(self) -> Floats:
        return np.sin(np.pi * np.arange(self.window) / self.window) ** 2

    def _covered(self, frames: int) -> Floats:
        """sum_k w^2 at each sample; 1 where there is none."""
        total = self._added(np.broadcast_to(self._hann() ** 2, (frames, self.window)))
        return np.where(total > 0, total, 1.0)

    def _added(self, cut: Floats) -> Floats:
        """Frames (k, N) added up where they lie."""
        k, parts = len(cut), self.window // self.hop
        total = np.zeros((k - 1 + parts, self.hop))
        pieces = cut.reshape(k, parts, self.hop)
        for part in range(parts):
            total[part : part + k] += pieces[:, part]
        return total.reshape(-1)
