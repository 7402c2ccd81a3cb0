"""Asia: what a doctor may conclude of a visit, a cough and a picture, in a network of eight nodes.

Numbers of Lauritzen and Spiegelhalter, "Local computations with probabilities on graphical
structures and their application to expert systems", 1988.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import ppgen
from ppgen.plotting import plot_network

PROBABILITY_OF_YES = {  # by the states of the parents, "yes" before "no"
    "asia": ((), 0.01),
    "smoke": ((), 0.5),
    "tuberculosis": (("asia",), [0.05, 0.01]),
    "lung cancer": (("smoke",), [0.1, 0.01]),
    "bronchitis": (("smoke",), [0.6, 0.3]),
    "either": (("tuberculosis", "lung cancer"), [[1.0, 1.0], [1.0, 0.0]]),
    "x-ray": (("either",), [0.98, 0.05]),
    "dyspnoea": (("either", "bronchitis"), [[0.9, 0.7], [0.8, 0.1]]),
}


def clinic() -> ppgen.BayesianNetwork:
    nodes = {}
    for name, (parents, p) in PROBABILITY_OF_YES.items():
        yes = np.asarray(p)
        table = np.stack([yes, 1 - yes], axis=-1)
        nodes[name] = {"states": ["yes", "no"], "parents": parents, "table": table}
    return ppgen.BayesianNetwork.of(nodes)


def main(out: str = "out/11") -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    model = clinic()
    seen: dict[str, str] = {}
    for learnt in ("", "dyspnoea", "asia", "x-ray"):
        seen |= {learnt: "yes"} if learnt else {}
        ill = {
            illness: model.query(illness, seen)["yes"]
            for illness in ("tuberculosis", "lung cancer", "bronchitis")
        }
        told = ", ".join(f"{illness} {p:.1%}" for illness, p in ill.items())
        print(f"given {', '.join(seen) or 'nothing':<22} {told}")
    print(model.query(["tuberculosis", "lung cancer"], seen))
    print(model.most_probable(seen))
    # A picture that was read as positive, but by a reader who is right nine times in ten:
    unsure = model.query("either", {"x-ray": ppgen.Likelihood({"yes": 0.9, "no": 0.1})})
    print(f"an unsure picture alone: either {unsure['yes']:.1%}")
    plot_network(model, seen, title="Dyspnoea after a visit to Asia").savefig(folder / "asia.png")
    return float(ill["tuberculosis"])


if __name__ == "__main__":
    main(*sys.argv[1:])
