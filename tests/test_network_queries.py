"""Queries of Bayesian networks, against enumeration and against draws."""

import itertools

import numpy as np
import pandas
import pytest

import ppgen
from ppgen import BayesianNetwork, Distribution, FactorGraph, InputError, Likelihood
from ppgen.inference.dag import DAG
from ppgen.models.bayesnet.conditionals import LinearGaussian, Table
from ppgen.models.bayesnet.draws import network_of
from ppgen.models.bayesnet.network import Network

NAMES = tuple("abcde")
SIZES = (2, 3, 2, 3, 2)
PARENTS = ((), (0,), (0,), (2, 1), (3,))
STATES = (("n", "y"), (1, 2, 3), ("lo", "hi"), ("<5", "5 to 9", "9+"), (False, True))


@pytest.fixture(scope="module")
def discrete():
    rng = np.random.default_rng(3)
    tables = [
        Table(rng.dirichlet(np.ones(SIZES[i]), [SIZES[p] for p in q]))
        for i, q in enumerate(PARENTS)
    ]
    return BayesianNetwork.of(Network(DAG(NAMES, PARENTS), tuple(tables), STATES))


@pytest.fixture(scope="module")
def mixed():
    """k is a switch with two states, m has three; y depends on both and on x, z on y."""
    network = Network(
        DAG(("k", "m", "x", "y", "z"), ((), (0,), (0,), (1, 2), (3,))),
        (
            Table(np.array([0.3, 0.7])),
            Table(np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])),
            LinearGaussian(np.array([0.0, 4.0]), np.empty((2, 0)), np.array([1.0, 0.25])),
            LinearGaussian(
                np.array([1.0, -1.0, 0.0]), np.array([[1.0], [2.0], [-1.0]]), np.array([1, 0.5, 2])
            ),
            LinearGaussian(np.array(0.5), np.array([3.0]), np.array(0.1)),
        ),
        (("off", "on"), ("r", "s", "t"), (), (), ()),
    )
    return BayesianNetwork.of(network)


def joint(model, done=()):
    """The joint probabilities, an axis a node; those that are set have no table."""
    out = np.ones(SIZES)
    for at in itertools.product(*map(range, SIZES)):
        for node, conditional in enumerate(model.network_.conditionals):
            if node not in done:
                out[at] *= conditional.probs[(*(at[p] for p in PARENTS[node]), at[node])]
    return out


def test_answers_are_those_of_the_sum_over_all_states(discrete):
    p = joint(discrete)
    one = discrete.query("a", {"d": "<5", "e": True})
    expected = p[:, :, :, 0, 1].sum((1, 2))
    np.testing.assert_allclose(one.probs, expected / expected.sum(), rtol=1e-12)
    assert one.log_evidence == pytest.approx(np.log(expected.sum()), rel=1e-12)
    assert one["y"] == one.probs[1]
    two = discrete.query(["d", "a"], {"b": 2, "c": Likelihood({"hi": 0.2, "lo": 0.9})})
    table = (p[:, 1].sum(-1) * np.array([0.9, 0.2])[None, :, None]).sum(1).T
    np.testing.assert_allclose(two.probs, table / table.sum(), rtol=1e-12)
    assert two["9+", "y"] == two.probs[2, 1]
    frame = two.to_frame()
    assert frame.columns.tolist() == ["d", "a", "probability"]
    assert frame.probability.tolist() == two.probs.ravel().tolist()


@pytest.mark.parametrize("method", ["exact", "cutset", "sampling"])
def test_all_marginals_are_those_of_single_queries(discrete, mixed, method):
    how = {"method": method}
    for given in ({"e": True, "c": Likelihood([0.1, 0.9])}, {"e": [True, None]}):
        found = discrete.marginals(given, do={"a": "n"}, **how)
        assert list(found) == ["b", "c", "d"]
        for name, answer in found.items():
            one = discrete.query(name, given, do={"a": "n"}, **how)
            np.testing.assert_allclose(answer.probs, one.probs, rtol=1e-10)
    if method != "cutset":
        found = mixed.marginals({"z": 3.0, "k": Distribution([0.5, 0.5])})
        assert list(found) == ["k", "m", "x", "y"]
        np.testing.assert_allclose(found["k"].probs, [0.5, 0.5])
        x = mixed.query("x", {"z": 3.0, "k": Distribution([0.5, 0.5])})
        assert found["x"].continuous["x"].mean == pytest.approx(float(x.continuous["x"].mean))


