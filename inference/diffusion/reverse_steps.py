"""Times that fall geometrically in r_t = sigma_t / alpha_t, Gaussian steps between them, and the
random numbers of each row.

Going from t to s < t, with q = r_s / r_t (see `process` for the symbols),

    p(x_s | x_t) = N(alpha_s xhat + q sigma_s epshat, v),
    v = sigma_s^2 (1 - q^2) + alpha_s^2 (1 - q^2)^2 P,

where P is the variance of x given x_t. These are the mean and the variance of x_s given x_t; DDPM
has the same with P = 0, which makes rows too narrow unless steps are many.

Reference: Analytic-DPM (Bao, Li, Zhu and Zhang, 2022), https://arxiv.org/abs/2201.06503
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.hashing import mix
from .process import Process
from .row_noise import row_noise

NOISIEST, CLEANEST = 80.0, 0.005  # r_t where steps begin and end, in scales of a feature


def falling_times(process: Process, steps: int) -> list[float]:
    """steps + 1 times, of r_t from 80 down to 0.005, or to where the process ends."""
    highest = min(NOISIEST, float(process.ratio(torch.tensor(process.t_max))))
    lowest = max(CLEANEST, process.ratio_min)
    ratios = torch.tensor(np.geomspace(highest, lowest, steps + 1))
    return [float(t) for t in process.time_of(ratios)]


@dataclass(frozen=True)
class Step:
    """From time t to s < t."""

    alpha_t: float
    sigma_t: float
    alpha_s: float
    sigma_s: float

    @classmethod
    def between(cls, process: Process, t: float, s: float) -> Step:
        ends = torch.tensor([t, s], dtype=torch.float64)
        alpha, sigma = process.alpha(ends).tolist(), process.sigma(ends).tolist()
        return cls(alpha[0], sigma[0], alpha[1], sigma[1])

    @property
    def q(self) -> float:
        """r_s / r_t."""
        return self.sigma_s * self.alpha_t / (self.alpha_s * self.sigma_t)

    def mean(self, x_t: Tensor, xhat: Tensor) -> Tensor:
        """Of x_s given x_t."""
        noise = (x_t - self.alpha_t * xhat) / self.sigma_t
        return self.alpha_s * xhat + self.q * self.sigma_s * noise

    @property
    def ddpm_variance(self) -> float:
        """Of x_s given x_t and x: v without P."""
        return self.sigma_s**2 * (1 - self.q**2)

    def variance(self, p: Tensor) -> Tensor:
        """Of x_s given x_t, P being the variance of x given x_t."""
        return p * (self.alpha_s * (1 - self.q**2)) ** 2 + self.ddpm_variance

    def back(self, x_s: Tensor, eps: Tensor) -> Tensor:
        """x_t given x_s, by the forward process."""
        scale = self.alpha_t / self.alpha_s
        return scale * x_s + self.sigma_t * math.sqrt(1 - self.q**2) * eps


@dataclass(frozen=True)
class RowDraws:
    """Random numbers of K states of each of n rows: those of a row are the same whatever other rows
    there are.

    Attributes:
        seed: any integer.
        rows: (n,) what tells rows apart, such as their numbers.
        states: K.
        like: a row (F,) of the dtype, on the device.
    """

    seed: int
    rows: NDArray[np.int64]
    states: int
    like: Tensor

    def normal(self, step: int) -> Tensor:
        """(n, K, F) standard normal numbers."""
        each = mix(np.arange(self.states, dtype=np.uint64))
        ids = (mix(self.rows.astype(np.uint64))[:, None] ^ each).reshape(-1).view(np.int64)
        noise = row_noise(self.seed, ids, step, self.like.shape[-1])
        return noise.to(self.like).reshape(len(self.rows), self.states, -1)

    def signs(self, step: int) -> Tensor:
        """(n, K, F) of -1 and 1."""
        return torch.ones_like(self.like).copysign(self.normal(step))

    def uniform(self, step: int) -> Tensor:
        """(n, 1) uniform numbers in float64."""
        noise = row_noise(self.seed, mix(self.rows.astype(np.uint64)).view(np.int64), step, 1)
        uniform: Tensor = torch.special.ndtr(noise.double().to(self.like.device))
        return uniform
