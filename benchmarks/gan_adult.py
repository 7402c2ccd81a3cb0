"""Models of a mixed table, adult: do boosted trees tell their samples from rows held out?

    PPGEN_DATA=... python benchmarks/gan_adult.py --minutes 10
    PPGEN_DATA=... python benchmarks/gan_adult.py --models gan --minutes 2 --threads 1

- `adult`: each model is fitted to most rows, for at most so many minutes; samples are set against
  rows held out. C2ST = 1 - (2 max(AUC, 1/2) - 1), by `ppgen.two_sample`: 1 where the trees cannot
  tell them apart, 0 where they always can. Other trees on other numbers of rows give other figures.
  "?" is a level of its own. Beside it: rows trained on in the place of samples (the control), rows
  of levels that exclude each other, and coverage and copies of rows trained on, each with its value
  for real rows (see `ppgen.analysis.quality`).
- `curve`: y = f(x) of two columns: the spread of y - f(x), beside that of y, in samples.

Writes a JSON line for each model. Data: `tabular/adult-train.csv.gz` below PPGEN_DATA.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = {
    "independent": "IndependentColumns",
    "gmm": "GaussianMixture",
    "flow": "NormalizingFlow",
    "gan": "GAN",
}
HELD_OUT = 8000
EDUCATION, YEARS, RELATION, SEX = "c3", "c4", "c7", "c9"


def adult(rows: int, seed: int) -> tuple[Any, Any]:
    """Rows to fit, at most so many if not 0, and rows held out."""
    import ppgen
    from ppgen.data import as_dataset

    read = ppgen.read(Path(os.environ["PPGEN_DATA"]) / "tabular" / "adult-train.csv.gz")
    columns = dict(read.columns)
    for name, values in columns.items():
        if values.dtype == object:
            columns[name] = np.array(["?" if v is None else v for v in values], dtype=object)
        else:
            columns[name] = values.astype(np.int64)
    data = as_dataset(columns)
    order = np.random.default_rng(seed).permutation(len(data))
    kept = order[HELD_OUT : HELD_OUT + rows] if rows else order[HELD_OUT:]
    return data.take(kept), data.take(order[:HELD_OUT])


def impossible(data: Any, years: dict[Any, Any]) -> float:
    """The share of rows whose years of schooling are not those of their education, or that are
    wives and men or husbands and women."""
    c = data.columns
    wrong = np.array([years[e] != y for e, y in zip(c[EDUCATION], c[YEARS], strict=True)])
    for relation, sex in (("Husband", "Female"), ("Wife", "Male")):
        wrong |= (c[RELATION] == relation) & (c[SEX] == sex)
    return float(wrong.mean())


def compare(
    model: str, minutes: float, rows: int, seed: int, settings: dict[str, Any]
) -> dict[str, Any]:
    """Fit a model and set its samples against rows held out."""
    import ppgen
    from ppgen.analysis.features import Features
    from ppgen.analysis.quality import sample_quality
    from ppgen.data import as_dataset
    from ppgen.two_sample import two_sample

    train, test = adult(rows, seed)
    features = Features.fit(train)
    levels = [not f.is_number for f in features.columns]
    years = dict(zip(train.columns[EDUCATION], train.columns[YEARS], strict=True))

    def scale(drawn: Any) -> float:
        auc = two_sample(
            features.table(test), features.table(drawn), seed, levels=levels, most=len(test)
        ).auc
        return 1 - (2 * max(auc, 0.5) - 1)

    made = getattr(ppgen, CLASSES[model])(random_state=seed, **settings)
    began = time.process_time()
    made.fit(train, budget=60 * minutes if minutes else None)
    cpu = time.process_time() - began
    drawn = as_dataset(made.sample(len(test), random_state=seed + 1), train.schema)
    quality = sample_quality(train, test, drawn, seed=seed)
    return {
        "model": model,
        "settings": settings,
        "rows": len(train),
        "minutes": minutes,
        "fit_seconds": made.fit_seconds_,
        "fit_cpu_seconds": cpu,
        "steps": getattr(made, "n_steps_", None),
        "c2st": scale(drawn),
        "control": scale(train.take(np.arange(min(len(train), len(test))))),
        "copies": [quality["copies"].value, quality["copies"].control],
        "coverage": [quality["coverage"].value, quality["coverage"].control],
        "impossible": impossible(drawn, years),
        "impossible_real": impossible(test, years),
        "verdict": str(made.verdict_),
    }


def curve(
    minutes: float, seed: int, settings: dict[str, Any], model: str = "gan"
) -> dict[str, Any]:
    """How near samples are to the curve that their rows lie on."""
    import ppgen

    def f(x: Any) -> Any:
        return np.sin(2 * x) + x / 2

    x = np.random.default_rng(seed).normal(size=5000)
    made = getattr(ppgen, CLASSES[model])(random_state=seed, **settings)
    made.fit({"x": x, "y": f(x)}, budget=60 * minutes if minutes else None)
    drawn = made.sample(5000, random_state=seed + 1)
    off = drawn["y"] - f(drawn["x"])
    return {
        "minutes": minutes,
        "model": model,
        "steps": made.n_steps_,
        "residual_sd": float(np.std(off)),
        "residual_median": float(np.median(np.abs(off))),
        "sd": float(np.std(f(x))),
        "correlation": float(np.corrcoef(drawn["y"], f(drawn["x"]))[0, 1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", default=["adult", "curve"])
    parser.add_argument("--models", nargs="+", default=list(CLASSES), choices=list(CLASSES))
    parser.add_argument("--minutes", type=float, default=10, help="0: without a budget")
    parser.add_argument("--rows", type=int, default=0, help="rows fitted; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=JSON", help="of the GAN")
    given = parser.parse_args()
    import torch

    if given.threads:
        torch.set_num_threads(given.threads)
    settings = {k: json.loads(v) for k, v in (pair.split("=", 1) for pair in given.set)}
    about = {
        "benchmark": "gan_adult",
        "seed": given.seed,
        "threads": torch.get_num_threads(),
        "versions": {"torch": version("torch"), "python": platform.python_version()},
    }
    for section in given.sections:
        runs: list[Any] = [lambda: curve(min(given.minutes, 2.0), given.seed, settings)]
        if section == "adult":
            runs = [
                lambda m=m: compare(
                    m, given.minutes, given.rows, given.seed, settings if m == "gan" else {}
                )
                for m in given.models
            ]
        for run in runs:
            print(json.dumps({**about, "section": section, **run()}), flush=True)


if __name__ == "__main__":
    main()
