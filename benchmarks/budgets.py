"""Seconds of the processor that a fit with a budget takes, by a clock that is the processor's: what
others do on the machine does not count.

    python benchmarks/budgets.py cyclegan pictures 5
"""

from __future__ import annotations

import sys
import time

time.perf_counter = time.process_time

import numpy as np  # noqa: E402

import ppgen  # noqa: E402

MODELS = {
    "flow": ppgen.NormalizingFlow,
    "nsf": lambda **how: ppgen.NormalizingFlow("nsf", **how),
    "nsf-numpyro": lambda **how: ppgen.NormalizingFlow("nsf", backend="numpyro", **how),
    "vae": lambda **how: ppgen.VAE(8, **how),
    "vae-numpyro": lambda **how: ppgen.VAE(8, backend="numpyro", **how),
    "gan": ppgen.GAN,
    "progressive-gan": ppgen.ProgressiveGAN,
    "autoencoder": lambda **how: ppgen.Autoencoder(8, **how),
    "debias": lambda **how: ppgen.DebiasingVAE(8, **how),
    "pix2pix": ppgen.PairedTranslation,
    "cyclegan": ppgen.CycleGAN,
    "diffusion": ppgen.Diffusion,
    "gmm": ppgen.GaussianMixture,
    "gmm-svi": lambda **how: ppgen.GaussianMixture(4, engine="svi", **how),
    "factor": ppgen.FactorAnalysis,
    "bayesnet": ppgen.BayesianNetwork,
}


def table(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """(n, d) numbers, some skewed and some bent."""
    x = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) / d**0.5
    x[:, 0] = np.exp(x[:, 0])
    x[:, 1] = 0.2 * x[:, 0] ** 2 + 0.3 * x[:, 1]
    return x


def pictures(rng: np.random.Generator) -> np.ndarray:
    """(150, 200, 200, 3) pictures of squares with noise."""
    squares = rng.random((150, 3, 5, 5)).repeat(40, 2).repeat(40, 3).transpose(0, 2, 3, 1)
    noisy = np.clip(squares + 0.1 * rng.normal(size=squares.shape), 0, 1)
    return (255 * noisy).astype(np.uint8)


DATA = {
    "pictures": pictures,
    "table": lambda rng: table(rng, 2000, 8),
    "large": lambda rng: table(rng, 200_000, 50),
}


def main(name: str, data: str, seconds: str) -> None:
    rng = np.random.default_rng(0)
    X, y = DATA[data](rng), None
    if name == "debias":
        y = rng.integers(0, 2, len(X))
    elif name in ("pix2pix", "cyclegan"):
        y = pictures(rng)
    model, began = MODELS[name](random_state=0), time.process_time()
    model.fit(X, y, budget=float(seconds))
    took = time.process_time() - began
    print(f"{name} {data}: asked {seconds} s, took {took:.1f}; {model.verdict_}")


if __name__ == "__main__":
    main(*sys.argv[1:])
