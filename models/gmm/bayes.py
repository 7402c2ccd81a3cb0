"""Posterior of a mixture's parameters: the pair of `pyro.py` and `numpyro.py`, by SVI or NUTS.

Both engines work on standardised columns, where the prior is N(0, 1) for the means and
LogNormal(log 1/2, 1) for the standard deviations: weakly informative, whatever the units. They
start at the solution of EM, as the posterior of a mixture has many modes that mean the same; what
numbering of the components is left open is settled afterwards (`relabel`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ...errors import InputError, did_you_mean
from ...fitting import Fit
from ...inference.mcmc import nuts
from ...progress import Progress
from ...verdict import Reason
from .parameters import CovarianceType, Mixture
from .posterior import log_components_draws, mean_mixture, sites
from .relabel import orders, reorder
from .variational import svi

Array = NDArray[np.float64]
Draws = dict[str, Array]

PRIOR: dict[str, Any] = {"alpha": 1.0, "beta": 1.0, "eta": 1.0}
ENGINES: dict[str, dict[str, Any]] = {
    "svi": {"num_steps": 1000, "batch_size": 256, "learning_rate": 0.02, "num_draws": 500},
    "nuts": {
        "num_warmup": 500, "num_samples": 500, "num_chains": 4, "target_accept": 0.8,
        "max_tree_depth": 10, "chain_method": "sequential",
    },
}  # fmt: skip
_ROWS = 500  # rows that components are told apart by


def fit_bayes(
    x: Array,
    codes: NDArray[np.int32],
    weights: Array | None,
    n_levels: Sequence[int],
    k: int,
    *,
    engine: str,
    backend: str,
    covariance_type: CovarianceType,
    seed: int,
    settings: Mapping[str, Any],
    fit: Fit,
    start: Mixture,
    log_det: float = 0.0,
) -> tuple[Mixture, Draws, Draws, list[Reason]]:
    """Fit the posterior of the parameters.

    Args:
        x: (n, d) rows, NaN in gaps; gaps are integrated out, for every covariance type.
        codes: (n, c) levels of the categorical columns, -1 in gaps.
        weights: (n,) powers of the rows in the likelihood, or None.
        n_levels: levels of each categorical column.
        k: components.
        engine: "svi" or "nuts".
        backend: "numpyro" or "pyro"; NUTS is NumPyro's.
        covariance_type: "full", "tied", "diag" or "spherical".
        seed: the only source of randomness.
        settings: of the prior (`PRIOR`) and the engine (`ENGINES`), in place of the values there.
        fit: clock, checkpoints and where to report.
        start: a mixture near the mode, such as EM's.
        log_det: mean of what is added to a log density for that in the units of the data.

    Returns:
        The mixture at the posterior means; draws of the sites, name -> (chain, draw, ...);
        statistics of the draws (chain, draw); and what was found. The density of a row under the
        posterior is its mean over draws (`posterior.log_prob_draws`), not that of the mixture.

    Raises:
        InputError: if the engine, the backend or a setting does not exist.
    """
    options = _settings(engine, backend, settings)
    d = x.shape[1]
    centre, spread = _units(x, weights, covariance_type)
    problem = {name: float(options.pop(name)) for name in PRIOR} | {
        "k": k,
        "n_levels": tuple(int(v) for v in n_levels),
        "covariance_type": covariance_type,
        "gaps": bool(np.isnan(x).any()),
        "m": np.zeros(d),
        "s": np.ones(d),
        "t": np.full(d, 0.5),
    }
    rows = ((x - centre) / spread, np.ascontiguousarray(codes, dtype=np.int32), weights)
    at = _in_units(sites(start), -centre / spread, 1 / spread, covariance_type)
    # The loss is reported in the units of the data.
    units = np.where(np.isnan(x), 0.0, np.log(spread)).sum(axis=1)
    offset = float(np.average(units, weights=weights)) - log_det

    def report(record: Progress) -> None:
        seconds = fit.clock.seconds()
        if math.isfinite(record.loss):
            fit.report(replace(record, loss=record.loss + offset, seconds=seconds))

    if engine == "svi":
        draws, stats, reasons = svi(rows, problem, at, backend, seed, options, fit, report)
    else:
        from .numpyro import model

        found = nuts(
            model, rows, problem, seed=seed, init=at, deadline=fit.deadline, **options,
            report=lambda step, u: report(Progress(step, u / len(x))),
        )  # fmt: skip
        found = replace(found, posterior=_same_labels(found.posterior, covariance_type, rows, at))
        draws, stats, reasons = found.posterior, found.stats, found.reasons()
    posterior = _in_units(draws, centre, spread, covariance_type)
    return mean_mixture(posterior, covariance_type), posterior, stats, reasons


def _settings(engine: str, backend: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    if engine not in ENGINES:
        raise InputError(f"engine is {engine!r}; the posterior is fitted by 'svi' or 'nuts'.")
    if backend not in ("numpyro", "pyro"):
        raise InputError(f"backend is {backend!r}; expected 'numpyro' or 'pyro'.")
    if engine == "nuts" and backend != "numpyro":
        raise InputError("engine 'nuts' runs on NumPyro; give backend='numpyro', or engine='svi'.")
    known = PRIOR | ENGINES[engine]
    for name in settings:
        if name not in known:
            raise InputError(
                f"there is no setting {name!r} of engine {engine!r}; it has {', '.join(known)}."
                + did_you_mean(name, known)
            )
    return known | dict(settings)


def _units(x: Array, weights: Array | None, covariance_type: str) -> tuple[Array, Array]:
    """Mean and standard deviation (d,) of the columns; one deviation for all where spherical."""
    w = np.where(np.isnan(x), 0.0, 1.0 if weights is None else weights[:, None])
    total = np.maximum(w.sum(axis=0), np.finfo(float).tiny)
    filled = np.nan_to_num(x)
    centre = (w * filled).sum(axis=0) / total
    variance = (w * (filled - centre) ** 2).sum(axis=0) / total
    variance = np.where(variance > 0, variance, 1.0)
    if covariance_type == "spherical" and len(variance):
        variance = np.full_like(variance, variance.mean())
    return centre, np.sqrt(variance)


def _in_units(draws: Mapping[str, Array], centre: Array, spread: Array, kind: str) -> Draws:
    """The sites where x is replaced by centre + spread x."""
    out = dict(draws)
    if "mu" in draws:
        out["mu"] = centre + spread * draws["mu"]
        out["sigma"] = draws["sigma"] * (spread[0] if kind == "spherical" else spread)
    return out


def _same_labels(
    draws: Draws, covariance_type: CovarianceType, rows: Any, at: Mapping[str, Array]
) -> Draws:
    """The draws with their components numbered as where the chains started."""
    if draws["w"].shape[-1] == 1:
        return draws
    x, codes, _ = rows
    some = np.linspace(0, len(x) - 1, min(len(x), _ROWS)).round().astype(int)
    start = {name: value[None, None] for name, value in at.items()}
    p, pivot = (
        softmax(log_components_draws(given, covariance_type, x[some], codes[some]), axis=-1)
        for given in (draws, start)
    )
    shared = ("sigma", "L") if covariance_type == "tied" else ()
    return reorder(draws, orders(p, pivot[0]), shared)
