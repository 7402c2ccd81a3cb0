"""What all that can be asked of a fitted pair works on; `fitted` binds it together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...arrays import Array
from ...inference.posterior.result import Evidence, Posterior
from ...inference.posterior.sites import Sites
from ...inference.posterior.target import Target
from .program import Program


@dataclass(repr=False, eq=False)
class Fitted:
    """A pair's posterior.

    Attributes:
        program: the model and guide that were fitted.
        method, settings: how.
        sites: of the model, as it was called with the data.
        posterior: what the engine gave.
        target: the log joint with the data; None of a run that was loaded.
        trace: records of the fit.
        seconds: that it took.
        seed: of the fit.
    """

    program: Program
    method: str
    settings: Any
    sites: Sites
    posterior: Posterior
    target: Target | None
    trace: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = float("nan")
    seed: int = 0

    @property
    def draws(self) -> dict[str, Array]:
        """Latent site -> (chain, draw, ...), in its support."""
        return self.posterior.draws

    @property
    def stats(self) -> dict[str, Array]:
        """Name -> (chain, draw): see `Posterior.stats`."""
        return self.posterior.stats

    @property
    def log_evidence_(self) -> Evidence | None:
        """The log of the marginal likelihood, where the method gives it."""
        return self.posterior.log_evidence
