"""Digits through two latents and through five: what a larger code keeps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import ppgen
from ppgen.analysis.latent_map import manifold
from ppgen.plotting.latent_images import latent_manifold, latent_map_plot, reconstruction_strip


def main(out: str = "out/07", n: int = 1797, budget: str = "25s") -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    pixels, digits = load_digits(return_X_y=True)
    images = (pixels[:n] / 16).reshape(-1, 8, 8).astype(np.float32)
    held = np.arange(len(images)) % 5 == 0
    made: dict[str, Any] = {}
    errors = []
    for k in (2, 5):
        vae = ppgen.VAE(k, noise="shared", hidden=(128, 128), random_state=0)
        vae.fit(images[~held], budget=budget)
        found = vae.reconstruct(images[held])
        errors.append(float(np.mean((found - images[held]) ** 2)))
        density = vae.log_density(images[held])
        print(f"{k} latents: squared error {errors[-1]:.4f} a pixel; {density}; {vae.verdict_}")
        made[f"{k} latents"] = found[:16]
        if k == 2:
            codes = vae.encode(images[held])
            limits = (0.0, 1.0)
            latent_manifold(manifold(vae, X=images[~held]).images, limits=limits).savefig(
                folder / "manifold.png"
            )
            latent_map_plot(codes, digits[:n][held], names=("z 1", "z 2")).savefig(
                folder / "map.png"
            )
    strip = reconstruction_strip(images[held][:16], made, limits=(0.0, 1.0))
    strip.savefig(folder / "reconstructions.png")
    print(f"five latents leave {errors[1] / errors[0]:.0%} of the error of two")
    return errors[0] - errors[1]


if __name__ == "__main__":
    main(*sys.argv[1:])
