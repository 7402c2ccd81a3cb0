"""The one training loop: minibatch gradient steps, for every neural family and for SVI.

A `Learner` knows how to take steps and how to say its state; `train` owns everything else, as a generator of `Progress`:

- **Batches** are a pure function of (seed, epoch, step): row `step` of `batches(seed, epoch, ...)`.
- **Learning rate** warms up over the first steps and falls as a cosine to 0, eta(s) = eta_0 (1 + cos(pi s)) / 2, where s is the
  share used of the epochs or of the time given, whichever is further on: a time budget ends with the schedule.
- **Weights** are averaged (EMA with decay min(ema, (1 + t) / (10 + t)) at step t); the average is what is validated, and the best kept.
- **Early stopping** compares held-out rows in pairs. Every `patience` evaluations, check j takes d_i = (log density of row i now) -
  (the same `patience` evaluations ago) and stops if the upper confidence limit mean(d) + t_{1 - alpha_j} se(d) is below
  `min_delta`, with alpha_j = alpha / (j (j + 1)). As these sum to alpha, the probability that a fit whose true improvement is
  `min_delta` or more over every window is stopped at any check is at most `alpha` (Student's limit, so up to how far
  mean(d) is from normal). How to spend alpha over looks: Lan and DeMets, "Discrete sequential boundaries for
  clinical trials", 1983, https://doi.org/10.1093/biomet/70.3.659.
- **Divergence**: a loss that is not finite goes back to the last good state at half the learning rate, at most `max_rollbacks` times.
- **Checkpoints** hold all of it, so a killed fit goes on bit for bit (same machine, threads and versions) where no time
  budget is set; under a budget the learning rate follows the clock, and the time used before counts.

References: Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017, https://arxiv.org/abs/1608.03983;
Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992, https://doi.org/10.1137/0330046.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..checkpoint import Checkpoints
from ..progress import Progress

Array = NDArray[Any]


class Learner(Protocol):
    """What is trained. `inference.svi` has two; a family may write its own."""

    def begin_epoch(self, epoch: int) -> None:
        """Called before the first batch of each epoch, and again when resumed there: a place to redraw data."""

    def run(self, batches: NDArray[np.int64], rates: NDArray[np.float64]) -> Array:
        """Take one step for each row of `batches` (steps, batch_size); the losses (steps,), in nats a row."""

    def average(self, decay: float) -> None:
        """Move the averaged weights towards the current ones: a <- decay a + (1 - decay) w."""

    def state(self) -> dict[str, Array]:
        """A copy of everything the next step depends on, and the averaged weights."""

    def load(self, state: Mapping[str, Array]) -> None:
        """Go to a state that `state` gave."""


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        batch_size: rows a step; all rows where there are fewer. The rest of an epoch that fills no batch waits for another.
        learning_rate: the highest one.
        max_epochs: passes over the rows at most; the schedule is planned to end there, or with the time.
        warm_up: share of the schedule (of the first 1000 steps at most) over which the rate rises linearly.
        decay: "cosine" to 0, or "constant".
        ema: largest decay a step of the averaged weights; 0 for no averaging.
        evaluate_every: epochs between evaluations.
        patience: evaluations between two checks for stopping; 0 never stops early.
        min_delta: improvement over `patience` evaluations, in nats a row, that is worth going on for.
        alpha: largest probability of stopping a fit that improves by `min_delta` or more over each window.
        max_rollbacks: how often a diverged fit goes back.
        chunk: steps between looks at the clock.
        checkpoint_every: least seconds between two checkpoints.
    """

    batch_size: int = 256
    learning_rate: float = 1e-3
    max_epochs: int = 100
    warm_up: float = 0.02
    decay: Literal["cosine", "constant"] = "cosine"
    ema: float = 0.999
    evaluate_every: int = 1
    patience: int = 5
    min_delta: float = 1e-3
    alpha: float = 0.05
    max_rollbacks: int = 3
    chunk: int = 16
    checkpoint_every: float = 30.0


@dataclass
class Outcome:
    """How a fit ended: what `train` returns.

    `why` is "stopped" (early, by the test), "max_epochs", "budget" or "diverged". `improvement` and `improvement_stderr` are the
    last paired differences over a window, `train_loss` the mean loss of the last epoch or part of one at the best evaluation.
    """

    why: str = "max_epochs"
    steps: int = 0
    epochs: float = 0.0
    rollbacks: int = 0
    best: float = -math.inf
    best_step: int = 0
    train_loss: float = math.nan
    improvement: float = math.nan
    improvement_stderr: float = math.nan


