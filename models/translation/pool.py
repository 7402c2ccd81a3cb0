"""The image pool: discriminators see translations of the last steps, not of this one alone.

    each fake y' of a step:   with probability 1/2 an earlier one is shown in its place,
                              which y' then replaces in the pool

Until the pool is full, fakes are put in and shown as they are. What is drawn is drawn by torch's
random state, and the pool is part of the state of the training.

Reference: Shrivastava, Pfister, Tuzel, Susskind, Wang and Webb, "Learning from simulated and
unsupervised images through adversarial training", 2017, https://arxiv.org/abs/1612.07828.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Pool:
    """Earlier fakes.

    Args:
        size: how many are kept; with 0, each step's are shown as they are.
        shape: of a fake.

    Attributes:
        kept: name -> tensor, changed in place: all that the pool depends on.
    """

    def __init__(self, size: int, shape: Sequence[int], device: torch.device | str = "cpu") -> None:
        self.images = torch.zeros(size, *shape, device=device)
        self.filled = torch.zeros((), dtype=torch.int64)  # on the processor: nothing waits for it

    @property
    def kept(self) -> dict[str, Tensor]:
        return {"images": self.images, "filled": self.filled}

    @torch.no_grad()
    def shown(self, fakes: Tensor) -> Tensor:
        """(n, ...) what a discriminator is shown for the fakes (n, ...) of a step."""
        size, filled = len(self.images), int(self.filled)
        new = min(len(fakes), size - filled)
        if new:
            self.images[filled : filled + new] = fakes[:new]
            self.filled += new
        rest = fakes[new:]
        if not filled or not len(rest):
            return fakes
        # Places differ, so that no fake of this step is shown in place of another.
        places = torch.randperm(filled)[: len(rest)]
        swapped = torch.rand(len(places)) < 0.5
        at, places = swapped.nonzero()[:, 0] + new, places[swapped]
        out = fakes.clone()
        out[at] = self.images[places]
        self.images[places] = fakes[at]
        return out
