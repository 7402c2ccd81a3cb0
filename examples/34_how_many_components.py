"""How many components there are, left to the data: a Dirichlet-process mixture.

150 irises by the length and the width of their petals, without their species (Fisher, "The use of
multiple measurements in taxonomic problems", 1936). Chains would each stay in one of many equal
numberings of the components, so a guide is fitted to one; its verdict says how near it comes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.datasets import load_iris

import ppgen
from ppgen.models.units import units


def main(out: str = "out/34", n: int = 150, num_steps: int = 3000) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    iris = load_iris()
    rows = np.random.default_rng(0).permutation(150)[:n]
    y = iris.data[rows, 2:]
    location, scale = units(y)["x_units"]
    given = {"n_components": 10, "y_units": np.stack([location, scale])}
    pair = ppgen.Pair("dirichlet_mixture", guide="normal")
    fit = pair.fit(y, method="svi", num_steps=num_steps, num_draws=400, **given)
    print(fit.verdict_)

    flat = {site: value.reshape(-1, *value.shape[2:]) for site, value in fit.draws.items()}
    zeros = np.zeros((len(flat["nu"]), 1))
    left = np.hstack([zeros, -np.cumsum(flat["nu"], axis=1)])
    log_w = left + np.hstack([np.log(-np.expm1(-flat["nu"])), zeros])
    mean, sd = location + scale * flat["mu"], scale * flat["sigma"]

    def log_parts(at: np.ndarray) -> np.ndarray:
        """log w_k + log Normal(x; mu_k, sigma_k), (draws, n, k)."""
        log_p = norm.logpdf(at[:, None], mean[:, None], sd[:, None]).sum(axis=-1)
        return log_w[:, None] + log_p

    parts = log_parts(y)
    shares = np.exp(parts - logsumexp(parts, axis=-1, keepdims=True)).mean(axis=1)
    filled = (shares > 0.03).sum(axis=1)
    for k in np.unique(filled):
        print(f"  {k} components with more than 3% of the rows: {(filled == k).mean():.0%}")
    error = 4 * n * np.exp(-9 / flat["alpha"])
    print(f"  cut at 10 components; densities of all rows are wrong by at most {error.mean():.2g}")

    x = [np.linspace(y[:, j].min() - 0.5, y[:, j].max() + 0.5, 50) for j in range(2)]
    grid = np.stack(np.meshgrid(*x), axis=-1).reshape(-1, 2)
    log_p = logsumexp(log_parts(grid), axis=(0, 2)) - np.log(len(log_w))
    figure = Figure((5, 4), layout="constrained")
    axis = figure.subplots()
    axis.contour(*x, log_p.reshape(50, 50), levels=np.arange(-8, 2), linewidths=0.7)
    axis.scatter(*y.T, c=iris.target[rows], s=8)
    axis.set(xlabel="length of the petal, cm", ylabel="width, cm")
    figure.savefig(folder / "density.png")
    return float(filled.mean())


if __name__ == "__main__":
    main(*sys.argv[1:])
