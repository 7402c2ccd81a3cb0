"""Shapes that come out of noise: a diffusion model of two numbers, its path, and its density.

Rows of a toy whose density is known turn into noise, and the net leads noise back to them. The
probability flow gives the density of each row, which is set beside the exact one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import ppgen
from ppgen.data.toys import TOYS


def main(
    out: str = "out/23", toy: str = "8gaussians", n: int = 20_000, budget: str = "3min", **how: Any
) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    made, rng = TOYS[toy], np.random.default_rng(0)
    rows, unseen = made.sample(n, rng), made.sample(500, rng)
    model = ppgen.Diffusion(random_state=0, **how).fit(rows, budget=budget)
    print(model.verdict_)

    found = model.log_density(unseen)
    gap = float(np.mean(made.log_density(unseen) - found.values))
    print(f"{found.describe()}: {gap:.3f} nats a row below the exact density of unseen rows")

    film = model.reverse_film(500, frames=5)
    fig, panels = plt.subplots(1, 5, figsize=(10, 2.2), layout="constrained")
    for axes, frame, share in zip(panels, film.noisy, film.shares, strict=True):
        x = frame.matrix()
        axes.plot(*x.T, ".", ms=1.5)
        axes.set(xticks=[], yticks=[], title=f"{share:.0%} noise", aspect="equal")
    fig.savefig(folder / "out_of_noise.png", dpi=150)
    plt.close(fig)

    sides = np.linspace(rows.min(0), rows.max(0), 40)
    places = np.stack(np.meshgrid(*sides.T), -1).reshape(-1, 2)
    fig, panels = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
    logs = {"the model's density": model.score_samples(places), "exact": made.log_density(places)}
    for axes, (title, log) in zip(panels, logs.items(), strict=True):
        axes.pcolormesh(*sides.T, np.exp(log).reshape(40, 40), vmin=0)
        axes.set(xticks=[], yticks=[], title=title, aspect="equal")
    fig.savefig(folder / "density.png", dpi=150)
    plt.close(fig)
    return gap


if __name__ == "__main__":
    main(*sys.argv[1:2])
