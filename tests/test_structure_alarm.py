"""The structure of a network of 37 nodes from 10,000 of its rows."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ppgen.models.bayesnet.formats import read
from ppgen.models.bayesnet.structure.cases import Cases
from ppgen.models.bayesnet.structure.search import Search, learn

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("PPGEN_DATA" not in os.environ, reason="PPGEN_DATA names no data folder"),
]


def alarm():
    folder = Path(os.environ["PPGEN_DATA"]) / "bayesnets"
    truth = read(folder / "bif" / "alarm.bif.gz")
    codes = np.loadtxt(folder / "samples10k" / "alarm.txt.gz", int, skiprows=1) - 1
    cases = Cases(
        truth.names, truth.sizes, codes, np.full(codes.shape, np.nan), np.ones(len(codes))
    )
    return cases, {frozenset(edge) for edge in truth.dag.edges}


def f1(found, true):
    return 2 * len(found & true) / (len(found) + len(true))


@pytest.mark.parametrize("score", ["bic", "bdeu"])
def test_nine_in_ten_edges_are_right_whatever_the_order_of_columns(score):
    cases, true = alarm()
    rng = np.random.default_rng(0)
    skeletons = set()
    for _ in range(4):
        order, names = rng.permutation(37), rng.permutation(37)
        rows = cases.permuted(order)
        renamed = Cases(tuple(f"n{k}" for k in names), rows.sizes, rows.codes, rows.x, rows.weights)
        back = {f"n{k}": name for k, name in zip(names, rows.names, strict=True)}
        edges = learn(renamed, Search(score=score)).dag.edges
        skeletons.add(frozenset(frozenset(back[name] for name in edge) for edge in edges))
    assert len(skeletons) == 1
    assert f1(skeletons.pop(), true) >= 0.9


def test_a_tenth_of_the_values_lost_leaves_nine_in_ten_edges_right():
    cases, true = alarm()
    cases.codes[np.random.default_rng(0).random(cases.codes.shape) < 0.1] = -1
    dag = learn(cases, Search(score="bdeu")).dag
    assert f1({frozenset(edge) for edge in dag.edges}, true) >= 0.9
