"""Rows given an observation y, by particles: twisted diffusion sampling (TDS), exact as K grows.

K particles of each row go from noise to data by the steps p(x_s | x_t) = N(m_s, v_s) of
`reverse_steps`. What a particle says of y on the way, its twist, is

    psi_t(x_t) = p(y | xhat(x_t, t)) of x ~ N(xhat, diag P_t),

P_t the variance of x given x_t of each feature, (sigma_t^2 / alpha_t) diag(d xhat / d x_t),
estimated by one random sign a particle and feature and averaged over particles. Each step is drawn
towards y and weighted for that:

    q(x_s | x_t) = N(m_s + v_s (alpha_t / alpha_s) grad log psi_t(x_t), v_s)
    w_s = w_t  p(x_s | x_t) / q(x_s | x_t)  psi_s(x_s) / psi_t(x_t)

At the last time psi is the likelihood itself, as nothing is then unknown of x. Any twist is right
as the number of particles grows, up to the error of the steps; a good one keeps the effective
sample size ESS = (sum w)^2 / sum w^2 near K. Below `threshold` K, particles are resampled by their
weights, systematically, and the mean weight is a factor of the estimate of p(y). Particles that
descend from one first particle are dependent: the variance of a weighted mean f of K is

    K / (K - 1) sum_e ( sum_{k from e} W_k (f_k - f) )^2,

too low where few first particles e are left, and not known where one is.

References:
    Practical and asymptotically exact conditional sampling in diffusion models (Wu, Trippe,
        Naesseth, Blei and Cunningham, 2023), https://arxiv.org/abs/2306.17775
    Variance estimation in the particle filter (Lee and Whiteley, 2018),
        https://arxiv.org/abs/1509.00394
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from .observation import Observation
from .process import Denoise, Process
from .reverse_steps import RowDraws, Step, falling_times

# Ends of P_t that are believed: at much noise a net says little of x, and less of its variance.
_LEAST, _MOST = 0.01, 4.0  # of r_t^2, and no more than 1; of r_t^2 / (1 + r_t^2)


@dataclass(frozen=True)
class Particles:
    """K weighted particles of each of n rows.

    Attributes:
        x: (n, K, F) xhat.
        log_weights: (n, K) since the last resampling.
        log_evidence: (n,) log of the estimate of p(y) up to the last resampling.
        first: (n, K) number of the first particle that each descends from.
        least_ess: (n,) the smallest effective sample size of all steps before.
    """

    x: Tensor
    log_weights: Tensor
    log_evidence: Tensor
    first: Tensor
    least_ess: Tensor

    @property
    def weights(self) -> Tensor:
        """(n, K), adding up to 1 for each row."""
        return self.log_weights.softmax(1)

    @property
    def ess(self) -> Tensor:
        """(n,) effective sample size."""
        return 1 / self.weights.square().sum(1)

    @property
    def log_mean_weight(self) -> Tensor:
        """(n,) log of the mean weight, a factor of p(y)."""
        return self.log_weights.logsumexp(1) - math.log(self.log_weights.shape[1])

    @property
    def log_likelihood(self) -> Tensor:
        """(n,) log of the estimate of p(y)."""
        return self.log_evidence + self.log_mean_weight

    def mean(self, f: Tensor) -> Tensor:
        """(n, G) weighted means of f (n, K, G)."""
        return torch.einsum("nk,nkg->ng", self.weights, f.double())

    def stderr(self, f: Tensor) -> Tensor:
        """(n, G) standard errors of `mean`; infinite where one first particle is left."""
        n, k = self.first.shape
        parts = self.weights[..., None] * (f.double() - self.mean(f)[:, None])
        groups = torch.zeros_like(parts).index_put_(
            (torch.arange(n, device=f.device)[:, None].expand(n, k), self.first),
            parts,
            accumulate=True,
        )
        variance = groups.square().sum(1) * k / (k - 1)
        alone = (self.first == self.first[:, :1]).all(1, keepdim=True)
        return torch.where(alone, math.inf, variance.sqrt())

    def drawn(self, count: int, uniform: Tensor) -> Tensor:
        """(n, count) numbers of particles, drawn by their weights, systematically.

        Args:
            uniform: (n, 1) in [0, 1).
        """
        edges = self.weights.cumsum(1)
        points = (torch.arange(count, device=uniform.device) + uniform) / count
        last = self.weights.shape[1] - 1
        return torch.searchsorted(edges / edges[:, -1:], points).clamp(max=last)


@dataclass(frozen=True)
class _Twist:
    """What particles say of y: log psi_t (n, K) in float64, its gradient and xhat (n, K, F), and
    P_t (n, 1, F)."""

    xhat: Tensor
    log_psi: Tensor
    gradient: Tensor
    p: Tensor

    def take(self, numbers: Tensor) -> _Twist:
        """Of other particles, by number (n, K)."""
        return _Twist(
            picked(self.xhat, numbers),
            self.log_psi.gather(1, numbers),
            picked(self.gradient, numbers),
            self.p,
        )


def twisted(
    denoise: Denoise,
    process: Process,
    observation: Observation,
    draws: RowDraws,
    *,
    steps: int = 100,
    threshold: float = 0.5,
) -> Iterator[Particles]:
    """The particles after each step, at the end those at the least noise.

    Args:
        denoise: differentiable; features of about unit scale or less.
        draws: of n rows with K states each, the particles.
        steps: from noise to data.
        threshold: share of K below which the effective sample size calls for resampling.
    """
    times = falling_times(process, steps)
    k, start = draws.states, Step.between(process, times[0], times[1])
    x_t = draws.normal(0) * math.hypot(start.alpha_t, start.sigma_t)
    even = torch.zeros(x_t.shape[:2], dtype=torch.float64, device=x_t.device)
    numbers = torch.arange(k, device=x_t.device).expand(x_t.shape[:2])
    twist = _twist(denoise, process, observation, x_t, times[0], draws.signs(1), even)
    none = torch.full((len(x_t),), math.inf, dtype=torch.float64, device=x_t.device)
    now = Particles(twist.xhat, twist.log_psi, torch.zeros_like(none), numbers, none)
    for i, (t, s) in enumerate(pairwise(times), 1):
        low = now.ess < threshold * k
        chosen = torch.where(low[:, None], now.drawn(k, draws.uniform(3 * i + 1)), numbers)
        x_t, twist = picked(x_t, chosen), twist.take(chosen)
        log_weights = torch.where(low[:, None], even, now.log_weights)
        log_evidence = now.log_evidence + torch.where(low, now.log_mean_weight, 0.0)

        step = Step.between(process, t, s)
        deviation = step.variance(twist.p).sqrt()
        drift = deviation * (step.alpha_t / step.alpha_s) * twist.gradient
        eps = draws.normal(3 * i + 2)
        x_t = step.mean(x_t, twist.xhat) + deviation * (drift + eps)
        log_ratio = -(drift * (eps + drift / 2)).double().sum(2)  # log p - log q
        before = twist
        twist = _twist(denoise, process, observation, x_t, s, draws.signs(3 * i), log_weights)
        log_weights = log_weights + log_ratio + twist.log_psi - before.log_psi
        first = now.first.gather(1, chosen)
        least = torch.minimum(now.least_ess, now.ess)
        now = Particles(twist.xhat, log_weights, log_evidence, first, least)
        yield now


def picked(x: Tensor, numbers: Tensor) -> Tensor:
    """(n, C, F) states of x (n, K, F), by number (n, C)."""
    return x.gather(1, numbers[..., None].expand(-1, -1, x.shape[2]))


def _twist(
    denoise: Denoise,
    process: Process,
    observation: Observation,
    x_t: Tensor,
    t: float,
    signs: Tensor,
    log_weights: Tensor,
) -> _Twist:
    """What particles x_t (n, K, F) say of y."""
    time = torch.full((1,), t, dtype=x_t.dtype, device=x_t.device)
    scale = float(process.sigma(time.double()) ** 2 / process.alpha(time.double()))
    with torch.enable_grad():
        x_t = x_t.detach().requires_grad_()
        xhat = denoise(x_t.flatten(0, 1), time.expand(x_t[..., 0].numel())).view_as(x_t)
        (along_signs,) = torch.autograd.grad(xhat, x_t, signs, retain_graph=True)
        each = scale * (signs * along_signs)
        weights = log_weights.softmax(1)[..., None].to(x_t.dtype)
        square = float(process.ratio(time)) ** 2
        least, most = min(_LEAST * square, 1.0), _MOST * square / (1 + square)
        p = (weights * each).sum(1, keepdim=True).clamp(least, most)
        log_psi = observation.log_likelihood(xhat, p)
        (gradient,) = torch.autograd.grad(log_psi.sum(), x_t)
    return _Twist(xhat.detach(), log_psi.detach().double(), gradient, p)
