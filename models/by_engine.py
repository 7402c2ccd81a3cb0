"""What models share whose parameters are fitted by an engine that the user chooses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays import Floats
from ..artifact import Arrays
from ..estimator import Estimator

_STATS = "sample_stats."


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

    def _uses(self) -> tuple[str, ...]:
        # The other engines keep no state.
        return self.capabilities.uses if self.engine == "svi" else ("budget",)

    def _ended(self) -> tuple[dict[str, Any], dict[str, Floats]]:
        """How the fit ended, for `_state`: as JSON and arrays."""
        arrays = {_STATS + name: np.asarray(a) for name, a in self.sample_stats_.items()}
        return {"converged": bool(self.converged_), "n_iter": int(self.n_iter_)}, arrays

    def _restore_ended(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        """Set what `_ended` gave."""
        self.converged_, self.n_iter_ = state["converged"], state["n_iter"]
        self.sample_stats_ = {
            name.removeprefix(_STATS): a for name, a in arrays.items() if name.startswith(_STATS)
        }
