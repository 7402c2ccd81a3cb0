"""Which rows an epoch is drawn from: rare ones, by histograms of the latents, more often.

With m_i(x) the mean of latent i of row x under the encoder, q_i the smoothed histogram of the means
of all rows, relative to its highest value, and a > 0,

    product    log w(x) = - sum_i log(q_i(m_i(x)) + a),
    max        log w(x) =   max_i -log(q_i(m_i(x)) + a),

brought to the sum 1. One latent makes a row at most (1 + a) / a times as likely as another: a small
a resamples more, and with a large one rows are drawn alike. The product is that of the paper, whose
Q_i are densities: relative to the highest value, a does not depend on a latent's units. With many
latents the product is ruled by rows that are a little rare in each of them, the maximum by those
that are very rare in one.

The histogram of latent i is smoothed by a Gaussian of variance (s b_i)^2 + v_i, with b_i the width
of its bins, s a number of them, and v_i the mean over rows of the encoder's variance: means that
are closer than the encoder can tell apart count as the same, so a latent that says nothing of a row
weighs all rows alike, however few its means lie apart.

Reference: Amini, Soleimany, Schwarting, Bhatia and Rus, "Uncovering and mitigating algorithmic bias
through learned latent structure" (2019), https://doi.org/10.1145/3306618.3314243
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats

Indices = NDArray[np.int64]

_DRAW = 0xD3B1A5  # keeps these draws apart from others of the same seed and epoch


@dataclass(frozen=True, eq=False)
class Histograms:
    """How the means of k latents lie.

    Attributes:
        edges: (k, bins + 1) of the bins, from the least mean to the greatest.
        counts: (k, bins) rows in each; sums of weights where rows have weights.
        density: (k, bins) the smoothed histogram, relative to its highest value.
    """

    edges: Floats
    counts: Floats
    density: Floats

    @classmethod
    def of(
        cls,
        means: Floats,
        variances: Floats,
        *,
        bins: int,
        smoothing: float,
        weights: Floats | None = None,
    ) -> Histograms:
        """The histograms of rows.

        Args:
            means: (n, k) of the latents.
            variances: (n, k) the encoder's.
            smoothing: s, in bins.
        """
        low, high = means.min(0), means.max(0)
        # Rounding may make of one value two neighbours: such a range is none.
        wide = high - low > 1e-9 * np.maximum(1.0, np.abs(low))
        low, high = np.where(wide, low, low - 0.5), np.where(wide, high, high + 0.5)
        edges = np.linspace(low, high, bins + 1, axis=1)
        width = (high - low) / bins
        columns = zip(means.T, edges, strict=True)
        places = [np.searchsorted(e, m, side="right") - 1 for m, e in columns]
        inside = [np.clip(p, 0, bins - 1) for p in places]
        counts = np.stack([np.bincount(p, weights, bins) for p in inside]).astype(np.float64)
        spread = np.sqrt((smoothing * width) ** 2 + np.average(variances, 0, weights))
        steps = np.arange(bins)
        apart = (steps[:, None] - steps) * (width / np.maximum(spread, 1e-300))[:, None, None]
        kernel = np.exp(-0.5 * np.minimum(np.abs(apart), 40.0) ** 2)
        # Each bin's smoothed count is a mean over the bins there are, so the ends are not thinned.
        smooth = (kernel @ counts[:, :, None])[:, :, 0] / kernel.sum(2)
        return cls(edges, counts, smooth / smooth.max(1, keepdims=True))

    def at(self, means: Floats) -> Floats:
        """(n, k) q_i at means (n, k), linear between the middles of the bins."""
        middles = (self.edges[:, 1:] + self.edges[:, :-1]) / 2
        columns = zip(means.T, middles, self.density, strict=True)
        return np.stack([np.interp(m, at, q) for m, at, q in columns], axis=1)

    def log_weights(self, means: Floats, alpha: float, combine: str = "product") -> Floats:
        """(n,) log w(x), not normalised."""
        each = -np.log(self.at(means) + alpha)
        return np.asarray(each.max(1) if combine == "max" else each.sum(1))


@dataclass(frozen=True, eq=False)
class Resampling:
    """How often rows of classes are drawn.

    Attributes:
        settings: has as attributes `resample`, `alpha`, `combine`, `bins` and `smoothing`.
        shares: (C,) of the classes among the draws.
        modelled: the number of the class that is resampled; None for all.
    """

    settings: Any
    shares: Floats
    modelled: int | None = None

    def histograms(
        self, means: Floats, variances: Floats, classes: Indices, weights: Floats | None
    ) -> dict[int, Histograms]:
        """The histograms of each class that is resampled, of rows with these latents."""
        every = range(len(self.shares)) if self.modelled is None else (self.modelled,)
        how = {"bins": self.settings.bins, "smoothing": self.settings.smoothing}
        histograms = {}
        for c in every:
            at = classes == c
            own = None if weights is None else weights[at]
            histograms[c] = Histograms.of(means[at], variances[at], weights=own, **how)
        return histograms

    def probabilities(
        self,
        histograms: Mapping[int, Histograms],
        means: Floats,
        classes: Indices,
        weights: Floats | None = None,
        known: Indices | None = None,
    ) -> Floats:
        """(n,) probabilities of rows with means (n, k) under histograms of the same or others. If
        `known` (m,) gives the rows whose means (m, k) are, each of the others counts as the mean of
        its class."""
        log_w, known = np.zeros(len(classes)), np.arange(len(classes)) if known is None else known
        for c, histogram in histograms.items() if self.settings.resample else ():
            rows = classes[known] == c
            if rows.any():
                alpha, combine = self.settings.alpha, self.settings.combine
                found = histogram.log_weights(means[rows], alpha, combine)
                log_w[classes == c] = np.logaddexp.reduce(found) - np.log(len(found))
                log_w[known[rows]] = found
        return normalised(log_w, classes, self.shares, weights)


def normalised(
    log_weights: Floats, classes: Indices, shares: Floats, weights: Floats | None = None
) -> Floats:
    """(n,) probabilities of rows: within class c proportional to exp(log w) and the rows' own
    weights, with the sum `shares[c]`."""
    out = np.zeros(len(log_weights))
    for c, share in enumerate(shares):
        rows = np.flatnonzero(classes == c)
        if not len(rows):
            continue
        w = np.exp(log_weights[rows] - log_weights[rows].max())
        w = w if weights is None else w * weights[rows]
        total = w.sum()
        if total > 0:
            out[rows] = share * w / total
    return np.asarray(out / out.sum())


def draw(probabilities: Floats, seed: int, epoch: int) -> Indices:
    """(n,) row numbers of one epoch, a pure function of the arguments.

    Rows are drawn systematically: row i floor(n p_i) or ceil(n p_i) times, n p_i on average. With
    equal probabilities each row comes once.
    """
    n = len(probabilities)
    rng = np.random.default_rng([seed, epoch, _DRAW])
    order = rng.permutation(n)
    ends = np.cumsum(probabilities[order])
    points = (np.arange(n) + rng.random()) / n * ends[-1]
    places = np.searchsorted(ends, points, side="right")
    return np.asarray(order[np.minimum(places, n - 1)], dtype=np.int64)


def effective_share(probabilities: Floats) -> float:
    """1 / (n sum p^2) of rows that can be drawn: 1 for equal ones, 1 / n if only one is drawn."""
    p = probabilities[probabilities > 0]
    p = p / p.sum()
    return float(1.0 / (len(p) * (p**2).sum()))


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
