"""An autoencoder on torch: what `Autoencoder` needs of the nets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...inference.torch_learner import TorchLearner
from ..nets.batches import Batches, floats, slices
from ..nets.machine import shrinking
from .corrupt import corrupt
from .layout import Layout
from .linear import principal
from .nets import Architecture, build

Array = NDArray[Any]
Floats = NDArray[np.float64]
Change = Callable[[Tensor], Tensor]
_BLOCK = 1024


class TorchAutoencoder:
    """The nets, in single precision while they are trained."""

    def __init__(
        self,
        architecture: Architecture,
        layout: Layout,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.architecture, self.layout, self.device = architecture, layout, torch.device(device)
        self.nets = build(architecture, layout, seed).to(self.device)
        if architecture.kind == "conv":
            self.nets.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.constant = 1.0

    # Training

    def begin(self, some: Array, ends: Array) -> None:
        """Start from stored rows: their centre, and the error of the best constant row.

        Args:
            some: (m, D) rows.
            ends: (2, features) least and greatest value of each, as the net sees them.
        """
        y = self._enter(some)
        start = self.layout.start(y)
        self.nets.begin(start, y)
        self.nets.ends.copy_(torch.as_tensor(ends))
        found = self.layout.errors(start.expand_as(y), y).mean()
        self.constant = max(float(found), 1e-12)

    def solve(self, x: Array, weights: Floats | None, seed: int) -> None:
        """Take the linear nets with the least squared error of stored rows."""

        def blocks() -> Iterator[tuple[slice, Floats]]:
            for at in slices(len(x), _BLOCK):
                yield at, self.layout.enter(floats(x[at], torch.float64)).numpy()

        size, k = self.layout.features, self.architecture.latent
        mean, axes = principal(blocks, len(x), size, k, weights, seed)
        self.nets.double().place(torch.from_numpy(mean), torch.from_numpy(axes))

    def learner(
        self,
        rows: Batches,
        held: Batches | None,
        *,
        noise: tuple[str, float] | None = None,
        weight_decay: float = 0.0,
        augment: Change | None = None,
        block: int = _BLOCK,
        seed: int = 0,
    ) -> TorchLearner:
        """The learner of the nets; its losses are shares of the error of the best constant row.

        Args:
            rows: to train on.
            held: held-out rows.
            noise: kind and level of what is added on the way in.
            augment: changes stored images (n, C, H, W) before anything else.
            block: rows evaluated at a time.
        """

        def off(y: Tensor) -> Tensor:
            seen = y if noise is None else corrupt(y, self.layout, *noise, self.nets.ends)
            raw = self.nets.decode(self.nets.encode(seen))
            return self.layout.errors(raw, y) / self.constant

        def loss(numbers: Tensor, step: int) -> Tensor:
            x, _, weights = rows.take(numbers)
            if augment is not None:
                x = augment(x.view(-1, *self.layout.shape)).reshape(len(x), -1)
            e = off(self.layout.enter(x))
            return e.mean() if weights is None else (weights * e).mean()

        evaluate = None
        if held is not None:
            unseen = held

            def evaluate() -> Array:
                parts = []
                for at in slices(len(unseen), block):
                    parts.append(-off(self.layout.enter(unseen.take(at)[0])))
                return torch.cat(parts).cpu().numpy()

        return TorchLearner(
            dict(self.nets.named_parameters()),
            loss,
            modules=[self.nets],
            log_density=evaluate,
            optimiser=partial(torch.optim.AdamW, weight_decay=weight_decay, fused=True),
            seed=seed,
        )

    def keep(self, learner: TorchLearner) -> None:
        """Take the averaged weights of a trained learner."""
        learner.keep_average()
        self.nets.eval()
        if self.architecture.double:
            self.nets.double()

    # Using

    def encode(self, x: Array) -> Floats:
        """(n, k) codes of stored rows."""
        return self._blockwise(lambda at: self.nets.encode(self._enter(x[at])), len(x))

    def decode(self, z: Floats) -> Floats:
        """(n, features) values expected of codes, as the net sees them."""
        return self._blockwise(
            lambda at: self.layout.expected(self.nets.decode(self._to(z[at]))), len(z)
        )

    def errors(self, x: Array) -> Floats:
        """(n,) errors of stored rows."""

        def off(at: slice) -> Tensor:
            y = self._enter(x[at])
            return self.layout.errors(self.nets.decode(self.nets.encode(y)), y)

        return self._blockwise(off, len(x))

    def looked_at(self, x: Array) -> tuple[Floats, Floats]:
        """(n,) errors and (n, k) codes of stored rows."""

        def off(at: slice) -> Tensor:
            y = self._enter(x[at])
            z = self.nets.encode(y)
            return torch.cat([self.layout.errors(self.nets.decode(z), y)[:, None], z], 1)

        found = self._blockwise(off, len(x))
        return found[:, 0], found[:, 1:]

    def corrupt(self, x: Array, noise: tuple[str, float], seed: int) -> Floats:
        """(n, features) of stored rows with noise."""
        generator = torch.Generator(self.device).manual_seed(seed)
        ends = self.nets.ends
        return self._blockwise(
            lambda at: corrupt(self._enter(x[at]), self.layout, *noise, ends, generator), len(x)
        )

    def _blockwise(self, work: Callable[[slice], Tensor], n: int) -> Floats:
        @torch.no_grad()
        def all_of(size: int) -> Floats:
            parts = [work(at).cpu().double().numpy() for at in slices(n, size)]
            return np.concatenate(parts)

        return shrinking(all_of, _BLOCK, "the net")[0]

    def _to(self, x: Array) -> Tensor:
        return floats(x, self.nets.centre.dtype).to(self.device)

    def _enter(self, x: Array) -> Tensor:
        return self.layout.enter(self._to(x))

    def arrays(self) -> dict[str, Array]:
        """The weights."""
        return {k: v.detach().cpu().contiguous().numpy() for k, v in self.nets.state_dict().items()}

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Take weights that `arrays` gave."""
        if self.architecture.double:
            self.nets.double()
        self.nets.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})


def augmented(augment: Any, layout: Layout) -> Change:
    """What changes batches of stored images, drawn by torch's own random state.

    Args:
        augment: a `ppgen.data.augment.Augment`, or a mapping of its attributes.
        layout: of the images; where they are not shifted, they reach up to its scale.
    """
    from dataclasses import replace

    from ...data.augment import Augment

    made = Augment(**augment) if isinstance(augment, Mapping) else augment
    if made.high is None and not layout.shift:
        made = replace(made, high=layout.scale)

    def change(images: Tensor) -> Tensor:
        seed = int(torch.randint(2**62, ()))
        return made(images, torch.Generator(images.device).manual_seed(seed))

    return change
