"""The Bayesian network: parameters from rows, densities of complete rows, networks that are given,
and what is refused."""

from __future__ import annotations

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
from ppgen.models.bayesnet.network import Network


def frame(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """Two discrete columns and two continuous ones: kind -> size, kind -> y <- z."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(3, size=n)
    z = rng.normal(5.0, 2.0, n)
    return pd.DataFrame(
        {
            "y": 100 + 10 * kind + (1 + kind) * z + rng.normal(size=n) * (0.5 + kind),
            "kind": np.array(["a", "b", "c"])[kind],
            "size": np.where(rng.random(n) < 0.2 + 0.3 * kind, "big", "small"),
            "z": z,
        }
    )


EDGES = [("kind", "size"), ("kind", "y"), ("z", "y")]


def sprinkler(labels: tuple[Any, Any] = ("no", "yes")) -> Network:
    """rain -> sprinkler, both -> wet; with a continuous child of wet, in odd units."""
    dag = DAG.of(
        ("wet", "rain", "sprinkler", "hours"),
        [("rain", "sprinkler"), ("sprinkler", "wet"), ("rain", "wet"), ("wet", "hours")],
    )
    return Network(
        dag,
        (
            Table(np.array([[[1.0, 0.0], [0.2, 0.8]], [[0.1, 0.9], [0.01, 0.99]]])),
            Table(np.array([0.8, 0.2])),
            Table(np.array([[0.6, 0.4], [0.99, 0.01]])),
            LinearGaussian(np.array([1000.0, 3000.0]), np.zeros((2, 0)), np.array([400.0, 900.0])),
        ),
        (labels, labels, labels, ()),
    )


# Parameters ---------------------------------------------------------------------------------------


def test_without_a_prior_tables_are_shares_and_regressions_least_squares() -> None:
    data = frame()
    model = ppgen.BayesianNetwork(EDGES, prior="none").fit(data)
    table = pd.DataFrame(model.table("size")).set_index("kind")
    shares = pd.crosstab(data["kind"], data["size"], normalize="index")
    for level in ("big", "small"):
        np.testing.assert_allclose(table[f"P({level})"], shares[level], rtol=1e-12)
    lines = pd.DataFrame(model.table("y")).set_index("kind")
    for kind, rows in data.groupby("kind"):
        design = np.column_stack([np.ones(len(rows)), rows["z"]])
        (b0, b1), rss, _, _ = np.linalg.lstsq(design, rows["y"])
        found = lines.loc[kind]
        np.testing.assert_allclose([found["intercept"], found["x z"]], [b0, b1], rtol=1e-9)
        assert found["deviation"] ** 2 == pytest.approx(rss[0] / len(rows), rel=1e-9)


def test_the_prior_of_tables_is_so_many_rows_spread_evenly() -> None:
    data = frame(30)
    counts = pd.crosstab(data["kind"], data["size"]).to_numpy()
    for settings, each in (
        ({"equivalent_sample_size": 12.0}, 2.0),
        ({"prior": "laplace"}, 1.0),
        ({}, 1 / 6),
    ):
        model = ppgen.BayesianNetwork(EDGES, **settings).fit(data)
        raised = counts + each
        expected = raised / raised.sum(axis=1, keepdims=True)
        table = model.table("size")
        np.testing.assert_allclose(np.column_stack([table["P(big)"], table["P(small)"]]), expected)


def test_a_weight_of_two_is_a_row_given_twice() -> None:
    data = frame(60)
    weights = np.where(np.arange(60) % 3 == 0, 2.0, 1.0)
    twice = pd.concat([data, data[weights == 2]])
    weighted = ppgen.BayesianNetwork(EDGES).fit(data, sample_weight=weights)
    given = ppgen.BayesianNetwork(EDGES).fit(twice)
    for one, other in zip(
        weighted.in_units().conditionals, given.in_units().conditionals, strict=True
    ):
        for name in vars(one):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-8)


def test_few_rows_of_a_configuration_take_slopes_and_spread_of_all() -> None:
    data = frame()
    rare = data.iloc[:2].assign(kind="d", z=[4.0, 6.0], y=[500.0, 504.0])
    for settings in ({}, {"prior": "none"}):
        model = ppgen.BayesianNetwork(EDGES, **settings).fit(pd.concat([data, rare]))
        lines = pd.DataFrame(model.table("y")).set_index("kind")
        # The line goes through the mean of the two rows.
        assert lines.loc["d", "intercept"] + 5 * lines.loc["d", "x z"] == pytest.approx(502, abs=1)
        assert 1.0 < lines.loc["d", "x z"] < 3.0
        assert 0.5 < lines.loc["d", "deviation"] < 2.5


def test_configurations_without_rows_are_even_or_as_all_rows_are() -> None:
    data = frame()
    data = data[(data["kind"] != "b") | (data["size"] != "big")]
    edges = [("kind", "y"), ("size", "y")]
    model = ppgen.BayesianNetwork(edges).fit(data)
    lines = pd.DataFrame(model.table("y")).set_index(["kind", "size"])
    assert lines.loc[("b", "big"), "intercept"] == pytest.approx(data["y"].mean(), rel=1e-3)
    assert np.isfinite(lines.to_numpy()).all()


def test_functions_of_other_columns_are_finite_and_said() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 100))
    data = pd.DataFrame({"a": a, "b": b, "twice": 2 * a, "sum": a + b, "again": a})
    edges = [("a", "twice"), ("a", "sum"), ("b", "sum"), ("a", "again"), ("twice", "again")]
    model = ppgen.BayesianNetwork(edges, prior="none").fit(data)
    assert np.isfinite(model.score_samples(data)).all()
    assert "rests on reg_covar" in str(model.verdict_)
    assert pd.DataFrame(model.table("sum"))[["x a", "x b"]].to_numpy() == pytest.approx(1, rel=1e-6)


# Densities ----------------------------------------------------------------------------------------


def test_a_log_density_is_the_sum_over_the_nodes_in_the_units_of_the_data() -> None:
    data = frame()
    model = ppgen.BayesianNetwork(EDGES).fit(data)
    network = model.in_units()
    y, kind, size, z = (network.conditionals[network.number(n)] for n in ("y", "kind", "size", "z"))
    k = data["kind"].map({"a": 0, "b": 1, "c": 2}).to_numpy()
    s = data["size"].map({"big": 0, "small": 1}).to_numpy()
    mean = y.intercept[k] + y.coefficients[k, 0] * data["z"]
    expected = np.log(kind.probs[k]) + np.log(size.probs[k, s])
    expected += stats.norm.logpdf(data["z"], z.intercept, np.sqrt(z.variance))
    expected += stats.norm.logpdf(data["y"], mean, np.sqrt(y.variance[k]))
    density = model.log_density(data)
    np.testing.assert_allclose(density.values, expected, rtol=1e-10)
    assert (density.kind, density.measure) == ("exact", "mixed")


def test_the_mass_of_all_rows_of_a_discrete_network_is_one() -> None:
    data = frame()[["kind", "size"]]
    model = ppgen.BayesianNetwork([("kind", "size")]).fit(data)
    every = pd.DataFrame([(k, s) for k in "abc" for s in ("big", "small")], columns=data.columns)
    assert np.exp(model.score_samples(every)).sum() == pytest.approx(1)
    assert model.log_density(every).measure == "mass"


# Networks that are given --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels", [("no", "yes"), ("<5", "Asy/Patch"), (1, 2), (0.5, 2.5), (False, True)]
)
def test_a_given_network_scores_samples_and_is_saved(labels: Any, tmp_path: Path) -> None:
    network = sprinkler(labels)
    model = ppgen.BayesianNetwork.of(network, random_state=0)
    no, yes = labels
    rows = pd.DataFrame(
        {"wet": [yes, no], "rain": [yes, no], "sprinkler": [no, no], "hours": [3010.0, 1000.0]}
    )
    expected = np.log([0.9 * 0.2 * 0.99, 1.0 * 0.8 * 0.6])
    # The axes of wet are sprinkler, rain, wet.
    expected[0] = np.log(0.2 * 0.99 * 0.8)
    expected += stats.norm.logpdf(rows["hours"], [3000, 1000], [30, 20])
    np.testing.assert_allclose(model.score_samples(rows), expected, rtol=1e-12)
    again = ppgen.load(model.save(tmp_path / "run"))
    np.testing.assert_array_equal(again.score_samples(rows), model.score_samples(rows))
    assert again.network_.states == network.states
    drawn = model.sample(4000)
    assert list(drawn.columns) == list(network.names)
    assert set(drawn["rain"]) == set(labels)
    assert isinstance(drawn["rain"].iloc[0], type(labels[0])) or drawn["rain"].dtype.kind in "bif"
    assert (drawn["rain"].dtype == bool) == isinstance(no, bool)
    assert (drawn["rain"] == yes).mean() == pytest.approx(0.2, abs=0.03)
    hours = drawn.loc[drawn["wet"] == yes, "hours"]
    assert (hours.mean(), hours.std()) == pytest.approx((3000, 30), abs=3)
    assert "given, not fitted" in model.verdict_.reasons[0].what
    assert model.edges_ == network.dag.edges


def test_impossible_rows_have_no_mass() -> None:
    model = ppgen.BayesianNetwork.of(sprinkler())
    row = pd.DataFrame({"wet": ["yes"], "rain": ["no"], "sprinkler": ["no"], "hours": [3000.0]})
    assert np.isneginf(model.score_samples(row)).all()


# Interventions ------------------------------------------------------------------------------------


def test_values_set_from_outside_say_nothing_of_their_columns_but_of_others() -> None:
    rng = np.random.default_rng(0)
    n = 600
    a = rng.random(n) < 0.3
    set_b = np.arange(n) >= 400
    b = np.where(set_b, rng.random(n) < 0.5, rng.random(n) < np.where(a, 0.9, 0.2))
    c = rng.normal(2.0 * b, 1.0)
    rows = pd.DataFrame({"a": a, "b": b, "c": c})
    target = ["b" if each else None for each in set_b]
    edges = [("a", "b"), ("b", "c")]
    model = ppgen.BayesianNetwork(edges, interventions=target).fit(rows)
    seen = ppgen.BayesianNetwork(edges).fit(rows[~set_b])
    whole = ppgen.BayesianNetwork(edges).fit(rows)
    assert model.table("b") == seen.table("b")
    assert model.table("a") == whole.table("a")
    np.testing.assert_allclose(model.table("c")["intercept"], whole.table("c")["intercept"])
    learnt = ppgen.BayesianNetwork(interventions=target).fit(rows)
    # That b was set, and a stayed as it was, turns the edge.
    assert ("a", "b") in learnt.edges_
    for wrong, said in ((target[:-1], "599 rows, and 600"), (["d"] * n, "'d' is named")):
        with pytest.raises(InputError, match=said):
            ppgen.BayesianNetwork(edges, interventions=wrong).fit(rows)


# What is refused ----------------------------------------------------------------------------------


WRONG: dict[str, tuple[Any, str]] = {
    "a cycle": ([("kind", "size"), ("size", "kind")], r"cycle.*kind -> size -> kind"),
    "an unknown node": ([("knid", "size")], r"'knid'.*Did you mean 'kind'"),
    "an edge given twice": ([("kind", "y"), ("kind", "y")], "twice"),
    "a discrete child of a continuous one": ([("z", "kind")], r"'kind'.*continuous parent 'z'"),
    "no pair": ([("kind",)], "expected None or a list of edges"),
    "text": ("kind", "expected None or a list of edges"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_edges_are_refused(what: str) -> None:
    edges, said = WRONG[what]
    with pytest.raises(InputError, match=said):
        ppgen.BayesianNetwork(edges).fit(frame())


def test_a_table_beyond_memory_is_refused_before_it_is_made() -> None:
    names = [f"c{i}" for i in range(9)]
    values = np.arange(3000).astype(str)
    data = pd.DataFrame({name: np.roll(values, i) for i, name in enumerate(names)})
    with pytest.raises(InputError, match=r"'c8', 3000 levels, given 'c0' \(3000 levels\).*GB"):
        ppgen.BayesianNetwork([(name, "c8") for name in names[:8]]).fit(data)


def test_columns_of_many_levels_and_tables_larger_than_the_data_are_said() -> None:
    names = np.arange(1200).astype(str)
    data = pd.DataFrame({"id": names, "x": np.arange(1200) % 2})
    data = ppgen.as_dataset(data).override({"x": "binary", "id": "categorical"})
    model = ppgen.BayesianNetwork([("x", "id")]).fit(data)
    assert "'id' has 1,200 levels" in str(model.verdict_)
    assert "more parameters than there are rows (2,398 for 1200)" in str(model.verdict_)


def test_a_hidden_node_is_no_column() -> None:
    with pytest.raises(InputError, match="hidden node 'kind' has the name of a column"):
        ppgen.BayesianNetwork(EDGES, hidden={"kind": 2}).fit(frame())


def test_draws_given_a_sum_without_noise_add_up_to_it() -> None:
    dag = DAG.of("xzy", [("x", "y"), ("z", "y")])
    normal = LinearGaussian(np.array(0.3), np.zeros(0), np.array(2.0))
    total = LinearGaussian(np.array(0.0), np.array([1.0, 0.7]), np.array(0.0))
    model = ppgen.BayesianNetwork.of(Network(dag, (normal, normal, total), ((), (), ())))
    drawn = model.sample(200, given={"y": 2.0}, random_state=0)
    np.testing.assert_allclose(drawn["x"] + 0.7 * drawn["z"], 2.0, atol=1e-12)
    # The mean of x given the sum: 0.3 + 2 / (2 + 0.98) (2 - 0.51).
    assert drawn["x"].mean() == pytest.approx(0.3 + 2 / 2.98 * 1.49, abs=0.25)
    off = drawn.assign(y=3.0)
    assert np.isneginf(model.score_samples(off)).all()


def test_a_budget_that_ends_the_search_is_said() -> None:
    rows = pd.DataFrame(np.random.default_rng(0).integers(2, size=(200, 4)).astype(str))
    short = ppgen.BayesianNetwork(random_state=0).fit(rows, budget="1ms")
    assert any("the budget ended the search" in reason.what for reason in short.verdict_.reasons)
    free = ppgen.BayesianNetwork(random_state=0).fit(rows, budget="1h")
    assert not any("budget" in reason.what for reason in free.verdict_.reasons)
