"""Factor graphs, against sums over all states."""

import itertools
import math
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

import ppgen
from ppgen import Distribution, FactorGraph, InputError, Likelihood
from ppgen.models.bayesnet.formats import uai
from ppgen.models.bayesnet.formats.source import decoded, read_bytes

SIZES = (2, 3, 2, 4)
SCOPES = ((1, 0), (2,), (), (3, 1), (0, 2, 3))
STATES = (("n", "y"), (0, 1, 2), ("a b", "c"), ("w", "x", "y", "z"))


def graph(seed=0, zeros=0.2, **more):
    rng = np.random.default_rng(seed)
    tables = []
    for scope in SCOPES:
        table = rng.uniform(size=[SIZES[v] for v in scope])
        gone = (rng.uniform(size=table.shape) < zeros) & (table.ndim > 1)
        tables.append(np.where(gone, 0.0, table))
    tables[2] = np.array(1e-200)
    return FactorGraph(tuple("pqrs"), STATES, SCOPES, tuple(tables), **more)


def joint(model):
    """The product of all tables, an axis for each variable."""
    out = np.ones(SIZES)
    for at in itertools.product(*map(range, SIZES)):
        for scope, table in zip(model.scopes, model.tables, strict=True):
            out[at] *= table[tuple(at[v] for v in scope)]
    return out


@pytest.mark.parametrize("seed", range(3))
def test_log_z_marginals_and_joints_are_those_of_the_sum_over_all_states(seed):
    model = graph(seed)
    p = joint(model)
    assert model.log_z() == pytest.approx(np.log(p.sum()), rel=1e-12)
    assert model.log_z({"q": 1}) == pytest.approx(np.log(p[:, 1].sum()), rel=1e-12)
    marginals = model.marginals({"q": 1})
    np.testing.assert_allclose(
        marginals["s"].probs, p[:, 1].sum((0, 1)) / p[:, 1].sum(), rtol=1e-10
    )
    answer = model.query(["s", "p"], {"r": "c"})
    np.testing.assert_allclose(answer.probs, p[:, :, 1].sum(1).T / p[:, :, 1].sum(), rtol=1e-10)
    assert answer["x", "y"] == answer.probs[1, 1]
    assert answer.log_evidence == pytest.approx(np.log(p[:, :, 1].sum()), rel=1e-12)


def test_virtual_evidence_multiplies_and_soft_evidence_becomes_the_marginal():
    model = graph(zeros=0.0)
    p = joint(model)
    seen = model.query("s", {"q": Likelihood([0.5, 0.0, 2.0]), "p": "y"})
    expected = (p[1] * np.array([0.5, 0, 2])[:, None, None]).sum((0, 1))
    np.testing.assert_allclose(seen.probs, expected / expected.sum(), rtol=1e-10)
    q, r = {1: 0.3, 0: 0.7}, {"c": 0.9, "a b": 0.1}
    soft = {"q": Distribution(q), "r": Distribution(r)}
    found = model.marginals(soft)
    np.testing.assert_allclose(found["q"].probs, [0.7, 0.3, 0.0], atol=1e-9)
    np.testing.assert_allclose(found["r"].probs, [0.1, 0.9], atol=1e-9)
    one = model.query("s", {"q": Distribution(q)}).probs  # Jeffrey's rule
    given_q = p.sum((0, 2)) / p.sum((0, 2, 3))[:, None]
    np.testing.assert_allclose(one, 0.7 * given_q[0] + 0.3 * given_q[1], rtol=1e-9)


def test_rows_of_evidence_are_answered_as_one_by_one():
    model = graph(zeros=0.0)
    rows = {"p": ["n", None, "y"], "q": [2, 1, float("nan")]}
    answer = model.query("s", rows)
    single = [{"p": "n", "q": 2}, {"q": 1}, {"p": "y"}]
    for row, given in enumerate(single):
        np.testing.assert_allclose(answer.at(row).probs, model.query("s", given).probs, rtol=1e-10)
    assert answer.to_frame().columns.tolist() == [f"P(s={s})" for s in "wxyz"]
    assert "3 rows of evidence" in str(answer)
    np.testing.assert_allclose(
        model.log_z(rows), [model.log_z(given) for given in single], rtol=1e-10
    )


