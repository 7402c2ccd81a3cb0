"""A recording of magnitudes alone: phases by Griffin and Lim's algorithm.

With G the transform and G+ its inverse (see `stft`), each step takes the phases of the nearest
signal,

    r <- G G+ c,        c <- M r / |r|,

which never raises || |r| - M ||. The fast variant goes beyond: the phases are those of
r + momentum (r - r'), with r' of the step before.

References: Griffin and Lim, "Signal estimation from modified short-time Fourier transform" (1984),
https://doi.org/10.1109/TASSP.1984.1164317; Perraudin, Balazs and Sondergaard, "A fast Griffin-Lim
algorithm" (2013), https://doi.org/10.1109/WASPAA.2013.6701851
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .bijections import Floats
from .stft import Complex, Stft


@dataclass(frozen=True, eq=False)
class Found:
    """A recording found.

    Attributes:
        v: (t,) samples.
        convergence: || |r| - M || / || M || before each step.
    """

    v: Floats
    convergence: list[float]


def griffin_lim(
    magnitudes: Floats,
    samples: int,
    stft: Stft,
    *,
    steps: int = 60,
    momentum: float = 0.99,
    seed: int = 0,
) -> Found:
    """A recording with these magnitudes, nearly.

    Args:
        magnitudes: M (bins, frames) of `stft`.
        samples: t.
        momentum: of the fast variant; 0 is the plain one.
        seed: of the phases at the start.
    """
    whole = stft.norm(magnitudes)
    if whole == 0:
        return Found(np.zeros(samples), [0.0] * steps)
    start = np.random.default_rng(seed).uniform(-np.pi, np.pi, magnitudes.shape)
    c: Complex = magnitudes * np.exp(1j * start)
    before, convergence = np.zeros_like(c), []
    for _ in range(steps):
        r = stft.forward(stft.inverse(c, samples))
        convergence.append(stft.norm(np.abs(r) - magnitudes) / whole)
        c = magnitudes * phases(r + momentum * (r - before) if convergence[1:] else r)
        before = r
    return Found(stft.inverse(c, samples), convergence)


def phases(s: Complex) -> Complex:
    """s / |s|; 1 where s is 0."""
    size = np.abs(s)
    return np.asarray(np.where(size > 0, s, 1.0) / np.where(size > 0, size, 1.0), np.complex128)
