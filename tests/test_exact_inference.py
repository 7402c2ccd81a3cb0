"""Exact inference among discrete variables, against the sum over all configurations."""

from __future__ import annotations

import random
import sys
from typing import Any

import numpy as np
import pytest

from ppgen.errors import InputError
from ppgen.inference.elimination import make_plan, min_fill
from ppgen.inference.exact import Exact
from ppgen.inference.orders import find_plan
from ppgen.inference.product import Product

SEEDS = range(200)


def graph(rng: np.random.Generator) -> tuple[tuple[int, ...], list[tuple[int, ...]], list[Any]]:
    """Sizes, scopes and tables of a random factor graph: some variables in no table, parts without
    connection, tables without variables, zeros."""
    n = int(rng.integers(1, 7))
    sizes = tuple(int(k) for k in rng.integers(1, 4, n))
    scopes = [
        tuple(int(v) for v in rng.permutation(n)[: rng.integers(0, min(n, 3) + 1)])
        for _ in range(rng.integers(1, 7))
    ]
    shapes = [[sizes[v] for v in scope] for scope in scopes]
    return sizes, scopes, [rng.random(s) * (rng.random(s) > 0.2) for s in shapes]


def evidence_of(rng: np.random.Generator, sizes: tuple[int, ...], n: int) -> dict[int, Any]:
    """Evidence of every sort on some variables."""
    out: dict[int, Any] = {}
    for v, k in enumerate(sizes):
        sorts = {
            0: lambda k=k: int(rng.integers(0, k)),
            1: lambda k=k: rng.integers(0, k, n),
            2: lambda k=k: rng.integers(-1, k, n),
            3: lambda k=k: rng.random(k),
            4: lambda k=k: rng.random((n, k)),
        }
        sort = int(rng.integers(0, 8))
        if sort in sorts:
            out[v] = sorts[sort]()
    return out


def row_of(evidence: dict[int, Any], row: int) -> dict[int, Any]:
    """The evidence of one row, without an axis for rows."""
    out = {}
    for v, given in evidence.items():
        given = np.asarray(given)
        rows = given.ndim == 2 or (given.ndim == 1 and given.dtype.kind == "i")
        value = given[row] if rows else given
        out[v] = int(value) if value.ndim == 0 else value
    return out


def rows_in(evidence: dict[int, Any]) -> int | None:
    """How many rows evidence has; None without an axis for rows."""
    for given in map(np.asarray, evidence.values()):
        if given.ndim == 2 or (given.ndim == 1 and given.dtype.kind == "i"):
            return len(given)
    return None


def enumerated(
    sizes: tuple[int, ...], scopes: Any, tables: Any, evidence: dict[int, Any]
) -> np.ndarray:
    """The product of all tables and the evidence of one row, over all configurations."""
    full = np.ones(sizes)
    factors = list(zip(scopes, tables, strict=True))
    for v, given in evidence.items():
        if isinstance(given, int):
            if given >= 0:
                factors.append(((v,), np.eye(sizes[v])[given]))
        else:
            factors.append(((v,), given))
    for scope, table in factors:
        shape = [sizes[v] if v in scope else 1 for v in range(len(sizes))]
        full = full * table.transpose(np.argsort(scope)).reshape(shape)
    return full


def over(full: np.ndarray, scope: tuple[int, ...]) -> np.ndarray:
    """A table over all variables summed down to a scope, axes in its order."""
    out = full.sum(axis=tuple(v for v in range(full.ndim) if v not in scope))
    order = sorted(scope)
    return out.transpose([order.index(v) for v in scope])


