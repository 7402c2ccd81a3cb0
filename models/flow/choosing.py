"""Which kind of flow, and how large: chosen on held-out rows, within the budget of the fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ...fitting import Fit
from ...inference.learner import Outcome
from ...inference.schedule import Schedule
from ...verdict import Reason
from ..nets.halving import Round, best, spent
from ..nets.record import DataUnits
from ..nets.sizes import steps_of
from ..nets.trainer import Trainer
from .architecture import Architecture
from .settings import TAIL
from .sizes import Sizes, sizes_for

FIRST = "nsf-ar"  # what is taken where nothing can be compared
_OTHERS = ("maf", "nsf")
ROUNDS = (Round(0.05, 2), Round(0.1, 1))
_ROWS, _SECONDS, _STEPS = 50, 10.0, 1000  # held-out rows, and a fit, from which on kinds compete
_LOOKS = 100  # steps between two evaluations


@dataclass(eq=False)
class Contender:
    """A flow that may be the one.

    Attributes:
        flow, learner: it on its backend, and what trains it.
        outcome: of what it has been trained so far.
    """

    architecture: Architecture
    sizes: Sizes
    flow: Any
    learner: Any
    outcome: Outcome = field(default_factory=Outcome)

    def __str__(self) -> str:
        hidden = "-".join(map(str, self.sizes.hidden))
        return f"{self.architecture.kind} ({self.sizes.n_transforms} x {hidden})"


def plans(
    settings: Mapping[str, Any], n: int, d: int, held: int, fit: Fit
) -> list[tuple[str, Sizes]]:
    """The kinds and sizes that compete; one where the kind is given, or the fit is too short or has
    too few held-out rows to compare them.

    Args:
        n, d, held: rows trained on, columns, and held-out rows.
    """
    left = fit.deadline()
    sizes = sizes_for(n, d, settings, timed=left is not None)
    if settings["kind"] != "auto":
        return [(settings["kind"], sizes)]
    planned = sizes.training.max_epochs * steps_of(n, sizes.training.batch_size)
    short = planned < _STEPS if left is None else left < _SECONDS
    if short or d < 2 or held < _ROWS or settings["backend"] != "pyro" or settings["devices"] > 1:
        return [(FIRST, sizes)]
    kinds = [FIRST, *(kind for kind in _OTHERS if kind.startswith("nsf") or not splines(settings))]
    return [(kind, sizes) for kind in kinds]


def splines(settings: Mapping[str, Any]) -> bool:
    """Whether something is asked of splines."""
    return settings["bins"] is not None or settings["tail_bound"] != TAIL


def slice_of(schedule: Schedule, n: int, share: float, *, timed: bool) -> Schedule:
    """A share of a schedule for n rows, as one of its own; of a timed one the time is shared."""
    steps = steps_of(n, schedule.batch_size)
    if timed:
        every = min(steps, _LOOKS)
        return replace(
            schedule, epoch_steps=every, evaluate_every=math.ceil(_LOOKS / every), patience=0
        )
    part = max(1, math.ceil(share * schedule.max_epochs * steps / 4))
    return replace(schedule, epoch_steps=part, max_epochs=4, evaluate_every=1, patience=0)


class Contest:
    """Contenders, and what decides between them.

    Args:
        trainer: of the fit. Nothing of the contest is kept in its trace.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.fit = trainer, trainer.fit

    def best(
        self, plans: Sequence[tuple[str, Sizes]], made: Callable[[str, Sizes], Contender]
    ) -> tuple[Contender, list[Reason]]:
        """The contender to train to the end, its schedule what is left of it, and what is said.

        Args:
            made: gives the contender of a kind and sizes.
        """
        kept = None if self.fit.checkpoints is None else self.fit.checkpoints.part("contest")
        state = None if kept is None else kept.latest()
        if state is not None:  # it was decided before the fit was killed
            number, arrays, meta = state
            found = made(*plans[number])
            found.learner.load(arrays)
            found.outcome = Outcome(**meta["outcome"])
            return self._from_now_on(found, len(plans)), [Reason("ok", meta["said"])]
        left = self._left()

        def train(contender: Contender, share: float) -> float:
            return self._train(contender, share, None if left is None else share * left)

        contenders = [made(*plan) for plan in plans]
        found, scores = best(contenders, train, ROUNDS)
        said = self._said(found, scores)
        if kept is not None:
            meta = {"outcome": asdict(found.outcome), "said": said}
            kept.save(contenders.index(found), found.learner.state(), meta)
        return self._from_now_on(found, len(plans)), [Reason("ok", said)]

    def _from_now_on(self, found: Contender, contenders: int) -> Contender:
        if self.fit.clock.budget is None:
            schedule, left = found.sizes.training, 1 - spent(ROUNDS, contenders)
            epochs = math.ceil(left * schedule.max_epochs)
            found.sizes = replace(found.sizes, training=replace(schedule, max_epochs=epochs))
        return found

    def _train(self, contender: Contender, share: float, seconds: float | None) -> float:
        """Train for a share of the schedule, or for some seconds: the mean held-out score."""
        trainer = copy(self.trainer)
        n, timed = len(trainer.seen), seconds is not None
        trainer.settings = slice_of(contender.sizes.training, n, share, timed=timed)
        trainer.fit = fit = replace(self.fit, checkpoints=None, trace=[])
        trainer.record = DataUnits(fit, trainer.seen, trainer.evaluated)
        if seconds is not None:
            trainer.after += max(0.0, (self._left() or 0.0) - seconds)
        outcome = trainer.train(contender.learner).outcome
        self.fit.interrupted |= fit.interrupted
        contender.outcome = joined(contender.outcome, outcome)
        return -math.inf if outcome.why == "diverged" else outcome.best

    def _left(self) -> float | None:
        """Seconds until training ends."""
        left = self.fit.deadline()
        return None if left is None else max(0.0, left - self.trainer.after)

    def _said(self, found: Contender, scores: Mapping[Contender, float]) -> str:
        held = self.trainer.evaluated
        assert held is not None
        log_det = held.log_det[held.numbers]
        units = float(np.mean(log_det[np.isfinite(log_det)]))
        ranked = sorted(scores, key=lambda contender: -scores[contender])
        each = ", ".join(f"{c} {scores[c] + units:.2f}" for c in ranked)
        return (
            f"of {len(scores)} kinds and sizes, {found} was chosen by held-out rows after a part "
            f"of the schedule each (nats: {each})."
        )


def joined(first: Outcome, last: Outcome) -> Outcome:
    """The outcome of a training that went on where another one ended."""
    return replace(
        last,
        steps=first.steps + last.steps,
        epochs=first.epochs + last.epochs,
        best_step=first.steps + last.best_step if last.best_step else first.best_step,
        rollbacks=first.rollbacks + last.rollbacks,
    )
