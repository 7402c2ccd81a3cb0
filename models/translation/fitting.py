"""How a translation is fitted: domains, nets, the game, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...arrays import Array
from ...data import AnyCodec
from ...fitting import Fit
from ...inference.schedule import Schedule
from ...rows import Rows
from ...verdict import Reason
from ..nets.device import Machine
from ..nets.held_out import Subset
from ..nets.sheet_keeper import SheetKeeper
from ..nets.sheets import Sheets
from ..nets.sizes import epochs_for, steps_of
from ..nets.trainer import EVALUATED, Trainer, Training
from ..nets.verdicts import all_rows, too_few
from . import verdicts
from .domains import Domain, Shape
from .game import Game
from .kinds import check_sides, domain_of
from .looked import MOST, Looked
from .nets import Architecture, check_halvings, halvings_of
from .paired import PairedGame
from .parted import Parted
from .trained import Sides, TorchTranslation
from .unpaired import UnpairedGame

_BATCH = 16
_RATE, _PAIRED_RATE = 5e-4, 1e-3
_STEPS, _FEW_STEPS, _FEW = 4000, 2000, 5000  # steps on many rows, on few, and how many are few
_EVALUATED = 100  # steps between evaluations, at least
_HALVINGS = 2  # of a residual generator
_HEARD = 32  # channels of generators of recordings, whose pictures are one frame high
_JUDGING, _HALVED = 32, 3  # channels of a discriminator, and its halvings at most
_LOOKED = 100  # pictures whose translation is timed
_LOOKS = 5 * MOST  # translations, about, that are looked at once the nets are trained
_FEWEST = 2  # pictures of a domain that these begin with
_PASSES = 4  # translations that an evaluation takes of a held-out row, about


@dataclass(frozen=True)
class Fitted:
    """What a fit gives."""

    nets: TorchTranslation
    training: Training
    sheets: Sheets
    reasons: list[Reason]


def fit_translation(
    settings: Mapping[str, Any],
    codecs: tuple[AnyCodec, AnyCodec],
    rows: Rows,
    fit: Fit,
    machine: Machine,
    *,
    paired: bool,
) -> Fitted:
    """Fit a translation of these settings."""
    asked = SimpleNamespace(**settings)
    heard = {name: settings[name] for name in ("bands", "frames", "phase")}
    sides = tuple(domain_of(codec, asked.size or 0, **heard) for codec in codecs)
    check_sides(*sides)
    architecture = architecture_for(asked, sides[0].shape, paired=paired)
    parted = Parted.of(rows, fit, paired=paired)
    pictures = _pictures(sides, rows)
    reasons = _same(sides, pictures)
    domains = tuple(
        side.fitted(some[numbers])
        for side, some, numbers in zip(sides, pictures, parted.seen, strict=True)
    )
    nets = TorchTranslation(
        architecture,
        domains,
        pairs=paired,
        both=not paired or asked.both_ways,
        seed=fit.seed,
        device=machine.device,
    )
    seen, held = nets.rows(pictures, parted.seen), None
    others = pictures if fit.validation is None else _pictures(sides, fit.validation)
    timed = fit.deadline() is not None
    schedule = schedule_for(asked, parted.longer, timed=timed, paired=paired)
    width = sum(math.prod(side.shape) for side in sides)
    trainer = Trainer(fit, *parted.subsets(width), schedule, machine=machine, little=verdicts.STEPS)
    known = seen[0].take(slice(0, _LOOKED))

    def look(some: Subset) -> None:
        nets.translated(known[: len(some)])

    looks, trainer.after = trainer.looking(look, _LOOKS)
    most = _PASSES * len(parted.units)
    passes = trainer.settled("held-out", lambda: trainer.looking(look, most, EVALUATED)[0])
    parted = parted.at_most(passes // _PASSES, fit.rng())
    trainer.unseen = trainer.evaluated = parted.subsets(width)[1]
    game, redraw = _game(asked, nets, seen, fit.seed, paired=paired)
    keeper = None
    if parted.held is not None:
        held = nets.rows(others, parted.held)
        keeper = SheetKeeper({name: tuple(v.shape) for name, v in nets.shown(held).items()})
    learner = nets.learner(game, held, redraw=redraw, sheets=keeper, seed=fit.seed)
    training = trainer.train(learner)
    nets.keep(learner)
    sheets = Sheets.of({}) if keeper is None else keeper.sheets()
    reasons += [*training.reasons, *all_rows(asked.batch_size, parted.longer)]
    if training.failed:
        return Fitted(nets, training, sheets, reasons)
    if held is None:
        reasons += too_few(parted.longer, "Give more rows, or validation=(X, y).")
    rate = schedule.learning_rate
    reasons += verdicts.won(training.outcome, fit.trace, rate, paired=paired)
    with fit.heeding():
        if not fit.interrupted:
            most = max(_FEWEST, looks * MOST // _LOOKS)
            looked = Looked.of(nets, seen, held, training.outcome.steps, most)
            at = seen if paired or held is None else held
            reasons += verdicts.few_looked(most, min(MOST, max(map(len, at))))
            reasons += looked.of_pairs() if paired else looked.of_domains()
    return Fitted(nets, training, sheets, reasons)


def architecture_for(asked: Any, shape: Shape, *, paired: bool) -> Architecture:
    """What nets are made of for pictures of a shape.

    Raises:
        InputError: if these cannot be halved as often as asked, or at all.
    """
    able = halvings_of(*shape[1:])
    flat = shape[1] == 1  # of recordings, whose channels are bands
    halvings = asked.halvings or max(1, able if paired else min(able, 1 if flat else _HALVINGS))
    check_halvings(shape, halvings)
    return Architecture(
        net="unet" if paired else "residual",
        width=asked.width or (_HEARD if flat else 32 if paired else 16),
        halvings=halvings,
        blocks=0 if paired else asked.blocks,
        judging=_JUDGING,
        halved=max(1, min(able, _HALVED)),
        dropout=float(asked.dropout) if paired else 0.0,
    )


def schedule_for(asked: Any, n: int, *, timed: bool, paired: bool) -> Schedule:
    """How n rows an epoch are trained on."""
    size = asked.batch_size or min(_BATCH, max(1, n // 4))
    steps = steps_of(n, size)
    wanted = _FEW_STEPS if n < _FEW else _STEPS
    return Schedule(
        batch_size=size,
        learning_rate=asked.learning_rate or (_PAIRED_RATE if paired else _RATE),
        max_epochs=asked.max_epochs or epochs_for(wanted, steps, timed=timed),
        evaluate_every=max(1, math.ceil(_EVALUATED / steps)),
        patience=8 if paired else 0,  # a game's score goes up and down
        min_delta=1e-4,
    )


def _game(
    asked: Any, nets: TorchTranslation, seen: Sides, seed: int, *, paired: bool
) -> tuple[Game, Callable[[int], Any] | None]:
    """The losses, and what is drawn anew in each epoch."""
    ways: Any = list(nets.ways)
    how = ways, seen, asked.objective, float(asked.r1)
    if paired:
        return PairedGame(*how, weight=float(asked.l1_weight)), None
    game = UnpairedGame(
        *how,
        cycle=float(asked.cycle_weight),
        identity=float(asked.identity_weight),
        pool=asked.pool,
        seed=seed,
    )
    return game, game.redraw


def _pictures(sides: tuple[Domain, ...], rows: Rows) -> tuple[Array, Array]:
    assert rows.target is not None
    return sides[0].pictures(rows.data), sides[1].pictures(rows.target.data)


def _same(sides: tuple[Domain, ...], pictures: tuple[Array, Array]) -> list[Reason]:
    """Whether the domains hold the same rows; those of other shapes cannot."""
    if sides[0].shape != sides[1].shape:
        return []
    x, y = pictures
    kind = x.dtype if x.dtype == y.dtype else np.dtype(np.float32)
    each = ({row.astype(kind, copy=False).tobytes() for row in some} for some in pictures)
    return verdicts.same(*each)
