"""Recordings as pictures of one size, log-mel spectrograms, and recordings of such pictures.

A recording v is mixed down to one channel and transformed (`stft`), the magnitudes |S| are gathered
in bands (`mel`), and

    L_bk = log(B|S|_bk + floor),

with full scale at 1, so that silence is log(floor). Its K frames are brought to the frames of the
picture, whatever K is: each is the mean of what it covers. So a picture does not say how long a
recording was, and recordings are best of one word or note each.

A picture P becomes a recording beside the one, v, whose picture P0 was changed into P: as long as
v, with as many channels. Pictures are stretched to K frames, linearly between their own. By
`phase`,

- "gain": v's own spectrogram, amplified: G = exp(P - P0), within 40 dB, spread over frequencies,
  and S G is the transform of what comes out, for each channel. An unchanged picture gives v back.
- "input": the magnitudes of P with the phases of v, mixed down; every channel has the same.
- "griffin_lim": the magnitudes of P with phases found for them (`griffin_lim`); likewise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from ..errors import InputError, did_you_mean
from ..plain_json import PlainFields
from .bijections import Floats
from .griffin_lim import griffin_lim, phases
from .mel import MelBands
from .stft import Stft

Phase = Literal["gain", "input", "griffin_lim"]
PHASES: tuple[Phase, ...] = ("gain", "input", "griffin_lim")
_MOST_GAIN = 40 * math.log(10) / 20  # 40 dB


@dataclass(frozen=True)
class Spectrogram(PlainFields):
    """The transform.

    Attributes:
        rate: samples per second.
        bands, frames: of a picture.
        window, hop: of the short-time Fourier transform, in samples.
        low, high: Hz that the bands reach from and to; a `high` of 0 is half the rate.
        floor: added to magnitudes before their logarithm; full scale is 1.

    InputError if they do not go together.
    """

    rate: int = 8000
    bands: int = 40
    frames: int = 32
    window: int = 256
    hop: int = 64
    low: float = 0.0
    high: float = 0.0
    floor: float = 1e-5

    @classmethod
    def at(cls, rate: int, **more: Any) -> Self:
        """With a window of about 32 ms, a power of two of samples, and four hops to a window."""
        window = 2 ** max(3, round(math.log2(0.032 * rate)))
        return cls(rate=rate, window=window, hop=window // 4, **more)

    def __post_init__(self) -> None:
        if min(self.rate, self.bands, self.frames) < 1 or self.floor <= 0:
            raise InputError(f"{self} given; expected positive numbers.")
        self.mel()

    @property
    def stft(self) -> Stft:
        """Of the recordings."""
        return Stft(self.window, self.hop)

    def mel(self) -> MelBands:
        """The bands."""
        nyquist = self.rate / 2
        return MelBands(self.bands, self.stft.bins, self.low, self.high or nyquist, nyquist)

    def picture(self, v: Floats) -> Floats:
        """(bands, frames) of samples (t,) or (t, channels)."""
        magnitudes = np.abs(self.stft.forward(mono(v)))
        log_mel = np.log(self.mel().gather(magnitudes) + self.floor)
        return log_mel @ _means(log_mel.shape[1], self.frames).T

    def recording(self, picture: Floats, v: Floats, phase: str = "gain") -> Floats:
        """Samples like v (t,) or (t, channels), whose own picture became `picture`.

        Raises:
            InputError: for an unknown phase method.
        """
        if phase not in PHASES:
            raise InputError(
                f"phase={phase!r} given; expected {', '.join(PHASES)}.{did_you_mean(phase, PHASES)}"
            )
        stft, t = self.stft, len(v)
        if phase == "gain":
            own = self.picture(v)
            least = np.minimum(own, math.log(self.floor))
            change = (np.maximum(picture, least) - own).clip(-_MOST_GAIN, _MOST_GAIN)
            more = np.expm1(self.mel().spread(_stretched(change, stft.frames(t))))
            channels = [v] if v.ndim == 1 else list(v.T)
            # By linearity the transform of what is added is S (G - 1).
            made = [c + stft.inverse(stft.forward(c) * more, t) for c in channels]
            return made[0] if v.ndim == 1 else np.column_stack(made)
        bands = np.exp(_stretched(picture, stft.frames(t))) - self.floor
        magnitudes = self.mel().magnitudes(bands.clip(0.0))
        if phase == "input":
            one = stft.inverse(magnitudes * phases(stft.forward(mono(v))), t)
        else:
            one = griffin_lim(magnitudes, t, stft).v
        return one if v.ndim == 1 else np.repeat(one[:, None], v.shape[1], axis=1)


def mono(v: Floats) -> Floats:
    """(t,) the mean of the channels of samples (t,) or (t, channels)."""
    return v if v.ndim == 1 else np.asarray(v.mean(axis=1))


def _means(k: int, frames: int) -> Floats:
    """(frames, k) shares of k frames in the means over so many intervals of equal length."""
    ends = np.linspace(0, k, frames + 1)
    upper = np.minimum(ends[1:, None], np.arange(1, k + 1))
    lower = np.maximum(ends[:-1, None], np.arange(k))
    return np.asarray((upper - lower).clip(0.0) * (frames / k))


def _stretched(picture: Floats, k: int) -> Floats:
    """(bands, k) of (bands, frames), linear between the middles of its frames."""
    frames = picture.shape[1]
    at = ((np.arange(k) + 0.5) * frames / k - 0.5).clip(0, frames - 1)
    left = np.floor(at).astype(int).clip(max=max(frames - 2, 0))
    share = at - left
    right = (left + 1).clip(max=frames - 1)
    return np.asarray(picture[:, left] * (1 - share) + picture[:, right] * share)
