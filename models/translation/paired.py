"""Translation learnt from pairs (pix2pix): the losses.

With pairs (a, b), the discriminator sees what is translated beside what it is translated to, and
the generator is also to come near the pair:

    D lowers    E d(D(a, b), D(a, G(a)))
    G lowers    E g(D(a, b), D(a, G(a)))  +  lambda E |b - G(a)|

in standardised units, the mean over values. The absolute error says what is where, the
discriminator what it looks like: the error alone would give the median of what is possible, which
is blurred. A held-out pair's score is minus its absolute error.

Reference: Isola, Zhu, Zhou and Efros, "Image-to-image translation with conditional adversarial
networks", 2017, https://arxiv.org/abs/1611.07004.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...arrays import Floats
from .game import Game, Pair, Side, Way, absolute, by_blocks


class PairedGame(Game):
    """The losses of pix2pix.

    Args:
        weight: lambda.
    """

    def __init__(
        self,
        ways: Sequence[Way],
        sides: tuple[Side, Side],
        objective: str,
        gamma: float,
        *,
        weight: float,
    ) -> None:
        super().__init__(ways, sides, objective, gamma)
        self.weight = weight

    def batch(self, rows: Tensor) -> Pair:
        x, y = self.sides
        return x.take(rows), y.take(rows)

    def beside(self, batch: Pair, fakes: Sequence[Tensor]) -> Tensor:
        errors = [
            absolute(fake, batch[way.target]).mean()
            for way, fake in zip(self.ways, fakes, strict=True)
        ]
        return self.weight * torch.stack(errors).sum()

    def held_out(self, held: tuple[Side, Side]) -> Floats:
        errors = np.zeros(len(held[0]))
        for way, name in zip(self.ways, "yx", strict=False):
            source, target = held[way.source], held[way.target]

            def looked_at(at: slice, way: Way = way, a: Side = source, b: Side = target) -> Tensor:
                given, wanted = a.take(at), b.take(at)
                fake = way(given)
                scores = [way.scores(given, wanted), way.scores(given, fake)]
                return torch.cat([absolute(fake, wanted)[:, None], *scores], 1)

            seen = by_blocks(looked_at, len(source))
            real, fake = seen[:, 1:].chunk(2, 1)
            self.outputs(real, fake, name)
            errors += seen[:, 0].double().cpu().numpy()
        return -errors / len(self.ways)
