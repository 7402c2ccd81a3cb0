"""The prior of the pair's parameters, and what an engine is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from .parameters import CovarianceType


@dataclass(frozen=True, eq=False)
class Prior:
    """What is assumed of K components before any row is seen, in the symbols of `pyro`, `numpyro`.

    Attributes:
        k: components.
        m, s: (d,) centre and spread of the means, arrays or tensors.
        t: (d,) typical standard deviation within a component.
        n_levels: levels of each categorical column.
        covariance_type: "full", "tied", "diag" or "spherical".
        alpha, beta: concentrations of w and of the tables B.
        eta: concentration of the correlations, 1 for uniform.
    """

    k: int
    m: Any
    s: Any
    t: Any
    n_levels: tuple[int, ...] = ()
    covariance_type: CovarianceType = "full"
    alpha: float = 1.0
    beta: float = 1.0
    eta: float = 1.0


class Problem(NamedTuple):
    """What an engine works on.

    Attributes:
        rows: x (n, d), codes (n, c) and row weights (n,) or None.
        prior: of the parameters.
        start: values of the sites, where guide or chains start.
        gaps: whether x has NaN.
    """

    rows: tuple[Any, ...]
    prior: Prior
    start: dict[str, Any]
    gaps: bool

    def on(self, array: Callable[[Any], Any]) -> Problem:
        """The same with its arrays made a backend's own by `array`."""
        p = self.prior
        return self._replace(
            rows=tuple(None if a is None else array(a) for a in self.rows),
            prior=replace(p, m=array(p.m), s=array(p.s), t=array(p.t)),
            start={site: array(value) for site, value in self.start.items()},
        )

    def pair(self, twin: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Model and guide of `pyro` or `numpyro`, which then take rows alone."""
        guide = partial(twin.guide, prior=self.prior, start=self.start)
        return partial(twin.model, prior=self.prior, gaps=self.gaps), guide
