"""What is said of a GAN: how the game went, and what became of its samples.

Losses of players against each other say nothing of how good samples are; what does are the held-out
score (see `held_out_score`), the discriminator's outputs on held-out real rows and on generated
ones (both 0.5 where it cannot tell them), and where samples lie among real rows:

- lost modes: coverage of held-out rows, beside that by as many training rows;
- memorised rows: see `nets.memory`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...arrays import Floats
from ...inference.learner import Outcome
from ...neighbours import Memorised, Neighbours
from ...thinning import thinned
from ...verdict import Reason, nothing_learnt, warning
from ..nets.memory import FEW
from ..nets.memory import memory as memory_reasons
from ..nets.verdicts import steps_words
from .trained import GENERATED, REAL

Trace = Sequence[Mapping[str, Any]]

_WON = 0.9  # mean output on real rows, and 1 less that on generated ones, of who tells them all
_BLIND = 0.02  # of 0.5, within which a discriminator says nothing
_HALF = 0.5  # share of the way from the untrained generator to training rows: less is a bad fit
_RISE = 0.1  # of that way, which is worth more training
_STEPS = 300  # below which no generator has learnt much
_LEAST = 6  # evaluations from which on the course is judged
_COVERED = 0.7  # of the coverage that training rows reach
_CELLS = 500_000_000  # differences that a look for modes takes at most: about a second
MOST = 1000  # rows on either side that modes are looked for among


def course(outcome: Outcome, trace: Trace, rate: float) -> list[Reason]:
    """What the course of a training says.

    Args:
        trace: its records, the first of the untrained nets.
        rate: the highest learning rate.
    """
    scores = np.array([row["validation"] for row in trace if row["validation"] is not None])
    if len(scores) < 2 or not np.isfinite(scores[0]) or outcome.why == "interrupted":
        return []
    way = max(-float(scores[0]), 1e-12)  # training rows are at 0
    third = len(scores) // 3
    if len(scores) >= _LEAST and scores[-third:].mean() < -(1 - _HALF) * way:
        better = scores[-third:].mean() - scores[:third].mean() > _RISE * way
        found = _players(trace[-third:], better=better, rate=rate)
        if found:
            return found
    if not outcome.best_step and outcome.why == "budget":
        return nothing_learnt(
            f"nothing was learnt in the {steps_words(outcome.steps)} that the budget left time "
            "for: held-out rows were never better than at the start.",
            f"Raise budget, lower learning_rate ({rate:g}), or give more rows.",
        )
    if not outcome.best_step:
        return nothing_learnt(
            "nothing was learnt: held-out rows were never better than at the start.",
            f"Lower learning_rate ({rate:g}), train longer, or give more rows.",
        )
    gain, stderr, left = outcome.improvement, outcome.improvement_stderr, -float(scores[-1])
    rising = gain - 2 * stderr > max(_RISE * (gain + max(left, 0.0)), 1e-3 * way)
    if outcome.why == "stopped" or not rising or scores[-1] < outcome.best - 2 * stderr:
        return []
    limit = "the budget" if outcome.why == "budget" else "max_epochs"
    return warning(
        f"still improving when {limit} ended: in the last quarter the held-out score made "
        f"{gain / (gain + max(left, 0.0)):.0%} of the way that then lay between it and that of "
        "training rows.",
        f"Raise {limit.removeprefix('the ')}.",
    )


def _players(trace: Trace, *, better: bool, rate: float) -> list[Reason]:
    """What the outputs of the discriminator say where samples stayed bad."""
    outputs = [
        np.mean([row["measures"][name] for row in trace if name in row["measures"]] or [np.nan])
        for name in (REAL, GENERATED)
    ]
    real, fake = map(float, outputs)
    said = f"{real:.2f} on held-out real rows, {fake:.2f} on generated ones"
    if real > _WON and fake < 1 - _WON and not better:
        return [
            Reason(
                "failed",
                f"the discriminator has won for good: its output is {said}, and the held-out score "
                "is no better than early on.",
                f"Lower learning_rate ({rate:g}), raise penalty_weight or set pack=2; with "
                'objective="minimax" take "relativistic", the default. Columns with values far '
                "out may be the reason too.",
            )
        ]
    if abs(real - 0.5) < _BLIND and abs(fake - 0.5) < _BLIND:
        return nothing_learnt(
            f"the discriminator has learnt nothing: its output is {said}, and samples are bad.",
            f"Raise learning_rate ({rate:g}) or discriminator_steps, lower penalty_weight, or "
            "train longer.",
        )
    return []


def lost_modes(
    generated: Floats,
    seen: Floats,
    unseen: Floats,
    rng: np.random.Generator,
    steps: int = _STEPS,
) -> list[Reason]:
    """Whether samples leave out what held-out rows show.

    Args:
        generated, seen, unseen: (n, d) samples, rows trained on and held-out rows, in the space of
            the held-out score.
        rng: chooses rows, so that the cost is bounded.
        steps: of the training; after few, nothing has collapsed yet.
    """
    if min(map(len, (generated, seen, unseen))) < FEW:
        return []
    most = max(FEW, min(MOST, int((_CELLS / generated.shape[1]) ** 0.5)))
    n = min(len(generated), len(seen), most)
    fake, real = (rows[thinned(len(rows), n, rng)] for rows in (generated, seen))
    unseen = unseen[thinned(len(unseen), most, rng)]
    of = Neighbours(unseen)
    covered, floor = of.of(fake).coverage, of.of(real).coverage
    if covered >= _COVERED * floor:
        return []
    what = f"they cover {covered:.0%} of held-out rows, as many training rows {floor:.0%}."
    if steps < _STEPS:
        return warning(
            f"little is learnt after {steps_words(steps)}, and samples are not yet like the rows: "
            f"{what}",
            f"Train longer (raise budget or max_epochs): below about {_STEPS} steps nothing can be "
            "said of collapse.",
        )
    return warning(
        f"samples leave out part of the rows (mode collapse): {what}",
        "Set pack=2, train longer, or raise penalty_weight.",
    )


def memory(found: Memorised | None) -> list[Reason]:
    """Whether samples repeat training rows."""
    return memory_reasons(found, "Give more rows, train for less time, or take a smaller hidden.")
