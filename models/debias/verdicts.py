"""What accuracy, draws and latents say of a debiasing classifier."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...verdict import Reason, warning

_GAP = 0.1  # of the accuracy, from which a net is said to have learnt by heart
_ACTIVE = 0.01  # nats from which on a latent says something of a row
_FEW = 0.05  # effective share of the rows below which resampling rests on few of them


def overfitting(seen: NDArray[np.bool_], unseen: NDArray[np.bool_] | None, n: int) -> list[Reason]:
    """What the accuracies say, of rows trained on and of rows held out.

    Args:
        seen, unseen: whether each row was classified right.
        n: how many rows were trained on.
    """
    if unseen is None:
        return warning(
            f"{n} rows are too few to hold any out, so nothing says how the classifier does on "
            "others.",
            "Give validation rows with their labels.",
        )
    a, b = float(seen.mean()), float(unseen.mean())
    stderr = math.sqrt(
        max(a * (1 - a), 0.25 / len(seen)) / len(seen)
        + max(b * (1 - b), 0.25 / len(unseen)) / len(unseen)
    )
    what = f"accuracy {b:.3f} on held-out rows, {a:.3f} on rows trained on"
    if a - b <= _GAP or a - b <= 3 * stderr:
        return [Reason("ok", what + ".")]
    return warning(
        f"overfitting: {what}.",
        "Give more rows, augment (images), dropout, weight_decay, or a smaller hidden.",
    )


def rests_on(share: float, alpha: float) -> list[Reason]:
    """What the draws of the last epoch say, which rest on this share of the rows."""
    if share >= _FEW:
        return []
    return warning(
        f"resampling rests on {share:.1%} of the rows: they are learnt by heart.",
        f"Raise alpha ({alpha:g}), lower latent_dim, or give more rows.",
    )


def collapsed(kl: NDArray[np.float64]) -> list[Reason]:
    """What the nats (k,) of the latents say."""
    if (kl >= _ACTIVE).any():
        return []
    return warning(
        f"posterior collapse: none of the {len(kl)} latents says anything of a row, so all "
        "rows are drawn alike.",
        "Lower kl_weight, raise reconstruction_weight, or train longer.",
    )
