"""Are the model's samples those of its density?

Three consequences of "x ~ p", each exact:

- Means: for any f, the mean of f over samples is E_q[w f] / E_q[w] over weighted rows of the cover.
  f runs over each coordinate and its square, products of pairs, levels, and random Fourier features
  cos(omega . u + b), all bounded; the largest deviation is judged by Bonferroni's bound.
- Probability integral: F_j(u_j) is uniform, F_j the distribution function of column j by the
  density (from the grid of one or two columns, or from weighted rows). Kolmogorov and Smirnov's
  test, the largest over columns.
- Shifts: E_p[(p(x + delta) + p(x - delta)) / 2 p(x)] = 1 for any delta, since a shifted density
  integrates to one too. Needs no normalisation and no cover, so it holds in any dimension; it sees
  samples that are wider or narrower than the density, and tests exact densities only, as a noisy p
  in the denominator biases the ratio.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import kstwo, kstwobign

from ...errors import InputError
from ...inference.importance import summarise
from .coordinates import Places
from .findings import Check, measured, statistical, two_sided, unchecked
from .normalisation import Grid, Integral
from .weighing import Weighted

if TYPE_CHECKING:
    from .subject import Subject

Floats = NDArray[np.float64]
_FOURIER, _PAIRS, _LEAST = 40, 15, 40.0
_DIRECTIONS, _SHIFTED = 8, 2000
_MOST_LEVELS = 12
_MOST_SPREAD = 0.5  # of log ratios, at which a shift is as long as it should be
_MOST_KHAT = 0.4  # of ratios whose mean is taken
_MEANS = "samples have the density's means"
_PIT = "the samples' probability integrals by the density are uniform"
_SHIFT = "the density shifted has the same mass, by the samples"


def support(subject: Subject) -> Check:
    """No sample has density zero, or one that is no number."""
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


def agreement(subject: Subject, found: Integral) -> Iterator[Check]:
    """Samples against weighted rows or a grid."""
    if found.weighted is None and found.grid is None:
        yield unchecked("samples", _MEANS, found.check.why)
        return
    drawn = subject.coordinates.places(subject.drawn, subject.rng(12))
    if found.weighted is not None:
        features = Features.fit(drawn, subject.coordinates.n_levels, subject.rng(13))
        yield _means(found.weighted, drawn, features)
    yield from _integrals(found, drawn)


@dataclass(frozen=True)
class Features:
    """Bounded functions of rows: F numbers each."""

    middle: Floats
    scale: Floats
    omega: Floats
    b: Floats
    n_levels: tuple[int, ...]

    @classmethod
    def fit(cls, drawn: Places, n_levels: tuple[int, ...], rng: np.random.Generator) -> Features:
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
        found = [numbers, z**2, *(numbers[:, [i]] * numbers[:, [j]] for i, j in pairs)]
        if numbers.shape[1]:
            found.append(np.cos(numbers @ self.omega.T + self.b))
        first = None
        for codes, size in zip(at.codes.T, self.n_levels, strict=True):
            own = (codes[:, None] == np.arange(min(size, _MOST_LEVELS))).astype(np.float64)
            found += [own, own * numbers[:, :1]]
            if first is not None:
                found.append((first[:, :, None] * own[:, None, :]).reshape(len(own), -1))
            first = own if first is None else first
        return np.concatenate(found, axis=1)


def _means(weighted: Weighted, drawn: Places, features: Features) -> Check:
    w = np.exp(weighted.log_w - weighted.log_w.max())
    how = f"{len(drawn)} samples against {len(w)} weighted rows"
    return same_means(
        "samples", _MEANS, features(weighted.places), w / w.sum(), features(drawn), how
    )


def same_means(name: str, claim: str, f: Floats, w: Floats, g: Floats, how: str) -> Check:
    """Whether functions f (n, F) of rows with shares w and g (m, F) of others have one mean."""
    mean = w @ f
    spread = (w**2) @ (f - mean) ** 2 + g.var(axis=0, ddof=1) / len(g)
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
    return statistical(
        name,
        claim,
        worst,
        0.0,
        float(min(1.0, 2 * ndtr(-worst) * usable.sum())),
        resolution=1.0,
        what=f"a mean off by {{}} of its standard errors, each {size:.2g} deviations of a row",
        why=f"the largest of {usable.sum()} deviates, {how}",
    )


def _integrals(found: Integral, drawn: Places) -> Iterator[Check]:
    d = drawn.lines.shape[1]
    if not d:
        return
    distances, sizes = [], []
    for j in range(d):
        if found.grid is not None:
            distances.append(_of_grid(found, found.grid, j, drawn.lines[:, j]))
            sizes.append(float(len(drawn)))
        elif found.weighted is not None:
            distances.append(_of_weights(found.weighted, j, drawn.lines[:, j]))
            sizes.append(1 / (1 / len(drawn) + 1 / found.weighted.ess))
    worst, n = max(distances), min(sizes)
    slack = 0.003 if found.grid is not None else 0.0
    over = max(worst - slack, 0.0)
    p = kstwo.sf(over, len(drawn)) if found.grid is not None else kstwobign.sf(over * math.sqrt(n))
    how = "quadrature" if found.grid is not None else "weighted rows"
    yield statistical(
        "probability integral",
        _PIT,
        worst,
        0.0,
        float(min(1.0, d * p)),
        resolution=0.6 / math.sqrt(n),
        slack=slack,
        what="a distribution function that is {} off at its worst",
        why=f"the largest Kolmogorov-Smirnov distance of {d} columns, by {how}",
    )


def _of_grid(found: Integral, grid: Grid, j: int, u: Floats) -> float:
    """Distance of the samples' probability integrals from uniform."""
    assert found.cover is not None
    mass = grid.mass.sum(axis=tuple(k for k in range(grid.mass.ndim) if k != j))
    below = np.concatenate([[0.0], np.cumsum(mass)]) / mass.sum()
    share = found.cover.marginal(j, u)[0]
    pit = np.sort(np.interp(share, np.linspace(0, 1, len(below)), below))
    rank = np.arange(len(pit) + 1) / len(pit)
    return float(max((pit - rank[:-1]).max(), (rank[1:] - pit).max()))


