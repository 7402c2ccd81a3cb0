"""Bayesian networks: tables and linear Gaussians over a directed acyclic graph."""

from typing import TYPE_CHECKING

from ...lazy import lazily

if TYPE_CHECKING:
    from .estimator import BayesianNetwork as BayesianNetwork
    from .evidence import Distribution as Distribution
    from .evidence import Likelihood as Likelihood
    from .factor_graph import FactorGraph as FactorGraph
    from .reading import read_network as read_network

__getattr__ = lazily(
    __name__,
    BayesianNetwork="estimator",
    Distribution="evidence",
    FactorGraph="factor_graph",
    Likelihood="evidence",
    read_network="reading",
)
