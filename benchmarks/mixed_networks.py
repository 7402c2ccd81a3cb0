"""Exact inference in Gaussian and mixed networks: speed and agreement.

    PPGEN_DATA=... python benchmarks/mixed_networks.py            a minute

Gaussian: ecoli70 (46 nodes). One query of all marginals, beside pyAgrum's variable elimination and
pgmpy's conditional of the joint; 10,000 rows with one pattern of gaps, beside pgmpy; 10,000 rows
each with gaps of its own, which the others do not take in one call. Mixed: the network of
clgaussian.test (four discrete nodes, four continuous) with parameters learnt from its 5,000 rows;
10,000 rows with gaps in a tenth of all values. Packages that are not installed are left out.
Median seconds of repeated calls, interleaved; the first call, which plans, is given as well.
Writes one JSON line at the end.

Reference: Scutari, "Learning Bayesian networks with the bnlearn R package", 2010,
https://doi.org/10.18637/jss.v035.i03 (the networks).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ppgen.inference.conditional_gaussian import ConditionalGaussian

EVIDENCE = {"b1191": 1.0, "eutG": 0.5, "lacA": 2.0, "cspG": 1.5, "sucA": 1.0}
CLG = {"D": "AH", "F": "BC", "E": "BD", "G": "ADEF"}


def seconds(calls: dict[str, Callable[[], Any]], repeats: int) -> dict[str, tuple[float, float]]:
    """First and median seconds of each call, interleaved."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - begin)
    return {name: (each[0], statistics.median(each[1:])) for name, each in taken.items()}


def ecoli70(folder: Path) -> tuple[list[str], list[tuple[int, ...]], list[Any]]:
    """Names, parents and conditionals."""
    read = json.loads((folder / "bayesnets/gaussian/ecoli70.json").read_text())
    names = read["nodes"]
    parents, conditionals = [], []
    for name in names:
        found = read["cpds"][name]
        b = {key: np.ravel(value)[0] for key, value in found["coefficients"].items()}
        parents.append(tuple(names.index(parent) for parent in found["parents"]))
        conditionals.append(
            (
                np.array(b["(Intercept)"]),
                np.array([b[parent] for parent in found["parents"]], dtype=float),
                np.array(np.ravel(found["variance"])[0]),
            )
        )
    return names, parents, conditionals


def peers(names: list[str], parents: Any, conditionals: Any) -> dict[str, Any]:
    """Functions from evidence to means and variances by name, of packages that are installed."""
    found: dict[str, Any] = {}
    try:
        import pyagrum as gum
        import pyagrum.clg as clg  # needs pydot and IPython as well
    except ImportError:
        pass
    else:
        gum.setNumberOfThreads(1)
        model = clg.CLG()
        for name, (b, _, variance) in zip(names, conditionals, strict=True):
            model.add(clg.GaussianVariable(name, float(b), float(np.sqrt(variance))))
        for name, ps, (_, coefficients, _) in zip(names, parents, conditionals, strict=True):
            for parent, coefficient in zip(ps, coefficients, strict=True):
                model.addArc(names[parent], name, float(coefficient))
        found["pyagrum"] = (model, clg.CLGVariableElimination)
    try:
        from pgmpy.factors.continuous import LinearGaussianCPD
        from pgmpy.models import LinearGaussianBayesianNetwork
    except ImportError:
        pass
    else:
        edges = [(names[p], name) for name, ps in zip(names, parents, strict=True) for p in ps]
        pgm = LinearGaussianBayesianNetwork(edges)
        for name, ps, (b, coefficients, variance) in zip(names, parents, conditionals, strict=True):
            beta = [float(b), *map(float, coefficients)]
            pgm.add_cpds(
                LinearGaussianCPD(name, beta, float(np.sqrt(variance)), [names[p] for p in ps])
            )
        found["pgmpy"] = pgm
    return found


