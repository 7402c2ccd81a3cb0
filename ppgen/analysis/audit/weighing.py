"""Rows of a model's cover, each with the weight that turns the cover into the model's density.

For rows v ~ q with weights w = p(v) / q(v),

    E[w] = integral of p = 1,        E[w f(v)] / E[w] = E_p[f],

whatever the number of columns, as long as the weights have a light tail: where Pareto k-hat is
above 0.5 or fewer than 150 of the draws count, nothing is claimed. A density that is itself
estimated without bias, such as the mean weight of an importance sampler, may stand for p.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...inference.importance import summarise
from .coordinates import Places
from .cover import Cover

if TYPE_CHECKING:
    from .subject import Subject

Floats = NDArray[np.float64]
_MOST, _PILOT = 6000, 400
_SHARES = (0.02, 0.08, 0.3, 1.0)
_MOST_KHAT, _LEAST_ESS = 0.5, 150.0


@dataclass(frozen=True)
class Weighted:
    """Rows of the cover, where they stand, and their log weights."""

    places: Places
    log_w: Floats

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
    log_p = subject.log_density(rows).values + log_slope
    log_w = np.where(far, -np.inf, log_p - cover.log_prob(places))
    return Weighted(places, log_w)


def _is_complete(values: NDArray[np.generic]) -> bool:
    if values.dtype == object:
        return all(v is not None for v in values)
    return bool(np.isfinite(values.astype(np.float64)).all())