def batches(seed: int, epoch: int, n_rows: int, batch_size: int) -> NDArray[np.int64]:
    """Row numbers (steps, batch_size) of one epoch, each row at most once."""
    size = min(batch_size, n_rows)
    order = np.random.default_rng([seed, epoch]).permutation(n_rows)
    return order[: n_rows // size * size].reshape(-1, size).astype(np.int64, copy=False)


def rate(settings: Settings, step: int, total: int, used: float) -> float:
    """Learning rate at `step` of `total` planned steps with the share `used` of the time."""
    share = min(1.0, max(step / max(total, 1), used))
    ramp = max(1.0, min(settings.warm_up * total, 1000 * settings.warm_up))
    fall = 0.5 * (1 + math.cos(math.pi * share)) if settings.decay == "cosine" else 1.0
    return settings.learning_rate * min(1.0, (step + 1) / ramp) * fall


def keeps_improving(d: Array, check: int, settings: Settings) -> bool:
    """False if the paired improvements `d` (n,) say, at the level of this check (1, 2, ...), that going on is not worth it."""
    from scipy.special import stdtrit

    if len(d) < 2:
        return True
    level = settings.alpha / (check * (check + 1))
    limit = d.mean() + stdtrit(len(d) - 1, 1 - level) * d.std(ddof=1) / math.sqrt(len(d))
    return bool(limit >= settings.min_delta)


@dataclass
class _Place:
    """Where the loop is: all that a checkpoint holds besides arrays."""

    step: int = 0
    epoch: int = 0
    scale: float = 1.0
    evaluations: int = 0
    checks: int = 0
    seconds: float = 0.0
    outcome: Outcome = field(default_factory=Outcome)


class _Loop:
    def __init__(
        self,
        learner: Learner,
        n_rows: int,
        settings: Settings,
        seed: int,
        validation: Callable[[], Array] | None,
        checkpoints: Checkpoints | None,
        deadline: Callable[[], float | None] | None,
    ) -> None:
        self.learner, self.n_rows, self.settings, self.seed = learner, n_rows, settings, seed
        self.validation, self.checkpoints = validation, checkpoints
        self.deadline = deadline or (lambda: None)
        self.place, self.began, self.saved = _Place(), time.perf_counter(), time.perf_counter()
        self.anchor: Array = np.empty(0)
        self.steps = max(1, n_rows // min(settings.batch_size, n_rows))  # an epoch
        self.reserve = 0.0  # seconds that one evaluation takes
        self.good = self.best = learner.state()
        self.resume()
        left = self.deadline()
        self.allowed = None if left is None else self.place.seconds + left

    def seconds(self) -> float:
        return self.place.seconds + time.perf_counter() - self.began

    def used(self) -> float:
        left = self.deadline()
        if self.allowed is None or left is None:
            return 0.0
        return 1.0 - (left - self.reserve) / max(self.allowed - self.reserve, 1e-9)

    def resume(self) -> None:
        found = self.checkpoints.latest() if self.checkpoints else None
        if found is None:
            return
        _, arrays, meta = found
        self.place = _Place(**{**meta, "outcome": Outcome(**meta["outcome"])})
        parts: dict[str, dict[str, Array]] = {"good": {}, "best": {}, "loop": {}}
        for name, array in arrays.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = array
        self.good, self.best, self.anchor = parts["good"], parts["best"], parts["loop"]["anchor"]
        self.learner.load(self.good)

    def save(self) -> None:
        if (
            self.checkpoints is None
            or time.perf_counter() - self.saved < self.settings.checkpoint_every
        ):
            return
        self.saved = time.perf_counter()
        arrays = {f"good/{k}": v for k, v in self.good.items()} | {
            f"best/{k}": v for k, v in self.best.items()
        }
        meta = asdict(self.place) | {"seconds": self.seconds()}
        self.checkpoints.save(self.place.step, arrays | {"loop/anchor": self.anchor}, meta)

    def epoch(self) -> tuple[float, bool]:
        """Steps of one epoch: mean loss (not finite: diverged), and whether the time ended."""
        place, settings = self.place, self.settings
        self.learner.begin_epoch(place.epoch)
        rows = batches(self.seed, place.epoch, self.n_rows, settings.batch_size)
        total, losses, done = self.steps * settings.max_epochs, [], 0
        while done < len(rows):
            used, started = self.used(), self.seconds()
            block = rows[done : done + settings.chunk]
            rates = [rate(settings, place.step + i, total, used) for i in range(len(block))]
            losses.append(np.asarray(self.learner.run(block, place.scale * np.asarray(rates))))
            place.step, done = place.step + len(block), done + len(block)
            if not np.isfinite(losses[-1]).all():
                return math.nan, False
            if settings.ema > 0:
                self.learner.average(
                    min(settings.ema, (1 + place.step) / (10 + place.step)) ** len(block)
                )
            left = self.deadline()
            if left is not None and left - self.reserve < 1.2 * (self.seconds() - started):
                return float(np.concatenate(losses).mean()), True
        place.epoch += 1
        return float(np.concatenate(losses).mean()), False

    def evaluate(self, loss: float) -> tuple[float | None, bool, bool]:
        """Held-out mean (None without held-out rows), whether it is the best, and whether to go on."""
        place, out = self.place, self.place.outcome
        if self.validation is None:
            self.good = self.best = self.learner.state()
            out.best_step, out.train_loss = place.step, loss
            return None, False, True
        started = time.perf_counter()
        rows = np.asarray(self.validation(), dtype=np.float64)
        mean = float(rows.mean())
        if not math.isfinite(mean):
            return math.nan, False, True
        self.good, better, on = self.learner.state(), mean > out.best, True
        if better:
            self.best = self.good
            out.best, out.best_step, out.train_loss = mean, place.step, loss
        every = max(1, self.settings.patience)
        if place.evaluations % every == 0:
            if place.evaluations > 0:
                place.checks += 1
                d = rows - self.anchor
                out.improvement = float(d.mean())
                out.improvement_stderr = (
                    float(d.std(ddof=1) / math.sqrt(len(d))) if len(d) > 1 else math.inf
                )
                on = self.settings.patience == 0 or keeps_improving(d, place.checks, self.settings)
            self.anchor = rows
        place.evaluations += 1
        took = time.perf_counter() - started
        self.reserve = (
            took if self.reserve == 0 else min(self.reserve, took)
        )  # the first one may compile
        return mean, better, on


def train(
    learner: Learner,
    n_rows: int,
    settings: Settings,
    *,
    seed: int,
    validation: Callable[[], Array] | None = None,
    checkpoints: Checkpoints | None = None,
    deadline: Callable[[], float | None] | None = None,
) -> Generator[Progress, None, Outcome]:
    """Train `learner` on rows 0 ... n_rows - 1; one record an evaluation, and how it ended as the generator's value.

    However it ends, closing or interrupting the generator included, the learner is left at its best evaluation (at the last
    good state where nothing is validated).

    Args:
        validation: gives the log density of each held-out row, (m,), under the averaged weights; usually `learner.evaluate`.
        checkpoints: where to keep the state; a whole one that is found there is gone on from.
        deadline: gives the seconds left, or None. The evaluation at the end is within it.
    """
    loop = _Loop(learner, n_rows, settings, seed, validation, checkpoints, deadline)
    place, out = loop.place, loop.place.outcome
    try:
        if place.step == 0:
            value, better, _ = loop.evaluate(math.nan)
            yield Progress(0, math.nan, 0.0, value, loop.seconds(), better)
        ended, on = False, out.why != "stopped"
        while on and not ended and place.epoch < settings.max_epochs:
            start = (place.step, place.epoch)
            for _ in range(min(settings.evaluate_every, settings.max_epochs - place.epoch)):
                loss, ended = loop.epoch()
                if ended or not math.isfinite(loss):
                    break
            value, better = None, False
            if math.isfinite(loss):
                value, better, on = loop.evaluate(loss)
            if not math.isfinite(loss) or (value is not None and not math.isfinite(value)):
                if out.rollbacks == settings.max_rollbacks:
                    out.why = "diverged"
                    break
                (place.step, place.epoch), ended = start, False
                place.scale, out.rollbacks = place.scale / 2, out.rollbacks + 1
                learner.load(loop.good)
                continue
            out.why = "budget" if ended else "max_epochs" if on else "stopped"
            out.steps, out.epochs = place.step, place.step / loop.steps
            loop.save()
            yield Progress(place.step, loss, out.epochs, value, loop.seconds(), better)
    finally:
        learner.load(loop.best)
    return out


def finish(
    loop: Generator[Progress, None, Outcome], report: Callable[[Progress], None] | None = None
) -> Outcome:
    """Run a `train` loop to its end, handing each record to `report`."""
    while True:
        try:
            record = next(loop)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        if report is not None:
            report(record)
