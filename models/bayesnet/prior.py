"""What is assumed of a network's parameters, and what rows without gaps make of it.

    theta[u] ~ Dirichlet(alpha[u])                          of a discrete node
    s2[u]    ~ InverseGamma(a[u], b[u])                     of a continuous one, whose intercept and
    beta[u] | s2[u] ~ Normal(m[u], s2[u] Lambda[u]^-1)      coefficients are beta,

for each configuration u of a node's discrete parents, all independent. Given rows whose families
have no gaps the posterior has the same form: with the sums N and S of `families`, S = sum of
(1, z, x) (1, z, x)' being parted into G of (1, z), c of (1, z) x, and n its first entry,

    alpha' = alpha + N
    Lambda' = Lambda + G,    m' = Lambda'^-1 (Lambda m + c),    a' = a + n / 2,
    b' = b + 1/2 [ sum (x - m'(1, z))^2 + (m' - m)' Lambda (m' - m) ].

The point that stands for it, `centre`, has the posterior means of theta and beta, and b' / a' for
s2, the inverse of the mean precision. With hyperparameters of 0 it is maximum likelihood, and it
maximises in any case

    log p(rows) + sum_uk alpha log theta
        - sum_u [ a log s2 + (b + (beta - m)' Lambda (beta - m) / 2) / s2 ].

References: Heckerman, Geiger and Chickering, "Learning Bayesian networks: the combination of
knowledge and statistical data", 1995, https://doi.org/10.1007/BF00994016; Murphy, "Conjugate
Bayesian analysis of the Gaussian distribution", 2007,
https://www.cs.ubc.ca/~murphyk/Papers/bayesGauss.pdf.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ...arrays import Floats
from ...errors import InputError
from ...inference.dag import DAG
from .conditionals import LinearGaussian, Table
from .families import Statistics, families
from .node_prior import Dirichlet as Dirichlet
from .node_prior import Draws
from .node_prior import NormalInverseGamma as NormalInverseGamma
from .node_prior import solve as solve


@dataclass(frozen=True, eq=False)
class ConjugatePrior:
    """What is assumed of all parameters of a network.

    Attributes:
        dag: the graph.
        sizes: states of each node, 0 of a continuous one.
        nodes: of each node, what is assumed of its parameters.
    """

    dag: DAG
    sizes: tuple[int, ...]
    nodes: tuple[Dirichlet | NormalInverseGamma, ...]

    def updated(self, sums: Statistics) -> ConjugatePrior:
        """The posterior given the sums of `families.statistics`, which are of rows without gaps."""
        nodes = tuple(node.updated(sum_) for node, sum_ in zip(self.nodes, sums, strict=True))
        return ConjugatePrior(self.dag, self.sizes, nodes)

    def check_proper(self) -> None:
        """Raise InputError if there is no such distribution, as where a hyperparameter is 0."""
        for name, node in zip(self.dag.names, self.nodes, strict=True):
            if not node.proper:
                raise InputError(
                    f"a posterior of the parameters needs a prior of them, and that of {name!r} is "
                    'none: give prior="bdeu" or "laplace", and no parents of which one is a '
                    "function of others."
                )

    def centre(self, floor: float = 0.0) -> tuple[Table | LinearGaussian, ...]:
        """The conditionals that stand for it, variances at least `floor`."""
        return tuple(
            node.centre() if isinstance(node, Dirichlet) else node.centre(floor)
            for node in self.nodes
        )

    def log_penalty(self, conditionals: Sequence[object]) -> float:
        """What it adds to the log likelihood that `centre` maximises."""
        return sum(map(_log_penalty, self.nodes, conditionals))

    def on(self, array: Callable[[Any], Any]) -> ConjugatePrior:
        """The same with its arrays made a backend's own by `array`."""
        nodes = tuple(node.on(array) for node in self.nodes)
        return ConjugatePrior(self.dag, self.sizes, nodes)

    def numbers(self) -> Draws:
        """What the pair's guide is to start at: its moments on the unconstrained scale."""
        out: Draws = {}
        for name, node in zip(self.dag.names, self.nodes, strict=True):
            out |= node.numbers(name)
        return out

    def log_prob(self, draws: Mapping[str, Any]) -> Draws:
        """Site -> (chain, draw) log densities of its draws, those of b given s2."""
        out: Draws = {}
        for name, node in zip(self.dag.names, self.nodes, strict=True):
            out |= node.log_prob(name, draws)
        return out

    def rescaled(self, shift: Floats, scale: Floats) -> ConjugatePrior:
        """What it says of shift + scale x, of shifts (N,) and positive scales (N,) of the nodes."""
        own = [[f.node, *f.continuous] for f in families(self.dag, self.sizes)]
        each = zip(self.nodes, own, strict=True)
        nodes = (node.rescaled(shift[i], scale[i]) for node, i in each)
        return ConjugatePrior(self.dag, self.sizes, tuple(nodes))

    def named(self, name: Callable[[str], str]) -> ConjugatePrior:
        """The same with other names of the nodes."""
        dag = DAG(tuple(map(name, self.dag.names)), self.dag.parents)
        return ConjugatePrior(dag, self.sizes, self.nodes)

    def draw(self, rng: np.random.Generator, n: int) -> Draws:
        """n draws of all parameters, by site: theta_<node> (n, r_1, ..., r_q, k) of discrete nodes,
        b_<node> (n, r_1, ..., r_q, m + 1), the intercept first, and s2_<node> (n, r_1, ..., r_q) of
        continuous ones."""
        out: Draws = {}
        for name, node in zip(self.dag.names, self.nodes, strict=True):
            out |= node.draw(name, rng, n)
        return out

    def arrays(self) -> Draws:
        """Its numbers by name, as a saved run has them."""
        return {
            f"{i}.{field.name}": np.asarray(getattr(node, field.name))
            for i, node in enumerate(self.nodes)
            for field in fields(node)
        }

    @staticmethod
    def of_arrays(dag: DAG, sizes: tuple[int, ...], arrays: Mapping[str, Any]) -> ConjugatePrior:
        """The prior that `arrays` gave."""
        kinds = (Dirichlet if size else NormalInverseGamma for size in sizes)
        nodes = (
            kind(*(np.asarray(arrays[f"{i}.{field.name}"]) for field in fields(kind)))
            for i, kind in enumerate(kinds)
        )
        return ConjugatePrior(dag, sizes, tuple(nodes))


def _log_penalty(node: Dirichlet | NormalInverseGamma, given: object) -> float:
    if isinstance(node, Dirichlet):
        assert isinstance(given, Table)
        return node.log_penalty(given)
    assert isinstance(given, LinearGaussian)
    return node.log_penalty(given)
