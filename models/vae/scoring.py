"""How likely a row is under a variational autoencoder, by importance weights from its encoder.

With z_k ~ q(z | x) and w_k = p(x | z_k) p(z_k) / q(z_k | x), E[w_k] = p(x), so that

    E[ log w_k ]  <=  E[ log (1/K) sum_k w_k ]  <=  log p(x)          (ELBO, IWAE-K, the truth).

Where whole numbers are filled in with u in [0, 1)^D, the draws are of (u, z) together:
w_k = p(y(x + u_k) | z_k) p(z_k) / q(z_k | x) has the mean of the density over the cell.

A row is encoded once. Its draws come from a seed of its own, so that a score is a pure function of
the row.

Reference: Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", 2016,
https://arxiv.org/abs/1509.00519.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import TransformedDistribution

from ...inference.threads import within_cores
from .backend_torch import TorchVAE
from .objectives import terms

Floats = NDArray[np.float64]
_FEWEST = 16  # rows encoded at a time
_DECODED = 1 << 20  # values decoded at a time: what a processor's caches hold


def log_weights(
    vae: TorchVAE,
    x: NDArray[Any],
    context: NDArray[Any] | None,
    seeds: NDArray[np.uint64],
    samples: int,
    places: list[NDArray[Any]] | None = None,
) -> Iterator[Floats]:
    """Blocks (rows, K) of log weights, rows in order.

    Args:
        x: (n, D) stored rows; the encoder sees these.
        seeds: (n,) of each row's draws.
        places: stored rows with their cells filled in, at which the first, second, ... share of the
            draws is taken; None takes all at x.
    """
    d = x.shape[1]
    at_once = max(1, _DECODED // max(d, 64))
    block = max(1, min(256, at_once // samples))
    for start in range(0, len(x), block):
        rows = slice(start, min(start + block, len(x)))
        c = None if context is None else vae.context(context[rows])
        some = [x[rows]] if places is None else [p[rows] for p in places]
        yield _block(vae, x[rows], some, c, seeds[rows], samples, at_once)


@torch.no_grad()
@within_cores()
def _block(
    vae: TorchVAE,
    x: NDArray[Any],
    places: list[NDArray[Any]],
    context: Tensor | None,
    seeds: NDArray[np.uint64],
    samples: int,
    at_once: int,
) -> Floats:
    units, nets = vae.units, vae.nets
    middle = units.tensor(x, vae.device)
    encoded = _encoded(vae, units.enter(middle), context)
    stored = [middle] if places[0] is x else [units.tensor(p, vae.device) for p in places]
    draws = RowDraws(seeds, vae)
    each = -(-samples // len(stored))
    chunk = max(1, at_once // max(len(x), 1))
    found = []
    for values in stored:
        for begin in range(0, each, chunk):
            k = min(chunk, each - begin)
            z = draws.latents(encoded, k)
            found.append(terms(nets, z, encoded, draws.filled(values, k), context).log_w.cpu())
    return np.asarray(torch.cat(found).T.double().numpy())


def _encoded(vae: TorchVAE, y: Tensor, context: Tensor | None) -> Tensor:
    """The encoding of rows y (n, D). Products of a few rows round otherwise than those of many, so
    that few are encoded several times over: a row is encoded the same beside any others."""
    n = len(y)
    if n < _FEWEST:
        times = -(-_FEWEST // n)
        y = y.repeat(times, 1)
        context = None if context is None else context.repeat(times, 1)
    encoded: Tensor = vae.nets.encode(y, context)[:n]
    return encoded


class RowDraws:
    """What is drawn for n rows, for each by a generator of its own: no row's draws depend on the
    rows beside it.

    Args:
        seeds: (n,) of the rows.
    """

    def __init__(self, seeds: NDArray[np.uint64], vae: TorchVAE) -> None:
        self.vae = vae
        self._generators = [torch.Generator().manual_seed(int(s) & (2**63 - 1)) for s in seeds]

    def latents(self, encoded: Tensor, k: int) -> list[Tensor]:
        """Latents (k, n, ...) of each layer from q."""
        size = sum(self.vae.architecture.latent)
        noise = [torch.randn(k, size, generator=g) for g in self._generators]
        return place(self.vae, encoded, torch.stack(noise, 1))

    def filled(self, stored: Tensor, k: int) -> Tensor:
        """Model values of stored rows (n, D): (k, n, D) with their cells filled in, where they are;
        else (n, D)."""
        if not self.vae.units.filled:
            return self.vae.units.enter(stored)
        u = [torch.rand(k, stored.shape[1], generator=g) for g in self._generators]
        return self.vae.units.enter(stored, torch.stack(u, 1).to(self.vae.device))


def place(vae: TorchVAE, encoded: Tensor, noise: Tensor) -> list[Tensor]:
    """Latents (K, n, k) of each layer from standard normal draws (K, n, sum k)."""
    layers = noise.to(vae.device, encoded.dtype).split(vae.architecture.latent, -1)
    z = [_carry(vae.nets.q_1(encoded), layers[0])]
    if vae.nets.n_layers == 2:
        z.append(_carry(vae.nets.q_2(z[0]), layers[1]))
    return z


def _carry(q: Any, noise: Tensor) -> Tensor:
    transforms = []
    if isinstance(q, TransformedDistribution):
        q, transforms = q.base_dist, q.transforms
    z: Tensor = q.base_dist.loc + q.base_dist.scale * noise
    for transform in transforms:
        z = transform(z)
    return z