@pytest.mark.parametrize("start", range(0, 200, 50))
def test_answers_are_those_of_enumeration_on_random_graphs(start: int) -> None:
    for seed in SEEDS[start : start + 50]:
        rng = np.random.default_rng(seed)
        sizes, scopes, tables = graph(rng)
        evidence = evidence_of(rng, sizes, 3)
        n = rows_in(evidence)
        exact = Exact(sizes, scopes)
        weights = rng.random(n or 1)
        pair = tuple(int(v) for v in rng.permutation(len(sizes))[:2])
        got = exact.marginals(tables, evidence)
        log_z = np.atleast_1d(exact.log_z(tables, evidence))
        joint = exact.joint(tables, pair, evidence)
        logs, counts = exact.counts(tables, evidence, weights)
        expected = [np.zeros_like(table) for table in tables]
        assert got.log_z.shape == (() if n is None else (n,))
        for row in range(n or 1):
            full = enumerated(sizes, scopes, tables, row_of(evidence, row))
            Z = full.sum()
            here = [p if n is None else p[row] for p in got.probs]
            for value in (np.atleast_1d(got.log_z)[row], log_z[row], logs[row]):
                assert np.exp(value) == pytest.approx(Z, rel=1e-10)
            if Z == 0:
                assert all(np.isnan(p).all() for p in (*here, joint if n is None else joint[row]))
                continue
            for v, p in enumerate(here):
                np.testing.assert_allclose(p, over(full, (v,)) / Z, atol=1e-12)
            np.testing.assert_allclose(
                joint if n is None else joint[row], over(full, pair) / Z, atol=1e-12
            )
            for total, scope in zip(expected, scopes, strict=True):
                total += weights[row] * over(full, scope) / Z
        for total, count in zip(expected, counts, strict=True):
            np.testing.assert_allclose(count, total, atol=1e-12)


def test_rows_of_a_batch_are_answered_as_single_rows_are() -> None:
    for seed in range(30):
        rng = np.random.default_rng(1000 + seed)
        sizes, scopes, tables = graph(rng)
        evidence = evidence_of(rng, sizes, 4)
        n = rows_in(evidence)
        exact = Exact(sizes, scopes)
        if n is None:
            continue
        together = exact.marginals(tables, evidence)
        for row in range(n):
            alone = exact.marginals(tables, row_of(evidence, row))
            np.testing.assert_allclose(together.log_z[row], alone.log_z, rtol=1e-13, atol=1e-13)
            for p, q in zip(together.probs, alone.probs, strict=True):
                np.testing.assert_allclose(p[row], q, rtol=1e-12, atol=1e-15)


def test_rows_beyond_one_chunk_are_answered_in_their_places() -> None:
    rng = np.random.default_rng(0)
    tables = [rng.random(3), rng.random((3, 2)), rng.random((2, 4))]
    exact = Exact((3, 2, 4), [(0,), (0, 1), (1, 2)])
    states = rng.integers(-1, 4, 2500)
    got = exact.marginals(tables, {2: states})
    log_z, counts = exact.counts(tables, {2: states})
    np.testing.assert_array_equal(log_z, got.log_z)
    for state in range(-1, 4):
        rows = states == state
        alone = exact.marginals(tables, {2: state})
        np.testing.assert_allclose(got.log_z[rows], alone.log_z, rtol=1e-12)
        np.testing.assert_allclose(got.probs[0][rows], alone.probs[0][None].repeat(rows.sum(), 0))
    np.testing.assert_allclose(counts[0], got.probs[0].sum(axis=0))


def test_no_rows_have_no_answers() -> None:
    exact, tables = Exact((2, 3), [(0, 1)]), [np.ones((2, 3))]
    none = {0: np.empty(0, np.int64)}
    assert exact.log_z(tables, none).shape == (0,)
    assert exact.marginals(tables, none).probs[1].shape == (0, 3)
    assert exact.joint(tables, (1, 0), none).shape == (0, 3, 2)
    np.testing.assert_array_equal(exact.counts(tables, none)[1][0], np.zeros((2, 3)))


def test_hard_evidence_is_a_likelihood_of_one_state() -> None:
    rng = np.random.default_rng(1)
    tables = [rng.random((3, 2)), rng.random((2, 3))]
    exact = Exact((3, 2, 3), [(0, 1), (1, 2)])
    hard = exact.marginals(tables, {0: 2})
    soft = exact.marginals(tables, {0: np.array([0.0, 0.0, 1.0])})
    assert hard.log_z == pytest.approx(soft.log_z)
    for p, q in zip(hard.probs, soft.probs, strict=True):
        np.testing.assert_allclose(p, q, atol=1e-14)


