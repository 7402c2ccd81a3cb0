"""A denoising autoencoder on digits of 8 x 8 pixels: shown noisy ones, it gives clean ones."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

import ppgen


def main(out: str = "out/06", n: int = 1797, budget: str = "8s") -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    images = load_digits().images[:n].astype(np.uint8)
    train, test = images[: n * 3 // 4], images[n * 3 // 4 :]
    settings = {"latent_dim": 16, "hidden": (128,), "learning_rate": 1e-2, "random_state": 0}
    denoising = ppgen.Autoencoder(noise="salt_and_pepper", noise_level=0.2, **settings)
    denoising.fit(train, budget=budget)
    plain = ppgen.Autoencoder(**settings).fit(train, budget=budget)
    print(f"denoising: {denoising.verdict_}; plain: {plain.verdict_}")

    noisy = denoising.corrupt(test, random_state=1)
    shown = {
        "noisy": noisy,
        "plain": plain.reconstruct(noisy),
        "denoised": denoising.reconstruct(noisy),
        "clean": test,
    }
    errors = {name: float(np.mean((x - 1.0 * test) ** 2)) for name, x in shown.items()}
    print("mean squared error a pixel:", {name: round(e, 2) for name, e in errors.items()})

    figure = Figure(figsize=(7, 3.2))
    axes = figure.subplots(len(shown), 10)
    for row, (name, x) in zip(axes, shown.items(), strict=True):
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for ax, image in zip(row, x[:10], strict=True):
            ax.imshow(image, cmap="gray_r", vmin=0, vmax=16)
            ax.set(xticks=[], yticks=[])
    figure.savefig(folder / "denoising.png", bbox_inches="tight", dpi=120)
    return errors["denoised"] / errors["plain"]


if __name__ == "__main__":
    main(*sys.argv[1:])
