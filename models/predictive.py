"""How far the mean over posterior draws is from the mean over the whole posterior.

A row's predictive density is estimated from S draws of the parameters,

    p(x) ~ 1/S sum_s p_s(x),          i_s = p_s(x) / mean_s p_s(x) - 1,

whose logarithm is in expectation below that of p(x) (Jensen). By the delta method its standard
error is sd(i) / sqrt(S), with S divided by (1 + r) / (1 - r) where neighbouring draws of a chain
are correlated, r >= 0 being the correlation of i_s with i_{s+1}. Given b,
log p(a | b) = log p(a, b) - log p(b), and the terms of both are subtracted:
i_s = S (share of draw s in p(a, b) - its share in p(b)).

Far from the rows fitted, p_s(x) changes by factors from draw to draw and the mean rests on few of
them: the draws do not say how much others would have added. With ess = 1 / sum of squared shares, a
value has no error (NaN) if ess is below S / 10, or below S / 2 with a Pareto k-hat of the shares
above `good_khat(S)` (`inference.importance`), or if one draw has half of the sum. Of densities at z
standard deviations that are uncertain by 7 %, no row is without an error at z = 2, 2 % are at 4,
73 % at 6 and all at 8; the errors of the others are 0.8 to 1.1 of their spread.

Reference: Geyer, "Practical Markov chain Monte Carlo", 1992,
https://doi.org/10.1214/ss/1177011137 (variances of averages over a chain); Vehtari, Simpson,
Gelman, Yao and Gabry, "Pareto smoothed importance sampling", 2024, https://arxiv.org/abs/1507.02646.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..family_density import Density, joined
from ..inference.importance import MIN_SAMPLES, good_khat, pareto_khat
from ..verdict import Reason

_NUMBERS = 1 << 22  # responsibilities at a time
_MAX_CORRELATION = 0.95  # of neighbours; 200 draws cannot tell higher ones apart
_DOMINANT = 0.5  # share of the sum from which one draw decides
_MAX_SHARE = 0.02  # of the rows fitted, without a standard error

Score = Callable[[slice], tuple[Floats, Floats]]


def mean_density(score: Score, before: Floats, n: int, size: int) -> Density:
    """Log densities under the mean of a posterior's draws, with their standard errors, and for each
    row "ess", the effective number of draws, and "khat", Pareto's k-hat of the draws' shares.

    A density of 0 has no error and no effective draws. Where the draws cannot tell the error, and
    all of it for fewer than 2 draws, it is NaN; k-hat is NaN for fewer than 25 draws.

    Args:
        score: of rows, by slice: the shares (m, S) of the draws in the density, and its log (m,).
        before: (S,) shares of the draws before a row is seen.
        n: rows.
        size: numbers that a row takes while it is scored.
    """
    draws, blocks = len(before), []
    method = f"mean over {draws} posterior draws"
    step = max(1, _NUMBERS // size)
    for start in range(0, n, step) or [0]:
        shares, values = score(slice(start, start + step))
        if draws < 2 or not n:
            stderr = np.full(len(values), np.nan)
            diagnostics = {"khat": stderr, "ess": stderr}
        else:
            stderr, diagnostics = _reliability(shares, before, np.isfinite(values))
        blocks.append(Density(values, stderr, diagnostics, kind="estimate", method=method))
    return joined(blocks)


def _reliability(
    shares: Floats, before: Floats, possible: NDArray[np.bool_]
) -> tuple[Floats, dict[str, Floats]]:
    """Standard errors and diagnostics, from shares of draws: (n, S) in the density, (S,) given."""
    draws = len(before)
    r = _correlation(shares - before)
    stderr = np.sqrt((draws * (shares - before)).var(axis=1) / (draws - 1) * (1 + r) / (1 - r))
    with np.errstate(divide="ignore"):
        khat = pareto_khat(np.log(shares))
        khat = np.maximum(khat, pareto_khat(np.log(before)[None])) if np.ptp(before) else khat
        ess = 1 / np.square(shares).sum(axis=1)
    bad = (shares.max(axis=1) > _DOMINANT) | (ess < draws / 10)
    if draws >= MIN_SAMPLES:
        bad |= (khat > good_khat(draws)) & (ess < draws / 2)
    return np.where(possible, np.where(bad, np.nan, stderr), 0.0), {
        "khat": np.where(possible, khat, np.nan),
        "ess": np.where(possible, ess * (1 - r) / (1 + r), 0.0),
    }


def _correlation(i: Floats) -> Floats:
    """(n,) correlations, at least 0, of neighbours among (n, S) terms in the order of the draws."""
    i = i - i.mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (i[:, 1:] * i[:, :-1]).mean(axis=1) / np.square(i).mean(axis=1)
    return np.asarray(np.clip(np.nan_to_num(r), 0.0, _MAX_CORRELATION))


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


def few_draws(stderr: Floats | None, draws: int) -> list[Reason]:
    """A warning if some of the rows fitted, whose standard errors these are, have none."""
    bad = 0 if stderr is None else int(np.isnan(stderr).sum())
    if stderr is None or not bad:
        return []
    what = (
        f"the log densities of {bad} of {len(stderr)} rows fitted rest on few of {draws} draws and "
        "have no standard error."
    )
    advice = "These rows lie far out: compare models on them with a fit by EM, or draw more."
    return [Reason("warn" if bad > _MAX_SHARE * len(stderr) else "ok", what, advice)]