def test_states_are_found_as_text_and_as_numbers(discrete):
    nodes = discrete.network_
    assert [nodes.state("b", label) for label in (2, 2.0, "2", "2.0", np.int64(2))] == [1] * 5
    assert [nodes.state("e", label) for label in (True, 1.0, "True")] == [1] * 3
    of_text = Network(DAG(("t",), ((),)), (Table(np.full(3, 1 / 3)),), (("1", "01", "x"),))
    assert [of_text.state("t", label) for label in ("1", 1, "01", "x")] == [0, 0, 1, 2]
    with pytest.raises(InputError, match=r"no state 1\.0; it has 1, 01, x"):
        of_text.state("t", 1.0)


def test_what_is_set_from_outside_says_nothing_of_its_causes(discrete):
    p = joint(discrete, done=[1])
    found = discrete.query("a", {"e": True}, do={"b": 3})
    expected = p[:, 2, :, :, 1].sum((1, 2))
    np.testing.assert_allclose(found.probs, expected / expected.sum(), rtol=1e-12)
    given = discrete.query("a", {"e": True, "b": 3})
    assert np.abs(given.probs - found.probs).max() > 1e-3
    assert "do(b = 3)" in str(found)
    effect = discrete.query("e", do={"d": "<5", "a": "n"})  # d alone matters
    np.testing.assert_allclose(effect.probs, discrete.network_.conditionals[4].probs[0], rtol=1e-12)


@pytest.mark.parametrize("method", ["exact", "cutset"])
def test_rows_with_gaps_are_answered_as_one_by_one(discrete, method):
    rows = pandas.DataFrame(
        {"b": [1, None, 3, 2], "d": ["<5", "9+", None, None], "e": [True, None, None, False]}
    )
    answer = discrete.query(["a", "c"], rows, method=method)
    for row in range(4):
        given = {k: v for k, v in rows.iloc[row].items() if not pandas.isna(v)}
        one = discrete.query(["a", "c"], given)
        np.testing.assert_allclose(answer.at(row).probs, one.probs, rtol=1e-10)
        assert answer.log_evidence[row] == pytest.approx(float(one.log_evidence), rel=1e-10)
    assert answer.to_frame().shape == (4, 4)


def test_soft_evidence_is_the_posterior_of_its_node(discrete):
    q = np.array([0.2, 0.8])
    soft = {"e": Distribution({True: 0.8, False: 0.2})}
    np.testing.assert_allclose(discrete.query("e", soft).probs, q, rtol=1e-12)
    each = np.stack([discrete.query("a", {"e": e}).probs for e in (False, True)])
    np.testing.assert_allclose(discrete.query("a", soft).probs, q @ each, rtol=1e-12)


def test_estimates_are_within_their_standard_errors(discrete, mixed):
    given = {"e": True, "b": 2}
    exact = discrete.query(["a", "d"], given)
    found = discrete.query(["a", "d"], given, method="sampling", draws=40_000)
    assert (np.abs(found.probs - exact.probs) < 5 * found.stderr).all()
    assert (found.stderr < 0.02).all()
    exact = mixed.query(["k", "x"], {"z": 3.0})
    found = mixed.query(["k", "x"], {"z": 3.0}, method="sampling", draws=40_000)
    assert (np.abs(found.probs - exact.probs) < 5 * found.stderr).all()
    x, y = found.continuous["x"], exact.continuous["x"]
    assert (np.abs(x.mean - y.mean) < 5 * x.stderr).all()
    np.testing.assert_allclose(x.sd, y.sd, rtol=0.15)
    np.testing.assert_allclose(x.quantiles[0.5], y.quantiles[0.5], atol=0.25)
    again = mixed.query(["k", "x"], {"z": 3.0}, method="sampling", draws=40_000)
    np.testing.assert_array_equal(again.probs, found.probs)
    assert discrete.query("a", given, method="loopy").method == "loopy"
    chains = discrete.query("d", given, method="gibbs")
    exact = discrete.query("d", given)
    assert (np.abs(chains.probs - exact.probs) < 5 * chains.stderr + 1e-3).all()


