"""What is checked around a flow's training: settings, held-out rows, and how far to trust the
fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, did_you_mean
from ...verdict import Reason

if TYPE_CHECKING:
    from .estimator import NormalizingFlow

Floats = NDArray[np.float64]
Rows = tuple[Floats, Floats | None, Floats | None]  # x, context, weights

KINDS = ("nsf-ar", "nsf", "maf", "realnvp")
BACKENDS = ("pyro", "numpyro")
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