def test_evidence_observed_beforehand_goes_into_every_answer():
    model, observed = graph(), graph(evidence={"q": 1})
    np.testing.assert_array_equal(observed.query("s").probs, model.query("s", {"q": 1}).probs)
    with pytest.raises(InputError, match=r"'q' is observed beforehand as 1 and given otherwise"):
        observed.query("s", {"q": 2})
    with pytest.raises(InputError, match=r"'q' is both asked for and given"):
        observed.query("q")


@pytest.mark.parametrize("seed", range(3))
def test_the_most_probable_states_are_those_of_the_largest_product(seed):
    model = graph(seed)
    p = joint(model)
    best = np.unravel_index(p[:, 2].argmax(), p[:, 2].shape)
    found = model.most_probable({"q": 2})
    expected = {n: STATES["pqrs".index(n)][k] for n, k in zip("prs", best, strict=True)}
    assert found.states == expected
    assert found.prob == pytest.approx(p[:, 2].max() / p[:, 2].sum(), rel=1e-10)
    some = model.most_probable(target=["s", "p"])
    table = p.sum((1, 2)).T
    s, k = np.unravel_index(table.argmax(), table.shape)
    assert some.states == {"s": STATES[3][s], "p": STATES[0][k]}
    assert some.prob == pytest.approx(table.max() / table.sum(), rel=1e-10)
    rows = model.most_probable({"q": [2, 0]})
    assert [rows.states[name][0] for name in "prs"] == list(expected.values())


def test_the_most_probable_states_are_of_all_that_some_row_does_not_know():
    model = graph(0)
    rows = model.most_probable({"q": [2, None], "p": [STATES[0][0]] * 2})
    assert set(rows.states) == {"q", "r", "s"}
    assert rows.states["q"][0] == 2
    alone = model.most_probable({"p": STATES[0][0]})
    assert {name: labels[1] for name, labels in rows.states.items()} == alone.states


def test_draws_have_the_frequencies_of_the_posterior():
    model = graph()
    drawn = model.sample(20_000, {"q": 1}, random_state=1)
    assert set(drawn["q"]) == {1}
    shares = [np.mean([s == state for s in drawn["s"]]) for state in STATES[3]]
    np.testing.assert_allclose(shares, model.marginals({"q": 1})["s"].probs, atol=0.015)


def test_approximate_methods_say_so_and_are_near():
    model = graph(zeros=0.0)
    exact = model.query("s", {"q": 1})
    drawn = model.query("s", {"q": 1}, method="sampling", draws=20_000)
    assert (np.abs(drawn.probs - exact.probs) < 5 * drawn.stderr + 1e-3).all()
    assert "stderr" in drawn.to_dict()
    loopy = model.query("s", {"q": 1}, method="loopy")
    np.testing.assert_allclose(loopy.probs, exact.probs, atol=0.1)
    assert "approximate" in str(loopy)
    with pytest.raises(InputError, match=r"one node at a time"):
        model.query(["s", "p"], method="loopy")
    with pytest.raises(InputError, match=r"tells no log Z"):
        model.log_z(method="sampling")


def test_cutset_conditioning_is_exact_in_less_memory():
    model = graph()
    least = model.cost().bytes - 1
    with pytest.raises(InputError, match=r"cutset"):
        model.cost(memory=least)
    for target in ("s", ["s", "p"], ["p", "q", "s"]):
        for given in ({}, {"r": "c"}, {"p": Likelihood([0.3, 0.9])}, {"r": ["c", None]}):
            found = model.query(target, given, method="cutset", memory=least)
            exact = model.query(target, given)
            np.testing.assert_allclose(found.probs, exact.probs, rtol=1e-10)
            np.testing.assert_allclose(found.log_evidence, exact.log_evidence, rtol=1e-10)
    assert "assignments" in str(model.query("s", method="cutset", memory=least).reasons[0])


