"""The parameters of a network whose graph is given: seconds of the estimates and of a whole fit.

    PPGEN_DATA=... python benchmarks/network_parameters.py            alarm's 10,000 rows

The estimates are posterior means under BDeu of all tables, from rows of state numbers. A fit
besides reads a frame of labels, checks each value, and ends with the line on goodness of fit.
Packages that are not installed are left out. Repeated calls in turn, wall-clock and processor
time. Writes one JSON line at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import ppgen
from ppgen.models.bayesnet.formats import read
from ppgen.models.bayesnet.layout import NodeRows
from ppgen.models.bayesnet.network import Network
from ppgen.models.bayesnet.parameters import Assumed, estimated


def calls(name: str, folder: Path) -> dict[str, Callable[[], Any]]:
    """What is timed, by name."""
    truth = read(folder / "bif" / f"{name}.bif.gz")
    assert isinstance(truth, Network)
    codes = np.loadtxt(folder / "samples10k" / f"{name}.txt.gz", np.int32, skiprows=1) - 1
    rows = NodeRows(codes, np.full(codes.shape, np.nan))
    labels = [np.array(states, dtype=object) for states in truth.states]
    frame = pd.DataFrame({n: labels[v][codes[:, v]] for v, n in enumerate(truth.names)})
    edges = truth.dag.edges
    out: dict[str, Callable[[], Any]] = {
        "estimates": lambda: estimated(truth.dag, truth.states, rows, None, Assumed("bdeu")),
        "fit": lambda: ppgen.BayesianNetwork(edges, random_state=0).fit(frame),
    }
    try:
        import pyagrum as gum
    except ImportError:
        return out
    gum.setNumberOfThreads(1)
    model = gum.BayesNet()
    for v, node in enumerate(truth.names):
        model.add(gum.LabelizedVariable(node, node, list(map(str, truth.states[v]))))
    for parent, child in edges:
        model.addArc(parent, child)

    def pyagrum() -> Any:
        learner = gum.BNLearner(frame, model)
        learner.useBDeuPrior(1.0)
        return learner.learnParameters(model.dag())

    return out | {"pyagrum": pyagrum}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="alarm", choices=["asia", "cancer", "child", "alarm"])
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    timed = calls(given.network, Path(os.environ["PPGEN_DATA"]) / "bayesnets")
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in timed}
    for _ in range(given.repeats + 1):  # the first is not counted
        for name, call in timed.items():
            start, cpu = time.perf_counter(), time.process_time()
            call()
            taken[name].append((time.perf_counter() - start, time.process_time() - cpu))
    result: dict[str, Any] = {"benchmark": "network_parameters", "network": given.network}
    for name, each in taken.items():
        wall, cpu = ([1e3 * seconds for seconds in part] for part in zip(*each[1:], strict=True))
        result[name] = {
            "median_ms": round(statistics.median(wall), 2),
            "least_ms": round(min(wall), 2),
            "cpu_ms": round(statistics.median(cpu), 2),
        }
        print(f"{name}: {result[name]}")
    result["versions"] = {"numpy": version("numpy")}
    if "pyagrum" in timed:
        result["versions"]["pyagrum"] = version("pyagrum")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
