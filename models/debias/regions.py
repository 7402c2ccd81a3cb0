"""Which regions of the latents are rare, and which rows lie there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats


@dataclass(frozen=True, eq=False)
class RareRegions:
    """The latents' histograms, and rows by how rare they are.

    Attributes:
        classes: (C,) the labels whose rows are debiased, a histogram of each latent for each.
        edges: (C, k, bins + 1) of the bins.
        counts: (C, k, bins) rows fitted in each.
        density: (C, k, bins) smoothed, relative to the highest of the latent.
        rows: (n,) numbers of the rows, the rarest first: `X[regions.rows[:20]]`.
        weights: (n,) their sampling weights, in that order, with the sum 1.
    """

    classes: NDArray[Any]
    edges: Floats
    counts: Floats
    density: Floats
    rows: NDArray[np.int64]
    weights: Floats

    def rare(self, below: float = 0.1) -> NDArray[np.bool_]:
        """(C, k, bins) whether a bin is rare: its density is below `below`."""
        return self.density < below

    def __str__(self) -> str:
        n, low = len(self.rows), self.rare()
        lines = [
            f"{n} rows; the rarest hundredth has {self.weights[: max(1, n // 100)].sum():.1%} of "
            "the draws"
        ]
        for c, label in enumerate(self.classes):
            for i in range(self.edges.shape[1]):
                share = self.counts[c, i][low[c, i]].sum() / self.counts[c, i].sum()
                lines.append(
                    f"class {label}, latent {i}: {low[c, i].mean():.0%} of its range is rare, with "
                    f"{share:.1%} of the rows"
                )
        return "\n".join(lines)
