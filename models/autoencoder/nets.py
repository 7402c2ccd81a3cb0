"""The nets of an autoencoder: z = f(y), r = g(z)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..nets.coder import Architecture, Coder
from ..nets.values import Values


class Nets(Coder):
    """Encoder and decoder of features (n, F).

    Attributes:
        ends: (2, F) least and greatest value of each feature.
    """

    ends: Tensor

    def __init__(self, a: Architecture, values: Values) -> None:
        super().__init__(a, values)
        self.register_buffer("ends", torch.zeros(2, values.features))

    def encode(self, y: Tensor) -> Tensor:
        """(n, k) codes of features."""
        return self.encoded(y)

    @torch.no_grad()
    def place(self, mean: Tensor, axes: Tensor) -> None:
        """Make linear nets the projection on `axes` (k, F) through `mean` (F,)."""
        encoder: Any = self.encoder
        decoder: Any = self.decoder
        self.centre.copy_(mean)
        self.gain.fill_(1.0)
        encoder[-1].weight.copy_(axes)
        encoder[-1].bias.zero_()
        decoder[-1].weight.copy_(axes.T)
        decoder[-1].bias.copy_(mean)
