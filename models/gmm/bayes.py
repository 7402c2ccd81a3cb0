"""Posterior of a mixture's parameters: the pair of `pyro.py` and `numpyro.py`, by SVI or NUTS.

Both engines work on standardised columns, where the prior is N(0, 1) for the means and
LogNormal(log 1/2, 1) for the standard deviations: weakly informative, whatever the units. They
start at the solution of EM, as the posterior of a mixture has many modes that mean the same; what
numbering of the components is left open is settled afterwards (`relabel`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.special import softmax

from ...fitting import Fit
from ...verdict import Reason
from ..bayes import fit_posterior
from ..problem import Problem
from .parameters import Floats, Mixture
from .posterior import log_prob_draws, mean_mixture, sites
from .prior import Prior
from .relabel import orders, reorder
from .settings import CONCENTRATIONS, ENGINE_SETTINGS
from .weighted_rows import WeightedRows

Draws = dict[str, Floats]

_ROWS = 500  # by which components are told apart


class Posterior(NamedTuple):
    """What a fit gave: draws of the sites, name -> (chain, draw, ...), their `stats`, (chain, draw)
    each, warnings, and the mixture at the posterior means, whose density of a row is not the mean
    over the draws."""

    mixture: Mixture
    draws: Draws
    stats: Draws
    reasons: list[Reason]


def fit_bayes(
    rows: WeightedRows,
    start: Mixture,
    engine: str,
    backend: str,
    settings: Mapping[str, Any],
    fit: Fit,
) -> Posterior:
    """Fit the posterior of the parameters.

    Args:
        rows: gaps are integrated out; weights are powers of the rows in the likelihood.
        start: a mixture near the mode, such as EM's, of the size and covariance type to fit.
        engine: "svi" or "nuts".
        settings: of the prior and the engine, in place of the defaults of `ENGINE_SETTINGS`.
    """
    options = ENGINE_SETTINGS[engine].values(settings)
    x, kind, d = np.asarray(rows.x, dtype=np.float64), start.covariance_type, rows.x.shape[1]
    centre, spread = units_of(rows, kind)
    concentrations = {name: float(options.pop(name)) for name in CONCENTRATIONS}
    problem = Problem(
        "gmm",
        ((x - centre) / spread, np.ascontiguousarray(rows.codes, dtype=np.int32), rows.weights),
        Prior(
            start.n_components, np.zeros(d), np.ones(d), np.full(d, 0.5),
            tuple(int(v) for v in rows.n_levels), kind, **concentrations,
            student=start.dof is not None,
        ),
        _in_units(sites(start), -centre / spread, 1 / spread, kind),
        rows.gaps,
    )  # fmt: skip
    # The loss is reported in the units of the data.
    units = np.where(np.isnan(x), 0.0, np.log(spread)).sum(axis=1)
    offset = float(np.average(units, weights=rows.weights)) - rows.constant
    draws, stats, reasons = fit_posterior(
        problem, engine, backend, options, fit, offset=offset, align=_same_labels
    )
    draws = _in_units(draws, centre, spread, kind)
    return Posterior(mean_mixture(draws, kind), draws, stats, reasons)


def units_of(rows: WeightedRows, kind: str) -> tuple[Floats, Floats]:
    """(d,) centre and spread of the columns, in which the prior is set."""
    spread = np.sqrt(np.where(rows.variance > 0, rows.variance, 1.0))
    if kind == "spherical" and len(spread):
        spread = np.full(len(spread), np.sqrt(np.square(spread).mean()))
    return np.asarray(rows.mean), spread


def _in_units(draws: Mapping[str, Floats], centre: Floats, spread: Floats, kind: str) -> Draws:
    """The sites where x is replaced by centre + spread x."""
    out = dict(draws)
    if "mu" in draws:
        out["mu"] = centre + spread * draws["mu"]
        out["sigma"] = draws["sigma"] * (spread[0] if kind == "spherical" else spread)
    return out


def _same_labels(draws: Draws, problem: Problem) -> Draws:
    """The draws with their components numbered as where the chains started."""
    if draws["w"].shape[-1] == 1:
        return draws
    x, codes, _ = problem.rows
    kind = problem.prior.covariance_type
    some = np.linspace(0, len(x) - 1, min(len(x), _ROWS)).round().astype(int)
    start = {name: value[None, None] for name, value in problem.start.items()}
    p, pivot = (
        softmax(log_prob_draws(values, kind, x[some], codes[some], components=True), axis=-1)
        for values in (draws, start)
    )
    return reorder(draws, orders(p, pivot[0]), ("sigma", "L") if kind == "tied" else ())
