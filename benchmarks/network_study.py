"""Held-out log densities of Bayesian networks on mixed tables, beside mixtures and flows.

    PPGEN_DATA=... python benchmarks/network_study.py            a quarter of an hour

Tables: clgaussian.test, penguins, adult. Structures are learnt. Rows with gaps are left out, as
flows model none. Every model of a seed is scored on the same held-out rows. Writes one JSON line at
the end.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import ppgen
from ppgen.data import Dataset
from ppgen.data.values import is_gap

TABLES = {
    "clgaussian.test": "bayesnets/bnlearn_data/clgaussian.test.csv.gz",
    "penguins": "tabular/penguins.csv",
    "adult": "tabular/adult-train.csv.gz",
}


def whole(data: Dataset) -> Dataset:
    """The rows without gaps."""
    gaps = sum(is_gap(values).astype(int) for values in data.columns.values())
    return ppgen.as_dataset(data.take((gaps == 0).nonzero()[0]).to_native())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--models", default="bayesnet,gmm,flow")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--budget", default="60s", help="of each fit")
    given = parser.parse_args()
    folder = Path(os.environ["PPGEN_DATA"])
    data = {name: whole(ppgen.read(folder / TABLES[name])) for name in given.tables}
    with tempfile.TemporaryDirectory() as out:
        models = given.models.split(",")
        result = ppgen.run_study(
            data, models, seeds=given.seeds, budget=given.budget, out=Path(out) / "study"
        )
        print(result)
        rows = [
            {key: row[key] for key in ("data", "model", "log_density", "stderr", "kind")}
            for row in result.table
        ]
    line = {"benchmark": "network_study", "seeds": given.seeds, "budget": given.budget}
    line["rows"] = {name: len(each) for name, each in data.items()}
    print(json.dumps(line | {"table": rows}))


if __name__ == "__main__":
    main()
