"""What models share whose parameters are fitted by an engine that the user chooses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays import Floats
from ..artifact import Arrays
from ..estimator import Estimator
from .priors import Draws, Prior

_STATS = "sample_stats."
_UNITS = ("prior_centre", "prior_spread")


class ByEngine(Estimator):
    """A model with a maximum of the likelihood, or draws from a posterior with their statistics.

    Attributes:
        converged_, n_iter_: of the maximum.
        sample_stats_: name -> (chain, draw), of the draws; empty where there are none.
    """

    engine: Any
    converged_: bool
    n_iter_: int
    sample_stats_: dict[str, Floats]

    _units: tuple[Floats, Floats] | None = None  # of the columns that the prior was set in

    def _uses(self) -> tuple[str, ...]:
        # The other engines keep no state.
        return self.capabilities.uses if self.engine == "svi" else ("budget",)

    def _ended(self) -> tuple[dict[str, Any], dict[str, Floats]]:
        """How the fit ended, for `_state`: as JSON and arrays."""
        arrays = {_STATS + name: np.asarray(a) for name, a in self.sample_stats_.items()}
        if self._units is not None:
            arrays |= dict(zip(_UNITS, self._units, strict=True))
        return {"converged": bool(self.converged_), "n_iter": int(self.n_iter_)}, arrays

    def _restore_ended(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        """Set what `_ended` gave."""
        self.converged_, self.n_iter_ = state["converged"], state["n_iter"]
        self.sample_stats_ = {
            name.removeprefix(_STATS): a for name, a in arrays.items() if name.startswith(_STATS)
        }
        kept = [arrays[name] for name in _UNITS if name in arrays]
        self._units = (kept[0], kept[1]) if len(kept) == len(_UNITS) else None

    def _prior(self) -> Prior | None:
        """What was assumed of the sites before the rows, in the units of their draws; None where
        that is not known, as of a run that was saved before runs kept it."""
        return None

    def _prior_groups(
        self, posterior: Mapping[str, Floats], n: int, random_state: int
    ) -> tuple[Draws, Draws]:
        """n draws of each site from its prior, (1, n, ...), and the log prior of each site at draws
        of the posterior, (chain, draw); nothing where the prior is not known."""
        prior = self._prior()
        if prior is None:
            return {}, {}
        drawn = prior.draw(np.random.default_rng(self._seed(random_state)), n)
        return {name: values[None] for name, values in drawn.items()}, prior.log_prob(posterior)
