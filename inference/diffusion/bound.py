"""The variational bound on the log probability of rows, of the same denoiser.

The model is the reverse process from N(0, s^2 I) at t_1 to x_0 at t_0, and a decoder: numbers are
N(x_0 / alpha_0, r^2 I) with r = sigma_0 / alpha_0, levels have the probabilities xhat(x_0, t_0),
which are the means of their indicators. With u = alpha_t^2 / sigma_t^2, the signal-to-noise ratio,

    log p(x) >= - KL(q(x_1 | x) || N(0, s^2 I))                                     prior
                - (1/2) int_(u_1)^(u_0) E |x - xhat(x_t, t)|^2 du                    diffusion
                - (N/2) log(2 pi e r^2) + E sum log xhat(x_0, t_0)[levels]         reconstruction,

N numbers standing first. It holds for mixed rows as it does for densities (the terms of levels are
log masses, and their indicators are noised with the rest), and is tight where xhat is E[x | x_t].

Of the Gaussian fit G of the numbers (m, C = B diag(l) B^T) the integral is known, d = B^T (x - m):

    int E |x - xhat_G|^2 du = sum [ d^2 u / (u l + 1) + log(1 + u l) + 1 / (1 + u l) ]_(u_1)^(u_0),

so that only the difference of both squared errors is estimated, by draws of log u in strata from a
density that lowers its variance (`NoiseLevels`), each with noise of its own. Draws come in groups;
the standard error is that of the mean of groups.

Reference: Variational diffusion models (Kingma, Salimans, Poole and Ho, 2021),
https://arxiv.org/abs/2107.00630
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .gaussian_frame import GaussianFrame
from .process import Process
from .row_noise import row_noise
from .trace import Told, denoised

GROUPS = 8  # of draws
_LEAST_LOG_SNR = -12.0  # where the reverse process begins at the latest
_BINS, _SPREAD = 32, 0.2  # of the density of noise levels; share of it that is spread evenly
_LEAST = 1e-37  # of a level's probability
_OFFSETS, _NOISE, _PILOT = 1, 2, 4  # seeds


@dataclass(frozen=True)
class NoiseLevels:
    """A density of log u, constant in bins of one width.

    Attributes:
        low, high: its ends.
        shares: (B,) probability of each bin, from the noisiest.
    """

    low: float
    high: float
    shares: Tensor

    @classmethod
    def even(cls, process: Process) -> Self:
        """The density that is the same between the ends of a process."""
        ends = torch.tensor([process.t_max, process.t_min], dtype=torch.float64)
        low, high = process.log_snr(ends).clamp(min=_LEAST_LOG_SNR).tolist()
        return cls(low, high, torch.full((_BINS,), 1 / _BINS, dtype=torch.float64))

    @classmethod
    def fit(
        cls,
        denoise: Told,
        process: Process,
        x: Tensor,
        frame: GaussianFrame,
        rows: NDArray[np.int64],
        context: Tensor | None = None,
    ) -> Self:
        """That which lowers the variance: a bin's share is proportional to the root mean square of
        what is estimated there, for some rows x (n, F), but a fifth is spread evenly."""
        even = cls.even(process)
        told, numbers = _Told(denoise, process, x, context), len(frame.mean)
        sizes = []
        for k in range(_BINS):
            eps = row_noise(_PILOT, rows, k, x.shape[1]).to(x)
            u = torch.full((len(x), 1), (k + 0.5) / _BINS, dtype=x.dtype, device=x.device)
            found = told.difference(frame, numbers, eps[:, None], even, u)
            sizes.append(found.square().mean().sqrt().cpu())
        shares = torch.stack(sizes).nan_to_num(0.0, 0.0, 0.0)
        shares = shares / shares.sum().clamp(min=1e-300)
        return cls(even.low, even.high, _SPREAD / _BINS + (1 - _SPREAD) * shares)

    def draw(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Values of numbers u in [0, 1), by their place in the distribution, and the density at
        each."""
        shares = self.shares.to(u) / self.shares.sum().to(u)
        ends, width = shares.cumsum(0), (self.high - self.low) / len(shares)
        at = torch.searchsorted(ends, u, right=True).clamp(max=len(shares) - 1)
        inside = ((u - (ends - shares)[at]) / shares[at]).clamp(0.0, 1.0)
        return self.low + width * (at + inside), shares[at] / width


@dataclass(frozen=True)
class VariationalBound:
    """Bounds of n rows in their parts, in nats; `values` is their sum.

    Attributes:
        prior, diffusion, reconstruction: (n,), none of them of a sign that is known for densities.
        stderr: (n,) standard error of the sum.
        evaluations: of the denoiser for each row.
    """

    prior: Tensor
    diffusion: Tensor
    reconstruction: Tensor
    stderr: Tensor
    evaluations: int

    @property
    def values(self) -> Tensor:
        """(n,)"""
        return self.prior + self.diffusion + self.reconstruction


