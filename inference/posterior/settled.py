"""Whether training had settled when it ended."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...verdict import Reason

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
