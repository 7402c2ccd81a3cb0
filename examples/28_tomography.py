"""Tomography of digits: sums along rows, columns and one diagonal, with a diffusion model as prior.

The model learns what digits look like, of 8 x 8 pixels; draws from the posterior agree with what
was measured and with what digits are. A normal prior of the same digits is solved exactly beside.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

import ppgen

SIGMA = 1.0  # of a measured sum; pixels go from 0 to 16


def projections(size: int = 8) -> np.ndarray:
    """(m, size^2) the sums along rows, columns and diagonals of an image."""
    i, j = np.indices((size, size)).reshape(2, -1)
    lines = [(i, size), (j, size), (i + j, 2 * size - 1)]
    return np.concatenate([which == np.arange(n)[:, None] for which, n in lines]).astype(float)


def main(out: str = "out/28", n: int = 1797, budget: str = "60s", shown: int = 6) -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    images = load_digits().images[:n].astype(np.uint8)
    train, test = images[:-shown], images[-shown:]
    model = ppgen.Diffusion(random_state=0).fit(train, budget=budget)
    print(model.verdict_)

    a, rng = projections(), np.random.default_rng(0)
    truth = test.reshape(shown, -1).astype(float)
    measured = truth @ a.T + SIGMA * rng.normal(size=(shown, len(a)))
    draws = np.stack(
        [model.posterior_sample((a, y, SIGMA), 32, random_state=k) for k, y in enumerate(measured)]
    )

    flat = train.reshape(len(train), -1).astype(float)
    mean, covariance = flat.mean(0), np.cov(flat.T)
    gain = covariance @ a.T @ np.linalg.inv(a @ covariance @ a.T + SIGMA**2 * np.eye(len(a)))
    guesses = {
        "least squares": measured @ np.linalg.pinv(a).T,
        "normal prior": mean + (measured - mean @ a.T) @ gain.T,
        "diffusion, mean": draws.mean(1),
    }
    errors = {name: float(np.sqrt(np.mean((x - truth) ** 2))) for name, x in guesses.items()}
    print("root mean square error a pixel:", {name: round(e, 2) for name, e in errors.items()})
    off = np.sqrt(np.mean((draws @ a.T - measured[:, None]) ** 2))
    print(f"what draws say of the sums is off by {off:.2f}; the sums have noise of {SIGMA:g}")

    pictures = {"truth": truth, **guesses, "one draw": draws[:, 0], "another": draws[:, 1]}
    figure = Figure(figsize=(1.2 * shown + 2, 1.2 * len(pictures)))
    for row, (name, x) in zip(figure.subplots(len(pictures), shown), pictures.items(), strict=True):
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for ax, image in zip(row, x, strict=True):
            ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
            ax.set(xticks=[], yticks=[])
    figure.savefig(folder / "tomography.png", bbox_inches="tight", dpi=120)
    return errors["diffusion, mean"] / errors["normal prior"]


if __name__ == "__main__":
    main(*sys.argv[1:])
