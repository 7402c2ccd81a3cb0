"""EM for networks with gaps and hidden nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ppgen.data import Schema
from ppgen.errors import InputError
from ppgen.fitting import Fit
from ppgen.inference.dag import DAG
from ppgen.models.bayesnet.draws import network_of, sites_of
from ppgen.models.bayesnet.em import Result, fit_em
from ppgen.models.bayesnet.expected_counts import IncompleteRows
from ppgen.models.bayesnet.families import families
from ppgen.models.bayesnet.intervened import IntervenedRows
from ppgen.models.bayesnet.layout import NodeRows
from ppgen.models.bayesnet.network import Network
from ppgen.models.bayesnet.node_density import drawn
from ppgen.models.bayesnet.parameters import Assumed, estimated
from ppgen.models.bayesnet.posterior import Posterior
from ppgen.models.bayesnet.pyro import BACKEND
from ppgen.models.bayesnet.row_density import Parameters, RowDensity
from ppgen.progress import Clock

from .conjugate_priors import conjugate_prior

DISCRETE = DAG.of("abcde", map(tuple, ["ca", "cb", "ab", "bd", "ae", "de"]))
MIXED = DAG.of("abcxy", map(tuple, ["ca", "cb", "ab", "ax", "xy", "by"]))
SIZES = {DISCRETE: (2, 3, 2, 2, 3), MIXED: (2, 3, 2, 0, 0)}


def network(dag: DAG, seed: int = 0) -> Network:
    sizes = SIZES[dag]
    prior = conjugate_prior(dag, sizes, ess=40.0, precision=1.0, shape=5.0, scale=1.0)
    values = prior.draw(np.random.default_rng(seed), 1)
    states = tuple(tuple(range(k)) for k in sizes)
    blank = Network(dag, prior.centre(), states)
    return network_of(blank, {name: value[0] for name, value in values.items()})


def rows(
    of: Network, n: int, share: float, seed: int = 1, hidden: tuple[int, ...] = ()
) -> NodeRows:
    """Rows drawn from a network, a share of the values lost at random."""
    rng = np.random.default_rng(seed)
    whole = drawn(of, NodeRows.unknown(n, len(of.names)), rng)
    lost = rng.random(whole.x.shape) < share
    lost[:, list(hidden)] = True
    return NodeRows(np.where(lost, -1, whole.codes), np.where(lost, np.nan, whole.x))


def fitted(
    of: Network, data: NodeRows, weights: Any = None, kind: Any = "bdeu", **how: Any
) -> Result:
    fit = Fit(seed=0, schema=Schema(()), clock=Clock())
    how = {"floor": 1e-9, "tol": 1e-9} | how
    found = fit_em(of.dag, of.states, data, weights, Assumed(kind), fit, **how)
    starts = np.flatnonzero([record["step"] == 1 for record in fit.trace])
    for course in np.split([-record["loss"] for record in fit.trace], starts[1:]):
        assert (np.diff(course) > -1e-10).all()
    return found


@pytest.mark.parametrize("dag", [DISCRETE, MIXED])
def test_expected_sums_are_the_derivatives_of_the_log_density(dag: DAG) -> None:
    # Fisher's identity: the derivative of log p(row) is that expected of the complete row's.
    of = network(dag)
    data = rows(of, 50, 0.3)
    w = np.random.default_rng(2).uniform(0.5, 2.0, 50)
    sums, log_likelihood = IncompleteRows(of, data, w).expected(of)
    values = {name: torch.tensor(v, requires_grad=True) for name, v in sites_of(of, 0.0).items()}
    each = [
        {i: values[f"{s}_{name}"] for i, name in enumerate(dag.names) if f"{s}_{name}" in values}
        for s in ("theta", "b", "s2")
    ]
    fam = families(dag, of.sizes)
    density = RowDensity(fam, dag.order, range(len(dag)), BACKEND)
    logs = density(Parameters(*each), torch.tensor(data.x), torch.tensor(data.codes))
    total = torch.tensor(w) @ logs
    total.backward()
    assert float(total.detach()) == pytest.approx(log_likelihood, rel=1e-10)
    for f, found in zip(fam, sums, strict=True):
        if f.size:
            theta = each[0][f.node]
            np.testing.assert_allclose(
                found, (theta.grad * theta).detach().numpy(), rtol=1e-8, atol=1e-10
            )
            continue
        b, s2 = (part[f.node] for part in each[1:])
        beta, variance = b.detach().numpy(), s2.detach().numpy()
        slope = found[..., :-1, -1] - np.einsum("...ij,...j->...i", found[..., :-1, :-1], beta)
        np.testing.assert_allclose(slope / variance[..., None], b.grad, rtol=1e-8, atol=1e-8)
        r = np.concatenate([-beta, np.ones((*beta.shape[:-1], 1))], axis=-1)
        square = np.einsum("...i,...ij,...j->...", r, found, r)
        rate = 0.5 * (square / variance - found[..., 0, 0]) / variance
        np.testing.assert_allclose(rate, s2.grad, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("dag", [DISCRETE, MIXED])
@pytest.mark.parametrize("kind", ["bdeu", "none"])
def test_without_gaps_one_step_is_the_closed_form(dag: DAG, kind: Any) -> None:
    of = network(dag)
    data = rows(of, 300, 0.0)
    found = fitted(of, data, kind=kind)
    exact = estimated(dag, of.states, data, None, Assumed(kind), 1e-9)
    assert found.n_iter <= 3
    for one, other in zip(found.network.conditionals, exact.conditionals, strict=True):
        for part, value in vars(one).items():
            np.testing.assert_allclose(value, vars(other)[part], rtol=1e-9)


@pytest.mark.parametrize("dag", [DISCRETE, MIXED])
def test_a_tenth_of_the_values_missing_costs_little(dag: DAG) -> None:
    of = network(dag)
    whole, data = rows(of, 4000, 0.0), rows(of, 4000, 0.1)
    found = fitted(of, data, tol=1e-7)
    exact = estimated(dag, of.states, whole, None, Assumed("bdeu"), 1e-9)
    for one, other in zip(found.network.conditionals, exact.conditionals, strict=True):
        for part, value in vars(one).items():
            np.testing.assert_allclose(value, vars(other)[part], atol=0.08)
    assert found.converged
    assert not found.reasons


@pytest.mark.parametrize("kind", ["bdeu", "laplace", "none"])
@pytest.mark.parametrize("dag", [DISCRETE, MIXED])
def test_no_step_lowers_the_objective_and_every_row_counts(dag: DAG, kind: Any) -> None:
    of = network(dag, 3)
    data = rows(of, 80, 0.4)
    found = fitted(of, data, kind=kind, max_iter=25)  # `fitted` looks at each step
    sums, _ = IncompleteRows(of, data).expected(found.network)
    for f, total in zip(families(dag, of.sizes), sums, strict=True):
        assert (total if f.size else total[..., 0, 0]).sum() == pytest.approx(80)


def test_a_weight_of_two_is_the_row_twice() -> None:
    of = network(DISCRETE)
    data = rows(of, 60, 0.3)
    w = np.where(np.arange(60) < 20, 2.0, 1.0)
    twice = data.take(np.r_[0:60, 0:20])
    one, other = fitted(of, data, w, max_iter=10), fitted(of, twice, max_iter=10)
    assert one.objective == pytest.approx(other.objective, rel=1e-12)
    sums, _ = IncompleteRows(of, twice).expected(of)
    again, _ = IncompleteRows(of, data, w).expected(of)
    for a, b in zip(sums, again, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("dag", [DISCRETE, MIXED])
def test_what_was_set_from_outside_says_nothing_of_its_node(dag: DAG) -> None:
    # Expected sums are those of two data sets: rows in which nothing was set, and rows of the
    # network without edges into the nodes set, but for these nodes.
    of, rng = network(dag), np.random.default_rng(4)
    data, done = rows(of, 60, 0.3), [1, 4]
    data = data.take(data.known[:, done].all(axis=1))
    n = len(data)
    outside = np.zeros((n, 5), bool)
    outside[: n // 2, done] = True
    w = rng.uniform(0.5, 2.0, n)
    sums, log_likelihood = IntervenedRows(of, data, w, outside).expected(of)
    half = [slice(0, n // 2), slice(n // 2, n)]
    cut = of.cut(done)
    first, log_first = IncompleteRows(cut, data.take(half[0]), w[half[0]]).expected(cut)
    rest, log_rest = IncompleteRows(of, data.take(half[1]), w[half[1]]).expected(of)
    for node in range(5):
        expected = rest[node] if node in done else rest[node] + first[node]
        np.testing.assert_allclose(sums[node], expected, atol=1e-12)
    alone = [rows_of_one(cut, data.take(half[0]), node) for node in done]
    assert log_likelihood == pytest.approx(log_first + log_rest - w[half[0]] @ sum(alone))
    found = fitted(of, data, w, outside=outside, max_iter=10)  # `fitted` looks at each step
    assert found.network.dag == dag
    data.codes[0, 1] = -1
    with pytest.raises(InputError, match="'b' was set"):
        IntervenedRows(of, data, w, outside)


def rows_of_one(of: Network, data: NodeRows, node: int) -> Any:
    """(n,) log densities of one node of rows, the others not known."""
    one = NodeRows.unknown(len(data), 5)
    one.codes[:, node], one.x[:, node] = data.codes[:, node], data.x[:, node]
    return Posterior(of).log_prob(one)


def test_a_hidden_class_is_found_up_to_the_names_of_its_states() -> None:
    dag = DAG.of("hpqrs", map(tuple, ["hp", "hq", "hr", "hs"]))
    sizes = (2, 2, 2, 2, 2)
    blank = Network(dag, conjugate_prior(dag, sizes).centre(), tuple((0, 1) for _ in sizes))
    values = {"theta_h": np.array([0.4, 0.6])}
    values |= {f"theta_{v}": np.array([[0.9, 0.1], [0.2, 0.8]]) for v in "pqrs"}
    of = network_of(blank, values)
    data = rows(of, 3000, 0.1, hidden=(0,))
    found = fitted(of, data, tol=1e-8, n_init=3)
    tables = [c.probs for c in found.network.conditionals]  # type: ignore[union-attr]
    order = np.argsort(tables[0])
    np.testing.assert_allclose(tables[0][order], [0.4, 0.6], atol=0.05)
    for table in tables[1:]:
        np.testing.assert_allclose(table[order], [[0.9, 0.1], [0.2, 0.8]], atol=0.06)
    assert [reason.status for reason in found.reasons] == ["ok"]
    assert "3 of 3 starts" in found.reasons[0].what
    again = fitted(of, data, tol=1e-8, n_init=3)
    np.testing.assert_array_equal(tables[1], again.network.conditionals[1].probs)  # type: ignore[union-attr]


def test_what_did_not_converge_is_said() -> None:
    of = network(DISCRETE)
    found = fitted(of, rows(of, 50, 0.5), max_iter=2)
    assert "had not converged" in found.reasons[0].what
    one = fitted(of, rows(of, 50, 0.0, hidden=(2,)), n_init=1)
    assert any("one start" in reason.what for reason in one.reasons)
