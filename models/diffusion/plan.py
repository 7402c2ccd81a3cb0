"""What a diffusion model is made of and how it is trained, where the user leaves it open."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from ...inference.diffusion.process import PROCESSES
from ...inference.schedule import Schedule
from ...plain_json import PlainFields
from ..nets.held_out import Subset
from ..nets.sizes import epochs_for, net_for, steps_of
from ..nets.values import Values
from .image_sizes import image_sizes
from .nets import Architecture
from .settings import check_rows
from .times import Times

_BETWEEN = 400  # steps between two evaluations at least
_PATIENCE = 8  # evaluations between two checks for stopping
_MANY = 48  # features of a row from which a perceptron is wide
_LOW = 4  # numbers of a row up to which waves are seen of them, and less noise
_SMALL, _FEWER = 500, 1000  # rows below which nets are small, of more numbers and of few
_SHORT = 2000  # rows below which trainings are short
_SHARP = 10_000  # rows from which one more wave is seen of numbers
_IMAGES, _IMAGES_GPU = 32, 64  # rows a step of images: more steps gain more than more rows
# Mean and spread of log r_t of images: what they show is settled where noise hides single pixels.
_OF_IMAGES = (0.3, 1.4)
_NARROW = 48  # channels up to which a U-Net takes the whole learning rate
_DROPOUT, _FEW_IMAGES = 0.1, 5000  # of a U-Net, and images below which it is
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
        widest: standard deviation along the direction in which the numbers spread widest.
    """

    process: str
    target: str
    sigma_data: float
    mean: float
    spread: float
    coupled: bool = False
    widest: float = 0.0

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


def planned(
    asked: Any,
    values: Values,
    seen: Subset,
    sigma_data: float,
    *,
    timed: bool,
    widest: float = 0.0,
    gpu: bool = False,
) -> Plan:
    """The plan for some rows.

    Args:
        asked: the settings, as attributes, and `words` (see `Architecture`).
        values: what the net sees of a row.
        seen: the rows trained on.
        sigma_data: standard deviation of the features.
        timed: whether a budget ends the fit.
        widest: see `Noise`.
        gpu: whether a GPU computes.

    Raises:
        InputError: if settings do not suit the rows.
    """
    net = _net_for(values.shape) if asked.net == "auto" else asked.net
    check_rows(asked, net, values.shape)
    noise = replace(_noise(asked, net, values, sigma_data), widest=widest)
    context = 0 if seen.context is None else seen.context.shape[1]
    n, images = len(seen), net == "unet"
    build = _unet(asked, values.shape, n, gpu=gpu) if images else _perceptron(asked, values, n)
    return Plan(
        replace(
            build,
            context=context,
            words=asked.words,
            lowest=noise.mean - _SPREADS * noise.spread,
            highest=noise.mean + _SPREADS * noise.spread,
        ),
        noise,
        asked.coupling,
        float(asked.drop_context) if context else 0.0,
        1 if images else 4,
        _schedule(asked, build, values, n, timed=timed, gpu=gpu),
    )


def _net_for(shape: tuple[int, ...]) -> str:
    return "unet" if len(shape) == 3 and net_for(shape) == "conv" else "mlp"


def _noise(asked: Any, net: str, values: Values, sigma_data: float) -> Noise:
    mean, spread = (-1.2, 2.0) if net == "mlp" else _OF_IMAGES
    if net == "mlp" and _few(values):
        mean = -2.0  # edges of few numbers show at little noise
    mean = mean if asked.noise_mean is None else float(asked.noise_mean)
    return Noise(
        asked.process,
        asked.target,
        sigma_data,
        mean + math.log(sigma_data),
        float(asked.noise_spread or spread),
        asked.coupling == "optimal",
    )


def _few(values: Values) -> bool:
    """Whether rows are a few numbers."""
    return 0 < values.numbers <= _LOW and not values.levels


def _perceptron(asked: Any, values: Values, n: int) -> Architecture:
    waves = asked.frequencies
    if waves is None:
        waves = (4 if n < _SHARP else 5) if values.numbers <= _LOW else 0
    return Architecture(
        net="mlp",
        width=int(asked.width or _width(n, values)),
        depth=int(asked.depth or 3),
        frequencies=int(waves),
    )


def _unet(asked: Any, shape: tuple[int, ...], n: int, *, gpu: bool) -> Architecture:
    sizes = image_sizes(shape, n, asked.channels, gpu=gpu)
    dropout = asked.dropout
    if dropout is None:
        dropout = _DROPOUT if n < _FEW_IMAGES else 0.0
    return Architecture(
        net="unet",
        width=sizes.width,
        channels=sizes.channels,
        unshuffle=sizes.unshuffle,
        blocks=sizes.blocks,
        dropout=float(dropout),
    )


def _width(n: int, values: Values) -> int:
    """Of the layers of a perceptron: wider where many features are to be told apart."""
    small = n < (_FEWER if _few(values) else _SMALL)
    return 64 if small else 128 if values.features < _MANY else 256


def _schedule(
    asked: Any, build: Architecture, values: Values, n: int, *, timed: bool, gpu: bool
) -> Schedule:
    wanted, rate, batch = 10_000, 2e-3, batch_for(n)
    if build.net == "unet":
        wanted, batch = (6000, _IMAGES_GPU) if gpu else (12_000, _IMAGES)
        rate *= min(1.0, _NARROW / build.channels[0])
    elif _few(values):
        rate = 4e-3
    batch = int(asked.batch_size or batch)
    each = steps_of(n, batch)
    if n < _SHORT:
        longer = n >= _SMALL and build.net == "mlp" and not _few(values)
        wanted = min(wanted, 8000 if longer else 4000)
    return Schedule(
        batch_size=batch,
        learning_rate=asked.learning_rate or rate,
        max_epochs=asked.max_epochs or epochs_for(wanted, each, timed=timed),
        ema=float(asked.ema),
        evaluate_every=max(1, math.ceil(_BETWEEN / each)),
        patience=_PATIENCE,
        min_delta=0.0,  # losses fall slowly: only what surely learns by heart is stopped
    )


def batch_for(n: int) -> int:
    """Rows a step of n rows."""
    return min(512, max(64, int(2 ** round(math.log2(max(n, 1) / 8)))))