def test_the_most_probable_states_are_those_of_the_largest_product(discrete, mixed):
    p = joint(discrete)
    found = discrete.most_probable({"e": True})
    best = np.unravel_index(p[..., 1].argmax(), SIZES[:4])
    assert found.states == {n: STATES[i][k] for i, (n, k) in enumerate(zip("abcd", best))}  # noqa: B905
    assert found.prob == pytest.approx(p[..., 1].max() / p[..., 1].sum(), rel=1e-10)
    some = discrete.most_probable({"e": [True, False]}, ["c", "a"], do={"b": 1})
    table = joint(discrete, done=[1])[:, 0].sum(2)
    for row, e in enumerate((1, 0)):
        a, c = np.unravel_index(table[..., e].argmax(), (2, 2))
        assert (some.states["a"][row], some.states["c"][row]) == (STATES[0][a], STATES[2][c])
    assert some.to_frame().shape == (2, 3)
    k = mixed.query(["k", "m"], {"z": 3.0})
    top = mixed.most_probable({"z": 3.0}, ["k", "m"])
    assert top.prob == pytest.approx(k.probs.max(), rel=1e-12)
    assert k[top.states["k"], top.states["m"]] == k.probs.max()


def mixture_given_z(z):
    """Weights (k, m), and mean and variance of x in each, given z, by conditioning Gaussians."""
    w, mean, var = np.empty((2, 3)), np.empty((2, 3)), np.empty((2, 3))
    for k, (mx, vx) in enumerate(((0.0, 1.0), (4.0, 0.25))):
        for m, (b0, b, v) in enumerate(((1.0, 1.0, 1.0), (-1.0, 2.0, 0.5), (0.0, -1.0, 2.0))):
            mz, vz = 0.5 + 3 * (b0 + b * mx), 9 * (b * b * vx + v) + 0.1
            cov = 3 * b * vx
            prior = [0.3, 0.7][k] * [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]][k][m]
            w[k, m] = prior * np.exp(-((z - mz) ** 2) / (2 * vz)) / np.sqrt(2 * np.pi * vz)
            mean[k, m], var[k, m] = mx + cov / vz * (z - mz), vx - cov**2 / vz
    return w, mean, var


def test_a_continuous_target_has_the_moments_and_quantiles_of_its_mixture(mixed):
    from scipy.stats import norm

    w, mean, var = mixture_given_z(3.0)
    answer = mixed.query("x", {"z": 3.0}, quantiles=[0.1, 0.9])
    assert answer.log_evidence == pytest.approx(np.log(w.sum()), rel=1e-10)
    p = w / w.sum()
    x = answer.continuous["x"]
    assert x.mean == pytest.approx((p * mean).sum(), rel=1e-10)
    assert x.sd == pytest.approx(np.sqrt((p * (var + (mean - x.mean) ** 2)).sum()), rel=1e-10)
    for level, value in x.quantiles.items():
        assert (p * norm.cdf(value, mean, np.sqrt(var))).sum() == pytest.approx(level, abs=1e-10)
    each = mixed.query(["m", "x"], {"z": 3.0})
    np.testing.assert_allclose(each.probs, p.sum(0), rtol=1e-10)
    of_m = p / p.sum(0)
    np.testing.assert_allclose(each.continuous["x"].mean, (of_m * mean).sum(0), rtol=1e-10)
    assert each.to_frame().columns.tolist()[:4] == ["m", "probability", "mean x", "sd x"]
    assert "mean x" in str(answer)


