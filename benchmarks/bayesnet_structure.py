"""Structures learnt beside the true graphs, and beside pyAgrum and pgmpy where they are installed.

    PPGEN_DATA=... python benchmarks/bayesnet_structure.py
    PPGEN_DATA=... python benchmarks/bayesnet_structure.py --sections sachs

Orders: 10,000 rows of each network, the columns in so many random orders: F1 of the skeleton, how
many different skeletons there are, and seconds from rows in memory to the graph; peers climb hills
by the same score, pyAgrum on one thread, its reading of the file not counted. Gaps: the same with
values lost at random, the columns as they are. Sachs: flow cytometry under nine conditions, the
graph learnt with and without allowing for which node was set, beside the accepted one. Values are
their logarithms, or cut into three levels; the rows under LY294002, whose target is no column, are
left out. Writes one JSON line at the end.

Reference: Sachs, Perez, Pe'er, Lauffenburger and Nolan, "Causal protein-signaling networks derived
from multiparameter single-cell data", 2005, https://doi.org/10.1126/science.1105809.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # before NumPy is loaded

import numpy as np  # noqa: E402

from ppgen.models.bayesnet.formats import read  # noqa: E402
from ppgen.models.bayesnet.structure.cases import Cases  # noqa: E402
from ppgen.models.bayesnet.structure.search import Search, learn  # noqa: E402

DATA = Path(os.environ.get("PPGEN_DATA", "."))
Skeleton = set[frozenset[str]]
# Of the conditions, in the order of the rows: how many rows, and the node that was set.
CONDITIONS = (
    (853, None), (902, None), (911, "akt"), (723, "pkc"), (810, "pip2"), (799, "mek"),
    (848, "ly294002"), (913, "pkc"), (707, "pka"),
)  # fmt: skip


def skeleton(edges: Any) -> Skeleton:
    return {frozenset(map(str, edge)) for edge in edges}


def f1(found: Skeleton, true: Skeleton) -> float:
    return 2 * len(found & true) / (len(found) + len(true))


def sampled(name: str) -> tuple[Cases, Skeleton]:
    """10,000 rows of a network, whose columns are in its order, and its skeleton."""
    truth = read(DATA / "bayesnets" / "bif" / f"{name}.bif.gz")
    codes = np.loadtxt(DATA / "bayesnets" / "samples10k" / f"{name}.txt.gz", int, skiprows=1) - 1
    cases = Cases(
        truth.names, truth.sizes, codes, np.full(codes.shape, np.nan), np.ones(len(codes))
    )
    return cases, skeleton(truth.dag.edges)


def peers(cases: Cases, score: str, pgmpy: bool) -> dict[str, tuple[Skeleton, float]]:
    """Skeletons and seconds of hill climbing by others."""
    import pandas as pd

    found = {}
    frame = pd.DataFrame(cases.codes, columns=list(cases.names)).astype(str)
    if importlib.util.find_spec("pyagrum"):
        import pyagrum as gum

        gum.setNumberOfThreads(1)
        with tempfile.TemporaryDirectory() as folder:
            frame.to_csv(file := f"{folder}/rows.csv", index=False)
            learner = gum.BNLearner(file)
        (learner.useScoreBIC if score == "bic" else learner.useScoreBDeu)()
        learner.useNoPrior()
        learner.useGreedyHillClimbing()
        start = time.perf_counter()
        graph = learner.learnDAG()
        seconds = time.perf_counter() - start
        edges = [[learner.nameFromId(node) for node in edge] for edge in graph.arcs()]
        found["pyagrum"] = skeleton(edges), seconds
    if pgmpy and importlib.util.find_spec("pgmpy"):
        from pgmpy.estimators import BIC, BDeu, HillClimbSearch

        start = time.perf_counter()
        search = HillClimbSearch(frame)
        by = BIC(frame) if score == "bic" else BDeu(frame)
        edges = search.estimate(scoring_method=by, show_progress=False).edges()
        found["pgmpy"] = skeleton(edges), time.perf_counter() - start
    return found


def orders(args: argparse.Namespace) -> list[dict[str, Any]]:
    out = []
    for name in args.networks:
        cases, true = sampled(name)
        for score in ("bic", "bdeu"):
            rng = np.random.default_rng(0)
            f1s: dict[str, list[float]] = {}
            seconds: dict[str, list[float]] = {}
            skeletons: dict[str, set[frozenset[frozenset[str]]]] = {}
            for k in range(args.orders):
                order = rng.permutation(len(cases.names))
                rows = cases.permuted(order)
                start = time.perf_counter()
                dag = learn(rows, Search(score=score)).dag
                found = {"ppgen": (skeleton(dag.edges), time.perf_counter() - start)}
                start = time.perf_counter()
                dag = learn(rows, Search(score=score, method="hill-climbing")).dag
                found["ppgen, climbing"] = skeleton(dag.edges), time.perf_counter() - start
                found |= peers(rows, score, pgmpy=args.pgmpy and k == 0)
                for who, (edges, took) in found.items():
                    f1s.setdefault(who, []).append(f1(edges, true))
                    seconds.setdefault(who, []).append(took)
                    skeletons.setdefault(who, set()).add(frozenset(edges))
            for who in f1s:
                row = {
                    "network": name,
                    "score": score,
                    "who": who,
                    "f1": statistics.mean(f1s[who]),
                    "skeletons": len(skeletons[who]),
                    "orders": len(f1s[who]),
                    "seconds": statistics.median(seconds[who]),
                }
                if "pyagrum" in seconds:
                    pairs = zip(seconds[who], seconds["pyagrum"], strict=False)
                    row["times_pyagrum"] = statistics.median(a / b for a, b in pairs)
                out.append(row)
                print(
                    f"{name} {score} {who}: F1 {row['f1']:.3f}, {row['skeletons']} skeletons of "
                    f"{row['orders']} orders, {row['seconds']:.2f} s, "
                    f"{row.get('times_pyagrum', float('nan')):.2f} times pyAgrum",
                    flush=True,
                )
    return out


def gaps(args: argparse.Namespace) -> list[dict[str, Any]]:
    out = []
    for name in args.networks:
        cases, true = sampled(name)
        for share in (0.02, 0.1, 0.3):
            lost = np.random.default_rng(0).random(cases.codes.shape) < share
            codes = np.where(lost, -1, cases.codes)
            rows = Cases(cases.names, cases.sizes, codes, cases.x, cases.weights)
            start = time.perf_counter()
            found = skeleton(learn(rows, Search(score="bdeu")).dag.edges)
            seconds = time.perf_counter() - start
            out.append({"network": name, "lost": share, "f1": f1(found, true), "seconds": seconds})
            print(f"{name} {share:.0%} lost: F1 {f1(found, true):.3f}, {seconds:.1f} s", flush=True)
    return out


def sachs(args: argparse.Namespace) -> list[dict[str, Any]]:
    file = DATA / "sachs" / "sachs.2005.continuous.txt"
    names = tuple(file.read_text().split(maxsplit=11)[:11])
    values = np.log(np.loadtxt(file, skiprows=1))
    accepted = (file.parent / "sachs.2005.ground.truth.graph.txt").read_text()
    true = set(re.findall(r"\d+\. (\w+) --> (\w+)", accepted))
    which = np.repeat(np.arange(len(CONDITIONS)), [rows for rows, _ in CONDITIONS])
    target = np.array([str(node) for _, node in CONDITIONS])[which]
    outside = target[:, None] == np.array(names)
    out = []
    for rows, shown in ((which < 2, "nothing set"), (target != "ly294002", "all")):
        x = values[rows]
        cuts = np.quantile(x, [1 / 3, 2 / 3], axis=0)
        levels = (x[:, None] > cuts).sum(axis=1)
        nothing = np.full(x.shape, np.nan)
        for kind, sizes, codes, own in (
            ("levels, bdeu", (3,) * 11, levels, nothing),
            ("logarithms, bge", (0,) * 11, np.full(x.shape, -1), x),
        ):
            for allowed in (False, True) if shown == "all" else (False,):
                known = outside[rows] if allowed else None
                cases = Cases(names, sizes, codes, own, np.ones(len(x)), known)
                search = Search(score="bge" if own is x else "bdeu", restarts=args.restarts)
                found = set(learn(cases, search).dag.edges)
                row = {
                    "rows": shown,
                    "values": kind,
                    "interventions": allowed,
                    "edges": len(found),
                    "adjacent": len(skeleton(found) & skeleton(true)),
                    "directed": len(found & true),
                    "f1": f1(skeleton(found), skeleton(true)),
                }
                out.append(row)
                print(
                    f"sachs, {shown} ({len(x)} rows), {kind}, interventions "
                    f"{'allowed for' if allowed else 'ignored'}: {row['edges']} edges, of the "
                    f"accepted {len(true)} {row['adjacent']} adjacent, {row['directed']} directed; "
                    f"F1 {row['f1']:.2f}",
                    flush=True,
                )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sections = {"orders": orders, "gaps": gaps, "sachs": sachs}
    parser.add_argument("--sections", nargs="+", choices=sections, default=list(sections))
    parser.add_argument("--networks", nargs="+", default=["asia", "alarm"])
    parser.add_argument("--orders", type=int, default=20, help="of columns")
    parser.add_argument("--pgmpy", action="store_true", help="once, which takes 10 s or more")
    parser.add_argument("--restarts", type=int, default=3, help="of the search for Sachs's graph")
    args = parser.parse_args()
    found = {name: sections[name](args) for name in args.sections}
    print(json.dumps({"benchmark": "bayesnet_structure", **found}))


if __name__ == "__main__":
    main()
