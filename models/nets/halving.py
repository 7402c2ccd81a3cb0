"""Successive halving: which of several fits is the best, found while they are trained.

In each round all contenders that are left are trained on for the same share of the schedule, from
where they stand, and those that are best on held-out rows stay. The last one is then trained to the
end: of its own training nothing is lost, and each of the others costs its rounds.

Reference: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
optimization", 2016, https://arxiv.org/abs/1502.07943.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

C = TypeVar("C")


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
    contenders: Sequence[C], train: Callable[[C, float], float], rounds: Sequence[Round]
) -> tuple[C, dict[C, float]]:
    """The best contender, and the last score of each.

    Args:
        train: trains a contender for a share of the schedule, and gives its mean held-out score;
            larger is better, NaN loses.
    """
    left, scores = list(contenders), dict.fromkeys(contenders, -math.inf)
    for each in rounds:
        for contender in left:
            score = train(contender, each.share)
            scores[contender] = -math.inf if math.isnan(score) else score
        left = sorted(left, key=lambda c: -scores[c])[: each.kept]
        if len(left) == 1:
            break
    return left[0], scores


def spent(rounds: Sequence[Round], score: int) -> float:
    """The share of the schedule that the best of `score` contenders has been trained for."""
    taken = 0.0
    for each in rounds:
        if score == 1:
            break
        taken, score = taken + each.share, min(score, each.kept)
    return taken
