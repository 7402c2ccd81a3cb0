"""The Gaussian of a component under the numbers of a network, conditioned on its rows' values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from ..arrays import Floats, Ints
from .elimination import Scope
from .gaussian_components import Component, Structure, configurations
from .gaussian_conditioning import Conditioned, Equations, Posterior, conditioned, posterior
from .mixed_evidence import Rows

Conditionals = Mapping[int, Any]


@dataclass(frozen=True, eq=False)
class ComponentPosterior:
    """A component, solved.

    Attributes:
        component: which families in which rows.
        numbers: (Q,) the configurations of its scope that are needed.
        config: (n, u) the place of each configuration of each row among these; None: all rows have
            all.
        solved: for each of the Q.
        given: (n, u) log densities of what is observed, and (n, u, h) means of what is open.
    """

    structure: Structure
    component: Component
    numbers: Ints
    config: Ints | None
    solved: Conditioned
    given: Posterior

    @classmethod
    def of(
        cls, structure: Structure, conditionals: Conditionals, component: Component, rows: Rows
    ) -> ComponentPosterior:
        """Solve the equations of a component and condition on its rows."""
        numbers, config = configurations(structure, component, rows.codes)
        nodes = component.nodes
        place = {node: i for i, node in enumerate(nodes)}
        is_open = set(component.open)
        constants = component.constants
        column = {node: i for i, node in enumerate(constants)}
        Q, d = len(numbers), len(nodes)
        B, scale = np.zeros((Q, d, d)), np.empty((Q, d))
        offsets = np.zeros((Q, d, len(constants) + 1))
        for i, node in enumerate(nodes):
            intercept, coefficients, variance = conditionals[node]
            own = states_of(structure, component.scope, numbers, structure.discrete_parents[node])
            offsets[:, i, -1] = intercept[own]
            scale[:, i] = np.sqrt(variance[own])
            for j, parent in enumerate(structure.continuous_parents[node]):
                if parent in is_open:
                    B[:, i, place[parent]] = coefficients[own][..., j]
                else:
                    offsets[:, i, column[parent]] = coefficients[own][..., j]
        observed = [i for i, node in enumerate(nodes) if node not in is_open]
        free = [place[node] for node in component.open]
        solved = conditioned(
            Equations(B, offsets, scale, np.array(observed, np.intp), np.array(free, np.intp))
        )
        x = rows.values[component.rows]
        ones = np.ones((len(x), 1))
        values = x[:, [nodes[i] for i in observed]]
        given = posterior(solved, np.hstack([x[:, list(constants)], ones]), values, config)
        return cls(structure, component, numbers, config, solved, given)

    @cached_property
    def covariance(self) -> Floats:
        """(Q, h, h) covariances of the open nodes."""
        root = self.solved.root
        covariance: Floats = np.matmul(root, root.transpose(0, 2, 1))
        return covariance

    @cached_property
    def variance(self) -> Floats:
        """(Q, h) variances of the open nodes."""
        variance: Floats = (self.solved.root**2).sum(axis=2)
        return variance

    def per_pair(self, of_config: Floats) -> Floats:
        """What each of the Q configurations has, (Q, ...), for each row and configuration of a
        row: (n or 1, u, ...)."""
        return of_config[None] if self.config is None else of_config[self.config]

    def summed(self, pairs: Floats) -> Floats:
        """Values of pairs (n, u, ...) added up by configuration: (Q, ...)."""
        if self.config is None:
            return np.asarray(pairs.sum(axis=0))
        Q = len(self.numbers)
        flat, of = self.config.reshape(-1), pairs.reshape(self.config.size, -1)
        sums = [np.bincount(flat, column, Q) for column in of.T]
        together: Floats = np.stack(sums, axis=-1, dtype=np.float64)
        return together.reshape(Q, *pairs.shape[2:])

    def summed_products(self, w: Floats, x: Floats) -> Floats:
        """Products of x (n, u, m) with weights w (n, u), added up by configuration: (Q, m, m)."""
        if self.config is None:
            product: Floats = np.matmul((w[..., None] * x).transpose(1, 2, 0), x.transpose(1, 0, 2))
            return product
        m = x.shape[2]
        out = np.empty((len(self.numbers), m, m))
        for i in range(m):
            out[:, i:, i] = out[:, i, i:] = self.summed((w * x[..., i])[..., None] * x[..., i:])
        return out

    def states(self, scope: Scope) -> tuple[Ints, ...]:
        """The states (Q,) of some of the component's discrete parents in each configuration."""
        return states_of(self.structure, self.component.scope, self.numbers, scope)


def states_of(structure: Structure, scope: Scope, numbers: Ints, wanted: Scope) -> tuple[Ints, ...]:
    """The states (Q,) of the wanted variables in configurations (Q,) of a scope."""
    sizes = structure.shape(scope)
    places = [scope.index(v) for v in wanted]
    return tuple(numbers // prod(sizes[i + 1 :]) % sizes[i] for i in places)
