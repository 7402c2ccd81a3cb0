"""Paired differences of log density on identical rows, and what they show.

For row i and models a and b, d_i = log p_a(x_i) - log p_b(x_i). Over S seeds (each its own start of
the fit, and its own split or the same) the difference is the mean of the S seeds' means. How far it
may lie from the truth by its rows and by its seeds is told in `scatter`; the margin beyond which it
counts as decided, at once for all pairs of a table, in `limits`. Monte Carlo standard errors of
estimates are added in quadrature.

Over several seeds the claim is about fits of these settings to such rows of these data. Of one seed
nothing is known of other starts: the claim is about these very fits, on new rows.

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ..arrays import Floats
from ..density import KIND_WORDS, LogDensity
from .limits import LEVEL, PAIR, POWER, Family
from .scatter import Scatter

_ROUNDING = 1e-9  # nats a row, within which arithmetic may differ

Outcome = Literal["better", "worse", "close", "seeds", "bound", "incomparable"]


@dataclass(frozen=True)
class Scored:
    """One model on the held-out rows of one seed.

    `rows` names the rows, as in `compare`.
    """

    name: str
    density: LogDensity
    seed: int = 0
    rows: NDArray[Any] | None = None


@dataclass(frozen=True)
class Difference:
    """Mean of log p_a - log p_b on identical rows, in nats a row, and what follows from it for a.

    Attributes:
        mean: over seeds.
        stderr: its standard error, with Monte Carlo noise.
        within: standard error over rows, by name.
        between: standard error over seeds; NaN for one seed.
        margin: beyond it the difference is decided, in nats a row.
        df: degrees of freedom of `within` and of `between` (0 for one seed).
        level: chance, at most, of any false alarm among all pairs of the table.
        outcome: what is decided for a; "seeds" where these fits differ by more than their rows'
            scatter explains, but seeds are too few to say so of others.
        note: what limits it.
    """

    mean: float
    stderr: float
    within: float
    between: float
    outcome: Outcome
    note: str = ""
    margin: float = math.nan
    df: tuple[float, float] = (math.nan, 0.0)
    level: float = LEVEL

    @property
    def limit(self) -> float:
        """The margin in standard errors."""
        return self.margin / self.stderr if self.stderr > 0 else math.nan

    @property
    def detectable(self) -> float:
        """The true difference, in nats a row, that rows and seeds as these decide with a chance of
        `POWER`."""
        return self.margin + float(ndtri(POWER)) * self.stderr


def difference(a: Sequence[Scored], b: Sequence[Scored], family: Family = PAIR) -> Difference:
    """The paired difference of model a to model b over the seeds that both have.

    Args:
        family: what the margin holds for at once; by default this pair alone.
    """
    of_b = {s.seed: s for s in b}
    pairs = [(s, of_b[s.seed]) for s in a if s.seed in of_b]
    if not pairs:
        nan = math.nan
        return Difference(nan, nan, nan, nan, "incomparable", "no held-out rows in common")
    with np.errstate(invalid="ignore"):
        values = [np.asarray(x.density.values - y.density.values, np.float64) for x, y in pairs]
    noise = math.hypot(*(monte_carlo(s.density) / len(pairs) for pair in pairs for s in pair))
    names = names_of([x for x, _ in pairs])
    return judged(values, names, noise, family, partial(decide, claim(a), claim(b)))


def judged(
    values: Sequence[Floats],
    names: Sequence[NDArray[Any]],
    noise: float,
    family: Family,
    decided: Callable[[float, float], tuple[Outcome, str]],
) -> Difference:
    """What paired differences show.

    Args:
        values: (n_s,) differences of the rows of each seed.
        names: (n_s,) of these rows.
        noise: Monte Carlo standard error of their mean.
        family: what the margin holds for at once.
        decided: a mean difference and its margin -> what follows, and what limits it.
    """
    nan = math.nan
    mean = mean_of(np.array([mean_of(d) for d in values]))
    if not math.isfinite(mean):
        return Difference(mean, nan, nan, nan, *decided(mean, nan))
    scatter = Scatter.of([d[:, None] for d in values], names)
    margin = family.margin(scatter, noise)
    outcome, note = decided(mean, margin.value)
    if outcome == "close" and margin.of_fits < abs(mean) <= margin.value:
        outcome, note = "seeds", f"these fits differ, {len(values)} seeds are too few"
    within, between = float(scatter.within[0]), float(scatter.between[0])
    df = (float(scatter.df_within[0]), len(values) - 1.0)
    return Difference(mean, margin.stderr, within, between, outcome, note, margin.value, df)


def names_of(model: Sequence[Scored]) -> list[NDArray[Any]]:
    """The names of a model's rows, seed by seed; without any, 0 ... n - 1."""
    return [np.arange(len(s.density)) if s.rows is None else np.asarray(s.rows) for s in model]


def decide(a: LogDensity, b: LogDensity, mean: float, margin: float) -> tuple[Outcome, str]:
    """What a mean difference a - b shows about a, given the margin; and the reason, where it shows
    nothing."""
    if a.variable != b.variable:
        return "incomparable", f"{a.variable} and {b.variable} are different measures"
    if math.isnan(mean):
        return "incomparable", "the difference is not a number"
    if math.isinf(mean):
        margin = 0.0
    elif math.isnan(margin):
        return "close", "one row has no standard error"
    margin = max(margin, _ROUNDING)
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
            return True, True, "both fill in the same cells: compared as exact densities"
        return False, False, "two lower bounds with different gaps"
    if a.kind == b.kind == "upper_bound":
        return False, False, "two upper bounds"
    above = a.kind != "upper_bound" and b.kind != "lower_bound"
    below = a.kind != "lower_bound" and b.kind != "upper_bound"
    bounds = " and ".join(KIND_WORDS[x.kind] for x in (a, b) if x.kind.endswith("bound"))
    return above, below, f"one side is a {bounds}" if bounds else ""


def slack(density: LogDensity) -> float:
    """How far, in nats a row, averages are likely to lie below the truth.

    For a mean of K draws with relative standard error s, E log mean = log truth - s^2 / 2 + ...
    Each row's cell has draws of its own. Estimates are means over draws that all rows share, of a
    posterior or of y: what they miss does not average out over rows, and is as large again by
    chance.
    """
    if density.stderr is None or density.kind not in ("lower_bound", "estimate"):
        return 0.0
    missed = float(np.mean(np.square(density.stderr)))
    return missed if density.kind == "estimate" else missed / 2


def claim(model: Sequence[Scored]) -> LogDensity:
    """What a model's densities claim over its seeds: the weakest of its kinds."""
    return weakest([s.density for s in model])


def weakest(densities: Sequence[LogDensity]) -> LogDensity:
    """The first of the densities with the weakest claim: bounds before estimates before exact."""
    order = ("lower_bound", "upper_bound", "estimate", "exact")
    return min(densities, key=lambda d: order.index(d.kind))


def mean_of(values: NDArray[Any]) -> float:
    """The mean; -inf or NaN pass through silently, and no values give NaN."""
    with np.errstate(invalid="ignore"):
        return float(np.mean(values, dtype=np.float64)) if len(values) else math.nan


def monte_carlo(density: LogDensity) -> float:
    """Standard error that the estimation of each row's value leaves in the mean over rows."""
    if density.stderr is None:
        return 0.0
    return float(np.sqrt(np.sum(np.square(density.stderr))) / len(density))
