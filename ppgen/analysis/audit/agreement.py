"""Are the model's samples those of its density?

Two consequences of "x ~ p", each exact:

- Means: for any f, the mean of f over samples is E_q[w f] / E_q[w] over weighted rows of the cover.
  f runs over each coordinate and its square, products of pairs, levels, and random Fourier features
  cos(omega . u + b), all bounded; the largest deviation is judged by Bonferroni's bound.
- Probability integral: F_j(u_j) is uniform, F_j the distribution function of column j by the
  density (from the grid of one or two columns, or from weighted rows). Kolmogorov and Smirnov's
  test, the largest over columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, chdtri, ndtr
from scipy.stats import kstwo, kstwobign

from ...arrays import Floats
from .coordinates import Places
from .findings import Check, measured, normal, statistical, unchecked
from .normalisation import Cells, Grid, Integral
from .subject import Subject
from .weighted_cover import Weighted

_FOURIER, _PAIRS, _LEAST = 40, 15, 40.0
_MOST_LEVELS, _MOST_NODES = 12, 60_000
_MEANS = "samples have the density's means"
_PIT = "the samples' probability integrals by the density are uniform"


def support(subject: Subject) -> Check:
    """Every sample has a positive, finite density."""
    values = subject.log_density(subject.drawn.take(slice(0, 500))).values
    share = float((~np.isfinite(values)).mean())
    return measured(
        "support",
        "the model's own rows have a finite density",
        share,
        0.0,
        rules_out=f"a share of {3 / len(values):.2g} of rows or more",
        why=f"{len(values)} of its rows scored",
    )


def agreement(subject: Subject, total: Integral) -> Iterator[Check]:
    """Samples against weighted rows or a grid."""
    if total.cells is not None:
        yield _cells(subject, total.cells)
        return
    if total.weighted is None and total.grid is None:
        yield unchecked("samples", _MEANS, total.check.why)
        return
    drawn = subject.coordinates.places(subject.drawn, subject.rng(12))
    weighted = total.weighted
    if total.grid is not None and len(total.grid.weighted.log_w) <= _MOST_NODES:
        weighted = total.grid.weighted
    if weighted is not None:
        features = RowFunctions.fit(drawn, subject.coordinates.n_levels, subject.rng(13))
        f, w = features(weighted.places), weighted.shares
        spread = weighted.noise.variance(w[:, None] * (f - w @ f))
        if total.grid is None:  # rows were drawn; nodes are where they are
            spread = spread + (w**2) @ (f - w @ f) ** 2
        how = f"{len(drawn)} samples against {len(w)} weighted "
        how += "rows" if total.grid is None else "nodes"
        yield same_means("samples", _MEANS, (f, w, spread), features(drawn), how)
    yield from _integrals(total, drawn)


@dataclass(frozen=True)
class RowFunctions:
    """Bounded functions of rows: F numbers each."""

    middle: Floats
    scale: Floats
    omega: Floats
    b: Floats
    n_levels: tuple[int, ...]

    @classmethod
    def fit(
        cls, drawn: Places, n_levels: tuple[int, ...], rng: np.random.Generator
    ) -> RowFunctions:
        """Scaled by rows that the model drew."""
        width = drawn.lines.shape[1] + 2 * drawn.angles.shape[1]
        size = rng.choice([0.5, 1.0, 2.0], size=(_FOURIER, 1)) / max(1.0, math.sqrt(width / 2))
        scale = drawn.lines.std(axis=0)
        return cls(
            np.median(drawn.lines, axis=0),
            np.where(scale > 0, scale, 1.0),
            rng.standard_normal((_FOURIER, width)) * size,
            rng.uniform(0, 2 * np.pi, _FOURIER),
            n_levels,
        )

    def __call__(self, at: Places) -> Floats:
        """(n, F) values at rows."""
        z = np.clip((at.lines - self.middle) / self.scale, -4.0, 4.0)
        numbers = np.concatenate([z, np.cos(at.angles), np.sin(at.angles)], axis=1)
        pairs = [(i, j) for j in range(numbers.shape[1]) for i in range(j)][:_PAIRS]
        values = [numbers, z**2, *(numbers[:, [i]] * numbers[:, [j]] for i, j in pairs)]
        if numbers.shape[1]:
            values.append(np.cos(numbers @ self.omega.T + self.b))
        first = None
        for codes, size in zip(at.codes.T, self.n_levels, strict=True):
            own = (codes[:, None] == np.arange(min(size, _MOST_LEVELS))).astype(np.float64)
            values += [own, own * numbers[:, :1]] if numbers.shape[1] else [own]
            if first is not None:
                values.append((first[:, :, None] * own[:, None, :]).reshape(len(own), -1))
            first = own if first is None else first
        return np.concatenate(values, axis=1)


def _cells(subject: Subject, cells: Cells) -> Check:
    """Counts of samples against the masses of all cells, by Pearson's test."""
    drawn = subject.coordinates.places(subject.drawn, subject.rng(12)).codes
    sizes = np.maximum(cells.codes.max(axis=0, initial=0) + 1, 1)
    number = np.ravel_multi_index(tuple(drawn.T), tuple(sizes))
    n, k = len(drawn), len(cells.mass)
    counts = np.bincount(number, minlength=k).astype(np.float64)
    mass, spread = cells.mass / cells.mass.sum(), cells.stderr / cells.mass.sum()
    often = n * mass >= 5
    observed = np.append(counts[often], counts[~often].sum())
    expected = np.append(n * mass[often], n * mass[~often].sum())
    variance = expected + (n * np.append(spread[often], np.hypot.reduce(spread[~often]))) ** 2
    kept = (variance > 0) | (observed > 0)
    with np.errstate(divide="ignore"):
        total = float(((observed - expected)[kept] ** 2 / variance[kept]).sum())
    free = max(int(kept.sum()) - 1, 1)
    return statistical(
        Check(
            "samples",
            "samples fall into the cells of the table by their mass",
            math.sqrt(total / free),
            1.0,
            p_value=float(chdtrc(free, total)),
            why=f"root mean square deviate of {int(kept.sum())} cells, {n} samples",
            side="above",
        ),
        "a root mean square deviate {} above what chance makes it",
        scale=1 / math.sqrt(2 * free),
        critical=lambda p: math.sqrt(float(chdtri(free, p)) / free) - 1,
    )


