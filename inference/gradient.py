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
- **Time** is measured a chunk of steps at a time (see `pace`).
- **Checkpoints** hold all of this, so a fit that was killed goes on bit for bit (same machine,
  threads and versions) if no time budget is set; under a budget the learning rate follows the
  clock, and the time used before counts.
- **An interrupt** (`KeyboardInterrupt`) ends training as the end of the schedule would: the state
  of the last evaluation is kept as a checkpoint, what was learnt since then is evaluated, and the
  best is kept. A second one ends that evaluation. Before the first step there is nothing to keep.

References: Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017,
https://arxiv.org/abs/1608.03983; Polyak and Juditsky, "Acceleration of stochastic approximation by
averaging", 1992, https://doi.org/10.1137/0330046; Lan and DeMets, "Discrete sequential boundaries
for clinical trials", 1983, https://doi.org/10.1093/biomet/70.3.659 (spending alpha over looks).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import suppress

import numpy as np

from ..checkpoint import Checkpoints
from ..progress import Progress
from .learner import Array
from .learner import Learner as Learner
from .learner import Outcome as Outcome
from .pace import Pace
from .plateau import Plateau
from .schedule import Batches, ema_decay, rate, share_used, stderr, worth_going_on
from .schedule import Schedule as Schedule
from .schedule import batches as batches
from .training_state import Resumed


class _Loop(Resumed):
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
        plateau = validation if isinstance(validation, Plateau) else None
        learner.most = settings.chunk
        super().__init__(learner, plateau, checkpoints, settings.checkpoint_every)
        self.settings = settings
        self.validation = None if isinstance(validation, Plateau) else validation
        self.units = None if units is None else np.unique(units, return_inverse=True)[1]
        self.losses: list[Array] = []  # of the steps of this epoch
        self.batches = Batches(seed, n_rows, settings)
        self.steps = self.batches.steps  # an epoch
        spent = self.place.seconds
        self.pace = Pace(deadline or (lambda: None), settings.chunk, learner.compiled, spent)

    @property
    def epochs(self) -> int:
        """At which the schedule ends."""
        return self.place.last or self.settings.max_epochs

    def seconds(self) -> float:
        return self.pace.seconds()

    def loss(self) -> float:
        """The mean over the steps of this epoch."""
        return float(np.concatenate(self.losses).mean()) if self.losses else math.nan

    def epoch(self) -> tuple[float, bool]:
        """Take the steps of one epoch: their mean loss (NaN if it diverged), and whether the time
        ended."""
        place, settings, pace = self.place, self.settings, self.pace
        self.learner.begin_epoch(place.epoch)
        rows = self.batches.of(place.epoch)
        total, done = self.steps * self.epochs, 0
        self.losses = []
        while done < len(rows):
            used, started = pace.used(), pace.now()
            block = rows[done : done + pace.chunk()]
            rates = rate(settings, place.step + np.arange(len(block)), total, used)
            self.learner.share = float(share_used(place.step, total, used))
            losses = np.asarray(self.learner.run(block, place.scale * rates))
            place.step, done = place.step + len(block), done + len(block)
            ended = pace.ended(len(block), pace.now() - started)
            if not np.isfinite(losses).all():
                return math.nan, False
            self.losses.append(losses)
            self.learner.average(ema_decay(settings, place.step, len(block)))
            self.watch(losses)
            if ended:
                return self.loss(), True
        place.epoch += 1
        return self.loss(), False

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
        started = self.pace.now()
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
        self.pace.evaluated(self.pace.now() - started)
        return mean, better, on

    def record(self, loss: float, value: float | None, better: bool) -> Progress:
        place, measures = self.place, self.learner.measured()
        epochs, seconds = place.outcome.epochs, self.seconds()
        return Progress(place.step, loss, epochs, value, seconds, better, measures=measures)

    def interrupted(self) -> None:
        """Keep what an interrupted training has come to; raise the interrupt where that is nothing,
        or where other processes wait for this one."""
        place, out = self.place, self.place.outcome
        if place.step == 0 or self.learner.together:
            raise
        self.save(at_once=True)
        if place.step > self.marked.step:
            with suppress(KeyboardInterrupt):
                self.evaluate(self.loss())
        out.why, out.steps, out.epochs = "interrupted", place.step, place.step / self.steps

    def rounds(self) -> Generator[Progress, None, None]:
        """Train to the end: a record for each evaluation."""
        place, out, learner = self.place, self.place.outcome, self.learner
        if place.step == 0:
            value, better, _ = self.evaluate(math.nan)
            self.mark()
            yield self.record(math.nan, value, better)
        ended, on = False, out.why != "stopped"
        while on and not ended and place.epoch < self.epochs:
            start, value, better = (place.step, place.epoch), None, False
            for _ in range(min(self.settings.evaluate_every, self.epochs - place.epoch)):
                loss, ended = self.epoch()
                if ended or math.isnan(loss):
                    break
            if not math.isnan(loss):
                value, better, on = self.evaluate(loss)
            if math.isnan(loss) or (value is not None and math.isnan(value)):
                if out.rollbacks == self.settings.max_rollbacks:
                    out.why = "diverged"
                    return
                (place.step, place.epoch), ended = start, False
                place.scale, out.rollbacks = place.scale / 2, out.rollbacks + 1
                learner.load(self.good)
                learner.measured()
                if self.plateau is not None:
                    self.plateau.restart()
                continue
            out.first_loss = loss if math.isnan(out.first_loss) else out.first_loss
            out.last_loss = loss
            stopped = not on or 0 < place.last <= place.epoch
            out.why = "budget" if ended else "stopped" if stopped else "max_epochs"
            out.steps, out.epochs = place.step, place.step / self.steps
            self.mark()
            record = self.record(loss, value, better)
            self.save()
            yield record


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

    Raises:
        KeyboardInterrupt: where it is interrupted before its first step.
    """
    loop = _Loop(learner, n_rows, settings, seed, validation, units, checkpoints, deadline)
    try:
        yield from loop.rounds()
    except KeyboardInterrupt:
        loop.interrupted()
    finally:
        learner.load(loop.best)
        loop.place.outcome.compiling = loop.pace.compiling
    return loop.place.outcome


def finish(
    loop: Generator[Progress, None, Outcome], report: Callable[[Progress], None] | None = None
) -> Outcome:
    """Run a `train` loop to its end, handing each record to `report`. An interrupt of `report` is
    one of the training."""
    try:
        while True:
            try:
                record = next(loop)
                if report is not None:
                    report(record)
            except KeyboardInterrupt as interrupt:
                loop.throw(interrupt)  # a loop that is over gives it back
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
