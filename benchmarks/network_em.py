"""EM of a Bayesian network on rows with gaps: seconds a step, and whether the objective rises.

    PPGEN_DATA=... python benchmarks/network_em.py            alarm's 10,000 rows, 10 % of them lost

Values are lost completely at random. Beside the fit, the parameters are estimated from all of the
values and from the rows that have all of a family alone; compared are the mean log densities of the
whole rows under each. Writes one JSON line at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="alarm", choices=["asia", "cancer", "child", "alarm"])
    parser.add_argument("--lost", type=float, default=0.1, help="share of values")
    parser.add_argument("--steps", type=int, default=20, help="most steps of EM")
    given = parser.parse_args()

    from ppgen.models.bayesnet.em import State, steps
    from ppgen.models.bayesnet.expected_counts import IncompleteRows
    from ppgen.models.bayesnet.families import families, statistics
    from ppgen.models.bayesnet.formats import read
    from ppgen.models.bayesnet.layout import NodeRows
    from ppgen.models.bayesnet.network import Network
    from ppgen.models.bayesnet.node_density import direct_log_prob
    from ppgen.models.bayesnet.parameters import Assumed, estimated

    folder = Path(os.environ["PPGEN_DATA"]) / "bayesnets"
    truth = read(folder / "bif" / f"{given.network}.bif.gz")
    assert isinstance(truth, Network)
    table = folder / "samples10k" / f"{given.network}.txt.gz"  # in the order of the nodes
    codes = np.loadtxt(table, np.int32, skiprows=1) - 1
    assert codes.shape[1] == len(truth.names)
    lost = np.random.default_rng(0).random(codes.shape) < given.lost
    nothing = np.full(codes.shape, np.nan)
    whole, data = NodeRows(codes, nothing), NodeRows(np.where(lost, -1, codes), nothing)

    assumed, dag = Assumed("bdeu"), truth.dag
    of = families(dag, truth.sizes)
    prior = assumed.prior(dag, truth.sizes, statistics(of, data.codes, data.x))
    start = time.perf_counter()
    rows = IncompleteRows(truth, data)
    prepared = time.perf_counter() - start
    first = estimated(dag, truth.states, data, None, assumed)
    seconds, course, state = [], [], State(first, prior)
    start = time.perf_counter()
    for step in steps(rows, state, prior, max_iter=given.steps, tol=1e-5):
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        course.append(step.objective)
        state = step.state
    networks = {
        "all values": estimated(dag, truth.states, whole, None, assumed),
        "whole families": first,
        "EM": state.network,
    }
    density = {k: float(direct_log_prob(v, whole).mean()) for k, v in networks.items()}
    result = {
        "benchmark": "network_em",
        "network": given.network,
        "rows": len(codes),
        "distinct": len(rows.all.weights),
        "prepared_s": round(prepared, 3),
        "step_s": round(float(np.median(seconds)), 3),
        "steps": len(course),
        "smallest_gain": float(np.diff(course).min()),
        "log_density": density,
    }
    print(f"{given.network}: {result['step_s']} s a step, {len(course)} steps, {density}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