def same_means(
    name: str, claim: str, weighted: tuple[Floats, Floats, Floats], g: Floats, how: str
) -> Check:
    """Whether functions of two sets of rows have one mean.

    Args:
        weighted: functions f (n, F) of rows, their shares (n,), and (F,) the variance of w @ f.
        g: (m, F) the functions of draws.
    """
    f, w, variance = weighted
    mean = w @ f
    spread = variance + g.var(axis=0, ddof=1) / len(g)
    # A mean over few rows, of a rare level, is no normal deviate.
    least = min(len(g), 1 / float(w @ w))
    rows = np.minimum(w @ (f != 0), (g != 0).mean(axis=0)) * least
    others = np.minimum(w @ (f != 1), (g != 1).mean(axis=0)) * least
    usable = (spread > 0) & (np.minimum(rows, others) >= _LEAST)
    if not usable.any():
        return unchecked(name, claim, "no function of the rows varies enough.")
    z = (g.mean(axis=0) - mean)[usable] / np.sqrt(spread[usable])
    worst = float(np.abs(z).max())
    size = float(np.median(np.sqrt(spread[usable]) / g.std(axis=0)[usable]))
    tests = int(usable.sum())
    return statistical(
        Check(
            name,
            claim,
            worst,
            0.0,
            p_value=float(min(1.0, 2 * ndtr(-worst) * tests)),
            why=f"the largest of {tests} deviates, {how}",
        ),
        f"a mean off by {{}} of its standard errors, each {size:.2g} deviations of a row",
        scale=1.0,
        critical=lambda p: normal(p, tests=tests),
    )


def _integrals(total: Integral, drawn: Places) -> Iterator[Check]:
    d = drawn.lines.shape[1]
    if not d:
        return
    distances, sizes = [], []
    for j in range(d):
        if total.grid is not None:
            distances.append(_of_grid(total, total.grid, j, drawn.lines[:, j]))
            sizes.append(float(len(drawn)))
        elif total.weighted is not None:
            distances.append(_of_weights(total.weighted, j, drawn.lines[:, j]))
            sizes.append(1 / (1 / len(drawn) + 1 / total.weighted.ess))
    worst, n = max(distances), min(sizes)
    slack = 0.003
    if total.weighted is not None:
        w = total.weighted.shares[:, None]
        slack = 3 * math.sqrt(float(total.weighted.noise.variance(w)[0]))
    over = max(worst - slack, 0.0)
    gridded = total.grid is not None
    p = kstwo.sf(over, len(drawn)) if gridded else kstwobign.sf(over * math.sqrt(n))

    def critical(p: float) -> float:
        return float(kstwo.isf(p / d, len(drawn)) if gridded else kstwobign.isf(p / d) / n**0.5)

    how = "quadrature" if gridded else "weighted rows"
    yield statistical(
        Check(
            "probability integral",
            _PIT,
            worst,
            0.0,
            p_value=float(min(1.0, d * p)),
            why=f"the largest Kolmogorov-Smirnov distance of {d} columns, by {how}",
            side="above",
        ),
        "a distribution function that is {} off at its worst",
        scale=0.5 / math.sqrt(n),
        slack=slack,
        critical=critical,
    )


def _of_grid(total: Integral, grid: Grid, j: int, u: Floats) -> float:
    """Distance of the samples' probability integrals from uniform."""
    assert total.cover is not None
    mass = grid.weighted.shares.reshape(-1, *grid.mass.shape).sum(axis=0)
    mass = mass.sum(axis=tuple(k for k in range(mass.ndim) if k != j))
    below = np.concatenate([[0.0], np.cumsum(mass)])
    share = total.cover.marginal(j, u)[0]
    pit = np.sort(np.interp(share, np.linspace(0, 1, len(below)), below))
    rank = np.arange(len(pit) + 1) / len(pit)
    return float(max((pit - rank[:-1]).max(), (rank[1:] - pit).max()))


def _of_weights(weighted: Weighted, j: int, u: Floats) -> float:
    """Distance of two distribution functions, one of weighted rows."""
    v = weighted.places.lines[:, j]
    order = np.argsort(v)
    below = np.concatenate([[0.0], np.cumsum(weighted.shares[order])])
    u = np.sort(u)
    at = np.concatenate([u, v])
    ours = np.searchsorted(u, at, side="right") / len(u)
    theirs = below[np.searchsorted(v[order], at, side="right")]
    return float(np.abs(ours - theirs).max())
