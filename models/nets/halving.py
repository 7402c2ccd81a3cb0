"""Successive halving: which of several fits is the best, found while they are trained.

In each round all contenders that are left are trained on for the same share of the schedule, from
where they stand, and those that are best on held-out rows stay. The last one is then trained to the
end: of its own training nothing is lost, and each of the others costs its rounds. Contenders come
in order of preference. The first, which may be a slow starter, stays to the last round, in which it
is trained before the others: what has by then come less far than the first leaves, as what is ahead
only for a while shall not cost a whole round, and another one wins only if it is better. One whose
scores are not finite is out.

Of the paired differences d_i of held-out rows, those of a unit being one draw, one contender is
better than another where their mean is above two standard errors. A few rows far out would make
both what they are: before that d is cut off at `_FAR` median absolute deviations from its median,
if these are not 0.

Reference: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
optimization", 2016, https://arxiv.org/abs/1502.07943.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ...arrays import Floats, Hashes
from ...density import mean_stderr

C = TypeVar("C")
_FAR = 10.0  # of normal differences, 7 standard deviations


@dataclass(frozen=True)
class Round:
    """A round of the contest.

    Attributes:
        share: of the whole schedule, that each contender is trained for.
        kept: how many stay at most.
    """

    share: float
    kept: int


def best(
    contenders: Sequence[C],
    train: Callable[[C, float], Floats],
    rounds: Sequence[Round],
    units: Hashes | None = None,
) -> tuple[C, dict[C, float]]:
    """The best contender, and the last mean score of each.

    Args:
        train: trains a contender for a share of the schedule, and gives its score on each held-out
            row, (m,); larger is better, and one that is not finite loses.
        units: (m,) what each held-out row belongs to; None takes each for itself.
    """
    left, scores = list(contenders), dict[C, Floats]()

    def behind(contender: C) -> bool:
        return contender in scores and _better(scores[left[0]], scores[contender], units)

    for each in rounds:
        for contender in list(left):
            if contender is not left[0] and behind(contender):
                left.remove(contender)
            else:
                scores[contender] = train(contender, each.share)
        left = [c for c in left if math.isfinite(_mean(scores[c]))] or left[:1]
        others = sorted((c for c in left[1:] if not behind(c)), key=lambda c: -_mean(scores[c]))
        others = others[: each.kept - 1]
        if not others:
            break
        left = [left[0], *others]
    return preferred(left, scores, units), {c: _mean(score) for c, score in scores.items()}


def preferred(
    contenders: Sequence[C], scores: Mapping[C, Floats], units: Hashes | None = None
) -> C:
    """The first that the one of the largest mean is not better than by two standard errors."""
    top = max(contenders, key=lambda c: _mean(scores[c]))
    return next(c for c in contenders if c is top or not _better(scores[top], scores[c], units))


def _better(values: Floats, than: Floats, units: Hashes | None) -> bool:
    if not (math.isfinite(_mean(values)) and math.isfinite(_mean(than))):
        return math.isfinite(_mean(values))
    difference = values - than
    middle = np.median(difference)
    far = _FAR * np.median(np.abs(difference - middle))
    if far > 0:  # else most rows are copies
        difference = difference.clip(middle - far, middle + far)
    return bool(difference.mean() > 2 * mean_stderr(difference, units))


def _mean(values: Floats) -> float:
    mean = float(values.mean())
    return mean if math.isfinite(mean) else -math.inf
