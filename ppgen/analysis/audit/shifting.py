"""Does the density, shifted, keep its mass by the samples?

    E_p[(p(x + delta) + p(x - delta)) / 2 p(x)] = 1        for any delta,

since a shifted density integrates to one too. It needs no normalisation and no cover, so it holds
in any number of columns, and it sees samples that are wider or narrower than the density: to second
order the mean is 1 + delta^T (E[s s^T] + E[H]) delta / 2, with s and H the first and second
derivatives of log p, which cancel where samples are those of p. Exact densities only: noise in the
denominator biases the ratio. Shifts are along columns and along differences of samples, and are
halved until ratios vary little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ...arrays import Floats
from ...density import mean_stderr
from ...errors import InputError
from ...inference.importance import summarise
from .coordinates import Places
from .findings import Check, normal, statistical, step, two_sided
from .subject import Subject

_DIRECTIONS, _SHIFTED = 8, 2000
_MOST_SPREAD = 0.5  # of log ratios, at which a shift is as long as it should be
_MOST_KHAT = 0.4  # of ratios whose mean is taken
_SHIFT = "the density shifted has the same mass, by the samples"


@step(("shift", _SHIFT))
def shifts(subject: Subject) -> Iterator[Check]:
    """Samples against the density shifted to and fro, of exact densities."""
    if subject.claims == "lower_bound" or not subject.coordinates.lines:
        return
    if subject.model.codec_.dequantised:
        raise InputError("cells are filled with noise, which biases ratios of densities.")
    n = subject.affordable(subject.share(0.1) / (2 * _DIRECTIONS), _SHIFTED)
    places = subject.coordinates.places(subject.drawn, subject.rng(14)).take(slice(0, n))
    base = _at(subject, places)
    directions = _directions(places, subject.rng(15))
    ratios = [_ratio(subject, places, base, direction) for direction in directions]
    ratios = [r for r in ratios if not summarise(np.log(r)[None]).khat[0] > _MOST_KHAT]
    if not ratios:
        raise InputError("ratios of shifted densities have tails too heavy for a mean.")
    means = np.array([r.mean() for r in ratios])
    errors = np.array([mean_stderr(r) for r in ratios])
    p = [two_sided(m - 1, s, 1e-3) for m, s in zip(means, errors, strict=True)]
    worst = int(np.argmin(p))
    yield statistical(
        Check(
            "shift",
            _SHIFT,
            float(means[worst]),
            1.0,
            stderr=float(errors[worst]),
            p_value=min(1.0, len(p) * p[worst]),
            why=f"the worst of {len(p)} directions, {n} samples",
        ),
        "a mean ratio that is off by {}; half that share of a variance at its scale",
        slack=1e-3,
        critical=lambda level: normal(level, tests=len(p)) * float(errors[worst]),
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
