"""Embeddings for a classifier with few labels: ten numbers a digit, from a denoising autoencoder, a
VAE and principal components.

The encoders learn from all images without their labels, the classifier from a few labelled ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import ppgen
from ppgen.plotting.latent_images import latent_map_plot


def main(out: str = "out/10", labels: int = 100, budget: str = "20s") -> float:
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    pixels, digits = load_digits(return_X_y=True)
    images = (pixels / 16).reshape(-1, 8, 8).astype(np.float32)
    test = np.arange(len(images)) % 4 == 0

    denoising = ppgen.Autoencoder(10, noise="gaussian", random_state=0)
    denoising.fit(images[~test], budget=budget)
    vae = ppgen.VAE(10, noise="shared", random_state=0).fit(images[~test], budget=budget)
    flat = FunctionTransformer(lambda x: x.reshape(len(x), -1))
    codes = {
        "autoencoder": denoising.transform(images),
        "vae": vae.transform(images),
        "components": make_pipeline(flat, PCA(10)).fit(images[~test]).transform(images),
    }
    right: dict[str, list[float]] = {name: [] for name in codes}
    for seed in range(5):
        few = np.random.default_rng(seed).choice(np.flatnonzero(~test), labels, replace=False)
        for name, z in codes.items():
            classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
            classifier.fit(z[few], digits[few])
            right[name].append(classifier.score(z[test], digits[test]))
    print(f"held-out digits that are right, {labels} labels drawn five times:")
    for name, shares in right.items():
        print(f"  {name:<12}{np.mean(shares):.1%} ± {np.std(shares, ddof=1) / 5**0.5:.1%}")

    found = ppgen.latent_map(denoising, images[test])
    latent_map_plot(found.points, digits[test], names=("axis 1", "axis 2")).savefig(
        folder / "map.png"
    )
    # As a step of a pipeline, whose labels are no concern of the encoder's:
    encoder = ppgen.Autoencoder(10, hidden=(64,), max_epochs=20, random_state=0)
    pipeline = make_pipeline(encoder, LogisticRegression(max_iter=2000))
    score = pipeline.fit(images[~test], digits[~test]).score(images[test], digits[test])
    print(f"as a pipeline, with all labels: {score:.1%}")
    return float(np.mean(right["autoencoder"]) - np.mean(right["components"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
