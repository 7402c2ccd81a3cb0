"""Draws by importance weights, the largest of which are smoothed.

Draws z_k ~ q with log weights log w_k = log p(z_k, y) - log q(z_k) stand for the posterior where
they are drawn anew with probabilities proportional to w_k. Pareto smoothing replaces the largest
weights by quantiles of the generalised Pareto distribution fitted to them, whose shape is k-hat:
above 0.7 the weights have so heavy a tail that neither they nor their mean can be trusted.

    log p(y) is estimated by log mean_k w_k (of the weights as they are).

Reference: Vehtari, Simpson, Gelman, Yao and Gabry, "Pareto smoothed importance sampling", 2024,
https://arxiv.org/abs/1507.02646.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import Array
from ...errors import InputError
from ..importance import MIN_SAMPLES, good_khat, summarise
from .result import Evidence

MIN_ESS = 100


@dataclass(frozen=True)
class Smoothed:
    """Importance weights of K draws.

    Attributes:
        weights: (K,) smoothed, with sum 1.
        khat: k-hat of them before; -inf where they are all equal.
        ess: (sum w)^2 / sum w^2, of those smoothed.
        evidence: log mean w.
    """

    weights: Array
    khat: float
    ess: float
    evidence: Evidence

    @property
    def good(self) -> float:
        """The largest k-hat at which so many weights are reliable."""
        return good_khat(len(self.weights))

    def resample(self, n: int, rng: np.random.Generator) -> Array:
        """Indices (n,) of draws by their weights."""
        return resample(self.weights, n, rng)


def resample(weights: Array, n: int, rng: np.random.Generator) -> Array:
    """Indices (n,) in proportion to weights (K,) that sum to 1, systematically, in random order but
    for copies of one, which stand together: so the effective sample size of a chain of them counts
    how few they are."""
    order = rng.permutation(len(weights))
    places = (rng.random() + np.arange(n)) / n
    chosen = np.searchsorted(np.cumsum(weights[order]), places * (1 - 1e-12))
    return np.asarray(order[np.minimum(chosen, len(weights) - 1)])


def smooth(log_weights: Array) -> Smoothed:
    """Smooth log weights (K,); NaN counts as a weight of zero.

    Raises:
        InputError: if they are fewer than 25, or all zero.
    """
    from arviz_stats import base

    log_w = np.where(np.isnan(log_weights), -np.inf, np.asarray(log_weights, np.float64))
    if len(log_w) < MIN_SAMPLES:
        raise InputError(f"{len(log_w)} weighted draws are given; expected {MIN_SAMPLES} or more.")
    summary = summarise(log_w[None])
    if not np.isfinite(summary.log_mean[0]):
        raise InputError(
            "the log joint is not finite at any of the draws that were to be weighed. Look at what "
            "they come from: a prior far from the data, or a guide with other supports."
        )
    khat = float(summary.khat[0])
    weights = np.exp(log_w - log_w.max())
    if np.isfinite(khat):
        finite = np.isfinite(log_w)
        # It takes minus the log weights, as those of leave-one-out are log likelihoods.
        stats: Any = base.array_stats  # type: ignore[attr-defined]
        smoothed, _ = stats.psislw(-log_w[finite])
        weights[finite] = np.exp(smoothed)
    weights /= weights.sum()
    evidence = Evidence(float(summary.log_mean[0]), float(summary.stderr[0]))
    return Smoothed(weights, khat, float(1 / np.square(weights).sum()), evidence)
