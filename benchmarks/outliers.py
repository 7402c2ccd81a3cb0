"""Outliers without labels: `ppgen.outliers` beside its parts, scikit-learn and ppgen's models.

    PPGEN_DATA=... python benchmarks/outliers.py
    PPGEN_DATA=... python benchmarks/outliers.py --seeds 0 1 2 --models gmm kde vae --minutes 0.2

Half of the usual rows are fitted to, the others and all outliers are scored: area under the ROC
curve, ties counting half, a line a set and the means at the end. Models score by their density, or
by how badly they reconstruct where they have none. scikit-learn's columns are standardised; its
mixture has five full covariances. Data: `adbench_classical/*.npz` below PPGEN_DATA (X, and y that
is 1 for an outlier). A JSON line stands at the end.

Reference: ADBench: anomaly detection benchmark (Han, Hu, Huang, Jiang, Zhao, 2022)
https://arxiv.org/abs/2206.09426
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import ppgen
from ppgen.models import registry


def halves(path: Path, seed: int, most: int) -> tuple[Any, Any, Any]:
    """Rows to fit to, rows to score, and which of these are outliers."""
    with np.load(path) as held:
        X, y = held["X"].astype(float), held["y"].astype(bool)
    rng = np.random.default_rng(seed)
    usual = rng.permutation(np.flatnonzero(~y))
    fit = usual[: len(usual) // 2][:most]
    scored = np.concatenate([usual[len(usual) // 2 :][:most], np.flatnonzero(y)])
    return X[fit], X[scored], y[scored]


def peers(fit: Any, rows: Any, seed: int) -> dict[str, Any]:
    """Scores by scikit-learn."""
    from sklearn.ensemble import IsolationForest
    from sklearn.mixture import GaussianMixture
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(fit)
    a, b = scaler.transform(fit), scaler.transform(rows)
    k = min(5, len(a) // 10)
    mixture = GaussianMixture(k, reg_covar=1e-3, random_state=seed).fit(a)
    forest = IsolationForest(random_state=seed).fit(a)
    near = NearestNeighbors(n_neighbors=5).fit(a).kneighbors(b)[0]
    return {
        "sklearn mixture": -mixture.score_samples(b),
        "sklearn 5-NN": near.mean(axis=1),
        "sklearn forest": -forest.score_samples(b),
    }


def by_model(name: str, fit: Any, rows: Any, seed: int, minutes: float) -> Any:
    """Scores by a model of ppgen."""
    model = registry.get(name)(random_state=seed).fit(fit, budget=60 * minutes)
    if model.capabilities.density:
        return -np.nan_to_num(model.score_samples(rows), neginf=-1e300)
    return model.reconstruction_error(rows)


def compared(path: Path, seed: int, args: argparse.Namespace) -> dict[str, float]:
    """AUROC of each, and the seconds that `ppgen.outliers` took."""
    from sklearn.metrics import roc_auc_score

    fit, rows, wrong = halves(path, seed, args.rows)
    began = time.perf_counter()
    found = ppgen.outliers(rows, fit, seed=seed)
    seconds = time.perf_counter() - began
    scores = {"ppgen.outliers": found.score, **found.parts, **peers(fit, rows, seed)}
    scores |= {name: by_model(name, fit, rows, seed, args.minutes) for name in args.models}
    line = {name: float(roc_auc_score(wrong, values)) for name, values in scores.items()}
    shown = ", ".join(f"{name} {value:.3f}" for name, value in line.items())
    size = f"{fit.shape[0]} x {fit.shape[1]}"
    print(f"{path.stem}, seed {seed}, {size}: {shown}; {seconds:.1f} s", flush=True)
    return line | {"seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sets", nargs="+", help="names of the sets, or parts of them; all if none"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--models", nargs="+", default=[], help="models of ppgen")
    parser.add_argument("--minutes", type=float, default=0.2, help="of each fit of a model")
    parser.add_argument("--rows", type=int, default=10_000, help="usual ones fitted to, and scored")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    paths = sorted((Path(os.environ["PPGEN_DATA"]) / "adbench_classical").glob("*.npz"))
    if args.sets:
        paths = [p for p in paths if any(name in p.stem for name in args.sets)]
    lines = {
        f"{path.stem}/{seed}": compared(path, seed, args) for path in paths for seed in args.seeds
    }
    means = {
        name: float(np.mean([line[name] for line in lines.values()]))
        for name in next(iter(lines.values()))
    }
    print("mean: " + ", ".join(f"{name} {value:.3f}" for name, value in means.items()))
    print(json.dumps({"means": means, "sets": lines}))


if __name__ == "__main__":
    main()
