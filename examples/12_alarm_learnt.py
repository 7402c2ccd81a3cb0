"""A network learnt from rows, against the one that they were drawn from.

The patient monitor of ALARM (37 nodes) where PPGEN_DATA names the folder of the data; else a random
network of 15 nodes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

import ppgen
from ppgen.inference.dag import DAG
from ppgen.models.bayesnet.conditionals import Table
from ppgen.models.bayesnet.network import Network
from ppgen.plotting import draw_graph


def true_network(nodes: int = 15) -> Any:
    file = Path(os.environ.get("PPGEN_DATA", "")) / "bayesnets" / "bif" / "alarm.bif.gz"
    if "PPGEN_DATA" in os.environ and file.exists():
        return ppgen.read_network(file)
    rng = np.random.default_rng(0)
    parents = [sorted(rng.choice(i, min(i, int(rng.integers(1, 3))), False)) for i in range(nodes)]
    tables = [Table(rng.dirichlet([0.5] * 3, size=(3,) * len(own))) for own in parents]
    dag = DAG(tuple(f"X{i}" for i in range(nodes)), tuple(tuple(map(int, p)) for p in parents))
    return ppgen.BayesianNetwork.of(Network(dag, tuple(tables), (("a", "b", "c"),) * nodes))


def main(out: str = "out/12", n: int = 10_000) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    truth = true_network()
    rows = truth.sample(n, random_state=0)
    model = ppgen.BayesianNetwork(random_state=0).fit(rows)
    print(f"{len(model.edges_)} edges in {model.fit_seconds_:.1f} s; {model.verdict_}")

    true, found = ({frozenset(edge) for edge in m.edges_} for m in (truth, model))
    right = len(true & found)
    print(f"of {len(true)} edges {right} are found, and {len(found - true)} besides")
    f1 = 2 * right / (len(true) + len(found))
    loss = truth.score(fresh := truth.sample(2000, random_state=1)) - model.score(fresh)
    print(f"F1 of the skeleton {f1:.2f}; {loss:.3f} nats a new row lost to the true network")

    # What rows cannot tell, the directions within an equivalence class, bears no heads.
    cpdag = model.dag_.cpdag()
    both = {(model.dag_.names[i], model.dag_.names[j]) for i, j in np.argwhere(cpdag & cpdag.T)}
    strengths = {edge: 1.0 if frozenset(edge) in true else 0.15 for edge in model.edges_}
    picture = draw_graph(
        model.dag_, strengths=strengths, undirected=both, title="Learnt; pale edges are not true"
    )
    picture.savefig(folder / "learnt.png")
    return f1


if __name__ == "__main__":
    main(*sys.argv[1:])