def test_a_chain_of_two_thousand_does_not_underflow() -> None:
    rng = np.random.default_rng(2)
    tables = [1e-5 * rng.random((3, 3)) for _ in range(1999)]
    got = Exact([3] * 2000, [(i, i + 1) for i in range(1999)]).marginals(tables)
    ahead, log_z = np.ones(3), 0.0
    for table in tables:
        ahead = ahead @ table
        log_z += np.log(ahead.sum())
        ahead /= ahead.sum()
    assert got.log_z == pytest.approx(log_z, rel=1e-12)
    assert log_z < -20_000
    np.testing.assert_allclose(got.probs[1999], ahead, rtol=1e-10)
    assert all(p.sum() == pytest.approx(1) for p in got.probs)


def test_a_node_with_two_thousand_children_does_not_underflow() -> None:
    rng = np.random.default_rng(10)
    tables = [rng.random(2), *rng.random((2000, 2, 3))]
    exact = Exact([2] + [3] * 2000, [(0,), *((0, child) for child in range(1, 2001))])
    evidence = {child: int(rng.integers(3)) for child in range(1, 2001)}
    logs = np.log(tables[0])
    for child, state in evidence.items():
        logs += np.log(tables[child][:, state])
    got = exact.marginals(tables, evidence)
    assert got.log_z == pytest.approx(np.logaddexp.reduce(logs), rel=1e-12)
    np.testing.assert_allclose(got.probs[0], np.exp(logs - got.log_z), rtol=1e-9)
    rows = exact.marginals(tables, {child: np.full(2, state) for child, state in evidence.items()})
    np.testing.assert_allclose(rows.log_z, got.log_z, rtol=1e-12)


def test_children_against_what_is_certain_are_not_taken_for_impossible() -> None:
    """The children speak for state 0 by 1e400 to 1; the last, a copy, is observed in state 1."""
    tables = [np.array([0.5, 0.5]), *[np.array([[0.9, 0.1], [0.09, 0.91]])] * 400, np.eye(2)]
    exact = Exact([2] * 402, [(0,), *((0, child) for child in range(1, 402))])
    evidence = dict.fromkeys(range(1, 401), 0) | {401: 1}
    log_z = np.log(0.5) + 400 * np.log(0.09)
    got = exact.marginals(tables, evidence)
    assert got.log_z == pytest.approx(log_z, rel=1e-12)
    np.testing.assert_allclose(got.probs[0], [0, 1])
    assert exact.log_z(tables, evidence) == pytest.approx(log_z, rel=1e-12)
    np.testing.assert_allclose(exact.joint(tables, (0, 401), evidence), [[0, 0], [0, 1]])
    rows = evidence | {401: np.array([0, 1, -1])}
    weights = np.array([1.0, 2.0, 4.0])
    logs, counts = exact.counts(tables, rows, weights)
    together = exact.marginals(tables, rows)
    for row, state in enumerate((0, 1, -1)):
        alone = exact.marginals(tables, evidence | {401: state})
        assert logs[row] == pytest.approx(alone.log_z, rel=1e-12)
        assert together.log_z[row] == pytest.approx(alone.log_z, rel=1e-12)
        np.testing.assert_allclose(together.probs[0][row], alone.probs[0], atol=1e-12)
    np.testing.assert_allclose(counts[0], [5, 2], atol=1e-9)
    np.testing.assert_allclose(counts[7], [[5, 0], [2, 0]], atol=1e-9)
    np.testing.assert_allclose(counts[-1], [[5, 0], [0, 2]], atol=1e-9)


