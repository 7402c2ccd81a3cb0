"""Denoisers known exactly: of a Gaussian mixture, and of a data set. Oracles for all that takes a
`Denoise`.

Of a mixture sum_k w_k N(m_k, C_k), with C_k = U_k diag(l_k) U_k^T, x_t is a mixture too, of the
components N(alpha_t m_k, U_k diag(v_k) U_k^T), v_k = alpha_t^2 l_k + sigma_t^2, and

    E[x | x_t, k] = m_k + U_k diag(alpha_t l_k / v_k) U_k^T (x_t - alpha_t m_k)
    E[x | x_t] = sum_k p(k | x_t) E[x | x_t, k].

Of the rows x_1 .. x_N taken as they are, x_t is a mixture of N(alpha_t x_i, sigma_t^2 I): the ideal
denoiser of a data set, which generates its training rows and nothing else.

Reference: Elucidating the design space of diffusion-based generative models (Karras et al., 2022),
https://arxiv.org/abs/2206.00364, appendix B.3
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .process import Process, along

_ENTRIES = 1 << 22  # distances held at a time


class ExactMixture:
    """Denoiser and density of a Gaussian mixture, at any time of a process.

    Args:
        process: of x_t.
        weights: (K,), adding up to 1.
        means: (K, F).
        covariances: (K, F, F); may be singular, where x_t then has a density at t > 0 only.

    What it gives has the dtype of x_t, and is worked out in the dtype of the means.
    """

    def __init__(
        self, process: Process, weights: Tensor, means: Tensor, covariances: Tensor
    ) -> None:
        self.process, self.means, self.covariances = process, means, covariances
        self.log_weights = weights.to(means.dtype).log()
        spread, self._axes = torch.linalg.eigh(covariances)
        self._spread = spread.clamp(min=0.0)

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        """E[x | x_t] (n, F)."""
        alpha_t, v, z = self._whitening(x_t, t)
        p = self._log_joint(v, z).softmax(1)
        shifts = torch.einsum("kfg,nkg->nkf", self._axes, alpha_t * self._spread / v * z)
        return torch.einsum("nk,nkf->nf", p, self.means + shifts).to(x_t.dtype)

    def log_prob(self, x_t: Tensor, t: Tensor) -> Tensor:
        """(n,) log p_t(x_t)."""
        _, v, z = self._whitening(x_t, t)
        return self._log_joint(v, z).logsumexp(1).to(x_t.dtype)

    def mean(self) -> Tensor:
        """(F,) of the rows."""
        return self.log_weights.exp() @ self.means

    def covariance(self) -> Tensor:
        """(F, F) of the rows."""
        apart = self.means - self.mean()
        parts = self.covariances + apart[:, :, None] * apart[:, None, :]
        return torch.einsum("k,kfg->fg", self.log_weights.exp(), parts)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, F) rows."""
        weights = self.log_weights.exp()
        k = torch.multinomial(weights, n, replacement=True, generator=generator)
        z = torch.randn(n, self.means.shape[1], dtype=self.means.dtype, generator=generator)
        return self.means[k] + torch.einsum("nfg,ng->nf", self._axes[k], self._spread[k].sqrt() * z)

    def _whitening(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """alpha_t (n, 1, 1), v_k (n, K, F), and U_k^T (x_t - alpha_t m_k) (n, K, F)."""
        x_t, t = x_t.to(self.means.dtype), t.to(self.means.dtype)
        alpha_t = along(self.process.alpha(t), x_t)[..., None]
        sigma_t = along(self.process.sigma(t), x_t)[..., None]
        apart = x_t[:, None] - alpha_t * self.means
        z = torch.einsum("kfg,nkf->nkg", self._axes, apart)
        return alpha_t, alpha_t**2 * self._spread + sigma_t**2, z

    def _log_joint(self, v: Tensor, z: Tensor) -> Tensor:
        """(n, K) log w_k N(x_t; alpha_t m_k, U_k diag(v_k) U_k^T)."""
        terms = z**2 / v + (2 * math.pi * v).log()
        return self.log_weights - terms.sum(2) / 2


def exact_gaussian(process: Process, mean: Tensor, covariance: Tensor) -> ExactMixture:
    """Denoiser and density of N(mean (F,), covariance (F, F))."""
    return ExactMixture(process, torch.ones(1, dtype=mean.dtype), mean[None], covariance[None])


class IdealDenoiser:
    """Denoiser and density of the empirical law of a data set, at any t > 0 of a process.

    Args:
        process: of x_t.
        rows: (N, F). Distances are worked out in float64: at small sigma_t, those of float32 are
            rounding errors.
    """

    def __init__(self, process: Process, rows: Tensor) -> None:
        self.process, self.rows = process, rows.double()
        self._norms = self.rows.square().sum(1)

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        """E[x | x_t] (n, F): the rows, averaged by how likely each became x_t."""
        parts = [self._logits(*part).softmax(1) @ self.rows for part in self._parts(x_t, t)]
        return torch.cat(parts).to(x_t.dtype)

    def log_prob(self, x_t: Tensor, t: Tensor) -> Tensor:
        """(n,) log p_t(x_t)."""
        n_rows, n_features = self.rows.shape
        logs = torch.cat([self._logits(*part).logsumexp(1) for part in self._parts(x_t, t)])
        variance = 2 * math.pi * self.process.sigma(t.double()) ** 2
        return (logs - math.log(n_rows) - n_features / 2 * variance.log()).to(x_t.dtype)

    def _parts(self, x_t: Tensor, t: Tensor) -> list[tuple[Tensor, Tensor]]:
        size = max(1, _ENTRIES // len(self.rows))
        times = t.double().expand(len(x_t))
        return list(zip(torch.split(x_t.double(), size), torch.split(times, size), strict=True))

    def _logits(self, x_t: Tensor, t: Tensor) -> Tensor:
        """(n, N) -|x_t - alpha_t x_i|^2 / (2 sigma_t^2)."""
        alpha_t, sigma_t = along(self.process.alpha(t), x_t), along(self.process.sigma(t), x_t)
        squares = alpha_t**2 * self._norms - 2 * alpha_t * (x_t @ self.rows.T)
        return -(squares + x_t.square().sum(1, keepdim=True)) / (2 * sigma_t**2)