def _of_weights(weighted: Weighted, j: int, u: Floats) -> float:
    """Distance of two distribution functions, one of weighted rows."""
    v = weighted.places.lines[:, j]
    order = np.argsort(v)
    w = np.exp(weighted.log_w - weighted.log_w.max())[order]
    below = np.concatenate([[0.0], np.cumsum(w) / w.sum()])
    u = np.sort(u)
    at = np.concatenate([u, v])
    ours = np.searchsorted(u, at, side="right") / len(u)
    theirs = below[np.searchsorted(v[order], at, side="right")]
    return float(np.abs(ours - theirs).max())


def shifts(subject: Subject) -> Iterator[Check]:
    """Samples against the density shifted to and fro, of exact densities."""
    name = "shift"
    if subject.claims == "lower_bound":
        return
    try:
        coordinates = subject.coordinates
        if not coordinates.lines:
            return
        if subject.model.codec_.dequantised:
            raise InputError("cells are filled with noise, which biases ratios of densities.")
        n = subject.affordable(subject.share(0.1) / (2 * _DIRECTIONS), _SHIFTED)
        places = coordinates.places(subject.drawn, subject.rng(14)).take(slice(0, n))
        base = _at(subject, places)
        directions = _directions(places, subject.rng(15))
        found = [_ratio(subject, places, base, direction) for direction in directions]
        found = [r for r in found if not summarise(np.log(r)[None]).khat[0] > _MOST_KHAT]
        if not found:
            raise InputError("ratios of shifted densities have tails too heavy for a mean.")
    except InputError as error:
        yield unchecked(name, _SHIFT, str(error))
        return
    means = np.array([r.mean() for r in found])
    errors = np.array([r.std(ddof=1) for r in found]) / math.sqrt(n)
    p = [two_sided(m - 1, s, 1e-3) for m, s in zip(means, errors, strict=True)]
    worst = int(np.argmin(p))
    yield statistical(
        name,
        _SHIFT,
        float(means[worst]),
        1.0,
        min(1.0, len(p) * p[worst]),
        stderr=float(errors[worst]),
        slack=1e-3,
        what="a mean ratio that is off by {}; half that share of a variance at its scale",
        why=f"the worst of {len(p)} directions, {n} samples",
    )


def _directions(places: Places, rng: np.random.Generator) -> Floats:
    """(k, d) shifts: along columns, and along draws' differences, which follow their shape."""
    d = places.lines.shape[1]
    scale = places.lines.std(axis=0)
    along = np.diag(scale)[rng.permutation(d)[: _DIRECTIONS // 2]]
    pairs = rng.integers(len(places), size=(2, _DIRECTIONS // 2))
    between = places.lines[pairs[0]] - places.lines[pairs[1]]
    return np.asarray(0.5 * np.concatenate([along, between]))


def _ratio(subject: Subject, places: Places, base: Floats, direction: Floats) -> Floats:
    """(n,) mean ratios to and fro, of a shift that is halved until ratios vary little."""
    few = places.take(slice(0, 200))
    for _ in range(12):
        log_ratio = _at(subject, _moved(few, direction)) - base[: len(few)]
        if np.isfinite(log_ratio).all() and log_ratio.std() <= _MOST_SPREAD:
            break
        direction = direction / 2
    to, fro = (_at(subject, _moved(places, s * direction)) - base for s in (1.0, -1.0))
    return np.asarray(0.5 * (np.exp(to) + np.exp(fro)))


def _moved(places: Places, by: Floats) -> Places:
    return replace(places, lines=places.lines + by)


def _at(subject: Subject, places: Places) -> Floats:
    """(n,) log density over the coordinates."""
    rows, log_slope, far = subject.coordinates.rows(places)
    values = subject.log_density(rows).values + log_slope
    return np.asarray(np.where(far, -np.inf, values))
