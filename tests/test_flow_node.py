"""Continuous nodes whose conditional is a flow."""

from __future__ import annotations

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
from ppgen.models.bayesnet import fit_flows, saved
from ppgen.models.bayesnet.conditionals import LinearGaussian, Table
from ppgen.models.bayesnet.flow_node import FlowConditional
from ppgen.models.bayesnet.layout import NodeRows
from ppgen.models.bayesnet.network import Network
from ppgen.models.bayesnet.node_density import direct_log_prob, node_log_tail
from ppgen.models.bayesnet.posterior import Posterior
from ppgen.models.flow.architecture import Architecture
from ppgen.models.flow.pyro import build
from ppgen.plotting.network_beliefs import beliefs_of


def flow(levels: tuple[int, ...], parents: int, seed: int = 0) -> FlowConditional:
    """A flow far from linear, with weights that nobody trained."""
    rng = np.random.default_rng(seed)
    architecture = Architecture("nsf", 1, sum(levels) + parents, 1, (16,), 6)
    weights = {k: 4 * v.detach().numpy() for k, v in build(architecture, seed).state_dict().items()}
    weights |= {k: v / 4 for k, v in weights.items() if k.startswith("base")}
    linear = LinearGaussian(
        rng.normal(size=levels), rng.normal(size=(*levels, parents)), rng.uniform(0.5, 2, levels)
    )
    shift, scale = rng.normal(size=parents), rng.uniform(0.5, 2, parents)
    return FlowConditional(linear, architecture, weights, shift, scale)


def network() -> Network:
    """h -> a -> y <- x, y -> z: y a flow with a parent of each kind."""
    dag = DAG.of("haxyz", map(tuple, ["ha", "ay", "xy", "yz"]))
    normal = LinearGaussian(np.array(0.3), np.zeros(0), np.array(1.2))
    below = LinearGaussian(np.array(-0.2), np.array([0.8]), np.array(0.5))
    tables = Table(np.array([0.3, 0.7])), Table(np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7]]))
    return Network(dag, (*tables, normal, flow((3,), 1), below), ((0, 1), (0, 1, 2), (), (), ()))


def rows(**known: Any) -> NodeRows:
    out = NodeRows.unknown(1, 5)
    for name, value in known.items():
        (out.codes if name in "ha" else out.x)[0, "haxyz".index(name)] = value
    return out


@pytest.mark.parametrize(("levels", "parents"), [((), 0), ((2, 3), 0), ((3,), 2)])
def test_a_flow_is_a_density_and_draws_invert_it(levels: tuple[int, ...], parents: int) -> None:
    given, rng = flow(levels, parents), np.random.default_rng(1)
    n = 300
    codes = np.column_stack([rng.integers(r, size=n) for r in levels] + [np.zeros(n, int)])[:, :-1]
    x = rng.normal(size=(n, parents))
    drawn = given.draw(codes, x, np.random.default_rng(2))
    e, _ = given.standardised(codes, x, drawn)
    np.testing.assert_allclose(e, np.random.default_rng(2).standard_normal(n), atol=1e-9)
    grid = np.linspace(-40, 40, 20_001)
    for row in range(2):
        there = [np.repeat(a[row : row + 1], len(grid), axis=0) for a in (codes, x)]
        mass = np.trapezoid(np.exp(given.log_prob(*there, grid)), grid)
        assert mass == pytest.approx(1, abs=1e-5)
    assert (
        np.abs(given.log_prob(codes, x, drawn) - given.linear.log_prob(codes, x, drawn)).max() > 0.1
    )


def test_in_other_units_a_flow_is_the_same_flow() -> None:
    of = network()
    shift, scale = np.array([0, 0, 2.0, -1.0, 5.0]), np.array([1, 1, 3.0, 0.5, 2.0])
    there = of.rescaled(shift, scale)
    row = rows(h=0, a=1, x=0.4, y=-0.8, z=0.1)
    moved = NodeRows(row.codes, shift + scale * row.x)
    units = np.log(scale[2:]).sum()
    np.testing.assert_allclose(direct_log_prob(there, moved), direct_log_prob(of, row) - units)


