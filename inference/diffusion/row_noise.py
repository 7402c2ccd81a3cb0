"""Normal noise of each row from (seed, row, step) alone: the same whatever the batch.

A row's key is a hash of the seed, of the row's number and of the step; its words are hashes of the
key and their number; each word of 64 bits holds two uniform numbers u and v, which become two
normal ones:

    sqrt(-2 log u) cos(2 pi v),   sqrt(-2 log u) sin(2 pi v)       (Box and Muller)

References:
    Parallel random numbers: as easy as 1, 2, 3 (Salmon et al., 2011),
        https://doi.org/10.1145/2063384.2063405: random numbers as hashes of counters
    A note on the generation of random normal deviates (Box and Muller, 1958),
        https://doi.org/10.1214/aoms/1177706645
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.hashing import Hashes, mix

_WORDS = 1 << 16  # words at a time, which fit in a core's cache


@dataclass(frozen=True)
class RowNoise:
    """The noise of some rows, step by step.

    Attributes:
        seed: any integer.
        rows: (n,) numbers of the rows, from 0 up.
        n_features: F.
        device, dtype: of what is given; it is drawn in float32 on the CPU.
    """

    seed: int
    rows: NDArray[np.int64]
    n_features: int
    device: torch.device | str = "cpu"
    dtype: torch.dtype = torch.float32

    def at(self, step: int) -> Tensor:
        """(n, F) the noise of a step; 0 is the noise that a sampler starts from."""
        return row_noise(self.seed, self.rows, step, self.n_features).to(self.device, self.dtype)


def row_noise(seed: int, rows: NDArray[np.int64], step: int, n_features: int) -> Tensor:
    """(n, F) standard normal numbers in float32, on the CPU.

    Args:
        seed: any integer.
        rows: (n,) numbers of the rows, from 0 up.
        step: 0 for the noise that a sampler starts from, then the number of its step.
        n_features: F.
    """
    keys = mix(mix(mix(_word(seed)) ^ rows.astype(np.uint64)) ^ _word(step))
    n_words = -(-n_features // 2)
    salts = mix(np.arange(n_words, dtype=np.uint64))
    noise = np.empty((len(rows), 2, n_words), dtype=np.float32)
    size = max(1, _WORDS // n_words)
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        _box_muller(mix(keys[part, None] ^ salts), noise[part])
    return torch.from_numpy(noise.reshape(len(rows), -1)[:, :n_features])


def _word(number: int) -> Hashes:
    return np.array([number & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64)


def _box_muller(words: Hashes, noise: NDArray[np.float32]) -> None:
    """Fill `noise` (n, 2, W) from words (n, W)."""
    halves = words.view(np.uint32).reshape(*words.shape, 2).astype(np.float32)
    u = (halves[..., 0] + np.float32(0.5)) * np.float32(2**-32)  # never 0
    angle = halves[..., 1] * np.float32(2 * math.pi * 2**-32)
    radius = np.sqrt(np.float32(-2) * np.log(u))
    np.multiply(radius, np.cos(angle), out=noise[:, 0])
    np.multiply(radius, np.sin(angle), out=noise[:, 1])
