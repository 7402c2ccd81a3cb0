"""The settings of a Bayesian network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

import numpy as np

from ...settings import Kind, Settings, mapping, seed, setting


def _are_edges(value: Any) -> bool:
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence | np.ndarray):
        return False
    return all(
        isinstance(edge, Sequence | np.ndarray) and not isinstance(edge, str) and len(edge) == 2
        for edge in value
    )


edges = Kind('a list of edges (parent, child), such as [("rain", "grass")]', _are_edges)


@dataclass(eq=False, repr=False)
class NetworkSettings:
    """What can be set of a Bayesian network."""

    edges: Sequence[Any] | None = setting(
        None, "the structure, over the columns by name or label; None learns it.", edges
    )
    _: KW_ONLY
    hidden: Mapping[str, int] | None = setting(
        None, 'nodes that are no columns, and how many states each has, such as {"H": 3}.', mapping
    )
    prior: Literal["bdeu", "laplace", "none"] = setting(
        "bdeu",
        "of the parameters, whose posterior mean is taken: rows spread evenly over a table, one in "
        "each cell, or none, which gives the maximum of the likelihood.",
    )
    equivalent_sample_size: float = setting(
        1.0,
        'rows that the prior "bdeu" is worth: spread evenly over a table, and for each number of a '
        "regression.",
        above=0,
    )
    reg_covar: float = setting(
        1e-12,
        "least variance given the parents, as a share of a column's own; it matters only where "
        "columns are functions of each other.",
        least=0,
    )
    random_state: Any = setting(None, "seed of what is drawn.", seed)


SETTINGS = {"bayesnet": Settings(NetworkSettings)}
