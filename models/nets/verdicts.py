"""What is said of the training of nets: how it went, and how held-out rows compare."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...density import mean_stderr
from ...inference.learner import Outcome
from ...inference.schedule import Schedule
from ...verdict import Reason, warning

Judged = tuple[Floats, NDArray[np.uint64] | None]  # log densities of rows, and their units


def diverged(outcome: Outcome, settings: Schedule) -> list[Reason]:
    """Whether the loss was finite to the end."""
    if outcome.why != "diverged":
        return []
    return [
        Reason(
            "failed",
            f"the loss was not finite {outcome.rollbacks + 1} times, each at half the rate.",
            f"Lower learning_rate ({settings.learning_rate:g}) or look for outliers.",
        )
    ]


def progress_reasons(outcome: Outcome, settings: Schedule) -> list[Reason]:
    """Whether a fit in nats a row learnt anything, and had time enough."""
    reasons: list[Reason] = []
    if outcome.why == "interrupted":
        return reasons
    if outcome.steps and not outcome.best_step and math.isfinite(outcome.best):
        reasons += warning(
            "nothing was learnt: held-out rows were never better than at the start.",
            f"Lower learning_rate ({settings.learning_rate:g}), give more rows or validation "
            "rows; if the columns are independent, there is nothing to learn.",
        )
    gain, stderr = outcome.improvement, outcome.improvement_stderr
    if outcome.why in ("budget", "max_epochs") and gain - 2 * stderr > 0.01:
        limit = "the budget" if outcome.why == "budget" else "max_epochs"
        reasons += warning(
            f"still improving when {limit} ended ({gain:.3g} nats over the last evaluations).",
            f"Raise {limit.removeprefix('the ')}.",
        )
    return reasons


def batch_reasons(asked: int, size: int) -> list[Reason]:
    """What to do if the batch that was asked for did not fit in memory."""
    if size == asked:
        return []
    what = f"a batch of {asked} rows does not fit in memory; {size} do, and were taken."
    return warning(what, f"Set batch_size={size}, or make the nets smaller.")


def all_rows(asked: int | None, n: int) -> list[Reason]:
    """Whether a batch was asked for (None where it was not) that is larger than n rows."""
    if asked is None or asked <= n:
        return []
    what = f"batch_size is {asked}, and there are {n} rows to train on: a step takes all of them."
    return [Reason("ok", what)]


def too_few(n: int, advice: str) -> list[Reason]:
    """No rows could be held out of n."""
    what = f"{n} rows (or their groups) are too few to hold any out, so nothing stopped the net."
    return warning(what, advice)


def likelier(seen: Judged, unseen: Judged, columns: int, smaller: str) -> list[Reason]:
    """Whether rows trained on are likelier than held-out ones by more than noise.

    Args:
        seen, unseen: log densities of rows, and hashes of the units that they belong to: rows of a
            unit are one draw.
        columns: how many numbers a row has.
        smaller: the settings that make the net smaller.
    """
    gap = float(np.mean(seen[0]) - np.mean(unseen[0]))
    stderr = math.hypot(mean_stderr(*seen), mean_stderr(*unseen))
    if gap < max(0.25 * math.sqrt(columns), 3 * stderr):
        return []
    return warning(
        f"rows trained on are {gap:.2g} nats likelier than held-out ones (± {stderr:.2g}).",
        f"The net is too large for them: give more rows, or a smaller {smaller}.",
    )
