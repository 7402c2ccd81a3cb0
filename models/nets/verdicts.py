"""What is said of the training of nets: how it went, and how held-out rows compare."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...density import mean_stderr
from ...digits import plus_minus
from ...inference.learner import Outcome
from ...inference.schedule import Schedule
from ...progress import Clock
from ...verdict import Reason, nothing_learnt, warning

FEW_HELD = 10  # draws held out below which means over them say little
_COMPILED = 0.2  # share of a budget from which on compiling is spoken of
FEW_STEPS = 100  # of a budget, in which little is learnt at whatever rate
_BUSY = 0.5  # of a core, below which a fit waits for other programs

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
        what = "nothing was learnt: held-out rows were never better than at the start."
        reasons += nothing_learnt(what, _why_nothing(outcome, settings))
    gain, stderr = outcome.improvement, outcome.improvement_stderr
    if outcome.why in ("budget", "max_epochs") and gain - 2 * stderr > 0.01:
        limit = "the budget" if outcome.why == "budget" else "max_epochs"
        reasons += warning(
            f"still improving when {limit} ended ({gain:.3g} nats over the last evaluations).",
            f"Raise {limit.removeprefix('the ')}.",
        )
    return reasons


def _why_nothing(outcome: Outcome, settings: Schedule) -> str:
    """What to do where no step made held-out rows better, by what the steps did."""
    if outcome.why == "budget" and outcome.steps < FEW_STEPS:
        steps = steps_words(outcome.steps)
        return f"Raise the budget, which left time for {steps}, or give smaller nets."
    if outcome.last_loss < outcome.first_loss:
        return (
            "The rows trained on did become likelier, so the net learns them by heart: give more "
            "rows, or a smaller net; if the columns are independent, there is nothing to learn."
        )
    return (
        f"Lower learning_rate ({settings.learning_rate:g}); if the columns are independent, there "
        "is nothing to learn."
    )


def batch_reasons(asked: int, fits: int, size: int) -> list[Reason]:
    """What to do if the batch that was asked for did not fit in memory, and whether one that fits
    would have taken too much of the budget."""
    reasons = []
    if fits < asked:
        what = f"a batch of {asked} rows does not fit in memory; {fits} do, and were taken."
        reasons += warning(what, f"Set batch_size={fits}, or make the nets smaller.")
    if size < fits:
        what = f"a step of {fits} rows would take much of the budget: steps of {size} were taken."
        reasons.append(Reason("ok", what))
    return reasons


def compiled(outcome: Outcome, budget: float | None) -> list[Reason]:
    """How much of a budget went into compiling, where it is much."""
    if budget is None or outcome.compiling < _COMPILED * budget:
        return []
    what = f"{outcome.compiling:.2g} s of the budget of {budget:g} s went into compiling"
    left = f"which no smaller budget can leave out; after it came {steps_words(outcome.steps)}."
    return [Reason("ok", f"{what}, {left}")]


def short(steps: int, clock: Clock, before: float, few: int = FEW_STEPS) -> list[Reason]:
    """What is said where a budget ended a training after so few steps that little is learnt.

    Args:
        before: seconds of the budget that were over when the training began.
    """
    if clock.budget is None or steps >= few:
        return []
    what = (
        f"the budget of {clock.budget:g} s left time for {steps_words(steps)}, and below about "
        f"{few} little is learnt; loading and preparing had taken {before:.2g} s of it"
    )
    cores = clock.cores()
    if cores >= _BUSY:
        return warning(f"{what}.", "Raise the budget, or give smaller nets.")
    busy = f", and the fit had {cores:.0%} of a core: the machine was busy with something else."
    return warning(what + busy, "Raise the budget, or fit again when the machine is idle.")


def steps_words(count: int) -> str:
    """A number of steps, as a sentence has it."""
    return f"{count} step" + "s" * (count != 1)


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


def few_held(units: int, least: int = FEW_HELD) -> list[Reason]:
    """Whether the held-out rows, so many independent draws, are too few to judge nets by."""
    if units >= least:
        return []
    rows, are = ("row (or group)", "is") if units == 1 else ("rows (or groups)", "are")
    what = (
        f"{units} held-out {rows} that the training was tuned on {are} too few to judge the fit "
        f"by: at least {least} say something."
    )
    return warning(what, "Give more rows, or more validation rows.")


def likelier(
    seen: Judged, unseen: Judged, columns: int, smaller: str, *, chosen: bool = False
) -> list[Reason]:
    """Whether rows trained on are likelier than held-out ones by more than noise.

    Args:
        seen, unseen: log densities of rows, and hashes of the units that they belong to: rows of a
            unit are one draw.
        columns: how many numbers a row has.
        smaller: how the net is made smaller, as in "a smaller hidden".
        chosen: whether the held-out rows chose the net too, so that the gap is too small.
    """
    also = " (what is fitted was also chosen on these rows)" if chosen else ""
    gap = float(np.mean(seen[0]) - np.mean(unseen[0]))
    stderr = math.hypot(mean_stderr(*seen), mean_stderr(*unseen))
    if gap < max(0.25 * math.sqrt(columns), 3 * stderr):
        return []
    return warning(
        f"rows trained on are {plus_minus(gap, stderr)} nats likelier than held-out ones{also}.",
        f"The net is too large for them: give more rows, or {smaller}.",
    )
