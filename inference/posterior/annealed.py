"""Annealed importance sampling on a pair's target, and how far off it is by BDMC.

    log pi_b(z) = log g(z) + b r(z),        0 = b_0 < b_1 < ... < b_T = 1

goes from a start g to the posterior (`reference`). A chain starts at z_0 ~ g, and after each
increment of log w = sum_t (b_t - b_{t-1}) r(z_{t-1}) takes a Hamiltonian transition that leaves
pi_{b_t} invariant. Then E[w] = p(y), so that log mean w over chains is in expectation a lower bound
of log p(y), and chains weighted by w are draws from the posterior.

Of data y' that the model simulates, the theta* they come from is an exact draw from p(theta | y').
From it the path is walked backwards, and -log mean 1 / w is in expectation an upper bound of
log p(y'). The gap between both bounds, on a few simulated data sets, says how far off the lower
bound of the user's data is, as far as these are like simulated ones.

References: Neal, "Annealed importance sampling", 2001, https://arxiv.org/abs/physics/9803008;
Grosse, Ancha and Roy, "Measuring the reliability of MCMC inference with bidirectional Monte Carlo",
2016, https://arxiv.org/abs/1606.02275.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...arrays import Array
from ...errors import InputError
from ...fitting import EngineFit
from ...verdict import Reason
from ..importance import summarise
from .approximation import of_weights
from .psis import Smoothed, smooth
from .result import Evidence
from .simulate import check_simulates
from .target import Target

_WIDE = 1.0  # nats between the bounds, from which the lower one is worth a warning


@dataclass(frozen=True)
class Gap:
    """Upper minus lower bound of log p(y') of one simulated data set, in nats, with the standard
    error over chains."""

    value: float
    stderr: float


def gap(log_w: Array, log_w_back: Array) -> Gap:
    """Of the log weights (chains,) of a forward run, which estimate p(y'), and of a reverse one,
    which estimate 1 / p(y')."""
    low, high = summarise(log_w[None]), summarise(log_w_back[None])
    value = -float(high.log_mean[0]) - float(low.log_mean[0])
    return Gap(value, float(np.hypot(low.stderr[0], high.stderr[0])))


def bound(log_w: Array) -> Evidence:
    """The lower bound of log p(y) by the log weights (chains,)."""
    found = summarise(log_w[None])
    return Evidence(float(found.log_mean[0]), float(found.stderr[0]), "lower_bound")


def weighed(log_w: Array, draws_each: int, rng: np.random.Generator) -> tuple[Smoothed, Array]:
    """The weights of chains, and which chain (draws_each, chains) each draw is of."""
    weights = smooth(log_w)
    return weights, np.stack([weights.resample(len(log_w), rng) for _ in range(draws_each)])


def cannot_simulate(target: Target, start: str) -> str | None:
    """Why there are no bounds of simulated data, or None where there can be."""
    if start != "prior":
        return "paths start at a Gaussian, not at the prior"
    try:
        check_simulates(target)
    except InputError as error:
        return str(error)
    return None


def reasons(
    weights: Smoothed, gaps: Sequence[Gap], cut: float | None, why_not: str | None, each: int = 1
) -> list[Reason]:
    """What annealing has to say.

    Args:
        weights: of the chains.
        gaps: of simulated data sets.
        cut: the temperature where the path was cut short, or None.
        why_not: why there are no gaps.
        each: draws of a chain, many moves apart.
    """
    advice = "Raise num_temperatures."
    found = of_weights(weights, "the sample of annealed chains", advice, resampled=True, each=each)
    if cut is not None:
        what = f"the path ended at temperature {cut:.3g} of 1; chains were weighed for the rest."
        found.append(Reason("warn", what, "Give a larger budget, or fewer num_temperatures."))
    if why_not is not None:
        what = f"how far the lower bound is off is not known: {why_not}"
        return [*found, Reason("ok", what)]
    if not gaps:
        what = "how far the lower bound is off is not known: no data were simulated."
        return [*found, Reason("ok", what, "Give num_simulated, or a larger budget.")]
    values = np.array([each.value for each in gaps])
    stderr = float(np.sqrt(np.mean([each.stderr**2 for each in gaps]) / len(gaps)))
    what = (
        f"on {len(gaps)} simulated data sets the upper and lower bounds of the log evidence are "
        f"{values.mean():.3f} ± {stderr:.3f} nats apart, {values.max():.3f} at most."
    )
    wide = bool(values.mean() - 2 * stderr > _WIDE)
    return [*found, Reason("warn", what, advice) if wide else Reason("ok", what)]


def seeds_of(fit: EngineFit, n: int) -> list[int]:
    """n seeds."""
    return [int(seed) for seed in fit.rng().integers(2**31, size=n)]
