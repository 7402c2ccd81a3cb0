"""`PairFit`: a pair's posterior, and what can be asked of it."""

from __future__ import annotations

from .checks import Checked
from .densities import Densities
from .discrete import Discrete
from .trees import Trees


class PairFit(Trees, Densities, Discrete, Checked):
    """A pair fitted to data.

    Attributes:
        program, method, settings, sites, posterior, call, target, trace, seconds, seed: see
            `Fitted`.
    """

    def __repr__(self) -> str:
        return f"PairFit({self.method}, {', '.join(self.sites.latents)}; {self.verdict_.status})"
