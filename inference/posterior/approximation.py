"""How far an approximation is from the posterior: one judgement for all that approximate.

Of draws z_k from q with weights w_k = p(z_k, data) / q(z_k) it is asked, in this order:

1. Is the posterior improper? (`improper`)
2. Have the weights a tail? Where their Pareto k-hat is above min(1 - 1 / log10 K, 0.7), no
   reasonable number of draws makes up for what q misses; nor do K draws that are worth few. But
   weights that are all but equal have a tail of next to no mass, whatever its shape.
3. If not, are the means and standard deviations of the draws those that the weights give them, of
   the values of sites and on the unconstrained scale? (An exponential of draws has a tail of its
   own.) Draws that were drawn anew by their weights have them.
4. Do short chains that start at the draws stay among them? (`short_chains`) What q has no draws of
   no weight shows.

The first that says no ends it. Modes that lie apart are another question: see `modes`.

References: Yao, Vehtari, Simpson and Gelman, "Yes, but did it work?: Evaluating variational
inference", 2018, https://arxiv.org/abs/1802.02538; Vehtari, Simpson, Gelman, Yao and Gabry, "Pareto
smoothed importance sampling", 2024, https://arxiv.org/abs/1507.02646.
"""

from __future__ import annotations

import math

import numpy as np

from ...arrays import Array
from ...fitting import Running
from ...verdict import Reason
from ..importance import MIN_SAMPLES, summarise
from .improper import improper_approximation
from .numeric import Numeric
from .psis import MIN_ESS, Smoothed, smooth
from .short_chains import Walked, walked
from .sites import elements

_MAX_KHAT = 0.7  # of a row's few draws, whose k-hat is unsure by some 0.1
_LOST = 1.0  # k-hat above which weighted draws have no mean
_EVEN = 0.98  # of the draws count where weights are all but equal
_MEAN_OFF, _SD_OFF = 0.1, 0.1  # standard deviations, and log ratio, that draws may be off
_SURE = 3.0  # standard errors beyond that
_MEAN_WRONG, _SD_WRONG = 0.5, math.log(1.5)  # however few draws of a heavy tail it stems from
_CONSTANT = 1e-12  # a spread, as a share of the mean, up to which values are all the same
_SHIFT, _RATIO = 0.25, 1.3  # of short chains, from which it is told
_FAR, _WIDE = 1.0, 2.0  # and from which the approximation has failed
_FALSE_ALARM = 1e-3  # chance that chains from the posterior itself are told
_ROUNDED = 1e-6  # of a count of draws that are alike
_MOVED = 0.1  # share of proposals that chains are to accept


def judged(
    f: Numeric, z: Array, log_weights: Array, name: str, advice: str, fit: Running,
    *, resampled: bool = False,
) -> list[Reason]:  # fmt: skip
    """What is to be said of draws z (n, p) of an approximation: one reason at the least.

    Args:
        log_weights: (n,) of the draws; where they were drawn anew by their weights, (K,) of those
            that they come from.
        name: what the approximation is, such as "the mean-field guide".
        advice: what to do where it is off.
        fit: has the seed, and the time that is left.
        resampled: whether the draws were drawn anew by their weights.
    """
    try:
        if found := improper_approximation(f, z):
            return found
        reasons = of_log_weights(log_weights, name, advice, resampled=resampled)
        if not resampled and _ok(reasons):
            reasons += of_moments(*scales(f, z), smooth(log_weights).weights, name, advice)
        if _ok(reasons):
            rng = np.random.default_rng([fit.seed, 0xC4A1])
            moved = walked(f, z, rng, fit.deadline)
            reasons += of_chains(moved, f.target.coordinates, name, advice)
        return reasons
    except KeyboardInterrupt:  # the draws are made, and are kept
        what = f"how far off {name} is is not known: looking at it was interrupted."
        return [Reason("warn", what, "Fit again to know.")]


def of_log_weights(
    log_weights: Array, name: str, advice: str, *, resampled: bool = False
) -> list[Reason]:
    """`of_weights` of log weights (K,), of which there may be too few, or none above zero."""
    if len(log_weights) < MIN_SAMPLES:
        return [_too_few(len(log_weights), name)]
    if not np.isfinite(log_weights).any():
        what = f"the log joint is not finite at any draw of {name}."
        return [Reason("failed", what, advice)]
    return of_weights(smooth(log_weights), name, advice, resampled=resampled)


def _ok(reasons: list[Reason]) -> bool:
    return all(reason.status == "ok" for reason in reasons)


def of_weights(
    weights: Smoothed, name: str, advice: str, *, resampled: bool = False, each: int = 1
) -> list[Reason]:
    """What weights say: a warning if k-hat is too high or few draws count; failed where draws were
    to be mended by weights that cannot be.

    Args:
        each: nearly independent draws that a weight stands for.
    """
    count, worth = len(weights.weights), f"are worth {weights.ess:.0f} when weighted"
    if not (weights.khat <= weights.good or weights.ess >= _EVEN * count):
        khat, good = _unlike(weights.khat, weights.good)
        what = f"{name} misses the posterior (Pareto k-hat {khat}, above {good}; {count} draws "
        lost = resampled and not weights.khat <= _LOST
        return [Reason("failed" if lost else "warn", f"{what}{worth}).", advice)]
    if weights.ess * each < MIN_ESS * (1 - _ROUNDED):
        what = f"{name} is far from the posterior: {count} draws {worth}, below {MIN_ESS}."
        return [Reason("warn", what, advice)]
    alike = math.isinf(weights.khat)
    tail = "no Pareto k-hat, as weights are alike" if alike else f"Pareto k-hat {weights.khat:.2f}"
    return [Reason("ok", f"{name}: {tail}; {count} draws {worth}.")]


