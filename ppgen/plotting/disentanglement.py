"""Which latents tell which factors, and how well each factor is told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..analysis.disentangle import Disentanglement
from .axis import shortened
from .latent_scatter import PALETTE, side_legend
from .style import MUTED, figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_NAMED = 40
_DARK = 0.6  # of the largest importance, from which on numbers are white


def plot_disentanglement(found: Disentanglement) -> Figure:
    """Left, how important each latent is for telling each factor, in columns that add up to 1;
    right, the scores of each factor.

    Args:
        found: what `ppgen.disentanglement` gave.
    """
    importance = np.asarray(found.dci.importance, np.float64)
    total = importance.sum(axis=0, keepdims=True)
    shares = np.divide(importance, total, out=np.zeros_like(importance), where=total > 0)
    k, f = shares.shape
    names = [shortened(name, 14) for name in found.names]
    turned = 45 if f > 3 else 0
    scores = {
        f"MIG {found.mig:.2f}": found.mig_of,
        f"SAP {found.sap:.2f}": found.sap_of,
        f"completeness {found.dci.completeness:.2f}": found.dci.completeness_of,
        f"informativeness {found.dci.informativeness:.2f}": found.dci.informativeness_of,
    }
    with styled():
        height = float(np.clip(0.26 * k + 1.1, 2.6, 7.0))
        made = figure(0.5 * f + 1.1 + 0.55 * f + 3.2, height)
        left, right = made.subplots(1, 2, width_ratios=(0.5 * f + 0.6, 0.55 * f + 1.2))
        left.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        if k <= _MAX_NAMED:
            for j, i in np.ndindex(k, f):
                if shares[j, i] >= 0.05:
                    colour = "white" if shares[j, i] > _DARK else MUTED
                    left.text(
                        i, j, f"{shares[j, i]:.2f}", ha="center", va="center", color=colour,
                        fontsize=7,
                    )  # fmt: skip
            left.set_yticks(np.arange(k), [str(j) for j in range(k)])
        else:
            left.set_yticks([])
        left.set_xticks(np.arange(f), names, rotation=turned, ha="right" if turned else "center")
        left.set(ylabel="latent", title="importance for each factor")
        left.tick_params(length=0)
        left.spines[:].set_visible(False)
        width = 0.8 / len(scores)
        for s, values in enumerate(scores.values()):
            place = np.arange(f) + (s - (len(scores) - 1) / 2) * width
            right.bar(place, values, width=0.9 * width, color=PALETTE[s])
        right.set_xticks(np.arange(f), names, rotation=turned, ha="right" if turned else "center")
        right.tick_params(axis="x", length=0)
        right.set(ylim=(min(0.0, float(min(map(np.min, scores.values())))), 1), title="scores")
        side_legend(made, [(name, PALETTE[s]) for s, name in enumerate(scores)], "mean")
    return made
