"""`ppgen query`: what it prints and writes, and how it ends."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

import ppgen
from ppgen.__main__ import main
from ppgen.cli.options import pairs
from ppgen.inference.dag import DAG
from ppgen.models.bayesnet import FactorGraph, formats
from ppgen.models.bayesnet.conditionals import LinearGaussian, Table
from ppgen.models.bayesnet.network import Network


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run `ppgen query` in a folder with a network of each kind: status, rows, what was said."""
    monkeypatch.chdir(tmp_path)
    discrete = Network(
        DAG(("rain", "state of grass"), ((), (0,))),
        (Table(np.array([0.25, 0.75])), Table(np.array([[0.9, 0.1], [0.2, 0.8]]))),
        (("None", "some"), ("wet", "dry")),
    )
    mixed = Network(
        DAG(("k", "x"), ((), (0,))),
        (
            Table(np.array([0.5, 0.5])),
            LinearGaussian(np.array([0.0, 4.0]), np.empty((2, 0)), np.array([1.0, 1.0])),
        ),
        (("a", "b"), ()),
    )
    formats.write(discrete, "rain.bif")
    formats.write(mixed, "mixed.json")
    formats.write(discrete, "rain.uai")
    FactorGraph.read("rain.uai").write("graph.uai")
    (tmp_path / "graph.evid").write_text("1 1 0\n")
    ppgen.BayesianNetwork.of(mixed).save("fit")

    def call(*words):
        capsys.readouterr()
        status = main(["query", *map(str, words)])
        out, err = capsys.readouterr()
        return status, list(csv.DictReader(io.StringIO(out))), err

    return call


def test_a_posterior_is_printed_with_what_it_took(run):
    status, rows, said = run("rain.bif", "--target", "rain", "--given", "state of grass=wet")
    assert status == 0
    assert [row["rain"] for row in rows] == ["None", "some"]
    assert float(rows[0]["probability"]) == pytest.approx(0.225 / 0.375)
    assert "plan and answer" in said
    assert f"of the evidence: {np.log(0.375):.6g}." in said
    assert "Largest clique: 2 cells (rain)" in said
    status, rows, _ = run("rain.bif", "--target", "rain", "--do", "state of grass=wet")
    assert float(rows[0]["probability"]) == 0.25


def test_a_saved_fit_answers_about_continuous_nodes(run):
    status, rows, _ = run("fit", "--target", "x", "--given", "k=b")
    assert status == 0
    assert (float(rows[0]["mean x"]), float(rows[0]["sd x"])) == (4.0, 1.0)
    status, rows, _ = run("mixed.json", "--target", "k", "--given", "x=2")
    assert float(rows[0]["probability"]) == pytest.approx(0.5)
    _, rows, _ = run("mixed.json", "--target", "k", "--given", "x=2", "--method", "sampling")
    assert 0 < float(rows[0]["stderr"]) < 0.05
    _, rows, said = run("rain.bif", "--method", "cutset")
    assert said.count("cutset conditioning on nothing: 1 assignments, exact.") == 1


def test_without_a_target_every_node_is_answered(run):
    _, rows, _ = run("mixed.json")
    assert [(row["node"], row["of"]) for row in rows[:3]] == [
        ("k", "P(a)"),
        ("k", "P(b)"),
        ("x", "mean"),
    ]
    assert float(rows[2]["value"]) == pytest.approx(2.0)
    _, rows, _ = run("graph.uai", "--evidence", "graph.evid")
    assert float(rows[0]["value"]) == pytest.approx(0.6)


def test_a_table_of_evidence_gives_a_table_of_answers(run, tmp_path):
    (tmp_path / "rows.csv").write_text("rain,state of grass\nsome,wet\n,NA\nNone,dry\n")
    status, _, said = run(
        "rain.bif", "--target", "state of grass", "--evidence", "rows.csv", "-o", "out.csv"
    )
    assert status == 0
    assert "column 'state of grass' of rows.csv is asked for" in said
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    wet = [float(row["P(state of grass=wet)"]) for row in rows]
    np.testing.assert_allclose(wet, [0.2, 0.375, 0.9])  # None is a state of rain, and no gap
    assert [row["row"] for row in rows] == ["0", "1", "2"]
    (tmp_path / "x.csv").write_text("x\n0\n4\n\n")
    _, rows, _ = run("fit", "--target", "k", "--evidence", "x.csv")
    assert float(rows[0]["P(k=a)"]) == pytest.approx(1 - float(rows[1]["P(k=a)"]))
    assert float(rows[2]["P(k=a)"]) == 0.5


