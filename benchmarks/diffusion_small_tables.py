"""Small tables: do samples cover rows held out, and how far must they be moved to become them?

    PPGEN_DATA=... python benchmarks/diffusion_small_tables.py --seconds 20
    PPGEN_DATA=... python benchmarks/diffusion_small_tables.py --models gmm forestflow --seeds 0

The protocol is that of "Generating and imputing tabular data via diffusion and flow-based
gradient-boosted trees" (Jolicoeur-Martineau, Fatras, Kachman, 2024),
https://arxiv.org/abs/2309.09968, on those of its 27 sets that are here: splits of 80 and 20 %, five
sets of as many samples as rows fitted. Numbers are scaled to [0, 1] by the rows fitted, levels are
indicators of 1/2, distances are absolute differences (Gower's).

- `w1`: the Wasserstein distance of samples and rows: the mean distance of an optimal pairing. Of
  the rows held out there are fewer than samples: each is paired with as many samples as the others,
  up to one.
- `coverage`: the share of rows that have a sample nearer than their k-th neighbour among the rows,
  k one above the least at which 95 % of rows have no copy of their own as near.
- `real_w1`, `real_coverage`: the same with the rows fitted in the place of samples.
- `seconds`: of the fit and of all samples.

`published` has what the paper's own results say of its ForestFlow on 10 to 20 cores; `forestflow`
runs it here, where the package ForestDiffusion is installed. The diffusion model holds no rows out:
the loss that would choose its weights is one for densities.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CLASSES = {
    "diffusion": "Diffusion",
    "gmm": "GaussianMixture",
    "gan": "GAN",
    "flow": "NormalizingFlow",
}
GENERATIONS = 5

# W1 and coverage of rows held out, and seconds, of ForestFlow.
PUBLISHED = {
    "iris": (0.3282, 0.9311, 12.4),
    "wine": (1.4206, 0.9537, 68.0),
    "breast_cancer": (1.7488, 0.9760, 254.8),
    "concrete": (0.5423, 0.8890, 25.8),
    "yacht": (0.5373, 0.9409, 10.6),
    "airfoil": (0.2563, 0.9446, 17.3),
    "wine_red": (0.5160, 0.9727, 46.7),
}
LABELLED = ("iris", "wine", "breast_cancer")  # the last column is a class


def rows_of(name: str) -> Floats:
    """(n, d) rows of a set, the target last."""
    if name in LABELLED:
        from sklearn import datasets

        found = getattr(datasets, f"load_{name}")()
        return np.column_stack([found.data, found.target])
    root = Path(os.environ["PPGEN_DATA"])
    if name == "airfoil":
        return np.loadtxt(root / "uci_datasets" / "airfoil" / "data.csv.gz", delimiter=",")
    folder = {"concrete": "concrete", "yacht": "yacht", "wine_red": "wine-quality-red"}[name]
    return np.loadtxt(root / "uci_regression_splits" / folder / "data" / "data.txt")


def split(name: str, seed: int) -> tuple[Floats, Floats]:
    """Rows to fit and rows held out."""
    from sklearn.model_selection import train_test_split

    rows = rows_of(name)
    classes = rows[:, -1] if name in LABELLED else None
    fitted, held = train_test_split(rows, test_size=0.2, random_state=seed, stratify=classes)
    return fitted, held


# Samples (5, n, d), and the seconds that they took


def of_ppgen(model: str, name: str, rows: Floats, seed: int, given: Any) -> Floats:
    """Samples of a model of ppgen, whose settings and budget are given."""
    import ppgen

    columns: dict[str, Any] = {f"x{j}": rows[:, j] for j in range(rows.shape[1])}
    if name in LABELLED:
        columns[f"x{rows.shape[1] - 1}"] = np.array([f"c{c:.0f}" for c in rows[:, -1]])
    settings = {"hold_out": False, **given.settings} if model == "diffusion" else {}
    made = getattr(ppgen, CLASSES[model])(random_state=seed, **settings)
    made.fit(columns, budget=given.seconds or None)
    drawn = made.sample(GENERATIONS * len(rows), random_state=seed + 1)
    if name in LABELLED:
        drawn[f"x{rows.shape[1] - 1}"] = [float(c[1:]) for c in drawn[f"x{rows.shape[1] - 1}"]]
    table = np.column_stack([np.asarray(drawn[c], np.float64) for c in columns])
    return table.reshape(GENERATIONS, *rows.shape)


def of_forest(name: str, rows: Floats, seed: int, given: Any) -> Floats:
    """Samples of ForestFlow with the settings of the paper."""
    from ForestDiffusion import ForestDiffusionModel

    labelled = name in LABELLED
    whole = {"concrete": [7], "wine_red": [rows.shape[1] - 1]}.get(name, [])
    made = ForestDiffusionModel(
        X=rows[:, :-1] if labelled else rows,
        label_y=rows[:, -1] if labelled else None,
        n_t=50,
        diffusion_type="flow",
        duplicate_K=100,
        int_indexes=whole,
        n_jobs=given.threads or -1,
        seed=seed,
    )
    drawn = made.generate(batch_size=GENERATIONS * len(rows))
    return np.asarray(drawn, np.float64).reshape(GENERATIONS, *rows.shape)


# Scores


def scaled(name: str, rows: Floats, fitted: Floats) -> Floats:
    """Rows in the coordinates that distances are taken in."""
    low, high = fitted.min(0), fitted.max(0)
    out = (rows - low) / np.where(high > low, high - low, 1.0)
    if name not in LABELLED:
        return out
    classes = np.unique(fitted[:, -1])
    return np.column_stack([out[:, :-1], (rows[:, -1:] == classes) / 2])


def w1(samples: Floats, rows: Floats, rng: np.random.Generator) -> float:
    """The mean distance of an optimal pairing of n samples with m <= n rows."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    every, rest = divmod(len(samples), len(rows))
    once_more = rng.permutation(len(rows))[:rest]
    at = np.concatenate([np.repeat(np.arange(len(rows)), every), once_more])
    cost = cdist(samples, rows[at], "cityblock")
    return float(cost[linear_sum_assignment(cost)].mean())


