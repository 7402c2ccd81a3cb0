"""How often a comparison calls one of several equal models behind, and how often it sees a true
difference: `ppgen.compare` on simulated log densities.

A table has K models and S seeds. In each regime every model has the same expected log density, so
whatever is called behind is a false alarm; a table counts once, however many it calls behind.

    rows         rows' differences are Gaussian; starts add nothing (100 rows, the same each seed)
    starts       seeds' fits differ, rows hardly matter
    both         starts and rows add as much to the error of one seed's mean
    uneven       as starts, but half of the models do not depend on the start
    heavy        rows' differences have Student's t with 3 degrees of freedom, on 30 rows
    skewed       rows' differences are differences of exponentials of unequal scales, on 30 rows
    splits       each seed holds out another sixth of 600 rows; starts add as in both
    copies       as rows, each row held out in one to four copies under one name

    folds        two linear models, each of five inputs of its own, in five folds of 60 rows

With one seed nothing is known of other starts, and what is said is said of these fits: there starts
add nothing. Power: one model is better than all others by four standard errors of a paired
difference; the share of those that are called behind. Detectable: the median over tables of what
`Difference.detectable` says, in the same standard errors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.stats import binom

import ppgen

SEEDS, MODELS = (1, 3, 10), (2, 5, 20)
REGIMES = ("rows", "starts", "both", "uneven", "heavy", "skewed", "splits", "copies")
TARGET = 0.06
GAIN = 4.0  # standard errors by which the better model is better

Table = tuple[list[np.ndarray], list[np.ndarray | None]]


def table(rng: np.random.Generator, regime: str, n_seeds: int, n_models: int) -> Table:
    """Log densities (rows, models) of each seed, and the names of its rows."""
    n = 30 if regime in ("heavy", "skewed") else 600 if regime == "splits" else 100
    rows = _rows(rng, regime, n, n_models)
    rows += 3 * rng.normal(size=(n, 1))  # how likely a row is at all
    start = _start(regime, n_seeds)
    starts = start * rng.normal(size=(n_seeds, n_models))
    if regime == "uneven":
        starts[:, n_models // 2 :] = 0
    held = [np.arange(n)] * n_seeds
    if regime == "splits":
        held = [rng.permutation(n)[:100] for _ in range(n_seeds)]
    elif regime == "copies":
        held = [np.repeat(np.arange(n), 1 + np.arange(n) % 4)] * n_seeds
    values = [rows[h] + s for h, s in zip(held, starts, strict=True)]
    if n_seeds > 1:  # the fits of other starts differ on single rows too
        values = [v + 0.3 * rng.normal(size=v.shape) for v in values]
    named = regime in ("splits", "copies")
    return values, [h if named else None for h in held]


def _rows(rng: np.random.Generator, regime: str, n: int, k: int) -> np.ndarray:
    if regime == "heavy":
        return rng.standard_t(3, size=(n, k)) / math.sqrt(3)
    if regime == "skewed":
        return -(rng.exponential(size=(n, k)) - 1) * np.geomspace(0.3, 1, k)
    if regime in ("starts", "uneven"):
        return 0.3 * rng.normal(size=(n, k))
    return rng.normal(size=(n, k))


def _start(regime: str, n_seeds: int) -> float:
    if n_seeds == 1:
        return 0.0
    return {"starts": 1.0, "uneven": 1.0, "both": 0.1, "splits": 0.1}.get(regime, 0.0)


def pair_error(regime: str, n_seeds: int) -> float:
    """Standard error of one paired difference, by simulation of 2,000 pairs of models."""
    rng = np.random.default_rng(1)
    means = []
    for _ in range(200):
        values, _ = table(rng, regime, n_seeds, 20)
        mean = np.mean([v.mean(axis=0) for v in values], axis=0)
        means.append(mean[:10] - mean[10:])
    return float(np.std(means))


def compared(values: list[np.ndarray], rows: list[np.ndarray | None]) -> ppgen.study.Comparison:
    """The library's comparison of a table."""
    return ppgen.compare(
        (f"m{k}", ppgen.LogDensity(v[:, k], "exact", "simulated"), seed, names)
        for seed, (v, names) in enumerate(zip(values, rows, strict=True))
        for k in range(v.shape[1])
    )


