"""The loss of held-out rows by which the weights are kept.

Times and noise of a row are a pure function of the row: two evaluations differ by the net alone,
and small differences show. A row is looked at K times, at the quantiles (k + u) / K of the times,
with u and the noise hashed from the row (see `inference.diffusion.row_noise`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ...arrays import Floats, Hashes
from ...inference.diffusion.row_noise import row_noise
from ..nets.batches import slices
from .times import Times

Losses = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]
_BLOCK = 4096  # noisy rows at a time


class HeldOutLoss:
    """The losses of held-out rows.

    Args:
        losses: (m,) of features (m, F) with noise (m, F) at times (m,), and their context.
        x: (n, F) features of the rows.
        context: (n, c), or None.
        units: (n,) hashes of the rows.
        times: their distribution.
        looks: K.
    """

    def __init__(
        self,
        losses: Losses,
        x: Tensor,
        context: Tensor | None,
        units: Hashes,
        times: Times,
        looks: int,
    ) -> None:
        self.losses, self.x, self.context, self.looks = losses, x, context, looks
        self.units = units.astype(np.int64)
        u = torch.special.ndtr(row_noise(0, self.units, 0, 1))
        quantiles = (torch.arange(looks) + u) / looks
        self.t = times.at(quantiles.flatten()).view(-1, looks).to(x.device)

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
        eps = torch.stack(each, 1).reshape(len(x), -1).to(x.device)
        losses = self.losses(x, eps, self.t[at].reshape(-1), context)
        return losses.view(-1, self.looks).mean(1)
