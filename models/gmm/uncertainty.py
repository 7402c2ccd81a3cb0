"""How far the mean over posterior draws is from the mean over the whole posterior.

A row's predictive density is estimated from S draws of the parameters,

    p(x) ~ 1/S sum_s p_s(x),          i_s = p_s(x) / mean_s p_s(x) - 1,

whose logarithm is in expectation below that of p(x) (Jensen). By the delta method its standard
error is sd(i) / sqrt(S), with S divided by (1 + r) / (1 - r) where neighbouring draws of a chain
are correlated, r >= 0 being the correlation of i_s with i_{s+1}. Given b, log p(a | b) = log p(a,
b) - log p(b), and the terms of both are subtracted: i_s = S (share of draw s in p(a, b) - its share
in p(b)).

Far from the rows fitted, p_s(x) changes by factors from draw to draw and the mean rests on few of
them: no draw says how much those that were not drawn would add. With ess = 1 / sum of squared
shares, a value is left without an error, NaN, where ess is below S / 10, or below S / 2 with a
Pareto k-hat of the shares above `good_khat(S)` (`inference.importance`), or one draw has half of
the sum. Of densities at z standard deviations, those uncertain by 7 %, no row is left out at z = 2,
2 % are at 4, 73 % at 6 and all at 8, and the errors of the others are 0.8 to 1.1 of their spread.

Reference: Geyer, "Practical Markov chain Monte Carlo", 1992,
https://doi.org/10.1214/ss/1177011137 (variances of averages over a chain); Vehtari, Simpson,
Gelman, Yao and Gabry, "Pareto smoothed importance sampling", 2024, https://arxiv.org/abs/1507.02646.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...family_density import Density
from ...inference.importance import MIN_SAMPLES, good_khat, pareto_khat
from ...verdict import Reason
from .parameters import Floats, Mixture
from .weighted_rows import score

_NUMBERS = 1 << 22  # responsibilities at a time
_MOST = 0.95  # correlation of neighbours; above it 200 draws cannot tell how large it is
_HALF = 0.5  # of the sum, from which one draw decides
_SOME = 1000  # rows fitted that the verdict is about
_FEW = 0.02  # of them


class Reliance(NamedTuple):
    """The log densities of n rows, and what they rest on.

    Attributes:
        values: (n,) log densities under the mean of the draws.
        stderr: (n,) standard errors, in nats; 0 where the density is 0, and NaN where the draws
            cannot tell.
        ess: (n,) effective draws.
        khat: (n,) Pareto k-hat of the draws' shares; NaN for fewer than 25 draws.
    """

    values: Floats
    stderr: Floats
    ess: Floats
    khat: Floats


def reliance(mixture: Mixture, draws: int, x: NDArray[Any], codes: NDArray[np.int32]) -> Reliance:
    """Log densities under the mean of a posterior's draws, and what they rest on.

    Args:
        mixture: of the components of all draws, those of a draw side by side.
        draws: how many draws it is of; for fewer than 2 nothing is known, and all else is NaN.
        x: (n, d) encoded rows.
        codes: (n, c) levels.
    """
    if draws < 2 or not len(x):
        return Reliance(score(mixture, x, codes)[1], *np.full((3, len(x)), np.nan))
    before = mixture.weights.reshape(draws, -1).sum(axis=1)
    block, found = max(1, _NUMBERS // mixture.n_components), []
    for start in range(0, len(x), block):
        rows = slice(start, start + block)
        shares, values = score(mixture, x[rows], codes[rows])
        each = np.asarray(shares, dtype=np.float64).reshape(len(shares), draws, -1).sum(axis=2)
        found.append(_of(each, before, values))
    return Reliance(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _of(each: Floats, before: Floats, values: Floats) -> Reliance:
    """Of shares (n, S) of the draws in the density, and (S,) in what it is given."""
    draws, possible = len(before), np.isfinite(values)
    r = _correlation(each - before)
    stderr = _stderr(draws * (each - before), r)
    with np.errstate(divide="ignore"):
        khat = pareto_khat(np.log(each))
        khat = np.maximum(khat, pareto_khat(np.log(before)[None])) if np.ptp(before) else khat
        ess = 1 / np.square(each).sum(axis=1)
    bad = (each.max(axis=1) > _HALF) | (ess < draws / 10)
    if draws >= MIN_SAMPLES:
        bad |= (khat > good_khat(draws)) & (ess < draws / 2)
    return Reliance(
        values,
        np.where(possible, np.where(bad, np.nan, stderr), 0.0),
        np.where(possible, ess * (1 - r) / (1 + r), 0.0),
        np.where(possible, khat, np.nan),
    )


def _correlation(i: Floats) -> Floats:
    """(n,) correlations of neighbours among (n, S) terms in the order of their draws, from 0 on."""
    i = i - i.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (i[:, 1:] * i[:, :-1]).mean(axis=1) / np.square(i).mean(axis=1)
    return np.asarray(np.clip(np.nan_to_num(r), 0.0, _MOST))


def _stderr(i: Floats, r: Floats) -> Floats:
    """(n,) standard errors of the means of (n, S) terms whose neighbours have correlation r."""
    variance = i.var(axis=1)
    return np.asarray(np.sqrt(variance / (i.shape[1] - 1) * (1 + r) / (1 - r)))


def diagnostics(density: Density, draws: int) -> dict[str, Any]:
    """What `LogDensity.diagnostics` says of rows scored under the mean over draws."""
    assert density.stderr is not None
    bad = int(np.isnan(density.stderr[np.isfinite(density.values)]).sum())
    advice = ""
    if draws < MIN_SAMPLES:
        advice = f"Fewer than {MIN_SAMPLES} draws say nothing of their tail: draw more."
    elif bad:
        advice = (
            f"{bad} of {len(density.values)} rows lie where few of {draws} draws decide: their "
            "values are likely to be too low, and have no standard error."
        )
    good = good_khat(draws) if draws >= 2 else float("nan")
    return {**density.diagnostics, "good_khat": good, "advice": advice}


def of_rows_fitted(
    mixture: Mixture, draws: int, x: NDArray[Any], codes: NDArray[np.int32]
) -> list[Reason]:
    """How many of the rows fitted, of at most `_SOME` of them, have densities without an error."""
    some = np.linspace(0, len(x) - 1, min(len(x), _SOME)).round().astype(int)
    bad = int(np.isnan(reliance(mixture, draws, x[some], codes[some]).stderr).sum())
    if not bad:
        return []
    what = (
        f"the log densities of {bad} of {len(some)} rows fitted rest on few of {draws} draws and "
        "have no standard error."
    )
    advice = "These rows lie far out: compare models on them with a fit by EM, or draw more."
    return [Reason("warn" if bad > _FEW * len(some) else "ok", what, advice)]
