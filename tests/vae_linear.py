"""Linear variational autoencoders whose density is a closed form: probabilistic PCA."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.stats import multivariate_normal

from ppgen import VAE

K, D = 2, 4


def low_rank(n: int, d: int = D, k: int = K, noise: float = 0.5, seed: int = 0) -> np.ndarray:
    """(n, d) rows that k directions explain, each column with mean 0 and variance 1."""
    rng = np.random.default_rng(seed)
    w = rng.normal(size=(d, k)) * np.linspace(3, 2, k)
    x = rng.normal(size=(n, k)) @ w.T + noise * rng.normal(size=(n, d))
    return (x - x.mean(0)) / x.std(0)


def fitted(exact: bool = True, gaps: bool = False, **settings: Any) -> VAE:
    """A linear VAE with parameters set by hand, and the exact posterior for its encoder or one that
    is off the mean and too wide; with `gaps` it is told of them, and does not listen."""
    small = {"hidden": (), "noise": "shared", "max_epochs": 1, "random_state": 0}
    rows = low_rank(200)
    if gaps:
        rows[::9, 0] = np.nan
    vae = VAE(K, **{**small, **settings}).fit(rows)
    nets, s = vae.net_.nets, 0.6
    q, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(D, K)))
    w, c = torch.tensor(q * [0.9, 0.5]).float(), torch.linspace(-0.3, 0.4, D)
    # The columns of w are orthogonal, so that the latents are independent given x.
    variance = 1 / (1 + w.square().sum(0) / s**2)
    a = variance[:, None] * w.T / s**2
    with torch.no_grad():
        nets.decoder[-1].weight.copy_(w)
        nets.decoder[-1].bias.copy_(c)
        nets.observation.log_scales["0"].fill_(np.log(s))
        encoder, features = nets.encoder[-1], nets.features
        encoder.weight.zero_()
        encoder.weight[:K, :D] = a / features.gain
        encoder.bias[:K] = a @ (features.centre - c) + (0.0 if exact else 0.3)
        encoder.bias[K:] = 0.5 * variance.log() + (0.0 if exact else 0.3)
    return vae


def moments(vae: VAE) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the encoded rows of a linear fit."""
    nets = vae.net_.nets
    w = nets.decoder[-1].weight.detach().double().numpy()
    c = nets.decoder[-1].bias.detach().double().numpy()
    s = float(nets.observation.log_scales["0"].detach().exp())
    return c, w @ w.T + s**2 * np.eye(len(c))


def conditional_mean(vae: VAE, x: np.ndarray) -> np.ndarray:
    """(n, D) encoded rows with their gaps filled by E[gap | rest] of a linear fit."""
    c, covariance = moments(vae)
    found = np.array(vae._middle(vae._dataset(x, reset=False)).x, dtype=np.float64)
    for row in found:
        lost = np.isnan(row)
        gain = np.linalg.solve(covariance[np.ix_(~lost, ~lost)], covariance[np.ix_(~lost, lost)])
        row[lost] = c[lost] + (row[~lost] - c[~lost]) @ gain
    return found


def closed_form(vae: VAE, x: np.ndarray) -> np.ndarray:
    """(n,) log p(x) of a linear fit, in the units of the data; gaps are left out."""
    (c, covariance), encoded = moments(vae), vae._middle(vae._dataset(x, reset=False))
    found = np.zeros(len(x))
    for i, row in enumerate(encoded.x):
        seen = np.flatnonzero(~np.isnan(row))
        if len(seen):
            part = multivariate_normal(c[seen], covariance[np.ix_(seen, seen)])
            found[i] = part.logpdf(row[seen])
    return found + encoded.log_det


def largest_likelihood(x: np.ndarray, k: int) -> float:
    """Mean log density of centred rows under the probabilistic PCA that fits them best: Tipping and
    Bishop, "Probabilistic principal component analysis", 1999."""
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    values, vectors = values[::-1], vectors[:, ::-1]
    rest = values[k:].mean()
    top = vectors[:, :k]
    covariance = (top * (values[:k] - rest)) @ top.T + rest * np.eye(x.shape[1])
    return float(multivariate_normal(np.zeros(x.shape[1]), covariance).logpdf(x).mean())