def false_alarms(regime: str, n_seeds: int, n_models: int, tables: int, seed: int = 0) -> int:
    """How many of so many tables of equal models have one that is called behind."""
    rng = np.random.default_rng([seed, n_seeds, n_models, REGIMES.index(regime)])
    return sum(
        any(m.verdict == "behind" for m in compared(*table(rng, regime, n_seeds, n_models)))
        for _ in range(tables)
    )


def power(
    regime: str, n_seeds: int, n_models: int, tables: int, seed: int = 1
) -> tuple[float, float]:
    """The share of the others that are called behind a better model, and the median of what is
    detectable, in standard errors of a paired difference."""
    rng = np.random.default_rng([seed, n_seeds, n_models, REGIMES.index(regime)])
    error = pair_error(regime, n_seeds)
    behind, detectable = 0, []
    for _ in range(tables):
        values, rows = table(rng, regime, n_seeds, n_models)
        for v in values:
            v[:, 0] += GAIN * error
        found = compared(values, rows)
        behind += sum(m.verdict == "behind" for m in found if m.name != "m0")
        detectable += [m.difference.detectable / error for m in found if m.difference is not None]
    return behind / tables / (n_models - 1), float(np.median(detectable))


def cells() -> Iterator[tuple[str, int, int]]:
    for regime in REGIMES:
        for n_seeds in SEEDS:
            if n_seeds == 1 and regime in ("starts", "both", "uneven"):
                continue  # of one seed: as `rows`
            for n_models in MODELS:
                yield regime, n_seeds, n_models


def fold_tables(tables: int, n: int = 60, folds: int = 5) -> tuple[float, float]:
    """Share of tables with a false alarm, and the true standard error of the difference over the
    one that is stated, of two linear models of five inputs each.

    Row: z = sum of ten independent inputs, and noise of variance 1; each model regresses z on five
    of the inputs and takes the rest for noise of variance 6. They are equal by symmetry.
    """
    rng = np.random.default_rng(2)
    alarms, means, errors = 0, [], []
    for _ in range(tables):
        x = rng.normal(size=(n, 10))
        z = x.sum(axis=1) + rng.normal(size=n)
        scores = np.empty((n, 2))
        for part in np.array_split(rng.permutation(n), folds):
            train = np.setdiff1d(np.arange(n), part)
            for k, of in enumerate((slice(0, 5), slice(5, 10))):
                b = np.linalg.lstsq(x[train, of], z[train], rcond=None)[0]
                error = z[part] - x[part, of] @ b
                scores[part, k] = -0.5 * (math.log(2 * math.pi * 6) + error**2 / 6)
        found = compared([scores], [None])
        alarms += any(m.verdict == "behind" for m in found)
        means.append(scores[:, 0].mean() - scores[:, 1].mean())
        errors.append(found.models[1].difference.stderr)
    return alarms / tables, float(np.std(means) / np.sqrt(np.mean(np.square(errors))))


def run(full: bool) -> list[dict[str, Any]]:
    """What is stated and what comes of it; `full` simulates 1,000 tables a cell, not 60.

    A target is missed where so many alarms would come once in a hundred times at the target.
    """
    tables = 1000 if full else 60
    most = int(binom.isf(0.01, tables, TARGET))
    lines: list[dict[str, Any]] = []
    for regime, n_seeds, n_models in cells():
        alarms = false_alarms(regime, n_seeds, n_models, tables)
        seen, least = power(regime, n_seeds, n_models, max(10, tables // 20))
        lines.append(
            {
                "what": f"{regime}, {n_seeds} seeds, {n_models} models: false alarms a table",
                "figure": f"{alarms / tables:.1%}",
                "target": f"{TARGET:.0%}",
                "met": alarms <= most,
                "power": f"{seen:.0%}",
                "detectable": round(least, 1),
                "tables": tables,
            }
        )
    share, ratio = fold_tables(tables)
    lines.append(
        {
            "what": "folds, 2 models: false alarms a table",
            "figure": f"{share:.1%}",
            "target": "stated",
            "tables": tables,
            "true over stated error": round(ratio, 2),
        }
    )
    return lines
