"""Held-out log densities of Bayesian networks on mixed tables, beside mixtures and flows.

    PPGEN_DATA=... python benchmarks/network_study.py            a quarter of an hour

Tables: clgaussian.test, penguins, adult, with the columns taken for what they seem to be.
Structures are learnt; "network of flows" has a flow at each continuous node in the place of a
linear Gaussian. Flows over the whole row model no gaps, so that rows with gaps are left out, unless
`--gaps` keeps them. Every model of a seed is scored on the same held-out rows, by which nothing is
chosen, and compared with the others in pairs. Writes one JSON line at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np

import ppgen
from ppgen.data import Dataset
from ppgen.data.values import is_gap

TABLES = {
    "clgaussian.test": "bayesnets/bnlearn_data/clgaussian.test.csv.gz",
    "penguins": "tabular/penguins.csv",
    "adult": "tabular/adult-train.csv.gz",
}
MODELS = {
    "bayesnet": ppgen.BayesianNetwork(),
    "network of flows": ppgen.BayesianNetwork(conditionals="flow"),
    "gmm": ppgen.GaussianMixture(),
    "flow": ppgen.NormalizingFlow(),
    "independent": ppgen.IndependentColumns(),
}
KEPT = (
    "data", "model", "log_density", "stderr", "spread", "kind", "difference", "difference_stderr",
    "decided", "seconds", "state",
)  # fmt: skip


def whole(data: Dataset) -> Dataset:
    """The rows without gaps."""
    gaps = sum(is_gap(values).astype(int) for values in data.columns.values())
    return data.take((gaps == 0).nonzero()[0])


def read(path: Path, rows: int, gaps: bool) -> Dataset:
    """A table, without rows that have gaps unless they are asked for, thinned to so many."""
    data = ppgen.read(path)
    data = data if gaps else whole(data)
    some = np.random.default_rng(0).permutation(len(data))[:rows]
    return ppgen.as_dataset(data.take(np.sort(some)).to_native())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--rows", type=int, default=8_000, help="most of a table")
    parser.add_argument("--gaps", action="store_true", help="keep rows with gaps")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--budget", default="60s", help="of each fit")
    given = parser.parse_args()
    folder = Path(os.environ["PPGEN_DATA"])
    data = {name: read(folder / TABLES[name], given.rows, given.gaps) for name in given.tables}
    with tempfile.TemporaryDirectory() as out:
        models = {name: MODELS[name] for name in given.models}
        result = ppgen.run_study(
            data, models, seeds=given.seeds, budget=given.budget, out=Path(out) / "study"
        )
        print(result)
        rows = [{key: row[key] for key in KEPT} for row in result.table]
    line = {"benchmark": "network_study", "seeds": given.seeds, "budget": given.budget}
    line["rows"] = {name: len(each) for name, each in data.items()}
    print(json.dumps(line | {"gaps": given.gaps, "table": rows}))


if __name__ == "__main__":
    main()
