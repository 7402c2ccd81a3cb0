"""What is said of a translation: errors, what it leaves as it is, how varied it is, and who won.

Differences are of standardised pictures where nothing else is said, means over their values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from ...errors import InputError
from ...inference.learner import Outcome
from ...verdict import Reason, warning
from ..nets.verdicts import steps_words

_SAME = 0.5  # share of rows that are in both domains from which these are the same
_SOME = 0.01  # and from which it is said
_ERROR = 0.9  # of a constant picture's error, from which a translation says little
_CYCLE = 0.5  # the same of going there and back
_MOVED = 0.1  # of the distance to the nearest row of the target, below which nothing was changed
_VARIED = 0.25  # of the distance between two rows of the target, below which translations are alike
_APART = 0.99  # how surely a discriminator that has won tells translations from rows
_EARLY = 0.1  # share of the steps after which nothing got better
STEPS = 300  # below which no translation has learnt much


def same(x: Set[bytes], y: Set[bytes]) -> list[Reason]:
    """Whether the domains hold the same rows.

    Args:
        x, y: what the rows of each say.

    Raises:
        InputError: if at least half of the rows of either are in the other too, or those of one are
            all alike.
    """
    for name, rows in (("X", x), ("y", y)):
        if len(rows) == 1:
            raise InputError(
                f"the rows of {name} are all alike, and there is nothing in them to translate. "
                "Give rows that differ."
            )
    each = [len(x & y) / max(len(rows), 1) for rows in (x, y)]
    share = max(each)
    if share >= _SAME:
        raise InputError(
            f"{share:.0%} of the different rows of {'X' if share == each[0] else 'y'} are in "
            f"{'y' if share == each[0] else 'X'} too: the domains are the same, and there is "
            "nothing to translate. Give two domains, such as the folders of two kinds of pictures."
        )
    if share < _SOME:
        return []
    return warning(
        f"{share:.1%} of the rows of a domain are in the other too.",
        "Leave them out of one: a translation is to leave them as they are.",
    )


def few_looked(looked: int, wanted: int) -> list[Reason]:
    """Whether a budget left no time to look at as many rows of each domain as are wanted."""
    if looked >= wanted:
        return []
    what = f"the budget left time to look at translations of {looked} rows of each domain, not of"
    return [Reason("ok", f"{what} {wanted}.")]


def pairs(error: float, constant: float, seen: float, name: str) -> list[Reason]:
    """What the error against held-out pairs says.

    Args:
        error, seen: mean absolute errors of held-out pairs, and of pairs trained on.
        constant: of the mean picture, on held-out pairs.
    """
    what = f"held-out pairs: absolute error {error:.3g} deviations of {name}"
    what += f" (the mean picture: {constant:.3g}; pairs trained on: {seen:.3g})"
    if error >= _ERROR * constant:
        return warning(
            f"{what}: little of it is learnt.",
            "Check that X and y are in one order; give more pairs, train longer, or raise "
            "l1_weight.",
        )
    if seen < 0.5 * error:
        return warning(f"overfitting: {what}.", "Give more pairs, or set dropout=0.5.")
    return [Reason("ok", f"{what}.")]


def cycle(x: float, y: float) -> list[Reason]:
    """What going there and back says.

    Args:
        x, y: mean absolute errors after it of held-out rows of each domain, over those of their
            mean picture.
    """
    what = f"there and back leaves {x:.2f} of the spread of X and {y:.2f} of that of y"
    if max(x, y) < _CYCLE:
        return [Reason("ok", f"{what}.")]
    return warning(f"{what}: what pictures are of is lost.", "Raise cycle_weight, or train longer.")


def unchanged(found: Sequence[tuple[float, float]], name: str, advice: str) -> list[Reason]:
    """Whether a translation gives back what it is given.

    A net that passes pictures through gives back standardised ones; one that has learnt what
    standardising did to either domain gives back those of the data.

    Args:
        found: of pictures standardised, and of those in the units of the data, the mean absolute
            change of held-out rows, and how far these are from their pairs, or from the nearest
            rows of the other domain.
        name: of the domain that it goes to.
    """
    for (moved, wanted), units in zip(found, ("deviations", "units of the data"), strict=True):
        if moved < _MOVED * wanted:
            return warning(
                f"identity collapse: translations to {name} change pictures by {moved:.2g} "
                f"{units}, and they are {wanted:.2g} from what they should be like.",
                advice,
            )
    return []


def varied(made: float, real: float, name: str, steps: int = STEPS) -> list[Reason]:
    """Whether translations differ from each other.

    Args:
        made: mean distance of two translations of held-out rows.
        real: of two rows of the domain that they go to.
        name: of that domain.
        steps: of the training; after few, nothing has collapsed yet.
    """
    if made >= _VARIED * real:
        return []
    what = f"two translations to {name} are {made:.2g} apart on average, two rows of {name} "
    what += f"{real:.2g}."
    if steps < STEPS:
        return warning(
            f"little is learnt after {steps_words(steps)}: {what}",
            "Train longer (raise budget or max_epochs).",
        )
    return warning(
        f"mode collapse: {what}",
        "Lower learning_rate, or set r1=1.0 or another objective.",
    )


def won(
    outcome: Outcome, trace: Sequence[Mapping[str, Any]], rate: float, *, paired: bool = False
) -> list[Reason]:
    """Whether a discriminator has won for good: it tells held-out rows from translations with
    certainty for the last half of the training, and these get no better.

    Args:
        trace: the records, with what was measured (see `game`).
        rate: the learning rate, for the advice.
        paired: whether the error against pairs was lowered besides, so that a discriminator that is
            sure does no harm as long as this falls.
    """
    records = [r["measures"] for r in trace if r.get("measures") and r["step"]]
    last = records[len(records) // 2 :]
    sure = [
        name.removeprefix("told apart ")
        for name in (last[-1] if len(last) > 1 else ())
        if name.startswith("told apart") and all(r.get(name, 0.0) >= _APART for r in last)
    ]
    if not sure or outcome.why == "interrupted":
        return []
    early = outcome.best_step <= _EARLY * outcome.steps
    what = f"the discriminator of {' and of '.join(sure)} tells translations from rows with "
    what += "certainty since half of the training"
    advice = f"Set r1=1.0, lower learning_rate ({rate:g}), or objective='relativistic'."
    if early:
        what = f"{what}, and they were best at step {outcome.best_step}: it has won for good."
        return [Reason("failed", what, advice)]
    if paired:
        return [Reason("ok", f"{what}.")]
    return warning(f"{what}.", f"{advice} Or train longer.")
