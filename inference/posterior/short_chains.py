"""Short Markov chains that start at the draws of an approximation: do they stay among them?

If draws z_k ~ q are from the posterior, transitions that leave it invariant change nothing: the
states of chains that start at some of them have the mean and the spread of the draws. If q is too
narrow, or beside the posterior, the states drift, also where no importance weight shows it because
q has no draws there. In units of the draws' means m and standard deviations s,

    x = (z - m) / s,        shift = E x,        ratio = sqrt(E x^2 - shift^2),

the expectation being over chains and the latter of their transitions; standard errors are over
chains and over draws, which are independent. Transitions are Hamiltonian in coordinates in which
the draws are uncorrelated, along paths of a quarter turn; the step size follows the share accepted
while states are not yet counted.

Chains do not find modes that lie apart, nor all of what they drift towards: what they say is that
the draws are wrong, not by how much.

Reference: Neal, "MCMC using Hamiltonian dynamics", 2011, https://arxiv.org/abs/1206.1901.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...arrays import Array
from .numeric import Numeric

NUM_CHAINS = 64
_FEW = 16  # where gradients come one after the other
_WARM, _KEPT = 8, 32  # transitions that adapt, and that are counted
_LEAST = 8  # that are to be counted
_LONGEST = 16  # leapfrog steps of a path
_SECONDS = 10.0  # that the least of transitions may take
_DENSE = 200  # coordinates whose correlations are removed
_GAIN, _ACCEPT = 0.5, 0.8  # of the log step size, and the share of proposals to accept


@dataclass(frozen=True)
class Walked:
    """What short chains did, in units of the draws.

    Attributes:
        chains, transitions: how many, and how many of each are counted.
        shift, shift_stderr: (p,) of the means.
        ratio, ratio_stderr: (p,) of the standard deviations.
        accepted: share of proposals.
    """

    chains: int
    transitions: int
    shift: Array
    shift_stderr: Array
    ratio: Array
    ratio_stderr: Array
    accepted: float


def walked(
    f: Numeric, z: Array, rng: np.random.Generator, left: Callable[[], float | None]
) -> Walked | None:
    """Chains from some of the draws z (n, p); None if there is no time for them.

    Args:
        left: gives the seconds that the fit has left, or None.
    """
    mean, sd = z.mean(axis=0), z.std(axis=0)
    one_by_one = f.target.backend == "pyro" and bool(f.target.sites.discrete)
    chains = min(_FEW if one_by_one else NUM_CHAINS, len(z))
    walk = _Walk(f, z[rng.permutation(len(z))[:chains]], _root(z), rng)
    began = time.perf_counter()  # what is run from here on is compiled
    states: list[Array] = []
    accepted: list[float] = []
    for i in range(_WARM + _KEPT):
        share = walk.step()
        if i < _WARM:
            walk.size *= math.exp(_GAIN * (share - _ACCEPT))
        else:
            states.append((walk.z - mean) / np.where(sd > 0, sd, 1.0))
            accepted.append(share)
        each = (time.perf_counter() - began) / (i + 1)
        if left() == 0.0 or each * (_WARM + _LEAST) > _SECONDS:
            break
    if len(states) < _LEAST:
        return None
    x = (z - mean) / np.where(sd > 0, sd, 1.0)
    of_draws = x.std(axis=0) / math.sqrt(len(z)), (x**2).std(axis=0) / 2 / math.sqrt(len(z))
    shift, shift_stderr, ratio, ratio_stderr = _moments(np.stack(states))
    return Walked(
        chains, len(states), shift, np.hypot(shift_stderr, of_draws[0]),
        ratio, np.hypot(ratio_stderr, ratio * of_draws[1]), float(np.mean(accepted)),
    )  # fmt: skip


def _moments(x: Array) -> tuple[Array, Array, Array, Array]:
    """Shift and ratio with their standard errors, (p,) each, of states (transition, chain, p)."""
    of_chain, square = x.mean(axis=0), np.square(x).mean(axis=0)
    root_n = math.sqrt(x.shape[1])
    shift = of_chain.mean(axis=0)
    ratio = np.sqrt(np.maximum(square.mean(axis=0) - shift**2, 1e-12))
    # By the delta method: d ratio = (d E x^2 - 2 shift d E x) / (2 ratio).
    influence = (square - 2 * shift * of_chain) / (2 * ratio)
    errors = (one.std(axis=0, ddof=1) / root_n for one in (of_chain, influence))
    shift_stderr, ratio_stderr = errors
    return shift, shift_stderr, ratio, ratio_stderr


def _root(z: Array) -> Array:
    """R with R R' the covariance of draws (n, p), drawn towards its diagonal where they are few."""
    n, p = z.shape
    diagonal = np.maximum(z.var(axis=0), 1e-20)
    if p > _DENSE:
        return np.diag(np.sqrt(diagonal))
    cov = np.atleast_2d(np.cov(z.T))
    return np.linalg.cholesky((n * cov + (p + 2) * np.diag(diagonal)) / (n + p + 2))


class _Walk:
    """Chains at z (chains, p), of which each transition has the step size `size`."""

    def __init__(self, f: Numeric, z: Array, root: Array, rng: np.random.Generator) -> None:
        self.f, self.z, self.root, self.rng = f, z, root, rng
        self.size = 0.7 * z.shape[1] ** -0.25
        self.lp, self.slope = self._at(z)

    def _at(self, z: Array) -> tuple[Array, Array]:
        lp, slope = self.f.slopes(z)
        return np.where(np.isfinite(lp), lp, -np.inf), np.nan_to_num(slope) @ self.root

    def step(self) -> float:
        """One transition of each; the share of proposals that is accepted."""
        chains, p = self.z.shape
        # The same for all chains, so that a path reversed is as likely.
        e = self.size * self.rng.uniform(0.7, 1.3)
        v = momentum = self.rng.standard_normal((chains, p))
        z, slope = self.z, self.slope
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(min(max(1, math.ceil(math.pi / 2 / self.size)), _LONGEST)):
                v = v + 0.5 * e * slope
                z = z + e * v @ self.root.T
                lp, slope = self._at(z)
                v = v + 0.5 * e * slope
            gain = lp - self.lp - 0.5 * (np.square(v) - np.square(momentum)).sum(axis=1)
            chance = np.exp(np.minimum(np.where(np.isnan(gain), -np.inf, gain), 0.0))
        taken = self.rng.random(chains) < chance
        self.z = np.where(taken[:, None], z, self.z)
        self.slope = np.where(taken[:, None], slope, self.slope)
        self.lp = np.where(taken, lp, self.lp)
        return float(chance.mean())
