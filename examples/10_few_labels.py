"""Embeddings for a classifier with few labels: ten latents against ten principal components.

The encoder learns from all images without their labels, the classifier from a few labelled ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ppgen
from ppgen.plotting.latents import latent_map_plot


def main(out: str = "out/10", labels: int = 100, budget: str = "25s") -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    pixels, digits = load_digits(return_X_y=True)
    images = (pixels / 16).reshape(-1, 8, 8).astype(np.float32)
    held = np.arange(len(images)) % 4 == 0
    few = np.flatnonzero(~held)[:labels]
    vae = ppgen.VAE(10, noise="shared", hidden=(128, 128), random_state=0)
    vae.fit(images[~held], budget=budget)
    pca = PCA(10).fit(images[~held].reshape(-1, 64))
    flat = images.reshape(-1, 64)
    accuracy = {}
    for name, codes in (("latents", vae.transform(images)), ("components", pca.transform(flat))):
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        classifier.fit(codes[few], digits[few])
        accuracy[name] = classifier.score(codes[held], digits[held])
        print(f"ten {name}, {labels} labels: {accuracy[name]:.1%} of held-out digits are right")
    found = ppgen.latent_map(vae, images[held])
    latent_map_plot(found.points, digits[held], names=("axis 1", "axis 2")).savefig(
        folder / "map.png"
    )
    # As a step of a pipeline, where the classifier's labels are no concern of the encoder's:
    pipeline = make_pipeline(
        ppgen.VAE(10, hidden=(64,), max_epochs=3, random_state=0), LogisticRegression(max_iter=500)
    )
    print(f"as a pipeline: {pipeline.fit(images[few], digits[few])}")
    return accuracy["latents"] - accuracy["components"]


if __name__ == "__main__":
    main(*sys.argv[1:])