def test_the_most_probable_states_are_printed(run):
    _, rows, said = run("rain.bif", "--mpe")
    assert rows == [
        {"node": "rain", "state": "some"},
        {"node": "state of grass", "state": "dry"},
    ]
    assert "given the evidence: 0.6" in said
    _, rows, _ = run("rain.bif", "--mpe", "--target", "state of grass")
    assert rows == [{"node": "state of grass", "state": "dry"}]


def test_what_is_wrong_is_said_in_a_line(run, tmp_path):
    (tmp_path / "rows.csv").write_text("rein\nsome\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "cut.parquet").write_text("x")
    (tmp_path / "bad.bif").write_text("network x {}\nvariable")
    ppgen.IndependentColumns().fit(np.random.default_rng(0).normal(size=(30, 2))).save("other")
    cases = [
        (["rain.bif", "--target", "rein"], "there is no node 'rein'. Did you mean 'rain'?"),
        (["rain.bif", "--given", "rain=none"], "'rain' has no state 'none'"),
        (["rain.bif", "--given", "rain"], "expected NAME=VALUE"),
        (["rain.bif", "--given", "rain=some", "--given", "rain=None"], "gives 'rain' twice"),
        (["rain.bif", "--given", "rain=some", "--do", "rain=some"], "both given and set by do"),
        (["rain.bif", "--evidence", "rows.csv"], "column 'rein' of rows.csv is no node. Did you"),
        (["rain.bif", "--evidence", "empty.csv"], "empty.csv cannot be read as a table"),
        (["rain.bif", "--evidence", "cut.parquet"], "cut.parquet cannot be read as a table"),
        (["rain.bif", "--evidence", "none.csv"], "there is no file 'none.csv'"),
        (["rain.bif", "--evidence", "rain.bif"], "expected csv, tsv, parquet"),
        (["rain.bif", "--method", "exakt"], "Did you mean 'exact'?"),
        (["rain.bif", "--memory", "lots"], "memory is 'lots'"),
        (["rain.bif", "--mpe", "--method", "loopy"], "--mpe is exact"),
        (["graph.uai", "--do", "0=1"], "--do sets nodes of a directed network"),
        (["rain.bif", "--target", "rain", "--credible", "0.9"], "this fit has none"),
        (["other"], "is a fit of independent, which answers no queries"),
        (["bad.bif"], "bad.bif, line 2, column 9: found the end of the file"),
        (["mixed.json", "--mpe"], "name discrete targets"),
        (["none.bif"], "there is no 'none.bif'; give a saved fit of bayesnet or a file"),
        (["mixed.json", "--given", "k=a", "--do", "x=1"], "none is left to ask"),
        (["rain.bif", "--memory", "8B"], "8 bytes may be used"),
    ]  # fmt: skip
    for words, said in cases:
        status, rows, err = run(*words)
        assert (status, rows) == (2, []), words
        assert said in err
        assert err.count("\n") == 1


def test_a_network_is_drawn_with_what_follows(run, tmp_path):
    words = ("rain.bif", "--target", "rain", "--given", "state of grass=wet", "--figure")
    status, _, _ = run(*words, "net.svg")
    assert status == 0
    drawn = (tmp_path / "net.svg").read_text()
    assert ">60%<" in drawn
    assert "state of grass" in drawn
    assert run(*words, "net.png")[0] == 0
    assert (tmp_path / "net.png").read_bytes().startswith(b"\x89PNG")
    status, _, said = run("graph.uai", "--figure", "x.png")
    assert status == 2
    assert "directed" in said


def test_a_name_with_an_equals_sign_is_told_from_its_value():
    words = ["x=1=0.5", "x=2", "x=1 b=w=z"]
    names = ("x", "x=1", "x=1 b")
    assert pairs(words, "--given", names) == {"x=1": "0.5", "x": "2", "x=1 b": "w=z"}
    assert pairs(["a=b=c"], "--given") == {"a": "b=c"}
