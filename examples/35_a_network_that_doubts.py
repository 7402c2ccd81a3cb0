"""A neural network that says where it does not know: weights with a posterior.

Three cultivars of 178 wines by two measurements (Aeberhard and Forina, "Wine recognition data",
1991). Averaged over draws of the weights, it is unsure between cultivars, the more so the farther
from all wines that it has seen.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_wine

import ppgen
from ppgen.models.units import units


def main(out: str = "out/35", n: int = 120, num_samples: int = 300, width: int = 8) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    wine = load_wine()
    order = np.random.default_rng(0).permutation(178)
    names = ["flavanoids", "color_intensity"]
    X = wine.data[order][:, [wine.feature_names.index(name) for name in names]]
    y = wine.target[order]
    given = {**units(X[:n]), "n_classes": 3, "width": width}
    draws = {"num_warmup": num_samples, "num_samples": num_samples, "num_chains": 2}
    fit = ppgen.Pair("bnn_classification").fit(X[:n], y[:n], **draws, **given)
    # Units may be renumbered: chains differ in weights whose networks are the same.
    print(f"of the weights: {fit.verdict_}")

    def probabilities(at: np.ndarray) -> np.ndarray:
        """Of each class, (chain, n, 3): how often it is drawn."""
        drawn = fit.predictive(at, n_draws=200, **given)["y"]
        return np.stack([(drawn == k).mean(axis=1) for k in range(3)], axis=-1)

    p = probabilities(X[n:])
    apart = np.abs(p[0] - p[1]).mean()
    p = p.mean(axis=0)
    right = (p.argmax(axis=1) == y[n:]).mean()
    print(f"wines left out: {right:.0%} right, {p.max(axis=1).mean():.0%} sure on average;")
    print(f"chains differ by {apart:.1%} in probabilities")
    far = probabilities(np.array([[12.0, 1.0], [2.0, 2.0]])).mean(axis=0).max(axis=1)
    print(f"sure by {far[0]:.0%} of a wine unlike any, {far[1]:.0%} of one among them")

    x = [np.linspace(0, 8, 40), np.linspace(0, 16, 40)]
    grid = np.stack(np.meshgrid(*x), axis=-1).reshape(-1, 2)
    sure = probabilities(grid).mean(axis=0).max(axis=1).reshape(40, 40)
    figure = Figure((5, 4), layout="constrained")
    axis = figure.subplots()
    shade = axis.contourf(*x, sure, levels=np.linspace(1 / 3, 1, 11), cmap="Greys_r")
    figure.colorbar(shade, label="probability of the likeliest cultivar", format="%.2f")
    axis.scatter(*X[:n].T, c=y[:n], s=10, cmap="viridis")
    axis.set(xlabel="flavanoids", ylabel="intensity of the colour")
    figure.savefig(folder / "doubt.png")
    return float(right)


if __name__ == "__main__":
    main(*sys.argv[1:])
