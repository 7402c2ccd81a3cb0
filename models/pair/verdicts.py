"""What a fitted pair's verdict says."""

from __future__ import annotations

from ...inference.diagnostics import convergence
from ...verdict import Reason
from .base import Fitted
from .engines import engine


def reasons(fit: Fitted) -> list[Reason]:
    """What the engine said, and what its draws show."""
    found = list(fit.posterior.reasons)
    if not engine(fit.method).chains or any(r.status == "failed" for r in found):
        return found
    scales = [name for name, site in fit.sites.latents.items() if site.support == "positive"]
    return [*found, *convergence(fit.draws, fit.stats, scales)]