def test_targets_have_the_order_in_which_they_are_asked(mixed, discrete):
    one, two = (mixed.query([*order, "y"], {"z": 3.0}) for order in ("km", "mk"))
    np.testing.assert_allclose(one.probs, two.probs.T, rtol=1e-12)
    for (_, a), (_, b) in zip(
        one.continuous["y"].columns(), two.continuous["y"].columns(), strict=True
    ):
        np.testing.assert_allclose(a, b.T, rtol=1e-9)
    w, _, _ = mixture_given_z(3.0)
    np.testing.assert_allclose(one.probs, w / w.sum(), rtol=1e-10)
    for order in itertools.permutations("bde"):
        found = discrete.query(order, {"c": ["lo", "hi"]}).probs
        whole = discrete.query(["b", "d", "e"], {"c": ["lo", "hi"]}).probs
        axes = [0, *(1 + "bde".index(name) for name in order)]
        np.testing.assert_allclose(found, whole.transpose(axes), rtol=1e-12)


def test_rows_of_a_mixed_network_may_know_different_nodes(mixed):
    rows = {"z": [3.0, None, 1.0, None], "k": [None, "on", "off", None]}
    answer = mixed.query(["m", "x"], rows)
    for row, given in enumerate(({"z": 3.0}, {"k": "on"}, {"z": 1.0, "k": "off"}, None)):
        one = mixed.query(["m", "x"], given)
        np.testing.assert_allclose(answer.at(row).probs, one.probs, rtol=1e-10)
        for name, values in answer.at(row).continuous["x"].columns():
            np.testing.assert_allclose(values, dict(one.continuous["x"].columns())[name], rtol=1e-9)


def test_what_a_continuous_node_is_set_to_moves_what_follows_alone(mixed):
    assert mixed.query("y", {"m": "s"}, do={"x": 2.0}).continuous["y"].mean == pytest.approx(3.0)
    np.testing.assert_allclose(mixed.query("k", do={"x": 2.0}).probs, [0.3, 0.7], rtol=1e-12)
    assert mixed.query("k", {"x": 2.0})["on"] < 0.1


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    n = 400
    kind = rng.choice(["A", "B"], n)
    mass = np.where(kind == "A", 3700.0, 4200.0) + 300 * rng.normal(size=n)
    dose = np.exp(mass / 2000 + 0.5 * rng.normal(size=n))
    rows = ppgen.as_dataset({"kind": kind, "mass": mass, "dose": dose})
    rows = rows.override({"dose": "positive"})
    edges = [("kind", "mass"), ("mass", "dose")]
    return BayesianNetwork(edges, engine="conjugate", random_state=0).fit(rows)


def test_answers_are_in_the_units_of_the_data(fitted):
    given = {"dose": 8.0}
    answer = fitted.query(["kind", "mass"], given)
    drawn = fitted.query(["kind", "mass"], given, method="sampling", draws=100_000)
    np.testing.assert_allclose(answer.probs, drawn.probs, atol=0.01)
    mass = answer.continuous["mass"]
    np.testing.assert_allclose(mass.mean, drawn.continuous["mass"].mean, rtol=2e-3)
    rows = pandas.DataFrame({"kind": [None], "mass": [np.nan], "dose": [8.0]})
    assert answer.log_evidence == pytest.approx(fitted.score_samples(rows)[0], abs=0.05)
    b0, b, s = (fitted.table("dose")[name][0] for name in ("intercept", "x mass", "deviation"))
    dose = fitted.query("dose", {"mass": 4000.0}).continuous["dose"]  # log-normal
    m = b0 + b * 4000
    assert dose.mean == pytest.approx(np.exp(m + s * s / 2), rel=1e-8)
    assert dose.sd == pytest.approx(np.exp(m + s * s / 2) * np.sqrt(np.expm1(s * s)), rel=1e-6)
    assert dose.quantiles[0.5] == pytest.approx(np.exp(m), rel=1e-8)


