"""A small call of each pair that ships, with what is observed left out: for simulations."""

from __future__ import annotations

from typing import Any

import numpy as np

Call = tuple[tuple[Any, ...], dict[str, Any]]

SCHOOLS = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])  # standard errors


def call(name: str) -> Call:
    """Positional arguments and keywords of the model of this name."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 2))
    group = np.arange(20) % 5
    calls: dict[str, Call] = {
        "linear_regression": ((X,), {}),
        "logistic_regression": ((X,), {}),
        "poisson_regression": ((X,), {"exposure": rng.uniform(0.5, 2, 20)}),
        "eight_schools": ((), {"sigma": SCHOOLS}),
        "varying_intercepts": ((X, group), {"n_groups": 5}),
        "varying_slopes": ((X[:, :1], group), {"n_groups": 5}),
        "gp_regression": ((X[:, :1],), {}),
        "gp_classification": ((X[:, :1],), {}),
        "gp_counts": ((X[:, :1],), {}),
        "gaussian_hmm": ((), {"n_states": 2, "n_total": 3, "length": 8}),
        "categorical_hmm": ((), {"n_states": 2, "n_levels": 3, "n_total": 3, "length": 8}),
        "dirichlet_mixture": ((), {"n_components": 4, "n_total": 20}),
        "bnn_regression": ((X,), {"width": 3}),
        "bnn_classification": ((X,), {"width": 3, "n_classes": 3}),
    }
    return calls[name]
