"""One slope for all species is wrong in its sign; slopes that vary by species are not.

Irises with wider sepals have shorter ones, it seems: but species differ in both, and within each
of them wider sepals are longer (Fisher's irises, "The use of multiple measurements in taxonomic
problems", 1936). A species that nobody has measured is predicted as well, with less certainty.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_iris

import ppgen
from ppgen.models.units import units


def main(out: str = "out/31", n: int = 150, num_samples: int = 500) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    iris = load_iris()
    rows = np.random.default_rng(0).permutation(150)[:n]
    X, y, species = iris.data[rows, 1:2], iris.data[rows, 0], iris.target[rows]
    told, draws = units(X, y), {"num_samples": num_samples, "num_chains": 2}

    pooled = ppgen.Pair("linear_regression").fit(X, y, **draws, **told)
    one = pooled.predictive()
    print(f"one slope for all: {one['slope'].mean():+.2f} cm/cm; {pooled.verdict_}")

    known = {**told, "n_groups": 4}  # the fourth has no rows
    fit = ppgen.Pair("varying_slopes").fit(X, species, y, target_accept=0.95, **draws, **known)
    print(f"slopes by species: {fit.verdict_}")
    wide = np.linspace(X.min(), X.max(), 30)[:, None]
    figure = Figure((6, 4.5), layout="constrained")
    axis = figure.subplots()
    rises = 1.0
    for j, name in enumerate([*iris.target_names, "not seen"]):
        drawn = fit.predictive(wide, np.full(30, j), **known)
        slope = drawn["slope"][..., 0] + drawn["effect"][..., j, 1] / told["x_units"][1]
        low, high = np.quantile(drawn["y"], [0.05, 0.95], axis=(0, 1))
        print(f"  {name}: {slope.mean():+.2f}, rises with {(slope > 0).mean():.0%};", end=" ")
        print(f"90% of lengths at {wide[15, 0]:.1f} cm in {low[15]:.1f}..{high[15]:.1f} cm")
        if j < 3:
            rises = min(rises, float((slope > 0).mean()))
            axis.plot(X[species == j, 0], y[species == j], ".", color=f"C{j}")
        axis.plot(wide, drawn["y"].mean(axis=(0, 1)), color=f"C{j}", label=name)
        axis.fill_between(wide[:, 0], low, high, color=f"C{j}", alpha=0.15)
    axis.set(xlabel="width of the sepal, cm", ylabel="length, cm")
    axis.legend()
    figure.savefig(folder / "slopes.png")
    return rises


if __name__ == "__main__":
    main(*sys.argv[1:])
