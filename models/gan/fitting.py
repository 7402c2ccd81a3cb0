"""How a GAN is fitted: what its nets are, which rows they see, what is said of the training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...arrays import Array
from ...data import AnyCodec, Codec
from ...errors import InputError
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason, warning
from ..nets.device import Machine
from ..nets.held_out import Split
from ..nets.sheet_keeper import SheetKeeper
from ..nets.sheets import Sheets
from ..nets.table_view import TableView, check_told
from ..nets.trainer import Trainer, Training
from ..nets.verdicts import all_rows, too_few
from ..nets.views import View
from . import looked, verdicts
from .calibration import calibrated
from .held_out_score import most_scored
from .plan import planned
from .trained import SHEET, TrainedGAN

_LATE = 0.25  # share of a budget by which it is overrun at most to look at samples
_NOT_LOOKED = "samples were not looked at for lost modes and copies: the budget left no time."
_SHOWN, _POINTS = 24, 500  # generated images, and rows, that are kept of an evaluation
_AT_ONCE = {"start": None, "growing": 0.0}  # what a GAN that does not grow leaves out


@dataclass(frozen=True)
class Fitted:
    """What a fit gives: the nets, their training, what is said of it, and what was chosen of the
    game."""

    nets: TrainedGAN
    training: Training
    sheets: Sheets
    reasons: list[Reason]
    chosen: dict[str, Any]


def fit_nets(
    settings: Mapping[str, Any], codec: AnyCodec, rows: Rows, fit: Fit, machine: Machine
) -> Fitted:
    """Fit a GAN of these settings, or of those of one that grows."""
    asked = SimpleNamespace(**{**_AT_ONCE, **settings})
    split = Split(rows, fit)
    view = _view(asked, codec, rows.take(split.numbers), fit)
    if not view.values.features:
        raise InputError("every column is constant or empty; there is nothing to model.")
    split.rows = view.with_context(rows)
    if fit.validation is not None:
        fit.validation = view.with_context(fit.validation)
    # Generated numbers are spread over the places within ties, so all real ones are.
    seen, unseen = split.subsets(partial(view.stored, rng=np.random.default_rng([fit.seed, 0x71])))
    plan = planned(asked, view.values, seen, machine, timed=fit.deadline() is not None)
    held = unseen
    nets = TrainedGAN(plan.architecture, view, fit.seed, machine.device)
    trainer = Trainer(
        fit, seen, None, plan.schedule, machine=machine, least=plan.steps * int(asked.pack)
    )
    scored, budget = most_scored(view.values), fit.clock.budget
    most = trainer.settled("held-out", lambda: looked.affordable(nets, seen, scored, budget))
    if unseen is not None:
        unseen = unseen.thinned(most, fit.rng())
        unseen = unseen if len(unseen) >= max(2, asked.pack) and len(seen) > 2 else None
    score, sheets = None, None
    if unseen is not None:
        score = nets.score_of(seen.thinned(most, fit.rng()), unseen, most)
        some = min(score.n_samples, _SHOWN if view.values.shape else _POINTS)
        sheets = SheetKeeper({SHEET: (some, view.values.features + plan.architecture.context)})
    again = fit.redraw

    def redrawn(epoch: int) -> Array:
        data = rows.data if again is None else again(epoch)
        return view.stored(data, np.random.default_rng([fit.seed, epoch]))[seen.numbers]

    learner = nets.learner(
        seen,
        unseen,
        score,
        plan,
        redraw=redrawn if again is not None or view.drawn_anew else None,
        often=view.often(rows.take(seen.numbers)),
        sheets=sheets,
        seed=fit.seed,
    )
    trainer.unseen = trainer.evaluated = unseen
    expected = 0.0
    if score is not None and (left := fit.deadline()) is not None:
        expected = looked.seconds(nets, score, seen, fit.seed)
        trainer.after = min(expected, left / 2)
    training = trainer.train(learner)
    nets.keep(learner)
    if isinstance(view, TableView):
        nets.view = calibrated(nets, view, seen, fit.seed)
    reasons = [*training.reasons, *all_rows(asked.batch_size, len(seen))]
    if nets.growth is not None:
        reasons += nets.growth.reasons()
    if unseen is None or held is None or score is None:
        reasons += too_few(len(seen), "Give validation rows.")
    elif not training.failed:
        reasons += verdicts.course(training.outcome, fit.trace, plan.schedule.learning_rate)
        looked.calibrate(nets, unseen, score, fit.seed)
        steps = training.outcome.steps
        with fit.heeding():
            if not fit.interrupted and _late(expected, fit):
                reasons += warning(_NOT_LOOKED, "Raise the budget.")
            elif not fit.interrupted:
                reasons += looked.of_samples(nets, score, seen, held, fit, steps)
    kept = Sheets.of({}) if sheets is None else sheets.sheets()
    return Fitted(
        nets,
        training,
        kept,
        reasons,
        {**plan.chosen(), "batch_size": training.batch_size // plan.steps},
    )


def _late(expected: float, fit: Fit) -> bool:
    """Whether what takes so many seconds would end late by much of the budget."""
    left, budget = fit.clock.left(), fit.clock.budget
    return left is not None and budget is not None and expected - left > _LATE * budget


def _view(asked: Any, codec: AnyCodec, rows: Rows, fit: Fit) -> View:
    """What the nets see of the rows of a codec."""
    if not isinstance(codec, Codec):
        if asked.condition_on is not None:
            raise InputError(
                "condition_on names columns of a table, and images or sequences were given. "
                "Condition on labels: GAN(conditional=True).fit(X, y)."
            )
        return View.of(codec)
    told = [fit.schema[name].name for name in asked.condition_on or ()]
    if told and rows.context is not None:
        raise InputError(
            f"condition_on names {', '.join(told)}, and conditional is True; what is drawn of "
            "columns that are not given would not go with y. Put y among the columns and name it "
            "in condition_on, or leave one of both out."
        )
    check_told(codec, told)
    return TableView.fit(codec, rows, ranks=asked.margins == "ranks", told=told, rng=fit.rng())
