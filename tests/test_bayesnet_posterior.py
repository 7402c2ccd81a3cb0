"""What a network says of what is not known, against enumeration of all rows: densities, marginals,
draws, conditionals, gaps."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import ppgen
from ppgen.errors import InputError
from ppgen.inference.dag import DAG
from ppgen.models.bayesnet.conditionals import LinearGaussian, Table
from ppgen.models.bayesnet.layout import NodeRows
from ppgen.models.bayesnet.network import Network
from ppgen.models.bayesnet.node_density import direct_log_prob
from ppgen.models.bayesnet.posterior import Posterior

Floats = np.ndarray


def random_network(seed: int, n: int = 6, continuous: int = 0, zeros: bool = True) -> Network:
    """Nodes of 2 or 3 states, then continuous ones, in a random order of names; some
    probabilities are 0."""
    rng = np.random.default_rng(seed)
    sizes = [*rng.integers(2, 4, n).tolist(), *[0] * continuous]
    parents: list[tuple[int, ...]] = []
    conditionals: list[Any] = []
    for node, size in enumerate(sizes):
        chosen = rng.permutation(node)[: rng.integers(0, 4)].tolist()
        parents.append(tuple(chosen))
        shape = tuple(sizes[p] for p in chosen if sizes[p])
        m = sum(not sizes[p] for p in chosen)
        if size:
            probs = rng.dirichlet(np.full(size, 0.7), shape)
            if zeros and node % 2:
                probs = np.where(probs < 0.15, 0.0, probs)
            conditionals.append(Table(probs / probs.sum(axis=-1, keepdims=True)))
        else:
            b0, b = 2 * rng.normal(size=shape), rng.normal(size=(*shape, m))
            conditionals.append(LinearGaussian(b0, b, rng.uniform(0.2, 2.0, shape)))
    # Numbers of nodes are not in topological order.
    place = rng.permutation(len(sizes))
    order = np.argsort(place)
    moved = [tuple(int(place[p]) for p in parents[node]) for node in order]
    names = tuple(f"n{i}" for i in range(len(sizes)))
    states = [tuple(f"s{k}" for k in range(sizes[node])) for node in order]
    return Network(DAG(names, tuple(moved)), tuple(conditionals[i] for i in order), tuple(states))


def every(network: Network) -> tuple[NodeRows, Floats]:
    """All rows of a discrete network and their probabilities."""
    codes = np.array(list(product(*map(range, network.sizes))), np.int32)
    rows = NodeRows(codes, np.full(codes.shape, np.nan))
    return rows, np.exp(direct_log_prob(network, rows))


def with_gaps(network: Network, n: int, seed: int, share: float = 0.5) -> NodeRows:
    """Rows drawn from a network, some of whose values are not known."""
    rng = np.random.default_rng(seed)
    rows = Posterior(network).draw(NodeRows.unknown(n, len(network.names)), rng)
    gaps = rng.random(rows.codes.shape) < share
    return NodeRows(np.where(gaps, -1, rows.codes).astype(np.int32), np.where(gaps, np.nan, rows.x))


def agrees(codes: Floats, all_codes: Floats) -> Floats:
    """(n, all) which of all rows agree with what is known of each row."""
    return ((codes[:, None] == all_codes) | (codes[:, None] < 0)).all(axis=2)


@pytest.mark.parametrize("seed", range(6))
def test_rows_with_gaps_and_marginals_are_those_of_enumeration(seed: int) -> None:
    network = random_network(seed)
    rows = with_gaps(network, 40, seed)
    whole, mass = every(network)
    joint = agrees(rows.codes, whole.codes) * mass
    posterior = Posterior(network)
    np.testing.assert_allclose(posterior.log_prob(rows), np.log(joint.sum(axis=1)), rtol=1e-9)
    found = posterior.beliefs(rows, range(6))
    np.testing.assert_allclose(found.log_z, np.log(joint.sum(axis=1)), rtol=1e-9)
    for node, probs in found.probs.items():
        of_state = whole.codes[:, node, None] == np.arange(network.sizes[node])
        expected = joint @ of_state / joint.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(probs, expected, atol=1e-10)


def test_draws_given_part_of_a_row_follow_the_posterior() -> None:
    network = random_network(3)
    known = with_gaps(network, 1, 5)
    whole, mass = every(network)
    share = agrees(known.codes, whole.codes)[0] * mass
    drawn = Posterior(network).draw(known.repeated(4000), np.random.default_rng(0))
    place = np.ravel_multi_index(tuple(drawn.codes.T), network.sizes)
    counts = np.bincount(place, minlength=len(mass))
    assert counts[share == 0].sum() == 0
    some = share > 0
    assert stats.chisquare(counts[some], 4000 * share[some] / share[some].sum()).pvalue > 1e-4


def test_impossible_evidence_is_said() -> None:
    dag = DAG.of(("a", "b"), [("a", "b")])
    tables = Table(np.array([0.5, 0.5])), Table(np.array([[1.0, 0.0], [0.5, 0.5]]))
    model = ppgen.BayesianNetwork.of(Network(dag, tables, (("n", "y"), ("n", "y"))))
    gaps = pd.DataFrame({"a": ["n", None], "b": ["y", "y"]})
    assert np.isneginf(model.score_samples(gaps)[0])
    with pytest.raises(InputError, match="probability 0"):
        model.condition({"b": "y"}).condition({"a": "n"})
