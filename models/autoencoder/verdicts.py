"""What the training, the errors and the codes of an autoencoder say of the fit."""

from __future__ import annotations

import math

import numpy as np

from ...arrays import Floats
from ...inference.learner import Outcome
from ...verdict import Reason, nothing_learnt, warning
from ..nets.verdicts import too_few

_DEAD = 1e-3  # standard deviation, beside the largest of all codes, below which one is dead
_WORSE = 2.0  # times the error of rows trained on, from which a net is said to have learnt by heart


def progress(outcome: Outcome) -> list[Reason]:
    """What the course of the training says; its numbers are shares of the error of the best
    constant row."""
    gain, stderr = outcome.improvement, outcome.improvement_stderr
    left = -outcome.best
    if outcome.why in ("stopped", "interrupted") or not gain - 2 * stderr > max(0.1 * left, 1e-3):
        return []
    limit = "the budget" if outcome.why == "budget" else "max_epochs"
    return warning(
        f"not converged: the held-out error still fell by {gain / (gain + left):.0%} in the "
        f"last quarter before {limit} ended.",
        f"Raise {limit.removeprefix('the ')}.",
    )


def errors(
    seen: Floats, unseen: Floats | None, constant: float, n: int, smaller: str = "a smaller hidden"
) -> list[Reason]:
    """What the errors of some rows trained on and of some held out say.

    Args:
        constant: the error of the best constant row.
        n: how many rows were trained on.
        smaller: how the net is made smaller.
    """
    if unseen is None:
        return too_few(n, 'Give validation rows, or use kind="linear".')
    a, b = float(seen.mean()), float(unseen.mean())
    if b >= constant:
        return nothing_learnt(
            f"the codes say nothing: held-out rows are off by {b:.3g}, and by {constant:.3g} "
            "from one constant row.",
            f"Give more rows, {smaller} or latent_dim, or train longer; if the columns are "
            "independent, there is nothing to say.",
        )
    stderr = math.sqrt(seen.var() / len(seen) + unseen.var() / len(unseen))
    if b <= _WORSE * a or b - a <= 3 * stderr or b - a <= 0.01 * constant:
        return []
    return warning(
        f"overfitting: held-out rows are off by {b:.3g}, rows trained on by {a:.3g}.",
        f"Give more rows, {smaller} or latent_dim, noise or weight_decay.",
    )


def dead(codes: Floats) -> list[Reason]:
    """Codes (n, k) that are the same for all rows."""
    spread = codes.std(0)
    idle = np.flatnonzero(spread <= _DEAD * spread.max())
    if not len(idle):
        return []
    some = ", ".join(map(str, idle[:5])) + (", ..." if len(idle) > 5 else "")
    return warning(
        f"{len(idle)} of {codes.shape[1]} codes are dead, the same for all rows ({some}).",
        f"Lower latent_dim to {max(1, codes.shape[1] - len(idle))}, or, where codes are "
        "missed, learning_rate.",
    )
