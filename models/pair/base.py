"""What all that can be asked of a fitted pair works on; `fitted` binds it together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...arrays import Array
from ...errors import InputError
from ...inference.posterior.result import Evidence, Posterior
from ...inference.posterior.sites import Sites
from ...inference.posterior.target import Target
from ...verdict import Reason, Verdict
from .arguments import Call
from .program import Program


@dataclass(repr=False, eq=False)
class Fitted:
    """A pair's posterior.

    Attributes:
        program: the model and guide that were fitted.
        method, settings: how.
        sites: of the model, as it was called with the data.
        posterior: what the engine gave.
        call: what the model was called with, without the data.
        target: the log joint with the data; None of a run that was loaded.
        trace: records of the fit.
        seconds: that it took.
        seed: of the fit.
        notes: what is to be said of the data.
        judged: the verdict of a run that was loaded.
    """

    program: Program
    method: str
    settings: Any
    sites: Sites
    posterior: Posterior
    call: Call
    target: Target | None
    trace: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = float("nan")
    seed: int = 0
    notes: list[Reason] = field(default_factory=list)
    judged: Verdict | None = None

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

    @property
    def shape(self) -> tuple[int, int]:
        """Chains, and draws a chain."""
        chains, draws = next(iter(self.draws.values())).shape[:2]
        return chains, draws

    def target_of(self, data: tuple[Any, ...], named: dict[str, Any]) -> Target:
        """The log joint with these data, or without any with those that were fitted.

        Raises:
            InputError: if there are none, or the model has other sites with these.
        """
        if not data and not named:
            if self.target is None:
                raise InputError(
                    "this fit was loaded, and a saved run holds no data. Give what the model is "
                    "called with, as it was given to fit."
                )
            return self.target
        target = self.program.target(*data, **named)
        for name, site in self.sites.latents.items():
            here = target.sites.latents.get(name)
            if here is None or here.shape != site.shape:
                found = "is not drawn" if here is None else f"has shape {here.shape}"
                raise InputError(
                    f"{site.words} {found} with these data. Give data with the same groups and "
                    "columns as those fitted."
                )
        return target
