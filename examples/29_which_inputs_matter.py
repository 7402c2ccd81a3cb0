"""Which inputs matter: a regression on ten measurements of patients and ten columns of chance.

With normal priors every column gets a slope; a horseshoe, told that about four of them matter,
shrinks the others to 0. Data: 442 patients, the progress of diabetes after a year (Efron, Hastie,
Johnstone and Tibshirani, "Least angle regression", 2004), the columns of chance being permutations.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_diabetes

import ppgen
from ppgen.models.units import units


def main(out: str = "out/29", n: int = 120, num_samples: int = 300) -> dict[str, float]:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    patients = load_diabetes(scaled=False)
    order = rng.permutation(len(patients.data))
    X, y = patients.data[order], patients.target[order]
    X = np.column_stack([X, *(rng.permutation(column) for column in X.T)])
    names = [*patients.feature_names, *(f"chance {j + 1}" for j in range(10))]

    pair, told, errors = ppgen.Pair("linear_regression"), units(X[:n], y[:n]), {}
    draws = {"num_warmup": num_samples, "num_samples": num_samples, "num_chains": 2}
    figure = Figure((7, 5), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    for axis, (prior, horseshoe) in zip(
        axes, {"normal": None, "horseshoe": 4}.items(), strict=True
    ):
        given = {**told, "horseshoe": horseshoe}
        fit = pair.fit(X[:n], y[:n], target_accept=0.95, **draws, **given)
        predicted = fit.predictive(X[n:], n_draws=200, **given)
        error = predicted["y"].mean(axis=(0, 1)) - y[n:]
        errors[prior] = float((error**2).mean() ** 0.5)
        slope = predicted["beta"] if horseshoe else fit.draws["beta"]
        low, middle, high = np.quantile(slope, [0.05, 0.5, 0.95], axis=(0, 1))
        sure = [name for name, a, b in zip(names, low, high, strict=True) if a * b > 0]
        print(f"{prior}: {fit.verdict_}")
        print(f"  not 0 with 90%: {', '.join(sure)}; error of other patients {errors[prior]:.1f}")
        chance = np.abs(middle[10:]).mean() / np.abs(middle[:10]).mean()
        print(f"  a slope of chance is {chance:.0%} of a measurement's")
        axis.hlines(range(20), low, high)
        axis.plot(middle, range(20), "o")
        axis.axvline(0, color="grey", linewidth=0.5)
        axis.set(title=f"{prior} prior", xlabel="slope, in standard deviations")
    axes[0].set_yticks(range(20), names)
    axes[0].invert_yaxis()
    figure.savefig(folder / "slopes.png")
    return errors


if __name__ == "__main__":
    main(*sys.argv[1:])