def bound(
    denoise: Told,
    process: Process,
    x: Tensor,
    frame: GaussianFrame,
    rows: NDArray[np.int64],
    *,
    levels: Sequence[slice] = (),
    end_scale: float,
    draws: int = 64,
    times: NoiseLevels | None = None,
    context: Tensor | None = None,
) -> VariationalBound:
    """The bound of rows x (n, F), by draws that depend on each row alone.

    Args:
        denoise: of the rows' law.
        process: of x_t.
        frame: a Gaussian close to the numbers (n, N) that stand first in x.
        rows: (n,) numbers of the rows, by which each has draws of its own.
        levels: where the indicators of each level stand.
        end_scale: s, the deviation of the noise that the reverse process begins with.
        draws: a row, rounded up to a multiple of 8.
        times: how noise levels are drawn; None spreads them evenly.
        context: (n, c) what rows are conditioned on; the denoiser then takes it too.
    """
    n, size = x.shape
    numbers = levels[0].start if levels else size
    times = times or NoiseLevels.even(process)
    told = _Told(denoise, process, x, context)
    low, high = (
        torch.tensor(end, dtype=x.dtype, device=x.device) for end in (times.low, times.high)
    )
    t_1, t_0 = (process.time_of((-0.5 * end).exp()).expand(n) for end in (low, high))
    each = -(-draws // GROUPS)
    offsets = torch.special.ndtr(row_noise(_OFFSETS, rows, 0, GROUPS).to(x))
    apart = []
    reconstructed = []
    for group in range(GROUPS):
        eps = row_noise(_NOISE, rows, group, (each + bool(levels)) * size)
        eps = eps.to(x).reshape(n, -1, size)
        u = (torch.arange(each, device=x.device) + offsets[:, group, None]) / each
        apart.append(told.difference(frame, numbers, eps[:, :each], times, u))
        if levels:
            reconstructed.append(told.log_levels(levels, eps[:, each], t_0))
    known = _gaussian_loss(frame, x[:, :numbers], low.exp(), high.exp())
    difference = torch.stack(apart)
    log_levels = torch.stack(reconstructed) if levels else torch.zeros_like(difference)
    numbers_part = -0.5 * numbers * (math.log(2 * math.pi * math.e) - float(high))
    return VariationalBound(
        _prior(process, x, t_1, end_scale),
        -known - difference.mean(0),
        log_levels.mean(0) + numbers_part,
        (log_levels - difference).std(0) / math.sqrt(GROUPS),
        GROUPS * (each + bool(levels)),
    )


@dataclass(frozen=True)
class _Told:
    """A denoiser of rows x (n, F) with noise, and what they are conditioned on."""

    denoise: Told
    process: Process
    x: Tensor
    context: Tensor | None

    def difference(
        self, frame: GaussianFrame, numbers: int, eps: Tensor, times: NoiseLevels, u: Tensor
    ) -> Tensor:
        """(n,) half the integral of the denoiser's squared error less the Gaussian's, estimated by
        noise (n, K, F) at places (n, K) of the density of noise levels."""
        process, each = self.process, u.shape[1]
        log_snr, density = (part.reshape(-1) for part in times.draw(u))
        t = process.time_of((-0.5 * log_snr).exp())
        x = self.x.repeat_interleave(each, 0)
        context = None if self.context is None else self.context.repeat_interleave(each, 0)
        x_t = process.noisy(x, eps.reshape(x.shape), t)
        square = (x - denoised(self.denoise, x_t, t, context)).square().sum(1)
        z = frame.enter(process, x_t[:, :numbers], t)
        by_frame = frame.mean + frame.back(frame.gain(process, t) * frame.scale(process, t) * z)
        square = square - (x[:, :numbers] - by_frame).square().sum(1)
        return (0.5 * log_snr.exp() / density * square).reshape(u.shape).mean(1)

    def log_levels(self, levels: Sequence[slice], eps: Tensor, t: Tensor) -> Tensor:
        """(n,) log probabilities of the levels of x given x_0, drawn once by noise (n, F)."""
        x = self.x
        p = denoised(self.denoise, self.process.noisy(x, eps, t), t, self.context)
        logs = p.clamp(min=_LEAST).log()
        return sum((torch.where(x[:, at] > 0, logs[:, at], 0.0).sum(1) for at in levels), 0 * t)


def _gaussian_loss(frame: GaussianFrame, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """(n,) half the integral of the Gaussian denoiser's expected squared error over u."""
    d = frame.rotated(x - frame.mean)

    def primitive(u: Tensor) -> Tensor:
        whole = 1 + u * frame.variances
        return (d.square() * u / whole + whole.log() + 1 / whole).sum(1)

    return 0.5 * (primitive(high) - primitive(low))


def _prior(process: Process, x: Tensor, t: Tensor, end_scale: float) -> Tensor:
    """(n,) -KL(q(x_1 | x) || N(0, s^2 I))."""
    alpha_t, sigma_t = process.alpha(t)[:, None], process.sigma(t)[:, None]
    ratio = ((alpha_t * x).square() + sigma_t**2) / end_scale**2
    return -0.5 * (ratio - 1 - 2 * (sigma_t / end_scale).log()).sum(1)