def coverage(samples: Floats, rows: Floats) -> float:
    """The share of rows that have a sample nearer than their k-th neighbour."""
    from scipy.spatial.distance import cdist

    among = np.sort(cdist(rows, rows, "cityblock"), axis=1)  # the first is the row itself
    k = next(k for k in range(1, len(rows)) if (among[:, k] > 0).mean() >= 0.95) + 1
    nearest = cdist(rows, samples, "cityblock").min(axis=1)
    return float((nearest < among[:, min(k, len(rows) - 1)]).mean())


def judged(name: str, seed: int, make: Callable[[str, Floats, int], Floats]) -> dict[str, Any]:
    """Fit and score on one split."""
    fitted, held = split(name, seed)
    began, cpu = time.perf_counter(), time.process_time()
    samples = make(name, fitted, seed)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    rng = np.random.default_rng(seed)
    a, b = scaled(name, fitted, fitted), scaled(name, held, fitted)
    each = [scaled(name, rows, fitted) for rows in samples]
    return {
        "rows": len(fitted),
        "w1": float(np.mean([w1(rows, b, rng) for rows in each])),
        "real_w1": w1(a, b, rng),
        "w1_fitted": w1(each[0], a, rng),
        "coverage": float(np.mean([coverage(rows, b) for rows in each])),
        "real_coverage": coverage(a, b),
        "seconds": took,
        "cpu_seconds": cpu,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=list(PUBLISHED), choices=list(PUBLISHED))
    parser.add_argument(
        "--models", nargs="+", default=["diffusion"], choices=[*CLASSES, "forestflow"]
    )
    parser.add_argument("--seconds", type=float, default=20, help="of a fit; 0: no budget")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=JSON", help="of the diffusion"
    )
    given = parser.parse_args()
    given.settings = {k: json.loads(v) for k, v in (pair.split("=", 1) for pair in given.set)}
    if given.threads and given.models != ["forestflow"]:
        import torch

        torch.set_num_threads(given.threads)
    for model in given.models:
        found = []
        for name in given.tables:
            for seed in given.seeds:

                def make(name: str, rows: Floats, seed: int, model: str = model) -> Floats:
                    if model == "forestflow":
                        return of_forest(name, rows, seed, given)
                    return of_ppgen(model, name, rows, seed, given)

                line = judged(name, seed, make)
                about = {"benchmark": "diffusion_small_tables", "model": model, "table": name}
                found.append({**about, "seed": seed, **line, "published": PUBLISHED[name]})
                print(json.dumps(found[-1]), flush=True)
        mean = {
            key: float(np.mean([line[key] for line in found]))
            for key in ("w1", "real_w1", "coverage", "real_coverage", "seconds", "cpu_seconds")
        }
        forest = np.mean([line["published"] for line in found], axis=0).tolist()
        whole = {"model": model, "table": "all", "settings": given.settings, **mean}
        print(json.dumps({"benchmark": "diffusion_small_tables", **whole, "published": forest}))


if __name__ == "__main__":
    main()
