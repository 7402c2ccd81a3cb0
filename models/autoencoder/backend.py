"""An autoencoder on torch: z = f(y), r = g(z); closed form, training, codes, errors, noise."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ...arrays import Array, Floats
from ...inference.adam import Adam
from ...inference.torch_learner import TorchLearner
from ..nets.batches import blockwise, floats, slices
from ..nets.coder import Architecture, Change, Coder, TorchCoder
from ..nets.held_out import Subset
from ..nets.values import Values
from .corrupt import corrupt
from .linear import principal

_BLOCK = 1024


class Nets(Coder):
    """Encoder and decoder of features (n, F).

    Attributes:
        ends: (2, F) least and greatest value of each feature.
    """

    ends: Tensor

    def __init__(self, a: Architecture, values: Values) -> None:
        super().__init__(a, values)
        self.register_buffer("ends", torch.zeros(2, values.features))

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


class TorchAutoencoder(TorchCoder[Nets]):
    """The nets of an autoencoder on a device."""

    made = Nets

    def take_ends(self, ends: Floats) -> None:
        """Take (2, F) the least and greatest value of each feature."""
        self.nets.ends.copy_(torch.as_tensor(ends))

    def solve(self, x: Array, weights: Floats | None, seed: int) -> None:
        """Take the linear nets with the least squared error of stored rows."""

        def blocks() -> Iterator[tuple[slice, Floats]]:
            for at in slices(len(x), _BLOCK):
                yield at, self.reconstruction.features(floats(x[at], torch.float64)).numpy()

        size, k = self.reconstruction.values.features, self.architecture.latent
        mean, axes = principal(blocks, len(x), size, k, weights, seed)
        self.nets.double().place(torch.from_numpy(mean), torch.from_numpy(axes))

    def learner(
        self,
        seen: Subset,
        unseen: Subset | None,
        *,
        noise: tuple[str, float] | None = None,
        weight_decay: float = 0.0,
        change: Change | None = None,
        seed: int = 0,
    ) -> TorchLearner:
        """The learner of the nets; its losses are shares of the error of the best constant row.

        Args:
            noise: kind and level of what is added on the way in.
            change: of stored images (n, C, H, W) before anything else.
        """
        rows, held = self.batches(seen), None if unseen is None else self.batches(unseen)

        def errors(y: Tensor) -> Tensor:
            given = y
            if noise is not None:
                given = corrupt(y, self.reconstruction.values, noise, self.nets.ends)
            raw = self.nets.decode(self.nets.encode(given))
            return self.reconstruction.errors(raw, y) / self.constant

        def loss(numbers: Tensor, step: int) -> Tensor:
            x, _, weights = rows.take(numbers)
            e = errors(self.entering(x, change))
            return e.mean() if weights is None else (weights * e).mean()

        def evaluate() -> Floats:
            assert held is not None
            return -blockwise(lambda at: errors(self.entering(held.take(at)[0])), len(held))

        return TorchLearner(
            dict(self.nets.named_parameters()),
            loss,
            modules=[self.nets],
            log_density=None if held is None else evaluate,
            optimiser=partial(Adam, weight_decay=weight_decay),
            seed=seed,
        )

    def encode(self, x: Array) -> Floats:
        """(n, k) codes of stored rows."""
        return blockwise(lambda at: self.nets.encode(self.features(x[at])), len(x))

    def errors(self, x: Array) -> Floats:
        """(n,) errors of stored rows."""
        return self.looked_at(x)[0]

    def looked_at(self, x: Array) -> tuple[Floats, Floats]:
        """(n,) errors and (n, k) codes of stored rows."""

        def both(at: slice) -> Tensor:
            y = self.features(x[at])
            z = self.nets.encode(y)
            errors = self.reconstruction.errors(self.nets.decode(z), y)
            return torch.cat([errors[:, None], z], 1)

        seen = blockwise(both, len(x))
        return seen[:, 0], seen[:, 1:]

    def corrupt(self, x: Array, noise: tuple[str, float], seed: int) -> Floats:
        """(n, D) stored rows with noise; NaN for a masked level."""
        draws = torch.Generator(self.device).manual_seed(seed)

        def noisy(at: slice) -> Tensor:
            y, values = self.features(x[at]), self.reconstruction.values
            return corrupt(y, values, noise, self.nets.ends, draws)

        return self.stored(blockwise(noisy, len(x)))
