"""Draws of latents for scores: each row has a generator of its own, so that a score is a pure
function of the row, whatever rows stand beside it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...inference.local_sites_pyro import Draw, total
from .priors import carried
from .trained_nets import TrainedNets

_FEWEST = 16  # rows encoded at a time


class RowDraws:
    """What is drawn for n rows.

    Args:
        seeds: (n,) of the rows.
    """

    def __init__(self, seeds: NDArray[np.uint64], net: TrainedNets) -> None:
        self.net = net
        self._generators = [torch.Generator().manual_seed(int(s) & (2**63 - 1)) for s in seeds]

    def latents(self, k: int) -> Draw:
        """Draws (k, m, ...) of sites, as `TrainedNets.guided` takes them: m is n, or a multiple of
        it where all rows are given several times over."""
        pool = self._normal(k, sum(self.net.architecture.latent))

        def by(name: str, fn: Any, samples: int) -> Tensor:
            nonlocal pool
            size, times = math.prod(fn.event_shape), fn.batch_shape[-1] // len(self._generators)
            if pool.shape[-1] < size:
                pool = self._normal(k, size)
            noise, pool = pool[..., :size], pool[..., size:]
            noise = noise.repeat(1, times, 1).to(self.net.device, torch.get_default_dtype())
            return carried(fn, noise.reshape(k, -1, *fn.event_shape))

        return by

    def _normal(self, k: int, size: int) -> Tensor:
        return torch.stack([torch.randn(k, size, generator=g) for g in self._generators], 1)

    def guided(self, y: Tensor, context: Tensor | None, k: int) -> tuple[dict[str, Tensor], Tensor]:
        """Latents (k, n, ...) of each site drawn for rows y (n, D), and (k, n) log q(z | x).

        Products of a few rows round otherwise than those of many, so that few are encoded several
        times over: a row is encoded the same beside any others.
        """
        n = len(y)
        times = -(-_FEWEST // n)
        if times > 1:
            y = y.repeat(times, 1)
            context = None if context is None else context.repeat(times, 1)
        q = self.net.guided(y, context, k, self.latents(k))
        return {name: site["value"][:, :n] for name, site in q.items()}, total(q)[:, :n]

    def filled(self, stored: Tensor, k: int) -> Tensor:
        """Model values of stored rows (n, D): (k, n, D) with their cells filled in, where they are;
        else (n, D)."""
        u = None
        if self.net.values.filled:
            drawn = [torch.rand(k, stored.shape[1], generator=g) for g in self._generators]
            u = torch.stack(drawn, 1).to(self.net.device)
        y: Tensor = self.net.values.enter(stored, u)
        return y