def _unlike(value: float, limit: float) -> tuple[str, str]:
    """Two numbers with as many digits as tell them apart."""
    for digits in range(2, 6):
        both = f"{value:.{digits}f}", f"{limit:.{digits}f}"
        if both[0] != both[1]:
            return both
    return both


def scales(f: Numeric, z: Array) -> tuple[Array, list[str]]:
    """Draws z (n, p) as values of sites, and as they are: (n, k), and what the k are."""
    names, columns = [], []
    for name, values in f.constrain(z[None]).items():
        names += elements(name, values.shape[2:])
        columns.append(values[0].reshape(len(z), -1))
    names += [f"{name} on the unconstrained scale" for name in f.target.coordinates]
    return np.concatenate([*columns, z], axis=1), names


def of_moments(
    values: Array, names: list[str], weights: Array, name: str, advice: str
) -> list[Reason]:
    """A warning where means or standard deviations of draws (n, k) are not those of the weighted
    draws, which good weights bring to the posterior's.

    Args:
        names: of the k.
        weights: (n,) with sum 1.
    """
    n, w = len(values), len(values) * weights[:, None]
    mean, sd = values.mean(axis=0), values.std(axis=0)
    varies = sd > _CONSTANT * np.abs(mean)
    if not varies.any():
        return []
    x = (values[:, varies] - mean[varies]) / sd[varies]
    shift = (w * x).mean(axis=0)
    centred = x - shift
    variance = np.maximum((w * centred**2).mean(axis=0), 1e-12)
    # Standard errors by the delta method, of the difference of both means of the same draws.
    of_shift = (w * centred - x).std(axis=0) / math.sqrt(n)
    of_log_sd = (w * (centred**2 / variance - 1) - (x**2 - 1)).std(axis=0) / 2 / math.sqrt(n)
    log_sd = 0.5 * np.log(variance)
    off, log_off = np.abs(shift), np.abs(log_sd)
    sure = (off - _SURE * of_shift) / _MEAN_OFF, (log_off - _SURE * of_log_sd) / _SD_OFF
    far = np.maximum.reduce([*sure, off / _MEAN_WRONG, log_off / _SD_WRONG])
    worst = int(np.argmax(far))
    if not far[worst] > 1:
        return []
    what = (
        f"the draws of {name} are off: by their weights the mean of "
        f"{np.compress(varies, names)[worst]} is "
        f"{abs(shift[worst]):.2f} standard deviations {'above' if shift[worst] > 0 else 'below'} "
        f"theirs and its standard deviation {math.exp(log_sd[worst]):.2f} times theirs."
    )
    return [Reason("warn", what, advice)]


def of_chains(found: Walked | None, coordinates: list[str], name: str, advice: str) -> list[Reason]:
    """What short chains say: a warning if they leave the draws, failed if far."""
    from scipy.stats import norm

    if found is None:
        what = f"no short chains were run to see what {name} misses: they would take too long."
        return [Reason("ok", what)]
    if found.accepted < _MOVED:
        what = (
            f"short chains that start at the draws of {name} hardly move ({found.accepted:.0%} of "
            "proposals accepted): its spread is not that of the posterior around it."
        )
        return [Reason("warn", what, advice)]
    sure = float(norm.isf(_FALSE_ALARM / 4 / len(coordinates)))
    grown = np.abs(np.log(found.ratio))
    drifts = np.abs(found.shift) > np.maximum(_SHIFT, sure * found.shift_stderr)
    widens = grown > np.maximum(math.log(_RATIO), sure * found.ratio_stderr / found.ratio)
    drift = np.where(drifts, np.abs(found.shift), 0.0)
    change = np.where(widens, grown, 0.0)
    runs = f"{found.chains} short chains that start at the draws of {name}"
    if not (drifts.any() or widens.any()):
        return [Reason("ok", f"{runs} stay among them.")]
    failed = drift.max() > _FAR or change.max() > math.log(_WIDE)
    k = int(np.argmax(np.maximum(drift / _FAR, change / math.log(_WIDE))))
    what = (
        f"{runs} leave them: the mean of {coordinates[k]} moves by {found.shift[k]:+.2f} standard "
        f"deviations, its standard deviation becomes {found.ratio[k]:.2f} times as large (on the "
        "unconstrained scale), and longer chains may go farther."
    )
    return [Reason("failed" if failed else "warn", what, advice)]


def by_row(log_weights: Array, name: str, advice: str) -> list[Reason]:
    """As `of_weights`, where the latents are local to rows: a warning if more than one row in
    twenty has too high a k-hat.

    Args:
        log_weights: (rows, draws) log p(x_i, z_i) - log q(z_i).
    """
    n, draws = log_weights.shape
    if draws < MIN_SAMPLES:
        return [_too_few(draws, name)]
    found = summarise(log_weights.astype(np.float64))
    bad = float(np.mean(~(found.khat <= _MAX_KHAT)))
    said = f"Pareto k-hat above {_MAX_KHAT} for {bad:.0%} of {n} rows; of {draws} draws of a row "
    said += f"{np.median(found.ess):.0f} count in the middle"
    if bad <= 0.05:
        return [Reason("ok", f"{name}: {said}.")]
    return [Reason("warn", f"{name} misses the posterior ({said}).", advice)]


def _too_few(draws: int, name: str) -> Reason:
    """A warning that nothing is known of an approximation."""
    what = f"{draws} draws are too few to say how far off {name} is."
    return Reason("warn", what, f"Give num_draws of {MIN_SAMPLES} or more.")
