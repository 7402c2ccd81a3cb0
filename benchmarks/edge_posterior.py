"""Posterior probabilities of edges by order MCMC against those over all graphs, under BDeu.

    PPGEN_DATA=... python benchmarks/edge_posterior.py    asia, and eight columns of sachs at a time

The largest error of any edge, also of draws that are not weighted by their graphs' numbers of
orders, and seconds of both. Writes one JSON line at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np


def compared(name: str, rows: int, columns: list[int] | None, steps: int) -> dict[str, Any]:
    """The errors on some rows and columns of a set of 10,000 rows."""
    from ppgen.inference.structure.constraints import Constraints
    from ppgen.inference.structure.exact_posterior import exact_edge_probabilities
    from ppgen.inference.structure.order_mcmc import order_mcmc
    from ppgen.models.bayesnet.structure.cases import Cases
    from ppgen.models.bayesnet.structure.scores import NetworkScore

    table = Path(os.environ["PPGEN_DATA"]) / "bayesnets" / "samples10k" / f"{name}.txt.gz"
    codes = np.loadtxt(table, np.int32, skiprows=1)[:rows] - 1
    codes = codes if columns is None else codes[:, columns]
    n = codes.shape[1]
    names, sizes = tuple(map(str, range(n))), tuple((codes.max(axis=0) + 1).tolist())
    cases = Cases(names, sizes, codes, np.full(codes.shape, np.nan), np.ones(len(codes)))
    score, constraints = NetworkScore(cases, "bdeu"), Constraints.none(n)
    start = time.perf_counter()
    exact = exact_edge_probabilities(score, constraints)
    middle = time.perf_counter()
    drawn = order_mcmc(score, constraints, np.random.default_rng(0), steps=steps)
    return {
        "data": name,
        "rows": len(codes),
        "columns": n,
        "error": float(np.abs(drawn.probabilities - exact).max()),
        "error_unweighted": float(np.abs(drawn.edges.mean(axis=0) - exact).max()),
        "ess": drawn.ess,
        "exact_seconds": middle - start,
        "seconds": time.perf_counter() - middle,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20_000, help="of each chain of orders")
    steps = parser.parse_args().steps
    sets = [list(range(8)), list(range(3, 11))]
    cases = [("asia", n, None) for n in (500, 1000, 10_000)]
    cases += [("sachs", n, some) for n in (500, 2000) for some in sets]
    results = []
    for case in cases:
        results.append(found := compared(*case, steps))
        print(
            f"{found['data']:6} {found['rows']:6} rows x {found['columns']:2}: largest error "
            f"{found['error']:.4f} ({found['error_unweighted']:.3f} unweighted), "
            f"{found['seconds']:.1f} s beside {found['exact_seconds']:.1f} s exact",
            flush=True,
        )
    print(json.dumps({"benchmark": "edge_posterior", "steps": steps, "results": results}))


if __name__ == "__main__":
    main()
