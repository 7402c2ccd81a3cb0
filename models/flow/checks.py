"""What is checked around a flow's training: settings, held-out rows, and how far to trust the
fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, did_you_mean
from ...inference.learner import Outcome
from ...inference.schedule import Settings
from ...verdict import Reason

if TYPE_CHECKING:
    from .estimator import NormalizingFlow

Floats = NDArray[np.float64]
Rows = tuple[Floats, Floats | None, Floats | None]  # x, context, weights

KINDS = ("nsf-ar", "nsf", "maf", "realnvp")
BACKENDS = ("pyro", "numpyro")
_FEW = 20  # rows below which none are held out
_SOME = 2000  # rows that overfitting is looked for on


def check(flow: NormalizingFlow) -> None:
    """Raise InputError where a setting is none."""
    choices = (("kind", flow.kind, KINDS), ("backend", flow.backend, BACKENDS))
    for name, value, options in choices:
        if value not in options:
            raise InputError(
                f"{name} is {value!r}; expected one of {', '.join(options)}."
                + did_you_mean(str(value), options)
            )
    sizes: dict[str, tuple[Any, int]] = {
        "n_transforms": (flow.n_transforms, 1),
        "bins": (flow.bins, 2),
        "batch_size": (flow.batch_size, 1),
        "max_epochs": (flow.max_epochs, 1),
    }
    for name, (size, least) in sizes.items():
        if size is not None and (not isinstance(size, int | np.integer) or size < least):
            raise InputError(f"{name} is {size!r}; expected None or an integer >= {least}.")
    if flow.hidden is not None and (not len(flow.hidden) or min(flow.hidden) < 1):
        raise InputError(f"hidden is {flow.hidden!r}; expected sizes such as (64, 64).")
    numbers = (("tail_bound", flow.tail_bound), ("learning_rate", flow.learning_rate))
    for name, number in numbers:
        if number is not None and not 0 < number < math.inf:
            raise InputError(f"{name} is {number!r}; expected a positive number.")


def overfit(
    log_prob: Callable[[Floats, Floats | None], Floats],
    rows: Rows,
    held: Rows | None,
    rng: np.random.Generator,
) -> list[Reason]:
    """Whether rows trained on are likelier than held-out ones by more than noise."""
    if held is None:
        return [
            Reason(
                "warn",
                f"{len(rows[0])} rows are too few to hold any out, so nothing stopped the net.",
                "Give validation rows, or use gaussian or kde.",
            )
        ]

    def some(part: Rows) -> Floats:
        # Enough rows to see a gap, few enough to cost nothing.
        x, context, _ = part
        which = rng.choice(len(x), size=min(_SOME, len(x)), replace=False)
        return log_prob(x[which], None if context is None else context[which])

    seen, unseen = some(rows), some(held)
    gap = seen.mean() - unseen.mean()
    stderr = math.sqrt(seen.var() / len(seen) + unseen.var() / len(unseen))
    if gap < max(0.1 * rows[0].shape[1], 3 * stderr):
        return []
    return [
        Reason(
            "warn",
            f"rows trained on are {gap:.2g} nats likelier than held-out ones (± {stderr:.2g}).",
            "The net is too large for them: give more rows, or a smaller hidden or n_transforms.",
        )
    ]


def held_out(hashes: NDArray[np.uint64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which rows are held out: a tenth (a fifth of few rows, none of very few); equal rows go
    together."""
    n = len(hashes)
    if n < _FEW:
        return np.zeros(n, dtype=bool)
    _, group = np.unique(hashes, return_inverse=True)
    groups = group.max() + 1
    wanted = min(max(n // 10, min(n // 5, 100)), 10_000) / n
    order = rng.permutation(groups)
    held: NDArray[np.bool_] = order[group] < round(wanted * groups)
    return held


def course(outcome: Outcome, settings: Settings) -> list[Reason]:
    """What the course of the training says."""
    if outcome.why == "diverged":
        return [
            Reason(
                "failed",
                f"the loss was not finite {outcome.rollbacks + 1} times, each at half the rate.",
                f"Lower learning_rate ({settings.learning_rate:g}) or look for outliers.",
            )
        ]
    found = []
    gain, stderr = outcome.improvement, outcome.improvement_stderr
    if outcome.why in ("budget", "max_epochs") and gain - 2 * stderr > 0.01:
        limit = "the budget" if outcome.why == "budget" else "max_epochs"
        found.append(
            Reason(
                "warn",
                f"still improving when {limit} ended ({gain:.2g} nats over the last evaluations).",
                f"Raise {'budget' if outcome.why == 'budget' else limit}.",
            )
        )
    return found
