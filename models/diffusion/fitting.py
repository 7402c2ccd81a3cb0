"""How a diffusion model is fitted: what its net is, which rows it sees, what is said of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...arrays import Array, Floats
from ...data import AnyCodec
from ...errors import InputError
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason
from ..nets.device import Machine
from ..nets.held_out import Split, Subset
from ..nets.trainer import Trainer, Training
from ..nets.views import View
from . import novelty, verdicts
from .pixel_levels import PixelView, matched
from .plan import Plan, planned
from .trained import TrainedDiffusion
from .views import view_of

_SCALED, _POWERS = 2000, 20  # rows that spreads are estimated from, and iterations
_SCALED_VALUES = 1 << 23  # values of these rows
_EVALUATED = 1 << 21  # features of held-out rows that are evaluated, at most
_FEWEST, _MOST = 256, 2048  # of these rows
_GAUSSIAN, _GAUSSIAN_VALUES = 20_000, 1 << 22  # rows that the Gaussian is fitted to, and values


@dataclass(frozen=True)
class Fitted:
    """What a fit gives: the net, its training, and what is said of it."""

    nets: TrainedDiffusion
    training: Training
    reasons: list[Reason]


def fit_net(
    settings: Mapping[str, Any], codec: AnyCodec, rows: Rows, fit: Fit, machine: Machine
) -> Fitted:
    """Fit a diffusion model of these settings."""
    asked = SimpleNamespace(**settings)
    if not asked.hold_out and fit.validation is not None:
        raise InputError(
            "hold_out is False, and validation rows were given, which could only be ignored. Leave "
            "one of both out."
        )
    split = Split(rows, fit, hold=asked.hold_out)
    numbers = split.numbers
    view = view_of(asked, codec, rows.take(numbers), lambda: fit.units()[numbers], fit)
    if not view.values.features:
        raise InputError("every column is constant or empty; there is nothing to model.")
    split.rows = view.with_context(rows)
    if fit.validation is not None:
        fit.validation = view.with_context(fit.validation)
    # Generated numbers are spread over the places within ties, so all real ones are.
    seen, unseen = split.subsets(partial(view.stored, rng=np.random.default_rng([fit.seed, 0x71])))
    most = max(_FEWEST // 4, min(_SCALED, _SCALED_VALUES // view.values.features))
    sigma_data, widest = _spreads(view, seen.thinned(most, fit.rng()))
    timed, gpu = fit.deadline() is not None, machine.device.type == "cuda"
    plan = planned(asked, view.values, seen, sigma_data, timed=timed, widest=widest, gpu=gpu)
    _check_coupling(plan, seen)
    held = unseen
    if unseen is not None:
        most = max(_FEWEST, min(_MOST, _EVALUATED // view.values.features))
        unseen = unseen.thinned(most, fit.rng())
    nets = TrainedDiffusion(plan.architecture, view, plan.noise, fit.seed, machine.device)
    nets.fit_levels(seen)
    again = fit.redraw

    def redrawn(epoch: int) -> Array:
        data = rows.data if again is None else again(epoch)
        return view.stored(data, np.random.default_rng([fit.seed, epoch]))[seen.numbers]

    anew = again is not None or view.drawn_anew
    trainer, samples = Trainer(fit, seen, unseen, plan.schedule, machine=machine), 0
    evaluated = trainer.evaluating(novelty.once(nets))
    learner = nets.learner(seen, evaluated, plan, redraw=redrawn if anew else None, seed=fit.seed)
    if held is not None:
        samples, trainer.after = novelty.affordable(nets, trainer)
    training = trainer.train(learner)
    most = max(_FEWEST, min(_GAUSSIAN, _GAUSSIAN_VALUES // view.values.features))
    nets.keep(learner, seen.thinned(most, fit.rng()))
    reasons = verdicts.course(training, seen, unseen, held=asked.hold_out)
    reasons += verdicts.scales(codec)
    if held is None:
        reasons += verdicts.not_judged("no rows were held out")
    elif not training.failed:
        with fit.heeding():
            n = 0 if fit.interrupted else min(samples, novelty.of_training(nets, training))
            made = novelty.drawn(nets, seen, held, n, fit.seed)
            if made is not None and isinstance(view, PixelView):
                nets.view, moved = matched(view, made, seen, held, fit.seed)
                reasons += verdicts.levels(moved)
            found = novelty.repeats(nets, made, seen, held, fit.seed)
            reasons += verdicts.novelty(found, images=plan.architecture.net == "unet")
    return Fitted(nets, training, reasons)


def _spreads(view: View, some: Subset) -> tuple[float, float]:
    """Of the numbers of rows: their standard deviation, about 0, and that along the direction in
    which they spread widest; 1 and 0 where there are none."""
    values = view.values
    if not values.numbers:
        return 1.0, 0.0
    x = np.asarray(some.values()[0], np.float64)[:, : values.numbers]
    x = np.asarray(values.enter(x))
    return max(float(np.sqrt(np.mean(np.square(x)))), 1e-3), _widest(x)


def _widest(x: Floats) -> float:
    """The largest singular value of centred rows (n, D) over sqrt(n), by power iterations."""
    centred = x - x.mean(0)
    along = centred[np.argmax(np.square(centred).sum(1))]
    size = 0.0
    for _ in range(_POWERS):
        if not (length := float(np.linalg.norm(along))):
            return 0.0
        back = centred @ (along / length)
        size, along = float(np.linalg.norm(back)), back @ centred
    return size / math.sqrt(len(x))


def _check_coupling(plan: Plan, seen: Subset) -> None:
    """Raise InputError if noise cannot be paired with these rows."""
    if plan.coupling == "independent":
        return
    if seen.weights is not None:
        raise InputError(
            'coupling is "optimal", which pairs rows of equal weight, and sample_weight was given. '
            'Leave it out, or take coupling="independent".'
        )
    if seen.context is not None:
        some = seen.context[seen.numbers]
        if 4 * len(np.unique(some, axis=0)) > plan.schedule.batch_size:
            raise InputError(
                'coupling is "optimal", which pairs rows of the same y, and too few rows of a '
                'batch share theirs. Take coupling="independent", a larger batch_size, or a y of '
                "fewer values."
            )
