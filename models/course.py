"""What every neural family does around its training: which rows are held out, what the course of
the training says, and whether rows were learnt by heart."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..density import mean_stderr
from ..inference.learner import Outcome
from ..inference.schedule import Schedule
from ..verdict import Reason

Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]
Rows = tuple[Floats, Floats | None]  # x, context

_SOME = 2000  # rows that overfitting is looked for on
_FEW = 20  # rows below which none are held out


def held_out(units: Hashes, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which rows are held out: a tenth (a fifth of few rows, none of very few).

    Rows of a unit go together: they are taken in random order as long as the rows wanted are not
    exceeded; if the first alone exceeds them, the smallest is taken, unless it is more than half.

    Args:
        units: (n,) a number or hash of each row's unit (`data.units`).
    """
    n = len(units)
    if n < _FEW:
        return np.zeros(n, dtype=bool)
    _, unit, sizes = np.unique(units, return_inverse=True, return_counts=True)
    wanted = min(max(n // 10, min(n // 5, 100)), 10_000)
    place = rng.permutation(len(sizes))  # of each unit in the order
    order = np.argsort(place)
    chosen = (np.cumsum(sizes[order]) <= wanted)[place]
    if not chosen.any() and 2 * sizes.min() <= n:
        chosen[np.argmin(sizes)] = True
    held: NDArray[np.bool_] = chosen[unit]
    return held


def course(outcome: Outcome, settings: Schedule) -> list[Reason]:
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
    if outcome.steps and not outcome.best_step and math.isfinite(outcome.best):
        found.append(
            Reason(
                "warn",
                "nothing was learnt: held-out rows were never better than at the start.",
                f"Lower learning_rate ({settings.learning_rate:g}), give more rows or validation "
                "rows; if the columns are independent, there is nothing to learn.",
            )
        )
    gain, stderr = outcome.improvement, outcome.improvement_stderr
    if outcome.why in ("budget", "max_epochs") and gain - 2 * stderr > 0.01:
        limit = "the budget" if outcome.why == "budget" else "max_epochs"
        found.append(
            Reason(
                "warn",
                f"still improving when {limit} ended ({gain:.3g} nats over the last evaluations).",
                f"Raise {'budget' if outcome.why == 'budget' else limit}.",
            )
        )
    return found


def overfit(
    log_prob: Callable[[Floats, Floats | None], Floats],
    rows: Rows,
    held: Rows | None,
    rng: np.random.Generator,
    smaller: str,
    units: tuple[Hashes, Hashes] | None = None,
) -> list[Reason]:
    """Whether rows trained on are likelier than held-out ones by more than noise.

    Args:
        log_prob: (n,) log densities of rows and their context.
        rows, held: what was trained on, and what was not.
        smaller: the settings that make the net smaller.
        units: what each of these rows belongs to; rows of a unit are one draw.
    """
    if held is None:
        return [
            Reason(
                "warn",
                f"{len(rows[0])} rows (or their groups) are too few to hold any out, so nothing "
                "stopped the net.",
                "Give validation rows, or use gaussian or kde.",
            )
        ]

    def some(part: Rows, of: Hashes | None) -> tuple[float, float]:
        # Enough rows to see a gap, few enough to cost nothing.
        x, context = part
        which = rng.choice(len(x), size=min(_SOME, len(x)), replace=False)
        values = log_prob(x[which], None if context is None else context[which])
        return float(np.mean(values)), mean_stderr(values, None if of is None else of[which])

    of_rows, of_held = units or (None, None)
    (seen, error), (unseen, other) = some(rows, of_rows), some(held, of_held)
    gap, stderr = seen - unseen, math.hypot(error, other)
    if gap < max(0.25 * math.sqrt(rows[0].shape[1]), 3 * stderr):
        return []
    return [
        Reason(
            "warn",
            f"rows trained on are {gap:.2g} nats likelier than held-out ones (± {stderr:.2g}).",
            f"The net is too large for them: give more rows, or a smaller {smaller}.",
        )
    ]