def test_a_model_is_written_and_read(tmp_path):
    model = graph()
    for ending in (".json", ".uai"):
        model.write(tmp_path / f"x{ending}")
        found = ppgen.read_network(tmp_path / f"x{ending}")
        assert isinstance(found, FactorGraph)
        assert found.log_z() == pytest.approx(model.log_z(), rel=1e-12)
    (tmp_path / "x.evid").write_text("1 1 2")
    found = FactorGraph.from_uai(tmp_path / "x.uai", tmp_path / "x.evid")
    assert found.log_z() == pytest.approx(model.log_z({"q": 2}), rel=1e-12)
    assert "4 variables, 5 tables" in repr(found)


def test_what_cannot_be_answered_is_refused():
    model = graph()
    cases = [
        (lambda: model.query("t"), r"there is no node 't'"),
        (lambda: model.query("s", {"p": "yes"}), r"'p' has no state 'yes'; it has n, y"),
        (lambda: model.query(["s", "s"]), r"each once"),
        (lambda: model.query("s", do={"p": "n"}), r"a factor graph has none"),
        (lambda: model.query("s", {"p": ["n"], "q": [0, 1]}), r"have \[1, 2\] rows"),
        (lambda: model.query("s", {"p": Likelihood({"n": -1})}), r"expected 2 numbers, none"),
        (lambda: model.query("s", {"p": Distribution([0.5, 0.4])}), r"sums to 0\.9; expected 1"),
        (lambda: model.query("s", method="exakt"), r"Did you mean 'exact'"),
        (lambda: model.query("s", memory="much"), r"memory is 'much'"),
        (lambda: model.cost(memory=10), r"largest clique has .* cells: "),
        (lambda: model.log_z({"p": Distribution([0.5, 0.5])}), r"give a Likelihood"),
        (lambda: model.sample(3, {"p": ["n", "y"]}), r"one row"),
        (lambda: FactorGraph(("a",), ((0, 1),), ((0,),), (np.array([1.0, -1]),)), r"negative"),
        (lambda: FactorGraph(("a",), ((0, 1),), ((0,),), (np.ones(3),)), r"ask for \(2,\)"),
    ]  # fmt: skip
    for call, said in cases:
        with pytest.raises(InputError, match=said):
            call()
    never = FactorGraph(("a", "b"), ((0, 1), (0, 1)), ((0, 1),), (np.array([[1.0, 0], [1, 1]]),))
    with pytest.raises(InputError, match=r"the evidence has probability zero: a = 0, b = 1"):
        never.marginals({"a": 0, "b": 1})
    assert not never.query("a", {"b": [0, 1]}).reasons
    gone = FactorGraph(("a", "b"), ((0, 1), (0, 1)), ((0, 1),), (np.array([[1.0, 0], [1, 0]]),))
    rows = gone.query("a", {"b": [0, 1]})
    assert np.isnan(rows.probs[1]).all()
    assert "probability zero in 1 of 2 rows, and nothing follows there: row 1" in str(rows)


def test_evidence_may_be_a_frame():
    import pandas

    model = graph(zeros=0.0)
    frame = pandas.DataFrame({"p": ["n", "y"], "q": [1.0, np.nan]})
    answer = model.query("s", frame)
    np.testing.assert_allclose(answer.at(1).probs, model.query("s", {"p": "y"}).probs, rtol=1e-10)


@pytest.mark.slow
@pytest.mark.skipif("PPGEN_DATA" not in os.environ, reason="PPGEN_DATA is not set")
def test_published_problems_have_the_published_answers(tmp_path):
    archive = Path(os.environ["PPGEN_DATA"]) / "uai2014" / "uai2014_dev.tar.gz"
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    for name in ("CSP_12", "Grids_12", "Pedigree_12", "Promedus_24", "Segmentation_11"):
        for kind in ("PR", "MAR"):
            file = tmp_path / "uai2014" / kind / f"{name}.uai"
            model = FactorGraph.from_uai(file, f"{file}.evid")
            result = decoded(file.name, read_bytes(f"{file}.{kind}"))
            if kind == "PR":
                expected = uai.read_log10_z(result)
                assert model.log_z() / math.log(10) == pytest.approx(expected, rel=1e-5)
            else:
                for found, expected in zip(
                    model.marginals().values(), uai.read_marginals(result), strict=True
                ):
                    np.testing.assert_allclose(found.probs, expected, atol=2e-6)
