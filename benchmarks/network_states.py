"""Most probable states, and problems too large for one elimination: errors, seconds, memory.

    PPGEN_DATA=... python benchmarks/network_states.py              MPE and MAP of six networks
    PPGEN_DATA=... python benchmarks/network_states.py --cutset 8   three UAI problems in 8 MiB

MPE is beside the best that 1,000 exact draws reach when one state is changed at a time, and MAP
beside the best of the draws' states: neither may be more probable. Log probabilities are evaluated
again at the states found, of MAP as log Z with these as evidence. Whatever is drawn and observed is
seeded. Cutset conditioning is beside the published marginals and log10 Z, which carry six digits.
Writes one JSON line at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

NETWORKS = ("asia", "child", "alarm", "insurance", "hailfinder", "win95pts")
PROBLEMS = ("Promedus_14", "Promedus_18", "Promedus_19")
DRAWS = 1000


def climbed(model: Any, states: Any, seen: Any) -> float:
    """The best log probability that states (n, V) reach, one that is not seen changed at a time."""

    def log_prob(x: Any) -> Any:
        with np.errstate(divide="ignore"):
            pairs = zip(model.tables, model.scopes, strict=True)
            return sum(np.log(t[tuple(x[:, v] for v in scope)]) for t, scope in pairs)

    best, before = log_prob(states), -np.inf
    while best.sum() > before:
        before = best.sum()
        for v in set(range(len(model.sizes))) - set(seen):
            for state in range(model.sizes[v]):
                other = states.copy()
                other[:, v] = state
                value = log_prob(other)
                states[value > best] = other[value > best]
                best = np.maximum(best, value)
    return float(best.max())


def states_of(name: str, folder: Path) -> dict[str, Any]:
    """Seconds and log probabilities of MPE, and of MAP of a quarter of the nodes, given three."""
    from ppgen.inference.exact import Exact
    from ppgen.inference.most_probable import most_probable
    from ppgen.inference.posterior_sampling import sample_posterior
    from ppgen.models.bayesnet import FactorGraph

    model = FactorGraph.read(folder / "bif" / f"{name}.bif.gz")
    exact = Exact(model.sizes, model.scopes, memory=1 << 30)
    rng = np.random.default_rng(0)
    nodes = rng.permutation(len(model.names)).tolist()
    seen, asked = nodes[:3], nodes[3 : 3 + len(nodes) // 4 + 1]
    row = sample_posterior(exact, model.tables, seed=1).states[0]
    evidence = {v: int(row[v]) for v in seen}
    start = time.perf_counter()
    mpe = most_probable(exact, model.tables, evidence)
    between = time.perf_counter()
    some = most_probable(exact, model.tables, evidence, asked)
    end = time.perf_counter()
    draws = sample_posterior(exact, model.tables, evidence, DRAWS, seed=0).states.astype(int)
    tried = np.unique(draws[:, asked], axis=0)
    held = {v: np.full(len(tried), state) for v, state in evidence.items()}
    of_tried = exact.log_z(model.tables, held | dict(zip(asked, tried.T, strict=True)))
    found = evidence | dict(zip(asked, map(int, some.states), strict=True))
    return {
        "network": name,
        "mpe_s": round(between - start, 4),
        "mpe": float(mpe.log_prob),
        "mpe_again": float(exact.log_z(model.tables, dict(enumerate(map(int, mpe.states))))),
        "mpe_climbed": climbed(model, draws, evidence),
        "map_s": round(end - between, 4),
        "map": float(some.log_prob),
        "map_again": float(exact.log_z(model.tables, found)),
        "map_drawn": float(np.max(of_tried)),
    }


def by_cutset(name: str, folder: Path, memory: int) -> dict[str, Any]:
    """Errors, seconds and the cutset of a UAI problem in so many bytes."""
    from ppgen.inference.cutset import Cutset
    from ppgen.inference.exact import Exact
    from ppgen.models.bayesnet import FactorGraph
    from ppgen.models.bayesnet.formats import uai
    from ppgen.models.bayesnet.formats.source import decoded, read_bytes

    def source(ending: str, kind: str = "MAR") -> Any:
        path = folder / kind / f"{name}.uai{ending}"
        return decoded(path.name, read_bytes(path))

    model = FactorGraph.of(uai.read_factors(source("")))
    evidence = uai.read_evidence(source(".evid"), model.sizes)
    exact = Exact(model.sizes, model.scopes, memory=memory)
    start = time.perf_counter()
    cutset = Cutset(exact, list(evidence))
    print(f"{name}: {cutset.assignments} assignments of {cutset.variables}", flush=True)
    chosen = time.perf_counter() - start
    found = cutset.marginals(
        model.tables, evidence, lambda partial: print(partial.done, partial.total, flush=True)
    )
    log10_z = float(found.log_z) / np.log(10)
    reference = uai.read_log10_z(source(".PR", "PR"))
    pairs = zip(found.probs, uai.read_marginals(source(".MAR")), strict=True)
    return {
        "problem": name,
        "cutset": len(cutset.variables),
        "assignments": cutset.assignments,
        "planned_gib": round(cutset.cost.bytes / 2**30, 3),
        "choosing_s": round(chosen, 2),
        "s": round(time.perf_counter() - start, 1),
        "log10_z_relative_error": abs(log10_z / reference - 1),
        "marginal_error": max(float(np.abs(p - q).max()) for p, q in pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cutset", type=float, help="MiB in which to solve three UAI problems")
    given = parser.parse_args()
    folder = Path(os.environ["PPGEN_DATA"])
    if given.cutset:
        memory = int(given.cutset * 2**20)
        with tempfile.TemporaryDirectory() as unpacked:
            with tarfile.open(folder / "uai2014" / "uai2014_dev.tar.gz") as archive:
                archive.extractall(unpacked, filter="data")
            found = [by_cutset(name, Path(unpacked) / "uai2014", memory) for name in PROBLEMS]
    else:
        found = [states_of(name, folder / "bayesnets") for name in NETWORKS]
    for each in found:
        print({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in each.items()})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    line = {"benchmark": "network_states", "found": found, "peak_gib": round(peak, 3)}
    print(json.dumps(line))


if __name__ == "__main__":
    main()
