"""Fit and audit one small model; print the checks that are refuted. Run in a copy of the package:

python -m tests.mutant CASE
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

import ppgen
from ppgen import BayesianNetwork

from .zoo import ZOO, mixed, numbers


def case(name: str) -> Any:
    """A fitted model, a second or two of work."""
    rng = np.random.default_rng(1)
    if name == "kde":
        return ZOO["kde"]().fit(numbers())
    if name == "mixture":
        rows = np.column_stack([numbers(), 0.5 * numbers()[:, 1] + rng.normal(size=200)])
        return ZOO["gmm"]().fit(rows)
    if name == "tables":
        kinds = {k: v for k, v in mixed().items() if k in ("shift", "species")}
        return ZOO["gmm"]().set_params(n_components=3).fit(ppgen.as_dataset(kinds))
    if name == "network":
        kinds = {k: v for k, v in mixed().items() if k in ("shift", "species", "ringed")}
        edges = [("species", "shift"), ("species", "ringed")]
        return BayesianNetwork(edges, random_state=0).fit(ppgen.as_dataset(kinds))
    if name in ("maf", "spline"):
        made = ZOO["flow-maf" if name == "maf" else "flow-nsf"]()
        return made.set_params(max_epochs=30).fit(numbers())
    vae = ZOO["vae"]().set_params(max_epochs=80, learning_rate=None)  # as well fitted as it gets
    if name == "vae of levels":
        kinds = {k: v for k, v in mixed().items() if k in ("species", "ringed")}
        return vae.fit(ppgen.as_dataset(kinds))
    if name == "vae":
        return vae.fit(numbers())
    x = rng.normal(size=200)
    share = np.where(rng.random(200) < 0.2, 0.0, rng.beta(2.0, 3.0, 200))
    columns, kinds = {
        "lengths": ({"v": np.exp(0.5 * x)}, {"v": "positive"}),
        "rounded": ({"v": np.round(x, 0), "w": x + rng.normal(size=200)}, {}),
        "counts": ({"v": rng.poisson(3.0, 200)}, {"v": "count"}),
        "proportions": ({"v": share}, {"v": {"kind": "interval", "lower": 0.0, "upper": 1.0}}),
    }[name]
    data = ppgen.as_dataset(columns).override(kinds)
    if name == "rounded":
        data = data.override({"v": {"kind": "real", "width": 1.0}})
    return ZOO["kde" if name == "counts" else "gaussian"]().fit(data)


if __name__ == "__main__":
    found = ppgen.audit(case(sys.argv[1]), budget="10min")
    print(json.dumps([check.name for check in found.of("refuted")]))
