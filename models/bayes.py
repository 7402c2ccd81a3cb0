"""The posterior of a pair's parameters, by SVI or by NUTS."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from ..arrays import Floats
from ..fitting import EngineFit, Fit
from ..inference.diagnostics import convergence
from ..progress import Progress
from ..verdict import Reason
from .problem import Problem
from .variational import svi

Draws = dict[str, Floats]

_JITTER = 0.1  # of where chains start, on the unconstrained scale


def fit_posterior(
    problem: Problem,
    engine: str,
    backend: str,
    options: Mapping[str, Any],
    fit: Fit,
    *,
    offset: float = 0.0,
    align: Callable[[Draws, Problem], Draws] = lambda draws, problem: draws,
) -> tuple[Draws, Draws, list[Reason]]:
    """Draw from the posterior.

    Args:
        engine: "svi", or "nuts", which runs on NumPyro whatever the `backend`.
        options: of the engine, all of them.
        offset: added to a loss a row where it is reported.
        align: settles what the likelihood of chains leaves open, such as the order of components,
            before they are compared.

    Returns:
        Draws of the sites, name -> (chain, draw, ...), their statistics, (chain, draw) each, and
        warnings.
    """

    def report(record: Progress) -> None:
        seconds = fit.clock.seconds()
        if math.isfinite(record.loss):
            fit.report(replace(record, loss=record.loss + offset, seconds=seconds))

    if engine == "svi":
        return svi(problem, backend, options, fit, report)
    draws, stats, reasons = _nuts(problem, SimpleNamespace(**options), fit, report)
    draws = align(draws, problem)
    return draws, stats, [*reasons, *convergence(draws, stats)]


def _nuts(
    problem: Problem, settings: Any, fit: Fit, report: Callable[[Progress], None]
) -> tuple[Draws, Draws, list[Reason]]:
    """Draws of NUTS around the start, their statistics, and what it says of itself."""
    import jax

    from ..inference.posterior.nuts import run
    from ..inference.posterior.target import make_target

    n = len(problem.rows[0])
    with jax.enable_x64(True):
        given = problem.on(jax.numpy.asarray)
        target = make_target(given.pair("numpyro")[0], given.rows)
        centre = target.unconstrain(given.start)
        noise = fit.rng().normal(size=(settings.num_chains, target.size))
        starts = centre + _JITTER * noise
    within = EngineFit(
        fit.seed, fit.clock, judging=fit.judging,
        progress=lambda record: report(replace(record, loss=record.loss / n)),
    )  # fmt: skip
    found = run(target, settings, within, starts)
    fit.interrupted |= found.why == "interrupted"
    return found.draws, found.stats, found.reasons
