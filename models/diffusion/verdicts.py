"""What is said of a diffusion model: how its training went, and whether its samples are new.

The best possible denoiser of the rows trained on generates these rows and nothing else
(`inference.diffusion.exact.IdealDenoiser`): a net that is large and trained for long comes near to
it. The loss of held-out rows, which chooses the weights, tells that late; what tells it directly is
which real row is nearest to each sample (see `nets.memory`, with a false-alarm rate of 0.1 %).
"""

from __future__ import annotations

from ...data import AnyCodec, Codec
from ...neighbours import Memorised
from ...verdict import Reason, nothing_learnt, warning
from ..nets.held_out import Subset
from ..nets.memory import memory
from ..nets.trainer import Training
from ..nets.verdicts import too_few

_UNLIKE = 100.0  # times that scales of columns differ from 1, or each other, to be told of


def scales(codec: AnyCodec) -> list[Reason]:
    """What is said of columns whose units are far apart, or far from 1."""
    if not isinstance(codec, Codec):
        return []
    found = sorted((warp.scale, warp.column.name) for warp in codec.warps)
    if not found:
        return []
    least, most = found[0], found[-1]
    if most[0] <= _UNLIKE and max(most[0], 1.0) <= _UNLIKE * least[0]:
        return []
    what = (
        "columns are brought to one scale for the net: their standard deviations are from "
        f"{least[0]:.3g} ({least[1]}) to {most[0]:.3g} ({most[1]})."
    )
    return [Reason("ok", what)]


def levels(moved: float) -> list[Reason]:
    """What is said where the levels of generated pixels were brought to the rows' shares."""
    if not moved:
        return []
    what = (
        f"{moved:.0%} of generated pixels had levels that real ones seldom have; samples, not "
        "densities, are brought to the levels of the rows."
    )
    return [Reason("ok", what)]


def course(training: Training, seen: Subset, unseen: Subset | None, *, held: bool) -> list[Reason]:
    """What is said of a training; `held` is whether rows were to be held out."""
    out = training.outcome
    reasons = list(training.reasons)
    if out.why == "diverged" and out.best_step:
        reasons = [r for r in reasons if r.status != "failed"]
        reasons += warning(
            f"the loss was not finite {out.rollbacks + 1} times, each at half the rate; the best "
            f"weights before that, of step {out.best_step}, are kept.",
            "Lower learning_rate, or look for outliers.",
        )
    if not held:
        return reasons
    if unseen is None:
        reasons += too_few(len(seen), "Give validation rows.")
    elif out.steps and not out.best_step and out.why != "interrupted":
        reasons += nothing_learnt(
            "nothing was learnt: the loss of held-out rows was never lower than at the start.",
            "Give more rows or a longer fit, or lower learning_rate.",
        )
    return reasons


def novelty(found: Memorised | None, *, images: bool) -> list[Reason]:
    """Whether samples are new.

    Args:
        found: how far they repeat training rows; None where that cannot be told.
        images: whether the net is one that has dropout.
    """
    if found is None:
        return not_judged("there are too few held-out rows, or the training was too short")
    smaller = "raise dropout, or take fewer channels" if images else "or take a smaller width"
    said = memory(found, f"Give more rows, train for fewer epochs (max_epochs), {smaller}.")
    if said:
        return said
    what = (
        f"samples are new: the nearest real row is a held-out one for {found.to_held_out:.1%} of "
        f"them, by chance for {found.expected:.1%}."
    )
    return [Reason("ok", what)]


def not_judged(why: str) -> list[Reason]:
    """That nothing can be said of how new samples are."""
    what = f"whether samples repeat training rows was not looked at: {why}."
    return [Reason("ok", what)]
