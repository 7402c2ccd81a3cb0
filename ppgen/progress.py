"""Records of a running fit, and the time it may take."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from .errors import InputError

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
    """

    step: int
    loss: float
    epoch: float = 0.0
    validation: float | None = None
    seconds: float = 0.0
    best: bool = False
    bound: float | None = None


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
        self._began = time.perf_counter()

    def seconds(self) -> float:
        return time.perf_counter() - self._began

    def left(self) -> float | None:
        """Seconds left, never negative; None where there is no budget."""
        return None if self.budget is None else max(0.0, self.budget - self.seconds())