@pytest.mark.parametrize("size", [1e-200, 1e-300, 1e200, 1e300])
def test_tables_of_extreme_size_lose_nothing_and_stay_as_they_are(size: float) -> None:
    rng = np.random.default_rng(11)
    scopes, sizes = [(0, 1), (1, 2), (2, 0), (0, 1)], (2, 3, 2)
    tables = [rng.random([sizes[v] for v in scope]) for scope in scopes]
    exact = Exact(sizes, scopes)
    plain, large = exact.marginals(tables), [size * table for table in tables]
    before = [table.copy() for table in large]
    got = exact.marginals(large)
    assert got.log_z == pytest.approx(plain.log_z + 4 * np.log(size), rel=1e-12)
    for p, q in zip(got.probs, plain.probs, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-12)
    for count, expected in zip(
        exact.counts(large, {})[1], exact.counts(tables, {})[1], strict=True
    ):
        np.testing.assert_allclose(count, expected, rtol=1e-12)
    for table, copy in zip(large, before, strict=True):
        np.testing.assert_array_equal(table, copy)


def test_evidence_of_probability_zero_is_said_of_its_rows_alone() -> None:
    tables = [np.array([0.5, 0.5]), np.eye(2)]
    got = Exact((2, 2), [(0,), (0, 1)]).marginals(
        tables, {0: np.array([0, 1, 0]), 1: np.array([0, 0, -1])}
    )
    np.testing.assert_allclose(got.log_z, [np.log(0.5), -np.inf, np.log(0.5)])
    assert np.isnan(got.probs[0][1]).all()
    np.testing.assert_allclose(got.probs[1][[0, 2]], [[1, 0], [1, 0]])


def test_large_products_by_matrices_are_those_of_einsum() -> None:
    rng = np.random.default_rng(3)
    product = Product((4, 6, 9, 3, 8, 2), (0, 1, 3, 4, 5), (0, 2, 3, 5), (0, 1, 2, 4, 5))
    assert product.matrices
    A, B = rng.random((4, 6, 3, 8, 2)), rng.random((4, 9, 3, 2))
    np.testing.assert_allclose(product(A, B, np), np.einsum(product.subscripts, A, B), rtol=1e-13)


@pytest.mark.parametrize("order", ["min-fill", "weighted-min-fill", "opt_einsum", "auto"])
def test_every_order_gives_the_same_answers(order: str) -> None:
    rng = np.random.default_rng(4)
    side = 4
    scopes = [(i, i + 1) for i in range(side * side) if (i + 1) % side]
    scopes += [(i, i + side) for i in range(side * (side - 1))]
    sizes = [int(k) for k in rng.integers(2, 4, side * side)]
    tables = [rng.random([sizes[v] for v in scope]) for scope in scopes]
    given = Exact(sizes, scopes, order=range(side * side)).marginals(tables, {3: 1})
    found = Exact(sizes, scopes, order=order).marginals(tables, {3: 1})
    assert found.log_z == pytest.approx(given.log_z, rel=1e-12)
    for p, q in zip(given.probs, found.probs, strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-10)


def test_the_search_for_an_order_beats_min_fill_and_leaves_the_global_seed() -> None:
    side = 10
    scopes = [(i, i + 1) for i in range(side * side) if (i + 1) % side]
    scopes += [(i, i + side) for i in range(side * (side - 1))]
    scopes += [(i, i + side + 1) for i in range(side * (side - 1)) if (i + 1) % side]
    sizes = [4] * side * side
    before = random.getstate()
    found = find_plan(sizes, scopes)
    assert random.getstate() == before
    assert found.total < make_plan(sizes, scopes, min_fill(sizes, scopes)).total
    assert found == find_plan(sizes, scopes)


def test_min_fill_eliminates_a_tree_without_filling() -> None:
    rng = np.random.default_rng(6)
    scopes = [(int(rng.integers(0, child)), child) for child in range(1, 100)]
    plan = find_plan([3] * 100, scopes)
    assert plan.cells(plan.largest) == 9


def test_a_cycle_of_four_is_filled_by_one_edge() -> None:
    plan = find_plan([2, 2, 2, 2], [(0, 1), (1, 2), (2, 3), (3, 0)])
    assert sorted(len(bucket.clique) for bucket in plan.buckets if bucket.variables) == [3, 3]


