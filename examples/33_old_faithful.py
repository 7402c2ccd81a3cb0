"""States that nobody sees: Old Faithful alternates between two kinds of eruptions.

Waiting times and durations in the order in which they were recorded (Azzalini and Bowman, "A look
at some data on the Old Faithful geyser", 1990), where PPGEN_DATA names the folder of the data; else
a sequence like it. A hidden Markov model finds the kinds and how one follows the other.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import ppgen
from ppgen.models.hmm.smoothing import log_gaussian, smoothed
from ppgen.models.units import units


def geyser(n: int) -> np.ndarray:
    """(n, 2) durations and waiting times, in minutes, one after the other."""
    file = Path(os.environ.get("PPGEN_DATA", "")) / "mixtures" / "faithful.csv"
    if "PPGEN_DATA" in os.environ and file.exists():
        return pd.read_csv(file)[["eruptions", "waiting"]].to_numpy(float)[:n]
    rng = np.random.default_rng(0)
    long = [True]
    while len(long) < n:
        long.append(not long[-1] or rng.random() < 0.45)
    mean = np.where(np.array(long)[:, None], [4.3, 80.0], [2.0, 54.0])
    return mean + rng.normal(size=(n, 2)) * [0.35, 6.0]


def main(out: str = "out/33", n: int = 150, num_samples: int = 300) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    y = geyser(n)
    told = {"n_states": 2, "y_units": units(y)["x_units"]}
    draws = {"num_warmup": num_samples, "num_samples": num_samples, "num_chains": 2}
    fit = ppgen.Pair("gaussian_hmm").fit(y[None], **draws, **told)
    print(fit.verdict_)

    drawn = {**fit.draws, **fit.predictive()}
    flat = {site: value.reshape(-1, *value.shape[2:]) for site, value in drawn.items()}
    # Numbers of states are arbitrary: the first is here the one of short eruptions.
    order = np.argsort(flat["mean"][:, :, 0], axis=1)
    mean = np.take_along_axis(flat["mean"], order[..., None], axis=1)
    scale = np.take_along_axis(flat["scale"], order[..., None], axis=1)
    pi = np.take_along_axis(flat["pi"], order, axis=1)
    A = np.take_along_axis(flat["A"], order[..., None], axis=1)
    A = np.take_along_axis(A, order[:, None], axis=2)
    for k, name in enumerate(("short", "long")):
        minutes, wait = mean[:, k].mean(axis=0)
        low, high = np.quantile(A[:, k, 1], [0.05, 0.95])
        print(f"{name} eruptions: {minutes:.1f} minutes, then {wait:.0f} of waiting;", end=" ")
        print(f"a long one follows with {A[:, k, 1].mean():.0%} ({low:.0%}..{high:.0%})")
    p = smoothed(pi, A, log_gaussian(y[None], mean, scale)).mean(axis=0)
    print(f"kind known with 99% of {(p.max(axis=1) > 0.99).mean():.0%} of eruptions")

    figure = Figure((8, 3), layout="constrained")
    axis = figure.subplots()
    axis.plot(y[:, 1], color="grey", linewidth=0.5)
    points = axis.scatter(range(n), y[:, 1], c=p[:, 1], cmap="coolwarm", s=12)
    figure.colorbar(points, label="probability of a long one")
    axis.set(xlabel="eruption", ylabel="minutes waited")
    figure.savefig(folder / "states.png")
    return float(A[:, 0, 1].mean())


if __name__ == "__main__":
    main(*sys.argv[1:])
