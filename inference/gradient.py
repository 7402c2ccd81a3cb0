"""The one training loop: minibatch gradient steps, for every neural family and for SVI.

A `Learner` takes steps and gives its state; `train` owns everything else, as a generator of
`Progress`:

- **Batches** are a pure function of (seed, epoch, step): row `step` of `batches(seed, epoch, ...)`.
- **Learning rate** warms up over the first steps and falls as a cosine to 0,
  eta(s) = eta_0 (1 + cos(pi s)) / 2, where s is the share used of the epochs or of the time given,
  whichever is further on: a time budget ends with the schedule.
- **Weights** are averaged (decay min(ema, (1 + t) / (10 + t)) at step t, folded in once a chunk);
  the average is what is validated, and the best is kept.
- **Without held-out rows** a `Plateau` may watch the losses: where it finds one, the end of the
  schedule is brought forward, so that the share `hold` of it is used and what is left is the fall
  of the rate. Kept are the latest weights whose recent mean loss is not above the best by more than
  a standard error.
- **Early stopping** compares held-out rows in pairs. Every `patience` evaluations, check j takes
  d_i = (log density of row i now) - (the same `patience` evaluations ago) and stops if the upper
  confidence limit mean(d) + t_{1 - alpha_j} se(d) is below `min_delta`, with
  alpha_j = alpha / (j (j + 1)). As these sum to alpha, the probability that a fit whose true
  improvement is `min_delta` or more over every window is stopped at any check is at most `alpha`
  (Student's limit, so up to how far mean(d) is from normal).
- **Divergence**: when a loss is not finite, training goes back to the last good state and goes on
  at half the learning rate, at most `max_rollbacks` times.
- **Checkpoints** hold all of this, so a fit that was killed goes on bit for bit (same machine,
  threads and versions) if no time budget is set; under a budget the learning rate follows the
  clock, and the time used before counts.

References: Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017,
https://arxiv.org/abs/1608.03983; Polyak and Juditsky, "Acceleration of stochastic approximation by
averaging", 1992, https://doi.org/10.1137/0330046; Lan and DeMets, "Discrete sequential boundaries
for clinical trials", 1983, https://doi.org/10.1093/biomet/70.3.659 (spending alpha over looks).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..checkpoint import Checkpoints
from ..progress import Progress
from .learner import Array
from .learner import Learner as Learner
from .learner import Outcome as Outcome
from .plateau import Plateau
from .schedule import Batches, ema_decay, rate, share_used, stderr, worth_going_on
from .schedule import Schedule as Schedule
from .schedule import batches as batches

_LOOK = 0.02  # of the time allowed, between two looks at the clock


@dataclass
class _Place:
    """The state of the loop: all that a checkpoint holds besides arrays."""

    step: int = 0
    epoch: int = 0
    scale: float = 1.0
    evaluated: list[int] = field(default_factory=list)  # steps of the evaluations in `recent`
    evaluations: int = 0
    checks: int = 0
    last: int = 0  # epochs, where a plateau has brought the end forward
    plateau: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    outcome: Outcome = field(default_factory=Outcome)


class _Loop:
    def __init__(
        self,
        learner: Learner,
        n_rows: int,
        settings: Schedule,
        seed: int,
        validation: Callable[[], Array] | Plateau | None,
        units: Array | None,
        checkpoints: Checkpoints | None,
        deadline: Callable[[], float | None] | None,
    ) -> None:
        self.learner, self.n_rows, self.settings, self.seed = learner, n_rows, settings, seed
        self.plateau = validation if isinstance(validation, Plateau) else None
        self.validation = None if isinstance(validation, Plateau) else validation
        self.checkpoints = checkpoints
        self.units = None if units is None else np.unique(units, return_inverse=True)[1]
        self.deadline = deadline or (lambda: None)
        self.place, self.began, self.saved = _Place(), time.perf_counter(), time.perf_counter()
        self.recent: list[Array] = []  # values of the last `patience` + 1 evaluations
        self.batches = Batches(seed, n_rows, settings)
        self.steps = self.batches.steps  # an epoch
        self.reserve = 0.0  # seconds that one evaluation takes
        self.pace = 0.0  # seconds that a step takes; 0 where that is not known
        self.good = self.best = learner.state()
        self.resume()
        left = self.deadline()
        self.allowed = None if left is None else self.place.seconds + left

    def seconds(self) -> float:
        return self.place.seconds + time.perf_counter() - self.began

    def now(self) -> float:
        """Seconds by the clock that decides: if there is a deadline, by what is left until it, on
        which processes that train together agree."""
        left = self.deadline()
        return self.seconds() if left is None else -left

    def used(self) -> float:
        left = self.deadline()
        if self.allowed is None or left is None:
            return 0.0
        return 1.0 - (left - self.reserve) / max(self.allowed - self.reserve, 1e-9)

    def chunk(self) -> int:
        """Steps until the next look at the clock: as many as take `_LOOK` of the time, one where
        none is left; always the same number where steps are compiled together."""
        if self.allowed == 0 and not self.learner.compiled:
            return 1
        if self.allowed is None or self.learner.compiled or self.pace == 0:
            return self.settings.chunk
        return int(min(max(1.0, _LOOK * self.allowed / self.pace), self.settings.chunk))

    def resume(self) -> None:
        latest = self.checkpoints.latest() if self.checkpoints else None
        if latest is None:
            return
        _, arrays, meta = latest
        self.place = _Place(**{**meta, "outcome": Outcome(**meta["outcome"])})
        parts: dict[str, dict[str, Array]] = {"good": {}, "best": {}, "loop": {}}
        for name, array in arrays.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = array
        self.good, self.best, self.recent = parts["good"], parts["best"], [*parts["loop"]["recent"]]
        self.learner.load(self.good)
        if self.plateau is not None:
            self.plateau.load(self.place.plateau)

    @property
    def epochs(self) -> int:
        """At which the schedule ends."""
        return self.place.last or self.settings.max_epochs

    def save(self) -> None:
        now = time.perf_counter()
        if self.checkpoints is None or now - self.saved < self.settings.checkpoint_every:
            return
        self.saved = now
        arrays = {"loop/recent": np.asarray(self.recent)}
        arrays |= {f"good/{k}": v for k, v in self.good.items()}
        arrays |= {f"best/{k}": v for k, v in self.best.items()}
        if self.plateau is not None:
            self.place.plateau = self.plateau.state()
        meta = asdict(self.place) | {"seconds": self.seconds()}
        self.checkpoints.save(self.place.step, arrays, meta)

    def epoch(self) -> tuple[float, bool]:
        """Take the steps of one epoch: their mean loss (NaN if it diverged), and whether the time
        ended."""
        place, settings = self.place, self.settings
        self.learner.begin_epoch(place.epoch)
        rows = self.batches.of(place.epoch)
        total, losses, done = self.steps * self.epochs, [], 0
        while done < len(rows):
            used, started = self.used(), self.now()
            block = rows[done : done + self.chunk()]
            rates = [rate(settings, place.step + i, total, used) for i in range(len(block))]
            self.learner.share = share_used(place.step, total, used)
            losses.append(np.asarray(self.learner.run(block, place.scale * np.asarray(rates))))
            place.step, done = place.step + len(block), done + len(block)
            took = self.now() - started
            self.pace = took / len(block)
            if not np.isfinite(losses[-1]).all():
                return math.nan, False
            self.learner.average(ema_decay(settings, place.step, len(block)))
            self.watch(losses[-1])
            left = self.deadline()
            if left is not None and left - self.reserve <= 1.2 * took:  # at 0 nothing takes time
                return float(np.concatenate(losses).mean()), True
        place.epoch += 1
        return float(np.concatenate(losses).mean()), False

    def watch(self, losses: Array) -> None:
        """Show losses to the plateau, and bring the end forward where it is found."""
        plateau, place = self.plateau, self.place
        if plateau is not None and not plateau.found and plateau.see(losses):
            ends = math.ceil(place.step / max(self.settings.hold, 1e-9) / self.steps)
            place.last = max(place.epoch + 1, min(ends, self.settings.max_epochs))
            place.outcome.plateau_step = place.step
        elif plateau is not None and plateau.found:
            plateau.see(losses)

    def evaluate(self, loss: float) -> tuple[float | None, bool, bool]:
        """The held-out mean (None without held-out rows), whether it is the best so far, and
        whether to go on."""
        place, out = self.place, self.place.outcome
        if self.validation is None:
            self.good = self.learner.state()
            mean, error = (math.nan, math.nan) if self.plateau is None else self.plateau.recent
            if math.isnan(mean) or -mean >= out.best - error:
                self.best, out.best_step, out.train_loss = self.good, place.step, loss
                out.best = max(out.best, -mean) if math.isfinite(mean) else out.best
            return None, False, True
        started = self.now()
        rows: Array = np.asarray(self.validation(), dtype=np.float64)
        mean = float(rows.mean())
        if self.units is not None:  # a value for each unit, with the mean of the rows
            totals = np.bincount(self.units, weights=rows)
            rows = totals * (len(totals) / len(rows))
        if not math.isfinite(mean):
            return math.nan, False, True
        self.good, better, on = self.learner.state(), mean > out.best, True
        if better:
            self.best = self.good
            out.best, out.best_step, out.train_loss = mean, place.step, loss
        patience = self.settings.patience
        if patience and place.evaluations and place.evaluations % patience == 0:
            place.checks += 1
            on = worth_going_on(rows - self.recent[0], place.checks, self.settings)
        place.evaluations += 1
        if self.recent:
            early = [i for i, step in enumerate(place.evaluated) if step <= 0.75 * place.step]
            d = rows - self.recent[early[-1] if early else 0]
            out.improvement, out.improvement_stderr = float(d.mean()), stderr(d)
        keep = max(patience, 1)
        self.recent = [*self.recent, rows][-keep:]
        place.evaluated = [*place.evaluated, place.step][-keep:]
        took = self.now() - started
        # The first evaluation may compile: the least counts.
        self.reserve = took if self.reserve == 0 else min(self.reserve, took)
        if self.pace == 0:  # a forward and a backward pass take three times a forward pass
            size = min(self.settings.batch_size, self.n_rows)
            self.pace = 3 * took / max(len(rows), 1) * size
        return mean, better, on

    def record(self, loss: float, value: float | None, better: bool) -> Progress:
        place, measures = self.place, self.learner.measured()
        epochs = place.outcome.epochs
        return Progress(place.step, loss, epochs, value, self.seconds(), better, measures=measures)


def train(
    learner: Learner,
    n_rows: int,
    settings: Schedule,
    *,
    seed: int,
    validation: Callable[[], Array] | Plateau | None = None,
    units: Array | None = None,
    checkpoints: Checkpoints | None = None,
    deadline: Callable[[], float | None] | None = None,
) -> Generator[Progress, None, Outcome]:
    """Train `learner` on rows 0 ... n_rows - 1: yields one record for each evaluation, and returns
    how training ended (`finish` gives it).

    However it ends, even if the generator is closed or interrupted, the learner is left at its best
    evaluation (at the last good state if nothing is validated).

    Args:
        validation: gives the log density of each held-out row, (m,), under the averaged weights;
            usually `learner.evaluate`. A `Plateau` judges by the losses instead.
        units: (m,) label of the unit that each held-out row belongs to: the stopping test counts
            each unit once. None: each row is a unit.
        checkpoints: where to keep the state; training resumes from the latest whole one.
        deadline: gives the seconds left, or None. They include the evaluation at the end.
    """
    loop = _Loop(learner, n_rows, settings, seed, validation, units, checkpoints, deadline)
    place, out = loop.place, loop.place.outcome
    try:
        if place.step == 0:
            value, better, _ = loop.evaluate(math.nan)
            yield loop.record(math.nan, value, better)
        ended, on = False, out.why != "stopped"
        while on and not ended and place.epoch < loop.epochs:
            start, value, better = (place.step, place.epoch), None, False
            for _ in range(min(settings.evaluate_every, loop.epochs - place.epoch)):
                loss, ended = loop.epoch()
                if ended or math.isnan(loss):
                    break
            if not math.isnan(loss):
                value, better, on = loop.evaluate(loss)
            if math.isnan(loss) or (value is not None and math.isnan(value)):
                if out.rollbacks == settings.max_rollbacks:
                    out.why = "diverged"
                    break
                (place.step, place.epoch), ended = start, False
                place.scale, out.rollbacks = place.scale / 2, out.rollbacks + 1
                learner.load(loop.good)
                learner.measured()
                if loop.plateau is not None:
                    loop.plateau.restart()
                continue
            stopped = not on or 0 < place.last <= place.epoch
            out.why = "budget" if ended else "stopped" if stopped else "max_epochs"
            out.steps, out.epochs = place.step, place.step / loop.steps
            record = loop.record(loss, value, better)
            loop.save()
            yield record
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
