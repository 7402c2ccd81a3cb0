"""Simulation-based calibration of pairs and engines: are those that ship accepted?

Each pair is calibrated by NUTS from its prior (`inference.calibration`), and linear regression
around a fit too. Numbers of states, components and hidden units are arbitrary, and one chain may
keep to one numbering: of such pairs, quantities are ranked that no numbering changes. Eight schools
are timed: 1,000 replications in 120 s at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import ppgen
from ppgen.inference.calibration import Calibration
from ppgen.models import shipped, small_cases

SECONDS = 120  # for 1,000 replications of eight schools


def _sorted(site: str) -> Callable[[Mapping[str, Any]], Any]:
    import jax.numpy as jnp

    return lambda values: jnp.sort(values[site], axis=0)


RANKED: dict[str, Any] = {
    "gaussian_hmm": {"mu in order": _sorted("mu")},
    "categorical_hmm": {"B in order": _sorted("B")},
    "dirichlet_mixture": ["alpha"],
    "bnn_regression": ["tau", "sigma"],
    "bnn_classification": ["tau"],
}
CHAINS = {"num_warmup": 200, "max_tree_depth": 8}
QUICK = ("eight_schools", "linear_regression")


def calibrated(name: str, replications: int, **how: Any) -> Calibration:
    """The calibration of a pair that ships, on a small data set."""
    args, kwargs = small_cases.call(name)
    pair = ppgen.Pair(shipped.model(name, "numpyro"))
    how = {"quantities": RANKED.get(name), **CHAINS, **how}
    return pair.calibrate(*args, **kwargs, replications=replications, random_state=1, **how)


def line(name: str, found: Calibration, seconds: float, limit: float | None = None) -> Any:
    """One line of the table."""
    worst = min(found.p_values, key=lambda quantity: found.p_values[quantity])
    accepted = not found.rejected and found.replications + found.lost == found.wanted
    return {
        "what": f"{name}: {found.wanted} replications",
        "figure": f"{'accepted' if not found.rejected else 'rejected'}, {seconds:.0f} s",
        "target": "accepted" if limit is None else f"accepted, {limit:.0f} s",
        "met": accepted and (limit is None or seconds <= limit),
        "least p": f"{found.p_values[worst]:.2g} ({worst})",
        "autocorrelation": round(found.autocorrelation, 3),
        "diverging": round(found.diverging, 4),
        "lost": found.lost,
    }


def run(full: bool, names: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """A line a pair."""
    lines = []
    for name in names or (shipped.names() if full else QUICK):
        timed = name == "eight_schools"
        began = time.perf_counter()
        found = calibrated(name, 1000 if timed else 200 if full else 100)
        lines.append(line(name, found, time.perf_counter() - began, SECONDS if timed else None))
    if not names or "linear_regression" in names:
        lines.append(_around())
    return lines


def _around() -> dict[str, Any]:
    """Linear regression around a fit to data."""
    (X,), _ = small_cases.call("linear_regression")
    y = 1 + X @ [0.5, -1.0] + 0.5 * np.random.default_rng(1).normal(size=len(X))
    pair = ppgen.Pair(shipped.model("linear_regression", "numpyro"))
    fit = pair.fit(X, y, random_state=0)
    began = time.perf_counter()
    found = pair.calibrate(X, y, around=fit, replications=100, random_state=1, **CHAINS)
    return line("linear_regression around data", found, time.perf_counter() - began)
