"""The prior of the pair's parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..priors import LogNormal, Normal, Shared, SitePrior


@dataclass(frozen=True, eq=False)
class Prior:
    """What is assumed of k factors before any row is seen, in the symbols of `pyro`, `numpyro`.

    Attributes:
        k: factors.
        m, s: (d,) centre and spread of the means, arrays or tensors.
        t: (d,) typical noise variance.
        a: (d,) spread of the loadings of each column.
        isotropic: whether one noise variance is that of all columns.
    """

    k: int
    m: Any
    s: Any
    t: Any
    a: Any
    isotropic: bool = False

    def on(self, array: Callable[[Any], Any]) -> Prior:
        """The same with its arrays made a backend's own by `array`."""
        return replace(self, **{name: array(getattr(self, name)) for name in "msta"})

    def sites(self) -> dict[str, SitePrior]:
        """The priors of the sites, noise having an entry for each column; where it is isotropic,
        entries are in proportion to t."""
        psi: SitePrior = LogNormal(self.t)
        if self.isotropic:
            psi = Shared(LogNormal(self.t[:1]), self.t)
        out: dict[str, SitePrior] = {"mu": Normal(self.m, self.s), "psi": psi}
        if self.k:
            scale = np.tile(np.asarray(self.a)[:, None], (1, self.k))
            out["W"] = Normal(np.zeros_like(scale), scale)
        return out
