"""The loss of held-out rows by which the weights are kept.

Times and noise of a row are a pure function of the row: two evaluations differ by the net alone,
and small differences show. A row is looked at K times, at the quantiles (k + u) / K of the times,
with u and the noise hashed from the row (see `inference.diffusion.row_noise`).

Where noise is paired with rows in training (see `coupling`), so it is among held-out rows, in
blocks as large as a batch: other noise has another flow, and a loss that the training leads away
from.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ...arrays import Floats, Hashes
from ...inference.diffusion.row_noise import row_noise
from ..nets.batches import slices
from .coupling import paired
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
        coupled: rows of a block in which noise is paired with rows; 0 for noise as it is drawn.
    """

    def __init__(
        self,
        losses: Losses,
        x: Tensor,
        context: Tensor | None,
        units: Hashes,
        times: Times,
        looks: int,
        coupled: int = 0,
    ) -> None:
        self.losses, self.x, self.context, self.looks = losses, x, context, looks
        self.units = units.astype(np.int64)
        u = torch.special.ndtr(row_noise(0, self.units, 0, 1))
        quantiles = (torch.arange(looks) + u) / looks
        self.t = times.at(quantiles.flatten()).view(-1, looks).to(x.device)
        # (K, n) the row whose noise a row has.
        self.noise_of = np.tile(np.arange(len(x)), (looks, 1))
        for at in slices(len(x), coupled) if coupled else ():
            told = None if context is None else context[at]
            for k in range(looks):
                self.noise_of[k, at] = (
                    at.start + paired(x[at], self._noise(k, at), told).cpu().numpy()
                )

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
        eps = torch.stack([self._noise(k, at) for k in range(self.looks)], 1).reshape(len(x), -1)
        losses = self.losses(x, eps, self.t[at].reshape(-1), context)
        return losses.view(-1, self.looks).mean(1)

    def _noise(self, k: int, at: slice) -> Tensor:
        """(m, F) the noise of some rows at a look."""
        units = self.units[self.noise_of[k, at]]
        return row_noise(0, units, k + 1, self.x.shape[1]).to(self.x.device)