def test_every_bucket_but_the_last_sends_one_message_to_a_later_one() -> None:
    for seed in range(30):
        sizes, scopes, _ = graph(np.random.default_rng(seed))
        plan = find_plan(sizes, scopes)
        children = sorted(c for bucket in plan.buckets for c in bucket.children)
        assert children == list(range(len(plan.buckets) - 1))
        assert sorted(t for bucket in plan.buckets for t in bucket.tables) == list(
            range(len(scopes))
        )
        for number, bucket in enumerate(plan.buckets):
            assert all(child < number for child in bucket.children)
            inputs = [*(scopes[t] for t in bucket.tables)]
            inputs += [plan.buckets[c].separator for c in bucket.children]
            assert set(bucket.clique) == set().union(*inputs)
            assert set(bucket.separator) == set(bucket.clique) - set(bucket.variables)


def test_cost_is_known_and_refused_before_anything_is_allocated() -> None:
    names = [f"node{i}" for i in range(40)]
    exact = Exact([2] * 40, [tuple(range(40))], memory=1 << 30, names=names)
    with pytest.raises(InputError, match=r"1,099,511,627,776 cells: node0, node1.*cutset.*loopy"):
        exact.cost()
    observed = exact.cost(observed=range(20))
    assert observed.n_cells == 1 << 20
    assert set(observed.clique) == set(range(20, 40))
    assert observed.bytes <= 5 * 8 << 20


def test_cost_counts_what_a_pass_holds() -> None:
    import tracemalloc

    rng = np.random.default_rng(7)
    scopes = [tuple(int(v) for v in rng.permutation(40)[:2]) for _ in range(110)]
    tables = [rng.random((2, 2)) for _ in scopes]
    exact = Exact([2] * 40, scopes, order="min-fill")
    cost = exact.cost()
    assert cost.bytes > 1 << 18
    exact.marginals(tables)
    tracemalloc.start()
    exact.marginals(tables)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.5 * cost.bytes < held < 1.2 * cost.bytes + 50_000


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        ({0: 3}, "'rain' has the states 0 to 1; 3 given"),
        ({0: np.array([0, -2])}, "-2 given"),
        ({0: np.ones(3)}, r"likelihood of 'rain' has shape \(3,\)"),
        ({0: np.array([0.5, -0.5])}, "no number below 0"),
        ({0: np.array([0, 1]), 1: np.array([0, 1, 1])}, r"evidence has \[2, 3\] rows"),
    ],
)
def test_evidence_that_does_not_fit_is_refused(evidence: dict[int, Any], said: str) -> None:
    exact = Exact((2, 2), [(0, 1)], names=["rain", "wet"])
    with pytest.raises(InputError, match=said):
        exact.marginals([np.ones((2, 2))], evidence)


def test_an_unknown_order_names_the_nearest() -> None:
    with pytest.raises(InputError, match="min-fill"):
        Exact((2, 2), [(0, 1)], order="minfill").cost()
    with pytest.raises(InputError, match=r"lacks the variables \[1\]"):
        Exact((2, 2), [(0, 1)], order=[0]).cost()


def test_an_order_of_cotengra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cotengra", None)
    with pytest.raises(InputError, match=r"pip install ppgen\[cotengra\]"):
        Exact((2, 2), [(0, 1)], order="cotengra").cost()


def test_derivatives_of_log_z_in_jax_are_expected_counts_over_the_table() -> None:
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(8)
    scopes, sizes = [(0, 1), (1, 2), (2, 0)], (2, 3, 2)
    tables = [rng.random([sizes[v] for v in scope]) for scope in scopes]
    exact = Exact(sizes, scopes)
    evidence = {1: np.array([0, -1])}
    _, counts = exact.counts(tables, evidence)
    with jax.enable_x64(True):
        slope = jax.jit(jax.grad(lambda t: exact.log_z(t, evidence, xp=jnp).sum()))(tables)
    for count, derivative, table in zip(counts, slope, tables, strict=True):
        np.testing.assert_allclose(np.asarray(derivative), count / table, rtol=1e-10)