def test_a_network_with_a_flow_is_saved_whole() -> None:
    of = network()
    again = saved.read(*saved.written(of))
    row = rows(h=0, a=1, x=0.4, y=-0.8, z=0.1)
    np.testing.assert_array_equal(direct_log_prob(again, row), direct_log_prob(of, row))


def brute(of: Network, row: NodeRows, n: int = 4001) -> float:
    """The log density of what is known, h, a summed and x, y, z integrated over a grid each."""
    grid = np.linspace(-12, 12, n)
    known = row.known[0]
    x = row.x[:, 2] if known[2] else grid[:: 20 if not known[3] else 1]
    y = row.x[:, 3] if known[3] else grid[:: 20 if not known[2] else 1]
    X, Y = (a.ravel() for a in np.meshgrid(x, y))
    logs = []
    for h, a in np.ndindex(2, 3):
        if (known[0] and row.codes[0, 0] != h) or (known[1] and row.codes[0, 1] != a):
            continue
        some = NodeRows.unknown(len(X), 5)
        some.codes[:, 0], some.codes[:, 1], some.x[:, 2], some.x[:, 3] = h, a, X, Y
        some.x[:, 4] = row.x[0, 4]
        logs.append(direct_log_prob(of, some))
    step = 0.0 if known[2] else np.log(x[1] - x[0])
    return float(logsumexp(logs) + step + (0.0 if known[3] else np.log(y[1] - y[0])))


EXACT = [
    {"a": 1, "x": 0.4, "y": -0.8},
    {"a": 2, "x": 0.1, "y": 0.5, "z": 1},
    {"x": 0.4, "y": -0.8},
    {"x": 0.2, "y": 0.7, "z": -1, "h": 0},
]


@pytest.mark.parametrize("known", EXACT)
def test_a_known_flow_is_a_factor_of_exact_inference(known: dict[str, float]) -> None:
    of, row = network(), rows(**known)
    engine = Posterior(of)
    found = engine.density(row)
    assert found.stderr is None
    assert found.values[0] == pytest.approx(brute(of, row), rel=1e-9)
    logs = {k: brute(of, rows(**{"h": k} | known)) for k in range(2) if known.get("h", k) == k}
    expected = np.zeros(2)
    expected[list(logs)] = np.exp(np.array(list(logs.values())) - logsumexp(list(logs.values())))
    beliefs = engine.beliefs(row, [0])
    np.testing.assert_allclose(beliefs.probs[0][0], expected, atol=1e-9)
    assert beliefs.log_z[0] == pytest.approx(found.values[0])
    two = NodeRows(np.repeat(row.codes, 400, 0), np.repeat(row.x, 400, 0))
    np.testing.assert_allclose(engine.log_prob(two), found.values.repeat(400), rtol=1e-12)
    drawn = engine.draw(two, np.random.default_rng(0))
    assert abs(drawn.codes[:, 0].mean() - expected[1]) < 0.12  # five standard errors


@pytest.mark.parametrize("known", [{"y": -0.8}, {"a": 1, "z": 0.7}, {"h": 1, "y": 1.0}])
def test_flows_that_are_not_known_are_summed_out_by_weighting(known: dict[str, float]) -> None:
    of, row = network(), rows(**known)
    engine = Posterior(of)
    found = engine.density(row)
    assert found.kind == "estimate"
    assert found.stderr is not None
    assert 0 < found.stderr[0] < 0.1
    assert abs(found.values[0] - brute(of, row)) < 4 * found.stderr[0]
    with pytest.raises(InputError, match='method="sampling"'):
        engine.marginals({"haxyz".index(k): v for k, v in known.items()}, [0])
    filled = engine.draw(
        NodeRows(np.repeat(row.codes, 20, 0), np.repeat(row.x, 20, 0)), np.random.default_rng(0)
    )
    assert filled.known[:, [0, 1]].sum() == 40
    assert np.isfinite(direct_log_prob(of, filled)).all()
    assert np.isfinite(engine.beliefs(row, [2 if "x" not in known else 4]).means.popitem()[1]).all()