def test_bands_are_quantiles_of_the_answers_of_draws_of_the_parameters(fitted):
    answer = fitted.query("kind", {"mass": 4000.0}, credible=0.8)
    draws = fitted._parameters()
    values = {name: a.reshape(-1, *a.shape[2:]) for name, a in draws.items()}
    z = fitted.query("mass", {"kind": "A"}, credible=0.8)
    total = len(next(iter(values.values())))
    some = np.linspace(0, total - 1, 200).round().astype(int)
    found = []
    for s in some:
        network = network_of(fitted.network_, {name: a[s] for name, a in values.items()})
        model = BayesianNetwork.of(network)
        shift, scale = fitted.units_[:, 1]
        found.append(model.query("kind", {"mass": (4000.0 - shift) / scale}).probs)
    np.testing.assert_allclose(answer.low, np.quantile(found, 0.1, axis=0), rtol=1e-9)
    np.testing.assert_allclose(answer.high, np.quantile(found, 0.9, axis=0), rtol=1e-9)
    mass = z.continuous["mass"]
    assert mass.low < mass.mean < mass.high
    assert "80% over draws" in str(answer)


def test_a_conditioned_fit_keeps_what_it_was_given(discrete, mixed):
    given = discrete.condition({"e": True})
    np.testing.assert_allclose(
        given.query("a", {"d": "9+"}).probs, discrete.query("a", {"d": "9+", "e": True}).probs
    )
    both = float(discrete.query("a", {"d": "9+", "e": True}).log_evidence)
    first = float(discrete.query("a", {"e": True}).log_evidence)
    assert given.query("a", {"d": "9+"}).log_evidence == pytest.approx(both - first, rel=1e-10)
    with pytest.raises(InputError, match=r"'e' was conditioned on already"):
        given.query("a", {"e": True})
    part = mixed.condition({"z": 3.0})
    assert part.query("k")["on"] == pytest.approx(mixed.query("k", {"z": 3.0})["on"], rel=1e-12)


def test_a_network_is_written_in_the_units_of_the_data(tmp_path, mixed, fitted):
    mixed.write(tmp_path / "x.net")
    again = ppgen.read_network(tmp_path / "x.net")
    np.testing.assert_allclose(
        again.query("x", {"z": 3.0}).continuous["x"].mean,
        mixed.query("x", {"z": 3.0}).continuous["x"].mean,
    )
    some = fitted.marginal(["kind", "mass"])
    some.write(tmp_path / "x.json")
    again = ppgen.read_network(tmp_path / "x.json")
    assert again.query("mass").continuous["mass"].mean == pytest.approx(
        float(fitted.query("mass").continuous["mass"].mean), rel=1e-9
    )
    with pytest.raises(InputError, match=r"'dose' is positive: the network is linear"):
        fitted.write(tmp_path / "y.json")
    assert sorted(mixed.to_networkx().edges) == sorted(mixed.edges_)
    assert '"k" -> "x";' in mixed.to_dot()


