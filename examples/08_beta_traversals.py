"""Sprites whose factors are known: what each latent does at beta = 1 and at beta = 4."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import ppgen
from ppgen.analysis.disentangle import disentanglement
from ppgen.analysis.factors import Factors
from ppgen.analysis.factorvae import Rendering
from ppgen.analysis.latents import traverse
from ppgen.data.sprites import render, sprites
from ppgen.plotting.latent_images import kl_bars, traversal_grid


def main(out: str = "out/08", n: int = 4000, budget: str = "60s") -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = sprites(n, size=32, seed=0)
    images = (drawn.images > 127).astype(np.uint8)
    value = 0.0
    for beta in (1.0, 4.0):
        vae = ppgen.VAE(6, beta=beta, channels=(16, 32), random_state=0)
        vae.fit(images, budget=budget)
        scores = disentanglement(
            vae,
            images[:2000],
            Factors.of(drawn.factors[:2000], drawn.names, ["shape"]),
            render=Rendering(
                lambda factors: (render(factors, size=32) > 127).astype(np.uint8), drawn.values
            ),
        )
        print(f"beta = {beta:g}: {vae.bound(images[:1000])}\n{scores}\n{vae.verdict_}")
        walk = traverse(vae, X=images[:1000], unit="std")
        title = f"beta = {beta:g}: a row a latent, the most active first"
        traversal_grid(walk.images, limits=(0.0, 1.0), title=title).savefig(
            folder / f"traversals-{beta:g}.png"
        )
        kl_bars(vae.kl_per_latent_, title=f"beta = {beta:g}").savefig(folder / f"kl-{beta:g}.png")
        value = float(vae.kl_per_latent_.sum())
    return value


if __name__ == "__main__":
    main(*sys.argv[1:])
