"""Paired differences of log density on identical rows, and what they show.

For row i and models a and b, d_i = log p_a(x_i) - log p_b(x_i). Over S seeds (each its own split
and its own start of the fit) the difference is the mean of the S splits' means. Its standard error
is the larger of

- within splits: from the scatter of d_i over rows, where a row held out by several splits is one
  draw (cluster-robust), and
- between seeds: the standard deviation of the S means over sqrt(S), which also holds what the fits'
  starts add.

Monte Carlo standard errors of estimates are added in quadrature. A difference is decided beyond two
standard errors.

What a density claims limits what follows. A value of a above b's shows that a is better where a's
true value is at least what stands there and b's at most: a lower bound above an exact value has
won, and below it nothing is decided.

References:
    Practical Bayesian model evaluation using leave-one-out cross-validation and WAIC (Vehtari,
    Gelman, Gabry, 2017) https://arxiv.org/abs/1507.04544
    A practitioner's guide to cluster-robust inference (Cameron, Miller, 2015)
    https://doi.org/10.3368/jhr.50.2.317
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..density import KIND_WORDS, LogDensity

Floats = NDArray[np.float64]
Outcome = Literal["better", "worse", "close", "bound", "incomparable"]

Z = 2.0
"""Standard errors beyond which a difference counts as decided: about 5 % false alarms a pair."""


@dataclass(frozen=True)
class Scored:
    """One model on the held-out rows of one seed; `rows` names the rows across seeds."""

    name: str
    density: LogDensity
    seed: int = 0
    rows: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Difference:
    """Mean of log p_a - log p_b on identical rows, in nats a row, and what follows from it for a.

    `stderr` is what decides; `within` and `between` are its two readings, within splits and
    between seeds.
    """

    mean: float
    stderr: float
    within: float
    between: float
    outcome: Outcome
    note: str = ""


def difference(a: Sequence[Scored], b: Sequence[Scored]) -> Difference:
    """The paired difference of model a to model b over the seeds that both have."""
    of_b = {s.seed: s for s in b}
    pairs = [(s, of_b[s.seed]) for s in a if s.seed in of_b]
    nan = math.nan
    if not pairs:
        return Difference(nan, nan, nan, nan, "incomparable", "no held-out rows in common")
    with np.errstate(invalid="ignore"):
        rows = [np.asarray(x.density.values - y.density.values, np.float64) for x, y in pairs]
    means = np.array([mean_of(d) for d in rows])
    mean = mean_of(means)
    within = between = stderr = nan
    if math.isfinite(mean):
        within = stderr_within(rows, [x.rows for x, _ in pairs])
        between = spread_of(means) / math.sqrt(len(means))
        noise = (monte_carlo(s.density) / len(pairs) for pair in pairs for s in pair)
        stderr = math.hypot(float(np.fmax(within, between)), *noise)
    outcome, note = decide(claim(a), claim(b), mean, stderr)
    return Difference(mean, stderr, within, between, outcome, note)


def decide(a: LogDensity, b: LogDensity, mean: float, stderr: float) -> tuple[Outcome, str]:
    """What a mean difference a - b with this standard error shows about a; why, where nothing."""
    if a.measure != b.measure:
        return "incomparable", f"{a.measure} and {b.measure} are different measures"
    if math.isnan(mean):
        return "incomparable", "the difference is not a number"
    if math.isfinite(mean) and math.isnan(stderr):
        return "close", "one row has no standard error"
    margin = Z * stderr if math.isfinite(mean) else 0.0
    above, below, note = _conclusive(a, b)
    slack_a, slack_b = (slack(a), slack(b)) if above and below else (0.0, 0.0)
    if mean > margin + slack_b and above:
        return "better", note
    if mean < -margin - slack_a and below:
        return "worse", note
    return ("close" if above and below else "bound"), note


def _conclusive(a: LogDensity, b: LogDensity) -> tuple[bool, bool, str]:
    """Whether a value of a above b's shows that a is better, and one below that it is worse."""
    if a.kind == b.kind == "lower_bound":
        only_noise = a.gap == b.gap == ("dequantisation",)
        if only_noise and sorted(a.dequantised) == sorted(b.dequantised):
            return (
                True,
                True,
                "both fill in the same rounding: compared as exact densities",
            )
        return False, False, "two lower bounds with different gaps"
    if a.kind == b.kind == "upper_bound":
        return False, False, "two upper bounds"
    above = a.kind != "upper_bound" and b.kind != "lower_bound"
    below = a.kind != "lower_bound" and b.kind != "upper_bound"
    bounds = " and ".join(KIND_WORDS[x.kind] for x in (a, b) if x.kind.endswith("bound"))
    return above, below, f"one side is a {bounds}" if bounds else ""


def slack(density: LogDensity) -> float:
    """How far, in nats a row, the averages over rounding cells are likely to lie below the truth.

    For a mean of K draws with relative standard error s, E log mean = log truth - s^2 / 2 + ...
    """
    if density.kind != "lower_bound" or density.stderr is None:
        return 0.0
    return float(np.mean(np.square(density.stderr)) / 2)


def claim(model: Sequence[Scored]) -> LogDensity:
    """What a model's densities claim over its seeds: the weakest of its kinds."""
    order = ("lower_bound", "upper_bound", "estimate", "exact")
    return min((s.density for s in model), key=lambda d: order.index(d.kind))


def mean_of(values: NDArray[Any]) -> float:
    """The mean; -inf or NaN pass through silently, and no values give NaN."""
    with np.errstate(invalid="ignore"):
        return float(np.mean(values, dtype=np.float64)) if len(values) else math.nan


def spread_of(values: NDArray[Any]) -> float:
    """Standard deviation, NaN for fewer than two values or where one is not finite."""
    if len(values) < 2 or not np.isfinite(values).all():
        return math.nan
    return float(np.std(values, ddof=1))


def monte_carlo(density: LogDensity) -> float:
    """Standard error that the estimation of each row's value leaves in the mean over rows."""
    if density.stderr is None:
        return 0.0
    return float(np.sqrt(np.sum(np.square(density.stderr))) / len(density))


def stderr_within(values: Sequence[Floats], rows: Sequence[NDArray[np.int64] | None]) -> float:
    """Standard error over rows of the mean of the splits' means."""
    if any(len(v) < 2 for v in values):
        return math.nan
    n, splits = sum(len(v) for v in values), len(values)
    shares = np.concatenate([(v - v.mean()) / (len(v) * splits) for v in values])
    if splits > 1 and all(r is not None for r in rows):
        ids = np.concatenate([r for r in rows if r is not None])
        shares = np.bincount(np.unique(ids, return_inverse=True)[1], weights=shares)
    return float(np.sqrt(np.sum(shares**2) * n / (n - splits)))