def test_tails_of_a_flow_are_probabilities() -> None:
    of = network()
    many = Posterior(of).draw(NodeRows.unknown(2000, 5), np.random.default_rng(0))
    tails = np.exp(node_log_tail(of, many))[:, 3]
    assert stats.kstest(tails, "uniform").pvalue > 1e-3


def table(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    group = rng.choice(["p", "q"], n)
    x = rng.normal(size=n)
    y = np.where(group == "p", np.sin(2 * x), rng.choice([-1.0, 1.0], n)) + 0.2 * rng.normal(size=n)
    return pd.DataFrame({"group": group, "x": x, "y": 10 + 3 * y})


def test_an_estimator_learns_flows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(fit_flows._UNSET, "max_epochs", 100)
    monkeypatch.setitem(fit_flows._UNSET, "batch_size", 200)
    edges = [("group", "y"), ("x", "y")]
    train, test = table(1200), table(400, 1)
    linear = ppgen.BayesianNetwork(edges, random_state=0).fit(train)
    fit = ppgen.BayesianNetwork(edges, conditionals={"y": "flow"}, random_state=0).fit(train)
    assert fit.network_.flows == (2,)
    gain = fit.score_samples(test) - linear.score_samples(test)
    assert gain.mean() > 0.2
    fit.save(tmp_path / "run")
    again = ppgen.load(tmp_path / "run")
    np.testing.assert_array_equal(again.score_samples(test), fit.score_samples(test))
    drawn = fit.sample(2000, random_state=0)
    middle = (drawn["group"] == "q") & (abs(drawn["y"] - 10) < 1)
    assert middle.sum() < 0.1 * len(drawn)  # of the linear one, a sixth of the rows
    gaps = test.copy()
    gaps.loc[:5, "y"] = np.nan
    gaps.loc[6:9, "group"] = None
    assert fit.log_density(gaps).kind == "exact"
    gaps.loc[10:12, "x"] = np.nan
    assert not fit.impute(gaps).isna().any().any()
    density = fit.log_density(gaps)
    assert density.kind == "estimate"
    with pytest.raises(InputError, match="is a flow"):
        fit.table("y")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"conditionals": "spline"}, "conditionals is 'spline'"),
        ({"conditionals": {"group": "flow"}}, "it is discrete"),
        ({"conditionals": {"yy": "flow"}}, "Did you mean 'y'"),
        ({"conditionals": "flow", "engine": "conjugate"}, "for linear Gaussians"),
    ],
)
def test_what_cannot_be_a_flow_is_said(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        ppgen.BayesianNetwork([("group", "y")], **given).fit(table(50))


def test_a_flow_given_beforehand_leaves_densities_and_queries_of_the_others() -> None:
    given = ppgen.BayesianNetwork.of(network()).condition({"y": 0.5})
    some = pd.DataFrame(
        {"h": [0, 1, 1], "a": [0, 1, 2], "x": [0.1, -0.3, 0.8], "z": [0.0, 1.0, 0.5]}
    )
    density = given.log_density(some)
    assert density.stderr is not None
    assert density.values.shape == density.stderr.shape == (3,)
    found = given.query("a", method="sampling", random_state=0)
    assert float(found.log_evidence) == pytest.approx(0.0, abs=0.2)  # of nothing further


def test_a_network_of_flows_is_drawn_with_what_is_estimated() -> None:
    model = ppgen.BayesianNetwork.of(network())
    for known in ({}, {"a": 1}):
        shown = beliefs_of(model, known, None)
        assert "±" in shown["y"].text
        draws = model.sample(4000, given=known, random_state=0)
        assert dict(shown["h"].states)["0"] == pytest.approx((draws["h"] == 0).mean(), abs=0.04)
    with pytest.raises(InputError, match="takes no Likelihood"):
        beliefs_of(model, {"a": ppgen.Likelihood([1, 2, 3])}, None)
