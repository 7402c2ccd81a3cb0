"""The loss of held-out rows by which the weights are kept.

Times and noise of a row are a pure function of the row: two evaluations differ by the net alone,
and small differences show. A row is looked at K times, at the quantiles (k + u) / K of the times,
with u and the noise hashed from the row (see `inference.diffusion.row_noise`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...arrays import Floats
from ...inference.diffusion.row_noise import row_noise
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
        self.units = rows.units().astype(np.int64)
        u = torch.special.ndtr(row_noise(0, self.units, 0, 1))
        quantiles = (torch.arange(looks) + u) / looks
        self.t = nets.noise.times().at(quantiles.flatten()).view(-1, looks).to(nets.device)

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
        each = [row_noise(0, self.units[at], k + 1, x.shape[1]) for k in range(self.looks)]
        eps = torch.stack(each, 1).reshape(len(x), -1).to(self.nets.device)
        losses = self.nets.losses(x, eps, self.t[at].reshape(-1), context)
        return losses.view(-1, self.looks).mean(1)
