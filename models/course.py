"""What every neural family does around its training: which rows are held out, and what the course
of the training says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..inference.learner import Outcome
from ..inference.schedule import Settings
from ..verdict import Reason

_FEW = 20  # rows below which none are held out


def held_out(hashes: NDArray[np.uint64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which rows are held out: a tenth (a fifth of few rows, none of very few); equal rows go
    together."""
    n = len(hashes)
    if n < _FEW:
        return np.zeros(n, dtype=bool)
    _, group = np.unique(hashes, return_inverse=True)
    groups = group.max() + 1
    wanted = min(max(n // 10, min(n // 5, 100)), 10_000) / n
    order = rng.permutation(groups)
    held: NDArray[np.bool_] = order[group] < round(wanted * groups)
    return held


def course(outcome: Outcome, settings: Settings) -> list[Reason]:
    """What the course of the training says."""
    if outcome.why == "diverged":
        return [
            Reason(
                "failed",
                f"the loss was not finite {outcome.rollbacks + 1} times, each at half the rate.",
                f"Lower learning_rate ({settings.learning_rate:g}) or look for outliers.",
            )
        ]
    found = []
    gain, stderr = outcome.improvement, outcome.improvement_stderr
    if outcome.why in ("budget", "max_epochs") and gain - 2 * stderr > 0.01:
        limit = "the budget" if outcome.why == "budget" else "max_epochs"
        found.append(
            Reason(
                "warn",
                f"still improving when {limit} ended ({gain:.2g} nats over the last evaluations).",
                f"Raise {'budget' if outcome.why == 'budget' else limit}.",
            )
        )
    return found
