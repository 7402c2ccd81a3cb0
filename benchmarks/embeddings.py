"""Ten latents of MNIST for a classifier with 1,000 labels, against ten principal components.

    PPGEN_DATA=... python benchmarks/embeddings.py --seconds 120 --seeds 5

The encoder learns from 50,000 of the training images without their labels; a logistic regression on
its standardised codes learns from 1,000 of them with labels, drawn anew for each seed; accuracy is
that on the remaining 10,000 images, which nothing else is done with. Codes: `Autoencoder` (MLP and
convolutional), `VAE`, and scikit-learn's `PCA`. Fits are of seed 0; the error bars are those of the
labels drawn. Writes a JSON line.
"""

from __future__ import annotations

import argparse
import json
import platform
from importlib.metadata import version
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

K, LABELS, HELD = 10, 1000, 10_000


def codes(name: str, images: Any, seconds: float) -> Any:
    """(n, 10) codes of all images, by an encoder that saw those before the last 10,000."""
    import ppgen

    train = images[:-HELD]
    if name == "pca":
        return (
            PCA(K, random_state=0)
            .fit(train.reshape(len(train), -1))
            .transform(images.reshape(len(images), -1))
        )
    settings: dict[str, Any] = {"random_state": 0}
    if name == "vae":
        model: Any = ppgen.VAE(K, **settings)
    else:
        model = ppgen.Autoencoder(K, kind=name.removeprefix("autoencoder-"), **settings)
    return model.fit(train, budget=seconds).transform(images)


def accuracies(z: Any, digits: Any, seeds: int) -> Any:
    """(seeds,) accuracy on the last 10,000 images, from 1,000 labels of the others."""
    found = []
    for seed in range(seeds):
        few = np.random.default_rng(seed).choice(len(z) - HELD, LABELS, replace=False)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        found.append(model.fit(z[few], digits[few]).score(z[-HELD:], digits[-HELD:]))
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120, help="for each encoder")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    import torch

    import ppgen

    data = ppgen.read("mnist").train
    images, digits = data.images[:60_000, 0], np.asarray(data.target)[:60_000]
    found = {}
    for name in ("pca", "autoencoder-mlp", "autoencoder-conv", "vae"):
        a = accuracies(codes(name, images, given.seconds), digits, given.seeds)
        found[name] = a
        more = "" if name == "pca" else f"; {a.mean() - found['pca'].mean():+.4f} to PCA, "
        if name != "pca":
            gain = a - found["pca"]
            more += f"paired SE {gain.std(ddof=1) / len(gain) ** 0.5:.4f}"
        se = a.std(ddof=1) / len(a) ** 0.5
        print(f"{name}: {a.mean():.4f} ± {se:.4f}{more}", flush=True)
    line = {
        "benchmark": "embeddings",
        "seconds": given.seconds,
        "threads": torch.get_num_threads(),
        "accuracy": {name: a.tolist() for name, a in found.items()},
        "versions": {
            "torch": version("torch"),
            "scikit-learn": version("scikit-learn"),
            "python": platform.python_version(),
        },
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
