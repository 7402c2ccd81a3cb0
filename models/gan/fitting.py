"""How a GAN is fitted: what its nets are, which rows they see, what is said of the training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...arrays import Array
from ...data import AnyCodec, Codec
from ...errors import InputError
from ...fitting import Fit
from ...inference.schedule import Schedule
from ...rows import Rows
from ...verdict import Reason
from ..nets.device import Machine
from ..nets.held_out import Split, Subset
from ..nets.sheet_keeper import SheetKeeper
from ..nets.sheets import Sheets
from ..nets.sizes import epochs_for, net_for, steps_of
from ..nets.trainer import Trainer, Training
from ..nets.values import Values
from ..nets.verdicts import too_few
from . import verdicts
from .augmenting import augmentation
from .calibration import calibrated
from .game import Change, Penalty
from .held_out_score import most_scored
from .image_nets import channels_for
from .nets import Architecture
from .settings import check_rows
from .stages import Stages
from .table_view import TableView, check_told
from .trained import SHEET, TrainedGAN
from .views import View

_BETWEEN = 200  # steps between two evaluations at least
_LAMBDA = 1.0  # of the gradient penalty
_GAMMA, _PER_PIXEL = 0.1, 1e-3  # of R1 and R2: of vectors, and for each pixel
_SHOWN, _POINTS = 24, 500  # generated images, and rows, that are kept of an evaluation
_AT_ONCE = {"start": None, "growing": 0.0}  # what a GAN that does not grow leaves out
_CONV_BATCH = 32  # rows a turn of convolutions: more steps gain more than more rows
_LOOKED = 20_000  # rows trained on among which copies are looked for
_LAZY = 8  # steps between penalties of images


@dataclass(frozen=True)
class Fitted:
    """What a fit gives: the nets, their training, and what is said of it."""

    nets: TrainedGAN
    training: Training
    sheets: Sheets
    reasons: list[Reason]


def fit_nets(
    settings: Mapping[str, Any], codec: AnyCodec, rows: Rows, fit: Fit, machine: Machine
) -> Fitted:
    """Fit a GAN of these settings, or of those of one that grows."""
    asked = SimpleNamespace(**(_AT_ONCE | settings))
    split = Split(rows, fit)
    view = _view(asked, codec, rows.take(split.numbers), fit)
    if not view.values.features:
        raise InputError("every column is constant or empty; there is nothing to model.")
    split.rows = view.with_context(rows)
    if fit.validation is not None:
        fit.validation = view.with_context(fit.validation)
    seen, unseen = split.subsets(view.stored)
    net = net_for(view.values.shape) if asked.net == "auto" else asked.net
    stages = _stages(asked, view.values.shape)
    net = net if stages is None else "conv"
    check_rows(asked, net, view.values.shape)
    steps = asked.discriminator_steps or (5 if asked.objective == "wasserstein" else 1)
    _check_enough(asked, len(seen), steps, machine)
    if unseen is not None:
        unseen = unseen.thinned(most_scored(view.values), fit.rng())
        unseen = unseen if len(unseen) >= max(2, asked.pack) and len(seen) > 2 else None
    architecture = _architecture(asked, net, view.values, seen, stages)
    nets = TrainedGAN(architecture, view, fit.seed, machine.device)
    score, sheets = None, None
    if unseen is not None:
        score = nets.score_of(seen.thinned(most_scored(view.values), fit.rng()), unseen)
        some = min(score.n_samples, _SHOWN if view.values.shape else _POINTS)
        sheets = SheetKeeper({SHEET: (some, view.values.features + architecture.context)})
    again = fit.redraw

    def redrawn(epoch: int) -> Array:
        data = rows.data if again is None else again(epoch)
        return view.stored(data, np.random.default_rng([fit.seed, epoch]))[seen.numbers]

    learner = nets.learner(
        seen,
        unseen,
        score,
        objective=asked.objective,
        steps=steps,
        penalty=_penalty(asked, view.values),
        change=_change(asked, view.values, len(seen)),
        redraw=redrawn if again is not None or view.drawn_anew else None,
        often=view.often(rows.take(seen.numbers)),
        sheets=sheets,
        seed=fit.seed,
    )
    schedule = _schedule(asked, net, len(seen), steps, timed=fit.deadline() is not None)
    training = Trainer(fit, seen, unseen, schedule, machine=machine).train(learner)
    nets.keep(learner)
    if isinstance(view, TableView):
        nets.view = calibrated(nets, view, seen, fit.seed)
    reasons = list(training.reasons)
    if nets.growth is not None:
        reasons += nets.growth.reasons()
    if unseen is None or score is None:
        reasons += too_few(len(seen), "Give validation rows.")
    elif not training.failed:
        reasons += verdicts.course(training.outcome, fit.trace, schedule.learning_rate)
        looked = nets.looked_at(score, seen.thinned(_LOOKED, fit.rng()), unseen, fit.seed)
        reasons += verdicts.of_samples(*looked, fit.rng())
    kept = Sheets.of({}) if sheets is None else sheets.sheets()
    return Fitted(nets, training, kept, reasons)


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
    check_told(codec, told)
    return TableView.fit(codec, rows, ranks=asked.margins == "ranks", told=told, rng=fit.rng())


def _check_enough(asked: Any, n: int, steps: int, machine: Machine) -> None:
    """Raise InputError if a step takes more rows than there are, or a pack than a batch has."""
    pack, each = asked.pack, 1 if machine.processes is None else machine.processes.size
    if asked.batch_size is not None and asked.batch_size < pack * each:
        raise InputError(
            f"batch_size is {asked.batch_size}, and pack {pack}: the discriminator judges {pack} "
            "rows together"
            + (f" on each of {each} devices" if each > 1 else "")
            + f". Take a batch_size of at least {pack * each}, or a smaller pack."
        )
    if n < steps * pack * each:
        raise InputError(
            f"{n} rows to train on, and a step takes at least {steps * pack * each}, "
            f"discriminator_steps ({steps}) times pack ({pack})"
            + (f" on each of {each} devices" if each > 1 else "")
            + ". Give more rows, or lower these settings."
        )


def _stages(asked: Any, shape: tuple[int, ...]) -> Stages | None:
    """The stages that images (C, H, W) grow through, None where they do not grow."""
    if not asked.growing:
        return None
    stages = Stages.of(shape[1], shape[2], asked.start, float(asked.growing))
    if asked.channels is not None and len(asked.channels) <= stages.doublings:
        raise InputError(
            f"channels are {tuple(asked.channels)}, and images that are doubled "
            f"{stages.doublings} times take an entry for each and one for the first stage. Give "
            f"{stages.doublings + 1} or more, or a larger start."
        )
    return stages


def _architecture(
    asked: Any, net: str, values: Values, seen: Subset, stages: Stages | None
) -> Architecture:
    conv = net == "conv"
    width = 64 if len(seen) < 1000 else 128
    hidden = asked.hidden or ((128,) if conv else (width,) * 3)
    latent = asked.latent_dim or (32 if conv else max(8, min(64, 2 * values.free)))
    return Architecture(
        net=net,
        latent=int(latent),
        context=0 if seen.context is None else seen.context.shape[1],
        hidden=tuple(int(size) for size in hidden),
        channels=tuple(map(int, asked.channels or channels_for(values.shape))) if conv else (),
        pack=int(asked.pack),
        doublings=0 if stages is None else stages.doublings,
        growing=0.0 if stages is None else stages.growing,
    )


def _penalty(asked: Any, values: Values) -> Penalty | None:
    kind = asked.penalty
    if kind == "auto":
        kind = "gradient" if asked.objective == "wasserstein" else "r1r2"
    if kind == "none":
        return None
    images = len(values.shape) == 3
    weight = _LAMBDA
    if kind == "r1r2":
        weight = _PER_PIXEL * math.prod(values.shape[1:]) if images else _GAMMA
    return Penalty(
        kind,
        float(asked.penalty_weight or weight),
        asked.penalty_every or (_LAZY if images else 1),
    )


def _change(asked: Any, values: Values, n: int) -> Change | None:
    """The augmentation of few images."""
    images = len(values.shape) == 3
    return augmentation(values.shape) if images and n < asked.augment_below else None


def _schedule(asked: Any, net: str, n: int, steps: int, *, timed: bool) -> Schedule:
    """The schedule of n rows, of which each of `steps` steps of the discriminator takes a batch."""
    conv = net == "conv"
    batch = int(asked.batch_size or (_CONV_BATCH if conv else batch_for(n))) * steps
    each = steps_of(n, batch)
    wanted, rate = (10_000, 2e-3) if conv else (20_000, 1e-3)
    wanted = min(wanted, 4000) if n < 2000 else wanted
    return Schedule(
        batch_size=batch,
        learning_rate=asked.learning_rate or rate,
        max_epochs=asked.max_epochs or epochs_for(wanted, each, timed=timed),
        ema=float(asked.ema),
        evaluate_every=max(1, math.ceil(_BETWEEN / each)),
        patience=0,  # no game is lost for good because its score stands still
    )


def batch_for(n: int) -> int:
    """Rows a turn of n rows."""
    return min(256, max(32, int(2 ** round(math.log2(max(n, 1) / 4)))))
