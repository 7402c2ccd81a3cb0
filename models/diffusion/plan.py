"""What a diffusion model is made of and how it is trained, where the user leaves it open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ...inference.diffusion.process import PROCESSES
from ...inference.schedule import Schedule
from ...plain_json import PlainFields
from ..nets.held_out import Subset
from ..nets.sizes import epochs_for, steps_of
from ..nets.values import Values
from .nets import Architecture
from .settings import check_rows
from .times import Times

_BETWEEN = 400  # steps between two evaluations at least
_LOW = 4  # numbers of a row up to which waves are seen of them
_SPREADS = 3.0  # of the levels of noise that the net tells apart


@dataclass(frozen=True)
class Noise(PlainFields):
    """How rows become noise, and what is learnt of it.

    Attributes:
        process: a name of `PROCESSES`.
        target: a name of `TARGETS`.
        sigma_data: standard deviation of the features, about 0.
        mean, spread: of log(sigma_t / alpha_t) of the times trained at.
        coupled: whether noise was paired with rows, so that there is a flow and no score.
    """

    process: str
    target: str
    sigma_data: float
    mean: float
    spread: float
    coupled: bool = False

    def times(self) -> Times:
        """The distribution of times."""
        return Times(PROCESSES[self.process], self.mean, self.spread)


@dataclass(frozen=True)
class Plan:
    """The plan of a fit.

    Attributes:
        architecture: of the net.
        noise: of the process.
        coupling: of noise and rows in training.
        drop_context: share of rows trained on without their context.
        looks: at each held-out row in an evaluation.
        schedule: of the loop.
    """

    architecture: Architecture
    noise: Noise
    coupling: str
    drop_context: float
    looks: int
    schedule: Schedule


def planned(asked: Any, values: Values, seen: Subset, sigma_data: float, *, timed: bool) -> Plan:
    """The plan for some rows.

    Args:
        asked: the settings, as attributes.
        values: what the net sees of a row.
        seen: the rows trained on.
        sigma_data: standard deviation of the features.
        timed: whether a budget ends the fit.

    Raises:
        InputError: if settings do not suit the rows.
    """
    net = asked.net if asked.net != "auto" else _net_for(values.shape)
    check_rows(asked, net, values.shape)
    noise = _noise(asked, net, sigma_data)
    context = 0 if seen.context is None else seen.context.shape[1]
    ends = (noise.mean + side * _SPREADS * noise.spread for side in (-1, 1))
    n = len(seen)
    return Plan(
        _architecture(asked, net, values, n, context, *ends),
        noise,
        asked.coupling,
        float(asked.drop_context) if context else 0.0,
        1 if net == "unet" else 4,
        _schedule(asked, net, n, timed=timed),
    )


def _net_for(shape: tuple[int, ...]) -> str:
    return "mlp"


def _noise(asked: Any, net: str, sigma_data: float) -> Noise:
    mean, spread = (-1.2, 2.0) if net == "mlp" else (-0.5, 1.2)
    mean = mean if asked.noise_mean is None else float(asked.noise_mean)
    return Noise(
        asked.process,
        asked.target,
        sigma_data,
        mean + math.log(sigma_data),
        float(asked.noise_spread or spread),
        asked.coupling == "optimal",
    )


def _architecture(
    asked: Any, net: str, values: Values, n: int, context: int, lowest: float, highest: float
) -> Architecture:
    waves = asked.frequencies
    if waves is None:
        waves = 5 if values.numbers <= _LOW else 0
    return Architecture(
        net=net,
        context=context,
        width=int(asked.width or (64 if n < 1000 else 128)),
        depth=int(asked.depth or 3),
        frequencies=int(waves),
        lowest=lowest,
        highest=highest,
    )


def _schedule(asked: Any, net: str, n: int, *, timed: bool) -> Schedule:
    batch = int(asked.batch_size or batch_for(n))
    each = steps_of(n, batch)
    wanted, rate = 10_000, 2e-3
    wanted = min(wanted, 4000) if n < 2000 else wanted
    return Schedule(
        batch_size=batch,
        learning_rate=asked.learning_rate or rate,
        max_epochs=asked.max_epochs or epochs_for(wanted, each, timed=timed),
        ema=float(asked.ema),
        evaluate_every=max(1, math.ceil(_BETWEEN / each)),
        patience=0,  # losses of all noise levels fall slowly, and the best weights are kept
    )


def batch_for(n: int) -> int:
    """Rows a step of n rows."""
    return min(512, max(64, int(2 ** round(math.log2(max(n, 1) / 8)))))
