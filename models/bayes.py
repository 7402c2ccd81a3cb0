"""The posterior of a pair's parameters, by SVI or by NUTS."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..arrays import Floats
from ..fitting import Fit
from ..inference.mcmc import ChainSettings, nuts
from ..progress import Progress
from ..verdict import Reason
from .problem import Problem
from .variational import svi

Draws = dict[str, Floats]


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
    n = len(problem.rows[0])
    run = nuts(
        problem.pair("numpyro")[0], problem.rows, ChainSettings(**options), seed=fit.seed,
        init=problem.start, deadline=fit.deadline,
        report=lambda step, u: report(Progress(step, u / n)),
    )  # fmt: skip
    run = replace(run, posterior=align(run.posterior, problem))
    return run.posterior, run.stats, run.reasons()