def gaussian(folder: Path, repeats: int) -> dict[str, Any]:
    """Queries of ecoli70."""
    names, parents, conditionals = ecoli70(folder)
    engine = ConditionalGaussian([0] * len(names), parents, names=names)
    evidence = {names.index(name): value for name, value in EVIDENCE.items()}
    others = peers(names, parents, conditionals)
    calls: dict[str, Callable[[], Any]] = {
        "ppgen": lambda: engine.marginals(conditionals, evidence)
    }
    out: dict[str, Any] = {}
    ours = engine.marginals(conditionals, evidence)
    if "pyagrum" in others:
        model, Elimination = others["pyagrum"]

        def pyagrum() -> dict[str, tuple[float, float]]:
            elimination = Elimination(model)
            elimination.updateEvidence(EVIDENCE)
            free = [name for name in names if name not in EVIDENCE]
            return {n: (p.mu(), p.sigma() ** 2) for n in free for p in [elimination.posterior(n)]}

        calls["pyagrum"] = pyagrum
        theirs = pyagrum()
        out["off_pyagrum"] = max(
            max(abs(mean - ours.means[names.index(n)]), abs(v - ours.variances[names.index(n)]))
            for n, (mean, v) in theirs.items()
        )
    rng = np.random.default_rng(0)
    x = engine.sample(conditionals, {}, 10_000, rng)[1]
    rows = {v: x[:, v] for v in evidence}
    batch: dict[str, Callable[[], Any]] = {"ppgen": lambda: engine.marginals(conditionals, rows)}
    if "pgmpy" in others:
        import pandas as pd

        one = pd.DataFrame([EVIDENCE])
        many = pd.DataFrame({names[v]: x[:, v] for v in evidence})
        calls["pgmpy"] = lambda: others["pgmpy"].predict_probability(one)
        batch["pgmpy"] = lambda: others["pgmpy"].predict_probability(many)
        free, mean, covariance = calls["pgmpy"]()
        out["off_pgmpy"] = max(
            np.abs(mean[0] - [ours.means[names.index(n)] for n in free]).max(),
            np.abs(np.diag(covariance) - [ours.variances[names.index(n)] for n in free]).max(),
        )
    out["one_query_ms"] = in_ms(seconds(calls, repeats))
    out["rows_of_one_pattern_ms"] = in_ms(seconds(batch, repeats))
    gaps = np.where(rng.random(x.shape) < 0.1, np.nan, x)
    own = {v: gaps[:, v] for v in range(len(names))}
    out["rows_with_own_gaps_ms"] = in_ms(seconds(per_row(engine, conditionals, own), repeats // 2))
    return out


def mixed(folder: Path, repeats: int) -> dict[str, Any]:
    """Rows with gaps of clgaussian.test."""
    import pandas as pd

    frame = pd.read_csv(folder / "bayesnets/bnlearn_data/clgaussian.test.csv.gz")
    names = list(frame)
    levels = {c: sorted(frame[c].unique()) for c in names if frame[c].dtype.kind not in "fi"}
    sizes = [len(levels.get(c, ())) for c in names]
    parents = [tuple(names.index(p) for p in CLG.get(c, "")) for c in names]
    engine = ConditionalGaussian(sizes, parents, names=names)
    x = frame.copy()
    for c in levels:
        x[c] = x[c].map(levels[c].index)
    whole = {v: x[c].to_numpy() for v, c in enumerate(names)}
    # The sums do not depend on the numbers where nothing is missing.
    sums = engine.statistics(uniform(sizes, parents), whole)
    learnt: list[Any] = []
    for v, size in enumerate(sizes):
        if size:
            learnt.append(sums.counts[v] / sums.counts[v].sum(-1, keepdims=True))
        else:
            learnt.append(regression(sums.moments[v]))
    rng = np.random.default_rng(1)
    codes, values = engine.sample(learnt, {}, 10_000, rng)
    gap = rng.random(codes.shape) < 0.1
    evidence = {
        v: np.where(gap[:, v], -1, codes[:, v]) if k else np.where(gap[:, v], np.nan, values[:, v])
        for v, k in enumerate(sizes)
    }
    return {"rows_with_own_gaps_ms": in_ms(seconds(per_row(engine, learnt, evidence), repeats))}


def per_row(engine: ConditionalGaussian, conditionals: Any, evidence: Any) -> dict[str, Any]:
    """What is asked of many rows."""
    return {
        "log_z": lambda: engine.log_z(conditionals, evidence),
        "marginals": lambda: engine.marginals(conditionals, evidence),
        "statistics": lambda: engine.statistics(conditionals, evidence),
    }


def uniform(sizes: list[int], parents: list[tuple[int, ...]]) -> list[Any]:
    """Conditionals under which everything is possible."""
    out: list[Any] = []
    for v, size in enumerate(sizes):
        shape = tuple(sizes[p] for p in parents[v] if sizes[p])
        if size:
            out.append(np.full((*shape, size), 1 / size))
        else:
            m = sum(not sizes[p] for p in parents[v])
            out.append((np.zeros(shape), np.zeros((*shape, m)), np.full(shape, 1e6)))
    return out


def regression(moments: Any) -> tuple[Any, Any, Any]:
    """Maximum likelihood from the sums of a family."""
    mean = moments.first / moments.weight[..., None]
    second = moments.second / moments.weight[..., None, None]
    covariance = second - mean[..., None] * mean[..., None, :]
    b = np.linalg.solve(covariance[..., 1:, 1:], covariance[..., 1:, :1])[..., 0]
    variance = covariance[..., 0, 0] - (b * covariance[..., 0, 1:]).sum(-1)
    return mean[..., 0] - (b * mean[..., 1:]).sum(-1), b, variance


def in_ms(taken: dict[str, tuple[float, float]]) -> dict[str, dict[str, float]]:
    return {
        name: {"first": round(1e3 * first, 2), "median": round(1e3 * median, 3)}
        for name, (first, median) in taken.items()
    }


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("ppgen", "numpy", "scipy", "pyagrum", "pgmpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    folder = Path(os.environ["PPGEN_DATA"])
    line = {
        "benchmark": "mixed_networks",
        "versions": versions(),
        "ecoli70": gaussian(folder, args.repeats),
        "clgaussian": mixed(folder, args.repeats),
    }
    for part in ("ecoli70", "clgaussian"):
        for what, found in line[part].items():
            print(part, what, found)
    print(json.dumps(line))


if __name__ == "__main__":
    main()
