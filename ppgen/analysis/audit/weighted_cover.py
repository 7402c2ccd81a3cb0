"""Rows of a model's cover, each with the weight that turns the cover into the model's density.

For rows v ~ q with weights w = p(v) / q(v),

    E[w] = integral of p = 1,        E[w f(v)] / E[w] = E_p[f],

whatever the number of columns, as long as the weights have a light tail: where Pareto k-hat is
above 0.5 or fewer than 150 of the draws count, nothing is claimed. A density that is itself
estimated without bias, such as the mean weight of an importance sampler, may stand for p.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...data import Dataset, row_hashes
from ...density import LogDensity
from ...errors import InputError
from ...inference.importance import summarise
from .coordinates import Places
from .cover import Cover
from .subject import Subject

_MOST, _PILOT = 6000, 400
_SHARES = (0.02, 0.08, 0.3, 1.0)
_MOST_KHAT, _LEAST_ESS = 0.5, 150.0


@dataclass(frozen=True)
class Noise:
    """What is random in the density itself, where cells are filled or latents drawn.

    Equal rows have equal noise: how many places of a cell were scored makes it no smaller.

    Attributes:
        group: (n,) number of each row among the distinct ones.
        stderr: (n,) relative standard errors of the density.
    """

    group: NDArray[np.intp]
    stderr: Floats

    @classmethod
    def of(cls, density: LogDensity, rows: Dataset) -> Noise:
        """That of scored rows; what an estimate over posterior draws is uncertain of is its
        parameters, not its sum, and counts as none."""
        group = np.unique(row_hashes(rows), return_inverse=True)[1].reshape(-1)
        stderr = np.zeros(len(rows))
        if density.kind == "lower_bound" and density.stderr is not None:
            stderr = np.nan_to_num(density.stderr, nan=0.0, posinf=0.0)
        return cls(group, stderr)

    @classmethod
    def joined(cls, parts: Sequence[Noise]) -> Noise:
        """The noise of several sets of different rows, one after the other."""
        first = np.cumsum([0, *(int(p.group.max(initial=-1)) + 1 for p in parts)])
        group = [p.group + k for p, k in zip(parts, first[:-1], strict=True)]
        return cls(np.concatenate(group), np.concatenate([p.stderr for p in parts]))

    def variance(self, terms: Floats) -> Floats:
        """(F,) variances, by the noise, of sums of terms (n, F) proportional to the density."""
        if not self.stderr.any():
            return np.zeros(terms.shape[1])
        scaled = terms * self.stderr[:, None]
        summed = np.zeros((self.group.max() + 1, terms.shape[1]))
        np.add.at(summed, self.group, scaled)
        return np.asarray((summed**2).sum(axis=0))


@dataclass(frozen=True)
class Weighted:
    """Rows of the cover, where they stand, their log weights, and what is random in these."""

    places: Places
    log_w: Floats
    noise: Noise

    @property
    def shares(self) -> Floats:
        """(n,) weights that sum to one."""
        w = np.exp(self.log_w - self.log_w.max())
        return np.asarray(w / w.sum())

    @property
    def khat(self) -> float:
        return float(summarise(self.log_w[None]).khat[0])

    @property
    def ess(self) -> float:
        return float(summarise(self.log_w[None]).ess[0])

    def doubt(self) -> str:
        """Why nothing can be said by these weights; "" where something can."""
        if np.isnan(self.log_w).any():
            return ""  # a density that is not a number is a finding
        if not (self.ess >= _LEAST_ESS and self.khat <= _MOST_KHAT):
            return (
                f"the weights of the model's cover in {self.places.lines.shape[1]} continuous and "
                f"{self.places.codes.shape[1]} discrete columns have k-hat {self.khat:.2f} and an "
                f"effective size of {self.ess:.0f} of {len(self.log_w)}."
            )
        return ""


def weigh(subject: Subject, seconds: float) -> tuple[Weighted, Cover]:
    """Rows of the best cover, weighed, in about this time."""
    coordinates = subject.coordinates
    if not np.all([_is_complete(v) for v in coordinates.sampled.columns.values()]):
        raise InputError("the model draws rows with gaps, which have no place to integrate over.")
    n = subject.affordable(seconds, _MOST)
    rng = subject.rng(10)
    drawn = coordinates.places(coordinates.sampled, rng)
    covers = [Cover.fit(drawn, coordinates.n_levels, share, rng) for share in _SHARES]
    if not drawn.lines.shape[1]:
        covers = covers[:1]
    best, most = covers[0], -1.0
    for cover in covers if len(covers) > 1 else ():
        ess = weighted(subject, cover, min(_PILOT, n), rng).ess
        if ess > most:
            best, most = cover, ess
    return weighted(subject, best, n, rng), best


def weighted(subject: Subject, cover: Cover, n: int, rng: np.random.Generator) -> Weighted:
    """n rows of a cover, weighed."""
    places = cover.draw(n, rng)
    rows, log_slope, far = subject.coordinates.rows(places)
    density = subject.log_density(rows)
    log_w = np.where(far, -np.inf, density.values + log_slope - cover.log_prob(places))
    return Weighted(places, log_w, Noise.of(density, rows))


def _is_complete(values: NDArray[np.generic]) -> bool:
    if values.dtype == object:
        return all(v is not None for v in values)
    return bool(np.isfinite(values.astype(np.float64)).all())