def test_what_cannot_be_answered_is_refused(discrete, mixed, fitted):
    cases = [
        (lambda: discrete.query("A"), r"there is no node 'A'"),
        (lambda: discrete.query("a", {"d": "5 to 8"}), r"no state '5 to 8'.*Did you mean '5 to 9'"),
        (lambda: discrete.query("a", {"b": 1}, do={"b": 2}), r"'b' is both given and set by do"),
        (lambda: discrete.query("a", do={"a": "n"}), r"'a' is asked for, and it is set"),
        (lambda: discrete.query("a", {"a": "n"}), r"both asked for and given"),
        (lambda: discrete.query("a", do={"b": [1, 2]}), r"one state or value each"),
        (lambda: discrete.query("a", do={"b": Likelihood([1, 1, 0])}), r"a distribution was given"),
        (lambda: discrete.query("a", metod="exact"), r"no option of queries 'metod'"),
        (lambda: discrete.query("a", method="mcmc"), r"no method of inference 'mcmc'"),
        (lambda: discrete.cost("a", {"e": True}, memory=8), r"largest clique has"),
        (lambda: mixed.query("k", {"x": "high"}), r"'x' is continuous; 'high' was given"),
        (lambda: mixed.query("k", {"x": Likelihood([1])}), r"'x', which is continuous"),
        (lambda: mixed.query("x", quantiles=[1.5]), r"levels lie between 0 and 1"),
        (lambda: mixed.most_probable(), r"name discrete targets"),
        (lambda: mixed.query("k", {"x": 1.0}, method="loopy"), r"'x' is continuous, and method='l"),
        (lambda: discrete.query("a", {"b": {1: 0.5}}), r"a dict\. Say what it is: ppgen\.Likeli"),
        (
            lambda: discrete.query("a", {"b": Likelihood(np.eye(2))}),
            r"array.*\], \[.*; expected",
        ),
        (lambda: discrete.query("a", ["b"]), r"evidence is \['b'\]; expected node -> state"),
        (lambda: discrete.query("a", {"b": [1, 9]}), r"row 1 \(counted from 0\): 'b' has no state"),
        (lambda: discrete.query("a", memory=8), r"takes .* 8 bytes may be used\. The largest"),
        (lambda: discrete.marginals(memory=8), r"8 bytes may be used"),
        (lambda: mixed.query("k", credible=0.9), r"this fit has none"),
        (lambda: fitted.query("kind", credible=1.9), r"credible=1\.9 given"),
        (lambda: fitted.query("kind", {"dose": -1.0}), r"'dose' was given as -1, outside"),
    ]
    for call, said in cases:
        with pytest.raises(InputError, match=said):
            call()
    certain = Network(
        DAG(("u", "v"), ((), (0,))),
        (Table(np.array([0.0, 1.0])), Table(np.eye(2))),
        ((0, 1), (0, 1)),
    )
    model = BayesianNetwork.of(certain)
    with pytest.raises(InputError, match=r"the evidence has probability zero: v = 0"):
        model.query("u", {"v": 0})
    rows = model.query("u", {"v": [1, 0]})
    assert np.isnan(rows.probs[1]).all()
    assert "in 1 of 2 rows, and nothing follows there: row 1 (counted from 0)" in str(rows)
    likeliest = str(model.most_probable({"v": [1, 0]}))
    assert (
        "1            1\n  None          nan" in likeliest
    )  # the states of the row that is possible
    assert "row 1 (counted from 0)" in likeliest
    with pytest.raises(InputError, match=r"gives 0 of 'v' a probability above zero"):
        model.query("u", {"v": Distribution([0.5, 0.5])})


def test_answers_bear_the_labels_of_the_rows_of_evidence(discrete):
    rows = pandas.DataFrame({"b": [1, 2]}, index=["first", "second"])
    assert discrete.query("a", rows).to_frame().index.tolist() == ["first", "second"]
    assert discrete.most_probable(rows).to_frame().index.tolist() == ["first", "second"]
    assert len(discrete.query("a", rows).at(1).to_frame()) == len(discrete.query("a").probs)


def test_the_largest_clique_is_told_by_name(discrete, mixed):
    for model in (discrete, mixed, FactorGraph.of(discrete.network_)):
        cost = model.cost()
        assert cost.names
        own = getattr(model, "network_", model).names
        assert cost.names == tuple(own[v] for v in cost.clique)


def test_a_column_that_did_not_vary_is_named_as_such():
    rows = pandas.DataFrame({"a": list("uvuuvv"), "k": "same"})
    model = BayesianNetwork(edges=[]).fit(rows)
    for ask in (lambda: model.query("k"), lambda: model.marginals({"k": "same"})):
        with pytest.raises(InputError, match=r"'k' did not vary in the rows that were fitted"):
            ask()
