"""A linear `VAE` against probabilistic PCA, whose likelihood is a closed form.

    python benchmarks/vae_ppca.py

A VAE without hidden layers, with one noise for all values, has the density of probabilistic PCA; at
its optimum the ELBO is the log-likelihood. Rows: 2,000 near a known subspace, and wine,
standardised. Prints the ELBO of the rows fitted, the largest log-likelihood, and
their difference in nats a row. Writes a JSON line.

Reference: Tipping and Bishop, "Probabilistic principal component analysis", 1999,
https://doi.org/10.1111/1467-9868.00196.
"""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from typing import Any

import numpy as np

STEPS = 3000


def subspace(n: int = 2000, d: int = 8, k: int = 3) -> Any:
    """(n, d) rows near k directions."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=(d, k)) * np.linspace(3, 2, k)
    return rng.normal(size=(n, k)) @ w.T + 0.5 * rng.normal(size=(n, d))


def wine() -> Any:
    from sklearn.datasets import load_wine

    """(178, 13) rows of scikit-learn's wine; the closed form knows no rounding, so it is filled."""
    x = load_wine().data
    return x + np.random.default_rng(0).normal(size=x.shape) * 0.02 * x.std(0)


def gap(x: Any, k: int) -> dict[str, float]:
    """ELBO and log-likelihood, means over the rows fitted, of standardised columns."""
    import ppgen

    x = (x - x.mean(0)) / x.std(0)
    vae = ppgen.VAE(
        k,
        hidden=(),
        noise="shared",
        batch_size=250,
        learning_rate=3e-2,
        max_epochs=STEPS * 250 // len(x),
        random_state=0,
    )
    vae.fit(x, validation=x)
    elbo = vae.log_density(x, method="elbo", n_samples=256).mean()
    best = largest_likelihood(x, k)
    return {"elbo": elbo, "log_likelihood": best, "gap": best - elbo}


def largest_likelihood(x: Any, k: int) -> float:
    """Mean log density of centred rows under the probabilistic PCA that fits them best."""
    d = x.shape[1]
    values = np.linalg.eigvalsh(x.T @ x / len(x))[::-1]
    noise = values[k:].mean()
    log_det = np.log(values[:k]).sum() + (d - k) * np.log(noise)
    return float(-0.5 * (d * np.log(2 * np.pi) + log_det + d))


def main() -> None:
    found = {"subspace 8-d, 3 latents": gap(subspace(), 3), "wine 13-d, 4 latents": gap(wine(), 4)}
    for name, each in found.items():
        print(name + ": " + ", ".join(f"{k} {v:.4f}" for k, v in each.items()), flush=True)
    versions = {"torch": version("torch"), "python": platform.python_version()}
    print(json.dumps({"benchmark": "vae_ppca", "found": found, "versions": versions}))


if __name__ == "__main__":
    main()
