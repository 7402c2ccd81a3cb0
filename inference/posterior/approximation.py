"""Whether a fit by optimisation has settled, and how far the approximation is from the posterior.

An approximation q is judged by the weights p(theta, data) / q(theta) of its draws: they are those
of importance sampling, and where their Pareto k-hat is above 0.7 no reasonable number of draws
makes up for what q misses.

Reference: Yao, Vehtari, Simpson and Gelman, "Yes, but did it work?: Evaluating variational
inference", 2018, https://arxiv.org/abs/1802.02538.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...arrays import Array
from ...verdict import Reason
from ..importance import MIN_SAMPLES, summarise

MAX_KHAT = 0.7
LEAST_STEPS = 100


def settled(why: str, steps: int, losses: Sequence[float], n: int) -> list[Reason]:
    """Warnings if SVI ended before the ELBO had settled: before its mean over the last quarter of
    the records agreed with that of the quarter before.

    Args:
        why: how training ended: see `inference.learner.Outcome`.
        losses: nats a row, of records some steps apart.
        n: rows.
    """
    if why == "diverged":
        return [Reason("failed", "the ELBO is not finite.", "Lower learning_rate.")]
    if why == "budget":
        advice = "Give a larger budget, or fewer num_steps."
        return [Reason("warn", "the budget ended before the ELBO had settled.", advice)]
    if why == "interrupted":
        what = "the fit was interrupted before the ELBO had settled."
        return [Reason("warn", what, "Let it run on, or give a budget.")]
    if steps < LEAST_STEPS:
        what = f"only {steps} steps were taken: the ELBO cannot have settled."
        return [Reason("warn", what, f"Raise num_steps to {LEAST_STEPS} at the least.")]
    quarter = len(losses) // 4
    if quarter < 3:
        return [Reason("ok", "whether the ELBO had settled is not known: it was seen too seldom.")]
    before, last = np.array(losses[-2 * quarter : -quarter]), np.array(losses[-quarter:])
    gain = n * float(before.mean() - last.mean())
    noise = n * math.sqrt((before.var(ddof=1) + last.var(ddof=1)) / quarter)
    if gain > max(1.0, 3 * noise):
        what = f"the ELBO was still rising, by {gain:.1f} nats over the last quarter of the steps."
        return [Reason("warn", what, "Raise num_steps.")]
    return []


def missed(log_weights: Array, name: str, advice: str) -> list[Reason]:
    """What the weights of draws say of an approximation: a warning if k-hat is above 0.7.

    Args:
        log_weights: (1, draws) log p(theta, data) - log q(theta).
        name: what q is, such as "the mean-field guide".
    """
    if log_weights.size < MIN_SAMPLES:
        return [_too_few(log_weights.size, name)]
    found = summarise(log_weights.reshape(1, -1))
    khat, ess = float(found.khat[0]), float(found.ess[0])
    worth = f"{log_weights.size} draws are worth {ess:.0f} of the posterior"
    if khat <= MAX_KHAT:
        return [Reason("ok", f"{name}: Pareto k-hat {khat:.2f}; {worth} when weighted.")]
    what = f"{name} misses the posterior (Pareto k-hat {khat:.2f}, above {MAX_KHAT}; {worth})."
    return [Reason("warn", what, advice)]


def _too_few(draws: int, name: str) -> Reason:
    what = f"{draws} draws are too few to say how far off {name} is."
    return Reason("warn", what, f"Give num_draws of {MIN_SAMPLES} or more.")


def missed_by_row(log_weights: Array, name: str, advice: str) -> list[Reason]:
    """As `missed`, where the latents are local to rows.

    Args:
        log_weights: (rows, draws) log p(x_i, z_i) - log q(z_i).
    """
    n, draws = log_weights.shape
    if draws < MIN_SAMPLES:
        return [_too_few(draws, name)]
    found = summarise(log_weights.astype(np.float64))
    bad = float(np.mean(~(found.khat <= MAX_KHAT)))
    said = f"Pareto k-hat above {MAX_KHAT} for {bad:.0%} of {n} rows; of {draws} draws of a row "
    said += f"{np.median(found.ess):.0f} count in the middle"
    if bad <= 0.05:
        return [Reason("ok", f"{name}: {said}.")]
    return [Reason("warn", f"{name} misses the posterior ({said}).", advice)]
