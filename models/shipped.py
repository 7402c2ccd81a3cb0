"""The pairs that ship, by name: a closed table, so that a name never says which code is run.

Each is a folder with `numpyro.py` and `pyro.py`, which say the same: functions of plain NumPyro and
Pyro with equal sites and log joints, to be read alone. Conventions:

- Rows come first, what is observed may be None, which draws it: from the prior, or given draws of
  the posterior for new inputs.
- Sites have Greek names as in the formulas and are in standard units; what they are in the units of
  the data has an English name. A model is told its units (`units`).
- Whatever has rows has a plate "rows", of `n_total` rows where it sees a minibatch.
- No guide is written by hand: all sites are global and continuous (or summed out), hierarchies are
  not centred, so that the guides that engines make of a model serve as well.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from ..errors import unknown


class Shipped(NamedTuple):
    """A pair: the folder that it stands in, its function there, and what it is."""

    folder: str
    function: str
    summary: str


SHIPPED: dict[str, Shipped] = {
    "linear_regression": Shipped(
        "regression", "linear", "linear regression; normal or horseshoe priors"
    ),
    "logistic_regression": Shipped(
        "regression", "logistic", "logistic regression; normal or horseshoe priors"
    ),
    "poisson_regression": Shipped(
        "regression", "poisson", "counts per exposure; normal or horseshoe priors"
    ),
    "eight_schools": Shipped(
        "hierarchical", "eight_schools", "effects with known errors; centred or not"
    ),
    "varying_intercepts": Shipped(
        "hierarchical", "varying_intercepts", "linear regression, an intercept for each group"
    ),
    "varying_slopes": Shipped(
        "hierarchical", "varying_slopes", "linear regression, correlated coefficients by group"
    ),
    "gp_regression": Shipped(
        "gaussian_process", "regression", "Gaussian process regression, a length scale each input"
    ),
    "gp_classification": Shipped(
        "gaussian_process", "classification", "two classes by a latent Gaussian process"
    ),
    "gp_counts": Shipped("gaussian_process", "counts", "counts by a latent Gaussian process"),
    "gaussian_hmm": Shipped("hmm", "gaussian", "hidden Markov model of numbers"),
    "categorical_hmm": Shipped("hmm", "categorical", "hidden Markov model of levels"),
    "dirichlet_mixture": Shipped(
        "dirichlet_mixture", "model", "Gaussian mixture of as many components as the data ask for"
    ),
    "bnn_regression": Shipped("bnn", "regression", "Bayesian neural network for numbers"),
    "bnn_classification": Shipped("bnn", "classification", "Bayesian neural network for classes"),
}


def names() -> tuple[str, ...]:
    """The names of all pairs that ship."""
    return tuple(SHIPPED)


def model(name: str, backend: str) -> Callable[..., Any]:
    """The model of a pair, in "numpyro" or "pyro".

    Raises:
        InputError: if there is no such pair or backend.
    """
    if name not in SHIPPED:
        raise unknown("pair", name, SHIPPED)
    if backend not in ("numpyro", "pyro"):
        raise unknown("backend", backend, ("numpyro", "pyro"))
    entry = SHIPPED[name]
    twin = import_module(f".{entry.folder}.{backend}", __package__)
    found: Callable[..., Any] = getattr(twin, entry.function)
    return found
