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
from scipy.special import logsumexp

import ppgen
from ppgen.errors import InputError
from ppgen.inference.dag import DAG
from ppgen.models.bayesnet.conditionals import LinearGaussian, Table
from ppgen.models.bayesnet.layout import NodeRows
from ppgen.models.bayesnet.network import Network
from ppgen.models.bayesnet.node_density import direct_log_prob
from ppgen.models.bayesnet.posterior import Posterior

from .mixed_networks import batch, random_net
from .test_bayesnet import frame

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
    np.testing.assert_allclose(posterior.log_prob(rows), np.log(joint.sum(axis=1)), atol=1e-9)
    found = posterior.beliefs(rows, range(6))
    np.testing.assert_allclose(found.log_z, np.log(joint.sum(axis=1)), atol=1e-9)
    for node, probs in found.probs.items():
        of_state = whole.codes[:, node, None] == np.arange(network.sizes[node])
        expected = joint @ of_state / joint.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(probs, expected, atol=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_rows_of_mixed_networks_are_those_of_enumeration(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = random_net(rng, 3, 3)
    names = tuple(f"n{v}" for v in range(6))
    conditionals = tuple(
        Table(c) if k else LinearGaussian(*map(np.asarray, c))
        for k, c in zip(net.sizes, net.conditionals, strict=True)
    )
    states = tuple(tuple(range(k)) for k in net.sizes)
    network = Network(DAG(names, tuple(net.parents)), conditionals, states)
    known = batch(rng, net, 15)
    rows = NodeRows.unknown(15, 6)
    for v, k in enumerate(net.sizes):
        (rows.codes if k else rows.x)[:, v] = known[v]
    posterior = Posterior(network)
    log_p, found = posterior.log_prob(rows), posterior.beliefs(rows, range(6))
    np.testing.assert_allclose(found.log_z, log_p, atol=1e-9)
    for i in range(15):
        evidence = {v: each[i] for v, each in known.items() if each[i] >= 0 or each.dtype == float}
        evidence = {v: e for v, e in evidence.items() if not np.isnan(e)}
        log_z, probs, mean, covariance, _, _ = net.answers(evidence)
        assert log_p[i] == pytest.approx(log_z, abs=1e-9)
        for v in net.discrete:
            np.testing.assert_allclose(found.probs[v][i], probs[v], atol=1e-9)
        for j, v in enumerate(net.continuous):
            assert found.means[v][i] == pytest.approx(mean[j], abs=1e-8)
            assert found.variances[v][i] == pytest.approx(covariance[j, j], abs=1e-8)


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


# Estimators ---------------------------------------------------------------------------------------

EDGES = [("kind", "size"), ("kind", "y"), ("z", "y")]


@pytest.fixture(scope="module")
def mixed() -> Any:
    return ppgen.BayesianNetwork(EDGES, random_state=0).fit(frame())


def test_a_gap_is_the_sum_or_the_integral_over_what_may_stand_there(mixed: Any) -> None:
    rows = frame(6, seed=1)
    whole = [rows.assign(kind=kind) for kind in "abc"]
    each = np.stack([mixed.score_samples(one) for one in whole])
    gap = rows.assign(kind=None)
    np.testing.assert_allclose(mixed.score_samples(gap), logsumexp(each, axis=0), rtol=1e-10)
    row = rows.iloc[[0]].assign(kind=None)
    grid = np.linspace(-10, 25, 3001)
    line = pd.concat([row] * len(grid)).assign(z=grid)
    mass = np.trapezoid(np.exp(mixed.score_samples(line)), grid)
    assert mixed.score(row.assign(z=np.nan)) == pytest.approx(np.log(mass), abs=1e-6)
    nothing = row.assign(size=None, y=np.nan, z=np.nan)
    np.testing.assert_allclose(mixed.score_samples(nothing), 0.0, atol=1e-12)


def test_conditionals_and_marginals_are_networks_again(mixed: Any, tmp_path: Path) -> None:
    rows = frame(20, seed=1)
    given = {"y": 112.0, "size": "big"}
    rest = mixed.condition(given)
    assert rest.schema_.names == ("kind", "z")
    fixed = rows.assign(**given)
    known = mixed.score_samples(fixed.assign(kind=None, z=np.nan))
    joint = mixed.score_samples(fixed)
    np.testing.assert_allclose(rest.score_samples(rows[["kind", "z"]]), joint - known, rtol=1e-10)
    twice = mixed.condition({"size": "big"}).condition({"y": 112.0})
    np.testing.assert_allclose(twice.score_samples(rows[["kind", "z"]]), joint - known, rtol=1e-10)
    assert repr(twice) == f"{mixed!r} of kind, z given size = big, y = 112"
    assert "given size = big" in twice._repr_mimebundle_()["text/html"]
    again = repr(ppgen.load(twice.save(tmp_path / "given")))
    assert again.endswith(" of kind, z given size = big, y = 112")
    assert mixed.given_ == {}
    some = mixed.marginal(["y", "size"])
    np.testing.assert_allclose(
        some.score_samples(rows[["y", "size"]]),
        mixed.score_samples(rows.assign(kind=None, z=np.nan)),
        rtol=1e-10,
    )
    for model in (rest, some):
        names = list(model.schema_.names)
        again = ppgen.load(model.save(tmp_path / "-".join(names)))
        np.testing.assert_array_equal(
            again.score_samples(rows[names]), model.score_samples(rows[names])
        )
        pd.testing.assert_frame_equal(again.sample(5), model.sample(5))
        assert list(again.sample(3).columns) == names


def test_draws_given_values_are_those_of_the_conditional(mixed: Any) -> None:
    rest = mixed.condition({"y": 112.0})
    drawn = mixed.sample(3000, given={"y": 112.0}, random_state=1)
    of_rest = rest.sample(3000, random_state=2)
    assert (drawn["y"] == 112.0).all()
    kinds = np.exp(rest.marginal(["kind"]).score_samples(pd.DataFrame({"kind": list("abc")})))
    assert kinds.sum() == pytest.approx(1)
    mean = rest.impute(pd.DataFrame({"kind": [None], "size": [None], "z": [np.nan]}))["z"][0]
    for rows in (drawn, of_rest):
        shares = [(rows["kind"] == kind).mean() for kind in "abc"]
        np.testing.assert_allclose(shares, kinds, atol=0.04)
        assert rows["z"].mean() == pytest.approx(mean, abs=0.15)


def test_gaps_are_filled_by_means_and_likeliest_levels(mixed: Any) -> None:
    rows = frame(30, seed=2)
    gaps = rows.copy()
    gaps.loc[:9, "y"] = np.nan
    gaps.loc[10:19, "kind"] = None
    gaps.loc[20:, "z"] = np.nan
    filled = mixed.impute(gaps)
    lines = pd.DataFrame(mixed.table("y")).set_index("kind").loc[rows["kind"]]
    b0, b, s = (lines[name].to_numpy() for name in ("intercept", "x z", "deviation"))
    np.testing.assert_allclose(filled["y"][:10], (b0 + b * rows["z"])[:10], rtol=1e-9)
    each = np.stack([mixed.score_samples(rows.assign(kind=kind)) for kind in "abc"])
    assert list(filled["kind"][10:20]) == [*np.array(list("abc"))[each.argmax(axis=0)[10:20]]]
    (m,), (t,) = mixed.table("z")["intercept"], mixed.table("z")["deviation"]
    gain = t**2 * b / (b**2 * t**2 + s**2)
    expected = m + gain * (rows["y"].to_numpy() - b0 - b * m)
    np.testing.assert_allclose(filled["z"][20:], expected[20:], rtol=1e-9)
    drawn = mixed.impute(gaps, draw=True, random_state=3)
    np.testing.assert_array_equal(drawn["y"][10:], rows["y"][10:])
    assert np.abs((drawn["y"] - filled["y"]) / s)[:10].max() < 5
    assert (drawn["y"] != filled["y"])[:10].all()


def test_the_node_that_surprises_most_is_named(mixed: Any) -> None:
    rows = frame(4, seed=4)
    rows.loc[0, "y"] += 40
    rows.loc[1, "z"] = 50.0
    rows.loc[1, "y"] = np.nan
    rows.loc[2, ["kind", "size"]] = "a", "big"
    tails = mixed.surprises(rows)
    assert list(tails) == ["y", "kind", "size", "z"]
    named = pd.DataFrame(tails).idxmin(axis=1)
    assert list(named[:2]) == ["y", "z"]
    assert np.isnan(tails["y"][1])
    shares = mixed.table("size")
    assert tails["size"][2] == pytest.approx(shares["P(big)"][0], rel=1e-9)
    lines = pd.DataFrame(mixed.table("y")).set_index("kind").loc[rows["kind"]]
    off = (rows["y"] - lines["intercept"].to_numpy() - lines["x z"].to_numpy() * rows["z"]) / lines[
        "deviation"
    ].to_numpy()
    np.testing.assert_allclose(tails["y"], 2 * stats.norm.sf(np.abs(off)), rtol=1e-6)
    each = mixed.node_log_density(rows.iloc[[0, 2, 3]])
    np.testing.assert_allclose(each.sum(axis=1), mixed.score_samples(rows.iloc[[0, 2, 3]]))


# Hidden nodes, gaps, draws of the parameters ------------------------------------------------------


def test_a_hidden_node_explains_what_columns_have_in_common() -> None:
    rng = np.random.default_rng(0)
    kind = rng.integers(2, size=500)
    noisy = {
        name: np.array(["no", "yes"])[(rng.random(500) < 0.15 + 0.7 * kind).astype(int)]
        for name in "abc"
    }
    edges = [("H", name) for name in "abc"]
    model = ppgen.BayesianNetwork(edges, hidden={"H": 2}, random_state=0).fit(pd.DataFrame(noisy))
    apart = ppgen.BayesianNetwork([]).fit(pd.DataFrame(noisy))
    rows = pd.DataFrame(noisy)
    assert model.score(rows) > apart.score(rows) + 0.1
    assert model.n_iter_ > 1
    assert list(model.sample(3).columns) == list("abc")
    yes = np.sort(model.table("a")["P(yes)"])
    np.testing.assert_allclose(yes, [0.15, 0.85], atol=0.07)
    every = pd.DataFrame(list(product(["no", "yes"], repeat=3)), columns=list("abc"))
    assert np.exp(model.score_samples(every)).sum() == pytest.approx(1)


def test_a_hidden_node_may_have_continuous_children() -> None:
    rng = np.random.default_rng(1)
    kind = rng.integers(2, size=300)
    rows = pd.DataFrame({"x": rng.normal(5.0 * kind, 1.0), "y": rng.normal(-5.0 * kind, 1.0)})
    model = ppgen.BayesianNetwork([("H", "x"), ("H", "y")], hidden={"H": 2}, random_state=0)
    centres = np.sort(model.fit(rows).table("x")["intercept"])
    np.testing.assert_allclose(centres, [0.0, 5.0], atol=0.4)
    assert model.score(rows) > ppgen.Gaussian().fit(rows).score(rows) + 0.1


def test_rows_with_gaps_are_all_used() -> None:
    rows = frame(600, seed=3)
    gaps = rows.copy()
    hidden = np.random.default_rng(0).random((600, 2)) < 0.3
    gaps["y"] = gaps["y"].where(~hidden[:, 0])
    gaps["kind"] = gaps["kind"].where(~hidden[:, 1])
    model = ppgen.BayesianNetwork(EDGES, random_state=0).fit(gaps)
    whole = ppgen.BayesianNetwork(EDGES, random_state=0).fit(rows)
    held = frame(400, seed=4)
    assert model.n_iter_ > 1
    assert model.score(held) == pytest.approx(whole.score(held), abs=0.05)
    assert model.score(held) > ppgen.BayesianNetwork([]).fit(rows).score(held) + 1


def test_a_posterior_of_the_parameters_makes_densities_estimates(tmp_path: Path) -> None:
    rows = frame(100).rename(columns={"size": "size/m"})
    edges = [("kind", "size/m"), *EDGES[1:]]
    chosen = {"engine": "conjugate", "engine_settings": {"num_draws": 300}, "random_state": 0}
    model = ppgen.BayesianNetwork(edges, **chosen).fit(rows)
    plain = ppgen.BayesianNetwork(edges).fit(rows)
    density = model.log_density(rows)
    assert density.kind == "estimate"
    assert density.stderr is not None
    off = density.values - plain.score_samples(rows)
    assert np.abs(off).mean() < 0.1
    # Draws are in the units of the data.
    slopes = model.posterior_["b_y"][0, :, :, 1].mean(axis=0)
    np.testing.assert_allclose(slopes, plain.table("y")["x z"], rtol=0.1)
    again = ppgen.load(model.save(tmp_path / "run"))
    np.testing.assert_array_equal(again.log_density(rows).values, density.values)
    tree = model.to_datatree(rows)
    # What is written has no paths in its names.
    size = "size\N{DIVISION SLASH}m"
    assert tree["posterior"][f"theta_{size}"].dims == ("chain", "draw", "kind", size)
    assert model.condition({"kind": "a"}).log_density(rows[["y", "size/m", "z"]]).kind == "exact"
    with pytest.raises(InputError, match="engine='svi' or 'nuts'"):
        model.fit(rows.assign(kind=rows["kind"].where(rows["z"] > 4)))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["svi", "nuts"])
def test_chains_and_guides_find_the_posterior_that_has_a_closed_form(engine: str) -> None:
    rows = frame(60)
    settings = {"num_steps": 500} if engine == "svi" else {"num_warmup": 200, "num_samples": 200}
    fits = [
        ppgen.BayesianNetwork(EDGES, engine=e, engine_settings=s, random_state=0).fit(rows)
        for e, s in ((engine, settings), ("conjugate", {}))
    ]
    for name, exact in fits[1].posterior_.items():
        found = fits[0].posterior_[name]
        centre, spread = exact.mean(axis=(0, 1)), exact.std(axis=(0, 1))
        assert (np.abs(found.mean(axis=(0, 1)) - centre) < 0.35 * spread + 1e-9).all(), name


def test_impossible_evidence_is_said() -> None:
    dag = DAG.of(("a", "b", "c"), [("a", "b")])
    half = Table(np.array([0.5, 0.5]))
    tables = half, Table(np.array([[1.0, 0.0], [0.5, 0.5]])), half
    model = ppgen.BayesianNetwork.of(Network(dag, tables, (("n", "y"),) * 3))
    gaps = pd.DataFrame({"a": ["y", "n"], "b": ["y", "y"], "c": None})
    assert np.isneginf(model.score_samples(gaps)[1])
    impossible = {"a": "n", "b": "y"}
    for ask in (
        lambda: model.condition(impossible),
        lambda: model.condition({"b": "y"}).condition({"a": "n"}),
        lambda: model.sample(2, given=impossible),
        lambda: model.impute(gaps),
        lambda: model.impute(gaps, draw=True),
    ):
        with pytest.raises(InputError, match="probability 0"):
            ask()
