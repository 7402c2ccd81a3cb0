"""Posterior probabilities of edges against enumeration of all graphs."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from ppgen.inference.structure.constraints import Constraints
from ppgen.inference.structure.exact_posterior import exact_edge_probabilities
from ppgen.inference.structure.families import all_families
from ppgen.inference.structure.order_mcmc import linear_extensions, order_mcmc
from ppgen.models.bayesnet.structure.cases import Cases
from ppgen.models.bayesnet.structure.scores import NetworkScore

from .test_dag import of_four
from .test_structure_search import draw


def score_of_four(n=25, seed=2, name="bdeu", kinds="ddddd"):
    cases = draw(n, seed=seed, kinds=kinds)
    part = (cases.names[:4], cases.sizes[:4], cases.codes[:, :4], cases.x[:, :4], cases.weights)
    return NetworkScore(Cases(*part), name)


def enumerated(score, constraints):
    """Edge probabilities over all 543 graphs that are admitted."""
    graphs = [dag for dag in of_four() if constraints.admits(dag.parents)]
    logs = np.array([score.total(dag.parents) for dag in graphs])
    weights = np.exp(logs - logs.max())
    edges = np.array([dag.adjacency() for dag in graphs])
    return np.einsum("g,gij->ij", weights / weights.sum(), edges)


CONSTRAINTS = {
    "none": Constraints.none(4),
    "few parents": Constraints.of("abcd", max_parents=1),
    "some edges": Constraints.of("abcd", required=[("d", "a")], forbidden=[("b", "c")]),
}


@pytest.mark.parametrize("which", CONSTRAINTS)
@pytest.mark.parametrize("rows", [25, 3000])
def test_edges_are_as_probable_as_over_all_graphs(which, rows):
    score, constraints = score_of_four(rows), CONSTRAINTS[which]
    expected = enumerated(score, constraints)
    np.testing.assert_allclose(exact_edge_probabilities(score, constraints), expected, atol=1e-9)


def test_so_are_those_of_gaussian_nodes():
    score = score_of_four(40, name="bge", kinds="ccccc")
    found = exact_edge_probabilities(score, Constraints.none(4))
    np.testing.assert_allclose(found, enumerated(score, Constraints.none(4)), atol=1e-9)


@pytest.mark.parametrize("which", CONSTRAINTS)
def test_chains_of_orders_come_to_the_same(which):
    score, constraints = score_of_four(), CONSTRAINTS[which]
    rng = np.random.default_rng(0)
    found = order_mcmc(score, constraints, rng, steps=2000, draws=20_000)
    error = 4 * np.sqrt(0.25 / 5000)  # of 5,000 draws that are worth it
    assert found.ess > 5000
    assert found.rhat < 1.01
    np.testing.assert_allclose(found.probabilities, enumerated(score, constraints), atol=error)
    assert all(
        constraints.admits([tuple(np.flatnonzero(c)) for c in g.T]) for g in found.edges[:50]
    )


def test_without_weights_graphs_with_many_orders_are_favoured():
    score = score_of_four()
    found = order_mcmc(score, Constraints.none(4), np.random.default_rng(0), steps=2000)
    expected = enumerated(score, Constraints.none(4))
    assert np.abs(found.edges.mean(axis=0) - expected).max() > 0.05


def test_linear_extensions_are_counted():
    edges = np.array([dag.adjacency() for dag in of_four()[::7]]).astype(np.int8)
    counted = [
        sum(all(order.index(a) < order.index(b) for a, b in np.argwhere(graph)) for order in ways)
        for graph, ways in ((graph, list(permutations(range(4)))) for graph in edges)
    ]
    np.testing.assert_array_equal(linear_extensions(edges), counted)


def test_candidates_are_the_parents_that_gain_most():
    score = NetworkScore(draw(2000), "bdeu")
    families = all_families(score, Constraints.none(5), 2)
    assert set(families[2].candidates) >= {0, 1} or set(families[2].candidates) >= {0, 3}
    assert all(len(family.candidates) == 2 for family in families)
    fixed = Constraints.of("abcde", required=[("e", "c")])
    assert 4 in all_families(score, fixed, 2)[2].candidates
