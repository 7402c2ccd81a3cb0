"""What the accuracies, the draws and the latents of a debiasing classifier say of the fit."""

from __future__ import annotations

import math

import numpy as np

from ...arrays import Array, Floats, Mask
from ...digits import plus_minus
from ...verdict import Reason, nothing_learnt, warning
from ..group_accuracy import Group, group_accuracy

_GAP = 0.1  # of the accuracy, from which a net is said to have learnt by heart
_ACTIVE = 0.01  # nats from which on a latent says something of a row
_FEW = 0.05  # effective share of the rows below which resampling rests on few of them


def partly_looked_at(looked: int, n: int) -> list[Reason]:
    """Whether the budget left time to look at all n rows."""
    if looked == n:
        return []
    what = (
        f"the budget left time to look at {looked} of {n} rows: these were trained on, and the "
        "sampling weight of each of the others is the mean of its class."
    )
    return warning(what, "Raise the budget.")


def by_chance(right: Mask, labels: Array) -> list[Reason]:
    """Whether held-out rows are classified better than by any constant answer: the mean over the C
    classes among them of the share that is right, which is 1 / C for one.

    Args:
        right: (n,) whether each row was classified right.
        labels: (n,) the rows' own.
    """
    classes = group_accuracy(right, labels).groups
    if len(classes) == 1:
        only = f"{classes[0].name!r}"
        return warning(
            f"the held-out rows are all of class {only}, so that their accuracy says nothing.",
            "Give more rows of the other classes.",
        )
    mean = float(np.mean([c.accuracy for c in classes]))
    stderr = math.hypot(*(c.stderr for c in classes)) / len(classes)
    chance = 1 / len(classes)
    if mean - chance > 2 * stderr:
        return []
    return nothing_learnt(
        "the classifier is no better than one answer for all rows: over classes its mean accuracy "
        f"is {plus_minus(mean, stderr)}, by chance {chance:.3f}.",
        "Train longer, give more rows of the rare classes, or look whether the columns say "
        "anything of the label.",
    )


def overfitting(
    seen: Mask, unseen: Mask | None, n: int, smaller: str = "a smaller hidden"
) -> list[Reason]:
    """What the accuracies say, of rows trained on and of rows held out.

    Args:
        seen, unseen: whether each row was classified right.
        n: how many rows were trained on.
        smaller: how the net is made smaller.
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
    held = Group("held-out", len(unseen), int(unseen.sum()))
    what = (
        f"accuracy {plus_minus(b, held.stderr)} on {held.count} held-out rows, {a:.3f} on rows "
        "trained on"
    )
    if a - b <= _GAP or a - b <= 3 * stderr:
        return [Reason("ok", what + ".")]
    return warning(
        f"overfitting: {what}.",
        f"Give more rows, {smaller}, dropout or weight_decay, or augment images.",
    )


def rests_on(share: float, alpha: float) -> list[Reason]:
    """What the draws of the last epoch say, which rest on this share of the rows."""
    if share >= _FEW:
        return []
    return warning(
        f"resampling rests on {share:.1%} of the rows: they are learnt by heart.",
        f"Raise alpha ({alpha:g}), lower latent_dim, or give more rows.",
    )


def collapsed(kl: Floats) -> list[Reason]:
    """What the nats (k,) of the latents say."""
    if (kl >= _ACTIVE).any():
        return []
    return warning(
        f"posterior collapse: none of the {len(kl)} latents says anything of a row, so all "
        "rows are drawn alike.",
        "Lower kl_weight, raise reconstruction_weight, or train longer.",
    )
