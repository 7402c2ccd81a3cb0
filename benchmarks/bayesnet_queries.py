"""Exact queries of discrete Bayesian networks against pyAgrum, pgmpy and nbn, in one process.

    PPGEN_DATA=... python benchmarks/bayesnet_queries.py                 about two minutes

Queries: on each network, `--queries` sets of one to five observed nodes, their states from a row
that the network has drawn. Each library answers all of them in turns: the posterior of one node,
and of all nodes; each set of nodes is asked once before it is timed, and is new in `first`. Medians
are printed, of CPU seconds and of ratios of pairs. Batch: `--rows` evidence rows on alarm with five
observed nodes, all marginals (pyAgrum: fewer rows, and seconds a row; nbn: node by node).
pyAgrum's answers are compared with ours. A library that is not installed is left out; all run on
one thread. Writes one JSON line at the end.

References: Ducamp et al., "aGrUM/pyAgrum: a toolbox to build models and algorithms for
probabilistic graphical models in Python", 2020, https://proceedings.mlr.press/v138/ducamp20a.html;
Ankan and Textor, "pgmpy: a Python toolkit for Bayesian networks", 2024,
https://jmlr.org/papers/v25/23-0487.html.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import os
import statistics
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

NETWORKS = ("asia", "child", "insurance", "alarm", "hailfinder", "win95pts")
PEERS = ("pyagrum", "pgmpy", "nbn")

# (evidence, targets) -> posteriors of the targets
Query = Callable[[dict[int, int], list[int]], list[Any]]


def read(name: str) -> Any:
    from ppgen.models.bayesnet import formats

    return formats.read(Path(os.environ["PPGEN_DATA"]) / "bayesnets" / "bif" / f"{name}.bif.gz")


def cases(network: Any, queries: int, seed: int) -> list[tuple[dict[int, int], int]]:
    """(evidence, another node) of each query."""
    import numpy as np

    from ppgen.models.bayesnet.layout import NodeRows
    from ppgen.models.bayesnet.node_density import drawn

    rng = np.random.default_rng(seed)
    n = len(network.names)
    found = []
    for row in drawn(network, NodeRows.unknown(queries, n), rng).codes:
        nodes = rng.permutation(n)[: 1 + rng.integers(1, 6)]
        found.append(({int(v): int(row[v]) for v in nodes[1:]}, int(nodes[0])))
    return found


def ppgen_query(network: Any) -> Query:
    from ppgen.models.bayesnet.posterior import Posterior

    posterior = Posterior(network)

    def query(evidence: dict[int, int], targets: list[int]) -> list[Any]:
        if len(targets) == 1:
            return [posterior.joint(evidence, targets)[1]]
        probs = posterior.marginals(evidence, targets).probs
        return [probs[v] for v in targets]

    return query


def pyagrum_query(network: Any) -> Query:
    import pyagrum as gum

    gum.setNumberOfThreads(1)
    net = gum.BayesNet()
    names = [f"v{node}" for node in range(len(network.names))]
    for name, size in zip(names, network.sizes, strict=True):
        net.add(gum.LabelizedVariable(name, name, size))
    for node, parents in enumerate(network.dag.parents):
        for parent in parents:
            net.addArc(names[parent], names[node])
        table = network.conditionals[node].probs
        for u in product(*map(range, table.shape[:-1])):
            where = {names[p]: state for p, state in zip(parents, u, strict=True)}
            net.cpt(names[node])[where] = table[u].tolist()
    engine = gum.LazyPropagation(net)

    def query(evidence: dict[int, int], targets: list[int]) -> list[Any]:
        engine.setEvidence({names[v]: state for v, state in evidence.items()})
        engine.setTargets({names[v] for v in targets})
        engine.makeInference()
        return [engine.posterior(names[v]).toarray() for v in targets]

    return query


def pgmpy_query(network: Any) -> Query:
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.inference import VariableElimination
    from pgmpy.models import DiscreteBayesianNetwork

    logging.getLogger("pgmpy").setLevel(logging.ERROR)
    net = DiscreteBayesianNetwork()
    net.add_nodes_from(range(len(network.names)))
    for node, parents in enumerate(network.dag.parents):
        net.add_edges_from((parent, node) for parent in parents)
    for node, parents in enumerate(network.dag.parents):
        table = network.conditionals[node].probs
        values = table.reshape(-1, table.shape[-1]).T
        net.add_cpds(TabularCPD(node, table.shape[-1], values, list(parents), table.shape[:-1]))
    engine = VariableElimination(net)

    def query(evidence: dict[int, int], targets: list[int]) -> list[Any]:
        return [
            engine.query([target], evidence=evidence, show_progress=False).values
            for target in targets
        ]

    return query


def timed(query: Query, asked: list[tuple[dict[int, int], list[int]]]) -> tuple[list[float], Any]:
    seconds, answers = [], []
    for evidence, targets in asked:
        began = time.process_time()
        answers.append(query(evidence, targets))
        seconds.append(time.process_time() - began)
    return seconds, answers


def single(args: argparse.Namespace, installed: list[str]) -> list[dict[str, Any]]:
    import numpy as np

    make = {"ppgen": ppgen_query, "pyagrum": pyagrum_query, "pgmpy": pgmpy_query}
    found = []
    for name in args.networks:
        network = read(name)
        queries = cases(network, args.queries, 0)
        for what in ("one", "all"):
            asked = [
                (e, [t] if what == "one" else [v for v in range(len(network.names)) if v not in e])
                for e, t in queries
            ]
            seconds: dict[str, list[float]] = {}
            queries_of: dict[str, Query] = {}
            row: dict[str, Any] = {"network": name, "targets": what}
            for library in ("ppgen", *(p for p in installed if p in make)):
                if library == "pgmpy" and what == "all":
                    continue  # a query for each node: no comparison
                queries_of[library] = make[library](network)
                seconds[library] = []
                first, _ = timed(queries_of[library], asked)
                row[f"{library}_first_ms"] = 1e3 * statistics.median(first)
            for case in asked:  # in turns
                got = {}
                for library, query in queries_of.items():
                    times = []
                    for _ in range(args.repeats):
                        took, (got[library],) = timed(query, [case])
                        times += took
                    seconds[library].append(statistics.median(times))
                for library in got:
                    gap = max(
                        float(np.abs(np.ravel(p) - np.ravel(q)).max())
                        for p, q in zip(got["ppgen"], got[library], strict=True)
                    )
                    row[f"{library}_gap"] = max(gap, row.get(f"{library}_gap", 0.0))
            for library, times in seconds.items():
                row[f"{library}_ms"] = 1e3 * statistics.median(times)
                ratios = [a / b for a, b in zip(seconds["ppgen"], times, strict=True)]
                row[f"over_{library}"] = statistics.median(ratios)
            found.append(row)
            shown = ", ".join(
                f"{library} {row[f'{library}_ms']:.2f} ms (first {row[f'{library}_first_ms']:.1f}"
                + (")" if library == "ppgen" else f", ratio {row[f'over_{library}']:.2f}, ")
                + ("" if library == "ppgen" else f"gap {row[f'{library}_gap']:.0e})")
                for library in seconds
            )
            print(f"{name}, {what}: {shown}", flush=True)
    return found


def batch(args: argparse.Namespace, installed: list[str]) -> dict[str, Any]:
    import numpy as np

    from ppgen.models.bayesnet.layout import NodeRows
    from ppgen.models.bayesnet.node_density import drawn
    from ppgen.models.bayesnet.posterior import Posterior

    network = read("alarm")
    rng = np.random.default_rng(1)
    n = len(network.names)
    rows = drawn(network, NodeRows.unknown(args.rows, n), rng).codes
    observed = [int(v) for v in rng.permutation(n)[:5]]
    targets = [v for v in range(n) if v not in observed]
    evidence = {v: rows[:, v] for v in observed}
    some = {v: np.where(rng.random(args.rows) < 0.5, rows[:, v], -1) for v in observed}
    posterior = Posterior(network)

    def ours(given: dict[int, Any]) -> float:
        began = time.process_time()
        posterior.marginals(given, targets)
        return (time.process_time() - began) / args.rows

    def looped() -> float:
        query = pyagrum_query(network)
        few = [({v: int(row[v]) for v in observed}, targets) for row in rows[: args.rows // 20]]
        return statistics.mean(timed(query, few)[0])

    def nbn() -> float:
        import torch
        from nbn import CategoricalTableMechanism, NeuralBayesianNetwork

        torch.set_num_threads(1)
        names = [f"v{node}" for node in range(n)]
        edges = [
            (names[p], names[node])
            for node, parents in enumerate(network.dag.parents)
            for p in parents
        ]
        sizes = zip(names, network.sizes, strict=True)
        model = NeuralBayesianNetwork(edges, variables={v: ("discrete", k) for v, k in sizes})
        for name in names:
            model.set_mechanism(name, CategoricalTableMechanism(alpha=1.0))
        model.fit({name: torch.as_tensor(rows[:, v]).long() for v, name in enumerate(names)})
        given = {names[v]: torch.as_tensor(rows[:, v]).long() for v in observed}
        began = time.process_time()
        for target in targets:
            model.query_batch([names[target]], given)
        return (time.process_time() - began) / args.rows

    run: dict[str, Callable[[], float]] = {
        "ppgen": lambda: ours(evidence),
        "ppgen, half observed": lambda: ours(some),
    }
    run |= {"pyagrum": looped} if "pyagrum" in installed else {}
    run |= {"nbn": nbn} if "nbn" in installed else {}
    seconds: dict[str, list[float]] = {name: [] for name in run}
    for _ in range(args.repeats):
        for name, call in run.items():
            seconds[name].append(call())
    out: dict[str, Any] = {"rows": args.rows}
    for name, times in seconds.items():
        out[f"{name}_us_a_row"] = 1e6 * statistics.median(times)
        ratios = [b / a for a, b in zip(seconds["ppgen"], times, strict=True)]
        out[f"{name}_over_ppgen"] = statistics.median(ratios)
        print(
            f"alarm, {args.rows} rows, all marginals: {name} {out[f'{name}_us_a_row']:.1f} us a "
            f"row, {out[f'{name}_over_ppgen']:.1f} times ppgen",
            flush=True,
        )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--queries", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=int, default=10_000)
    args = parser.parse_args()
    # Before NumPy is loaded.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    warnings.simplefilter("ignore")
    installed = [peer for peer in PEERS if importlib.util.find_spec(peer)]
    versions = {name: version(name) for name in ("numpy", *installed)}
    print(f"one thread, {versions}")
    result = {"single": single(args, installed), "batch": batch(args, installed)}
    print(json.dumps({"versions": versions, **result}))


if __name__ == "__main__":
    main()
