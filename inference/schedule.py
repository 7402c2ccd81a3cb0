"""Batches, learning rate and stopping rule of `gradient.train`: functions of their arguments
alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Schedule:
    """How to train.

    Attributes:
        batch_size: rows a step; all rows if there are fewer. Rows left over at the end of an epoch,
            too few for a batch, are not used in it.
        learning_rate: the highest rate.
        max_epochs: passes over the rows at most; the schedule ends there, or with the time.
        warm_up: share of the schedule (of its first 1000 steps at most) in which the rate rises.
        decay: "cosine" to 0, or "constant".
        hold: share of the schedule at which the cosine begins; the rate is constant up to there.
        ema: largest decay of the averaged weights in a step; 0 for no averaging: those
            of the last step.
        evaluate_every: epochs between evaluations.
        patience: evaluations between two checks for stopping; 0 never stops early.
        min_delta: improvement over `patience` evaluations, in nats a row, that is worth going on.
        alpha: largest probability of stopping a fit that improves by `min_delta` or more over each
            window.
        max_rollbacks: how often a fit that diverged goes back, at most.
        chunk: steps between looks at the clock, at most.
        checkpoint_every: least seconds between two checkpoints.
        epoch_steps: steps that count as an epoch, taken from passes over the rows one after the
            other; 0 takes a pass.
    """

    batch_size: int = 256
    learning_rate: float = 1e-3
    max_epochs: int = 100
    warm_up: float = 0.02
    decay: Literal["cosine", "constant"] = "cosine"
    hold: float = 0.0
    ema: float = 0.999
    evaluate_every: int = 1
    patience: int = 5
    min_delta: float = 1e-3
    alpha: float = 0.05
    max_rollbacks: int = 3
    chunk: int = 16
    checkpoint_every: float = 30.0
    epoch_steps: int = 0


def batches(seed: int, epoch: int, n_rows: int, batch_size: int) -> NDArray[np.int64]:
    """Row numbers (steps, batch_size) of one epoch, each row at most once."""
    size = min(batch_size, n_rows)
    order = np.random.default_rng([seed, epoch]).permutation(n_rows)
    return order[: n_rows // size * size].reshape(-1, size).astype(np.int64, copy=False)


class Batches:
    """The batches of each epoch, a function of (seed, epoch) alone; the last pass is kept."""

    def __init__(self, seed: int, n_rows: int, settings: Schedule) -> None:
        self.seed, self.n_rows, self.size = seed, n_rows, settings.batch_size
        self.steps = max(1, n_rows // min(settings.batch_size, n_rows))
        self.whole = settings.epoch_steps == 0  # an epoch is a pass
        self._steps_of_pass = self.steps
        if not self.whole:
            self.steps = settings.epoch_steps
        self._kept: tuple[int, NDArray[np.int64]] | None = None

    def of(self, epoch: int) -> NDArray[np.int64]:
        """Row numbers (steps, batch_size)."""
        if self.whole:
            return batches(self.seed, epoch, self.n_rows, self.size)
        first, per = epoch * self.steps, self._steps_of_pass
        passes = range(first // per, (first + self.steps - 1) // per + 1)
        stream = np.concatenate([self._pass(number) for number in passes])
        start = first - passes[0] * per
        return stream[start : start + self.steps]

    def _pass(self, number: int) -> NDArray[np.int64]:
        if self._kept is None or self._kept[0] != number:
            self._kept = number, batches(self.seed, number, self.n_rows, self.size)
        return self._kept[1]


def share_used(step: int | NDArray[np.int64], total: int, used: float) -> NDArray[np.float64]:
    """Share of the schedule used at each `step` of `total` planned steps, with the share `used` of
    the time: the further of both."""
    share: NDArray[np.float64] = np.minimum(1.0, np.maximum(step / np.float64(max(total, 1)), used))
    return share


def rate(
    settings: Schedule, step: int | NDArray[np.int64], total: int, used: float
) -> NDArray[np.float64]:
    """Learning rate at each `step` of `total` planned steps, with the share `used` of the time."""
    step = np.asarray(step)
    ramp = max(1.0, min(settings.warm_up * total, 1000 * settings.warm_up))
    rates: NDArray[np.float64] = settings.learning_rate * np.minimum(1.0, (step + 1) / ramp)
    if settings.decay == "cosine":
        share = share_used(step, total, used)
        fallen = np.maximum(0.0, share - settings.hold) / (1 - settings.hold)
        rates = rates * 0.5 * (1 + np.cos(np.pi * fallen))
    return rates


def ema_decay(settings: Schedule, step: int, steps: int) -> float:
    """Decay of the averaged weights over the last `steps` steps up to `step`; smaller at first."""
    once: float = min(settings.ema, (1 + step) / (10 + step))
    return once**steps


def worth_going_on(d: NDArray[Any], check: int, settings: Schedule) -> bool:
    """False if the paired improvements `d` (n,) are, at the level of this check (1, 2, ...), below
    `min_delta`."""
    from scipy.special import stdtrit

    if len(d) < 2:
        return True
    level = settings.alpha / (check * (check + 1))
    limit = d.mean() + stdtrit(len(d) - 1, 1 - level) * stderr(d)
    return bool(limit >= settings.min_delta)


def stderr(d: NDArray[Any]) -> float:
    """Standard error of the mean; infinite for fewer than two values."""
    return float(d.std(ddof=1) / math.sqrt(len(d))) if len(d) > 1 else math.inf
