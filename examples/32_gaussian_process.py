"""A curve of unknown form, and which inputs it depends on: a Gaussian process.

How intense the colour of 178 wines is, by their flavanoids and their ash (Aeberhard and Forina,
"Wine recognition data", 1991). A long length scale says that an input matters less; a straight line
is worse on wines left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_wine

import ppgen
from ppgen.models.units import units


def main(out: str = "out/32", n: int = 80, num_samples: int = 300) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    wine = load_wine()
    order = np.random.default_rng(0).permutation(178)
    names = ["flavanoids", "ash"]
    X = wine.data[order][:, [wine.feature_names.index(name) for name in names]]
    y = wine.data[order, wine.feature_names.index("color_intensity")]
    told = units(X[:n], y[:n])
    draws = {"num_warmup": num_samples, "num_samples": num_samples, "num_chains": 2}

    line = ppgen.Pair("linear_regression").fit(X[:n], y[:n], **draws, **told)
    curve = ppgen.Pair("gp_regression").fit(X[:n], y[:n], **draws, **told)
    seen = {"X_seen": X[:n], "y_seen": y[:n], **told}
    errors = {}
    for name, fit, given in (("line", line, told), ("curve", curve, seen)):
        drawn = fit.predictive(X[n:], n_draws=200, **given)["y"]
        errors[name] = float(np.sqrt(np.mean((drawn.mean(axis=(0, 1)) - y[n:]) ** 2)))
        low, high = np.quantile(drawn, [0.05, 0.95], axis=(0, 1))
        inside = np.mean((low < y[n:]) & (y[n:] < high))
        print(f"{name}: {fit.verdict_}")
        print(f"  wines left out: off by {errors[name]:.2f}; {inside:.0%} within their 90%")
    ell = curve.draws["ell"]
    for j, name in enumerate(names):
        low, high = np.quantile(ell[..., j], [0.05, 0.95])
        print(f"  length scale of {name}: {low:.1f}..{high:.1f} standard deviations")

    grid = np.column_stack([np.linspace(0, 5, 60), np.full(60, X[:n, 1].mean())])
    drawn = curve.predictive(grid, n_draws=200, **seen)["y"]
    low, middle, high = np.quantile(drawn, [0.05, 0.5, 0.95], axis=(0, 1))
    figure = Figure((6, 4), layout="constrained")
    axis = figure.subplots()
    axis.fill_between(grid[:, 0], low, high, alpha=0.2, label="90% of wines")
    axis.plot(grid[:, 0], middle)
    axis.plot(X[:n, 0], y[:n], "k.", markersize=3)
    axis.set(xlabel="flavanoids", ylabel="intensity of the colour")
    axis.legend()
    figure.savefig(folder / "curve.png")
    return errors["curve"] / errors["line"]


if __name__ == "__main__":
    main(*sys.argv[1:])
