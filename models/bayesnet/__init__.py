"""Bayesian networks: tables and linear Gaussians over a directed acyclic graph."""

from typing import TYPE_CHECKING

from ...lazy import lazily

if TYPE_CHECKING:
    from .estimator import BayesianNetwork as BayesianNetwork
    from .factor_graph import FactorGraph as FactorGraph
    from .queries.stated import Distribution as Distribution
    from .queries.stated import Likelihood as Likelihood
    from .reading import read_network as read_network

__getattr__ = lazily(
    __name__,
    BayesianNetwork="estimator",
    Distribution="queries.stated",
    FactorGraph="factor_graph",
    Likelihood="queries.stated",
    read_network="reading",
)
