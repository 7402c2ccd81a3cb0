"""The prior of the pair's parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..priors import Dirichlet, Gamma, LKJCholesky, LogNormal, Normal, SitePrior
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
        student: whether components are Student's t, in place of normal.
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
    student: bool = False

    def on(self, array: Callable[[Any], Any]) -> Prior:
        """The same with its arrays made a backend's own by `array`."""
        return replace(self, m=array(self.m), s=array(self.s), t=array(self.t))

    def sites(self) -> dict[str, SitePrior]:
        """The priors of the sites."""
        k, d, kind = self.k, len(self.m), self.covariance_type
        out: dict[str, SitePrior] = {"w": Dirichlet((k,), self.alpha)}
        for j, levels in enumerate(self.n_levels):
            out[f"B_{j}"] = Dirichlet((k, levels), self.beta)
        if not d:
            return out
        own = () if kind == "tied" else (k,)
        out["mu"] = Normal(np.tile(self.m, (k, 1)), np.tile(self.s, (k, 1)))
        typical = np.exp(np.log(self.t).mean()) if kind == "spherical" else self.t
        out["sigma"] = LogNormal(np.broadcast_to(typical, (*own, *np.shape(typical))))
        if self.student:
            out["nu"] = Gamma(k, 2.0, 0.1)
        if kind in ("full", "tied") and d > 1:
            out["L"] = LKJCholesky((*own, d, d), self.eta)
        return out
