"""What a GAN is made of and how it is trained, where the user leaves it open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ...errors import InputError
from ...inference.schedule import Schedule
from ..nets.device import Machine
from ..nets.held_out import Subset
from ..nets.sizes import epochs_for, net_for, steps_of
from ..nets.values import Values
from .augmenting import augmentation
from .game import Change, Penalty
from .image_nets import channels_for
from .nets import Architecture
from .settings import check_rows
from .stages import Stages

_BETWEEN = 200  # steps between two evaluations at least
_LAMBDA = 1.0  # of the gradient penalty
_GAMMA, _PER_PIXEL = 0.1, 1e-3  # of R1 and R2: of vectors, and for each pixel
_CONV_BATCH = 32  # rows a turn of convolutions: more steps gain more than more rows
_LAZY = 8  # steps between penalties of images


@dataclass(frozen=True)
class Plan:
    """The plan of a fit.

    Attributes:
        objective: a name of `OBJECTIVES`.
        architecture: of the nets.
        steps: of the discriminator to one of the generator.
        penalty: of the discriminator, or None.
        change: of features before they are scored, or None.
        schedule: of the loop, whose batch holds the rows of all turns.
    """

    objective: str
    architecture: Architecture
    steps: int
    penalty: Penalty | None
    change: Change | None
    schedule: Schedule

    def chosen(self) -> dict[str, Any]:
        """Settings of the game that may be left open, as they are."""
        chosen: dict[str, Any] = {"discriminator_steps": self.steps, "penalty": "none"}
        if self.penalty is not None:
            chosen["penalty"] = self.penalty.kind
            chosen["penalty_weight"] = self.penalty.weight
            chosen["penalty_every"] = self.penalty.every
        return chosen


def planned(asked: Any, values: Values, seen: Subset, machine: Machine, *, timed: bool) -> Plan:
    """The plan for some rows.

    Args:
        asked: the settings, as attributes.
        values: what the nets see of a row.
        seen: the rows trained on.
        timed: whether a budget ends the fit.

    Raises:
        InputError: if settings do not suit the rows.
    """
    net = net_for(values.shape) if asked.net == "auto" else asked.net
    stages = _stages(asked, values.shape)
    net = net if stages is None else "conv"
    check_rows(asked, net, values.shape)
    steps = asked.discriminator_steps or (5 if asked.objective == "wasserstein" else 1)
    _check_enough(asked, len(seen), steps, machine)
    return Plan(
        asked.objective,
        _architecture(asked, net, values, seen, stages),
        steps,
        _penalty(asked, values),
        _change(asked, values, len(seen)),
        _schedule(asked, net, len(seen), steps, timed=timed),
    )


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
            f"channels are {tuple(asked.channels)}; expected one for the first stage and one for "
            f"each time that images are doubled, {stages.doublings + 1} in all, or more. Give so "
            "many, or a larger start."
        )
    return stages


def _architecture(
    asked: Any, net: str, values: Values, seen: Subset, stages: Stages | None
) -> Architecture:
    conv = net == "conv"
    width = 64 if len(seen) < 1000 else 128
    hidden = asked.hidden or ((128,) if conv else (width,) * 3)
    latent = asked.latent_dim or (32 if conv else max(8, min(64, 2 * values.free)))
    doublings = 0 if stages is None else stages.doublings
    channels = asked.channels or (channels_for(values.shape, doublings + 1) if conv else ())
    return Architecture(
        net=net,
        latent=int(latent),
        context=0 if seen.context is None else seen.context.shape[1],
        hidden=tuple(int(size) for size in hidden),
        channels=tuple(map(int, channels)),
        pack=int(asked.pack),
        doublings=doublings,
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
    own = max(asked.pack, _CONV_BATCH if conv else batch_for(n))
    batch = int(asked.batch_size or own) * steps
    each = steps_of(n, batch)
    wanted, rate = (10_000, 2e-3) if conv else (10_000, 1e-3)
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
    return min(256, max(32, int(2 ** round(math.log2(max(n, 1) / 32)))))
