"""Bayesian networks: tables and linear Gaussians over a directed acyclic graph."""

from typing import TYPE_CHECKING

from ...lazy import lazily

if TYPE_CHECKING:
    from .estimator import BayesianNetwork as BayesianNetwork

__getattr__ = lazily(__name__, BayesianNetwork="estimator")
