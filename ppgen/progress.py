"""Records of a running fit, the time it may take, and the bars that a terminal shows; elsewhere,
lines."""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .errors import InputError

_SOON, _GROWN, _LATE = 5.0, 0.25, 60.0  # seconds, and share of those so far, between two lines
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Progress:
    """One record of a running fit.

    Attributes:
        step: optimiser steps or iterations so far.
        loss: minus the objective of the rows trained on, a row, in nats (lower is better).
        epoch: passes over the rows so far.
        validation: the objective of the held-out rows, a row, where it was just evaluated: their
            mean log density, or what stands in its place in training (of a VAE the bound with its
            beta and free bits, after the warm-up). By it weights are kept and the fit is stopped.
        seconds: since the fit began.
        best: True where `validation` is the best so far.
        bound: the mean bound on the log density of the held-out rows, where the objective is one or
            comes from one.
        measures: what else is measured in training, by name: means since the record before.
    """

    step: int
    loss: float
    epoch: float = 0.0
    validation: float | None = None
    seconds: float = 0.0
    best: bool = False
    bound: float | None = None
    measures: Mapping[str, float] = field(default_factory=dict)


def duration(budget: str | float | None) -> float | None:
    """Seconds of a budget such as "60s", "5m", "1h30m" or 60; None stays None.

    Raises:
        InputError: if it cannot be read as a positive duration.
    """
    if budget is None:
        return None
    if isinstance(budget, str):
        parts = re.findall(r"(\d+(?:\.\d+)?)\s*(ms|min|s|m|h)", budget)
        whole = "".join(f"{n}{u}" for n, u in parts)
        readable = bool(parts) and whole == re.sub(r"\s", "", budget)
        seconds = sum(float(n) * _UNITS[u] for n, u in parts) if readable else -1.0
    else:
        seconds = float(budget)
    if not 0 < seconds < float("inf"):
        raise InputError(
            f"budget is {budget!r}; expected a positive duration such as '60s', '5m' or '1h30m'."
        )
    return seconds


class Clock:
    """Time since a fit began, and what is left of its budget."""

    def __init__(self, budget: float | None = None) -> None:
        self.budget = budget
        self._began, self._computed = time.perf_counter(), time.process_time()

    def seconds(self) -> float:
        return time.perf_counter() - self._began

    def cores(self) -> float:
        """How many cores this process has had since: a part of one where others are busy too."""
        return (time.process_time() - self._computed) / max(self.seconds(), 1e-9)

    def left(self) -> float | None:
        """Seconds left, never negative; None where there is no budget."""
        return None if self.budget is None else max(0.0, self.budget - self.seconds())


@contextmanager
def terminal_bar(name: str, *, show: bool, **how: Any) -> Iterator[Any]:
    """A bar of tqdm on standard error, which goes when it is done; None where nobody would see it.

    Args:
        name: what stands before it.
        show: whether one is wanted.
        how: what else tqdm takes, such as `unit` and `total`.
    """
    if not show or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=name, leave=False, **how) as bar:
        yield bar


@contextmanager
def progress_bar(
    name: str, clock: Clock, *, show: bool
) -> Iterator[Callable[[Progress], None] | None]:
    """A callback that shows the records of a fit: in a bar on a terminal, in lines on standard
    error elsewhere. None where none are wanted."""
    with terminal_bar(name, show=show, unit=" steps") as bar:

        def draw(record: Progress) -> None:
            bar.update(record.step - bar.n)
            bar.set_postfix_str(_words(record, clock))

        if bar is not None or not show:
            yield None if bar is None else draw
            return
        lines = _Lines(name, clock)
        yield lines.see
        lines.end()


class _Lines:
    """Records as lines: the first and the last, and between them one whenever the time has grown by
    a quarter, after five seconds at least and a minute at most; none that says what the line before
    does."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name, self.clock = name, clock
        self.next = 0.0
        self.unseen: Progress | None = None
        self.before = ""

    def see(self, record: Progress) -> None:
        self.unseen, seconds = record, self.clock.seconds()
        if seconds >= self.next:
            self.next = seconds + min(max(_SOON, _GROWN * seconds), _LATE)
            self._print(record)

    def end(self) -> None:
        if self.unseen is not None:
            self._print(self.unseen)

    def _print(self, record: Progress) -> None:
        self.unseen = None
        step, numbers = f"step {record.step}", _numbers(record)
        said, self.before = self.before, f"{step}, {numbers}"
        if said == self.before:
            return
        words = [step, f"{self.clock.seconds():.0f} s", _words(record, self.clock)]
        print(f"{self.name}:", ", ".join(filter(None, words)), file=sys.stderr, flush=True)


def _numbers(record: Progress) -> str:
    words = [] if math.isnan(record.loss) else [f"loss {record.loss:.3f}"]
    if record.validation is not None:
        words.append(f"validation {record.validation:.3f}")
    return ", ".join(words)


def _words(record: Progress, clock: Clock) -> str:
    """The numbers of a record, and the time that is left."""
    left = clock.left()
    return ", ".join(filter(None, [_numbers(record), "" if left is None else f"{left:.0f} s left"]))


@contextmanager
def rows_bar(name: str, n: int, *, show: bool) -> Iterator[Callable[[int], object]]:
    """A callback that takes how many more of n rows are done."""
    with terminal_bar(name, show=show, unit=" rows", total=n) as bar:
        yield (lambda rows: None) if bar is None else bar.update
