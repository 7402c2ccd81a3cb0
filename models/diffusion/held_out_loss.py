"""The loss of held-out rows by which the weights are kept.

Times and noise of a row are a pure function of the row: two evaluations differ by the net alone, so
that differences as small as training's matter. A row is looked at K times, at the quantiles
(k + u) / K of the times, with u and the noise hashed from the row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from ...arrays import Floats, Hashes
from ...data.hashing import mix
from ..nets.batches import slices
from ..nets.held_out import Subset

if TYPE_CHECKING:
    from .trained import TrainedDiffusion

_BLOCK = 4096  # noisy rows at a time


class HeldOutLoss:
    """The losses of held-out rows.

    Args:
        nets: whose losses they are.
        rows: that are held out.
        looks: K.
    """

    def __init__(self, nets: TrainedDiffusion, rows: Subset, looks: int) -> None:
        x, context = rows.values()
        self.nets, self.looks = nets, looks
        self.x = nets.features(nets.tensor(x))
        self.context = None if context is None else nets.tensor(context)
        self.units = rows.units()
        u = uniform(self.units, 1)
        quantiles = torch.from_numpy((np.arange(looks) + u) / looks)
        self.t = nets.noise.times().at(quantiles.flatten()).view(-1, looks).float().to(nets.device)

    def __call__(self) -> Floats:
        """(m,) the mean loss of each row over its looks."""
        size = max(1, _BLOCK // self.looks)
        each = [self._losses(at) for at in slices(len(self.x), size)]
        return np.asarray(torch.cat(each).double().cpu().numpy())

    def _losses(self, at: slice) -> Tensor:
        x = self.x[at].repeat_interleave(self.looks, 0)
        context = self.context
        if context is not None:
            context = context[at].repeat_interleave(self.looks, 0)
        seeds = mix(self.units[at, None] + np.arange(1, self.looks + 1, dtype=np.uint64))
        eps = self.nets.tensor(ndtri(uniform(seeds.reshape(-1), x.shape[1])))
        losses = self.nets.losses(x, eps, self.t[at].reshape(-1), context)
        return losses.view(-1, self.looks).mean(1)


def uniform(seeds: Hashes, size: int) -> Floats:
    """(n, size) numbers strictly between 0 and 1, a function of each seed (n,) alone."""
    words = mix(mix(seeds)[:, None] ^ mix(np.arange(size, dtype=np.uint64)))
    return np.asarray(((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)
