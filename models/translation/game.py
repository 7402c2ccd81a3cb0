"""The game that generators and discriminators play, whether or not there are pairs.

Each way of a translation, X to Y or Y to X, has a generator G and a discriminator D. In a step the
discriminators move first, then the generators (`inference.adversarial`), on the same translations,
which are made once. Losses are those of `gan.objectives`, patch by patch:

    discriminator    E d(D(b), D(G(a)))  +  gamma / 2 E |grad_b D(b)|^2        (the last on every
    generator        E g(D(b), D(G(a)))  +  what `paired` or `unpaired` adds    8th step, times 8)

with a of the domain that the way comes from, b of the one that it goes to, D the mean over patches
in the penalty, and d and g the objective's losses.

Reference: Karras et al., "Analyzing and improving the image quality of StyleGAN", 2020,
https://arxiv.org/abs/1912.04958 (penalties on every k-th step).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...arrays import Array, Floats
from ..gan.objectives import OBJECTIVES, r1
from ..nets.batches import Batches, slices
from .domains import Domain

_LAZY = 8  # steps from one penalty to the next
_BLOCK = 256  # pictures translated at a time where nothing is trained
Pair = tuple[Tensor, Tensor]
Indices = NDArray[np.int64]


class Way(nn.Module):
    """One way of a translation.

    Attributes:
        source, target: 0 for X and 1 for Y.
    """

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, source: int, *, pairs: bool
    ) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.source, self.target, self.pairs = source, 1 - source, pairs

    def forward(self, a: Tensor) -> Tensor:
        """Translations of pictures."""
        return self.generator(a)  # type: ignore[no-any-return]

    def scores(self, a: Tensor, b: Tensor) -> Tensor:
        """(n, p) scores of the patches of b; where there are pairs, as what a is translated to."""
        return self.discriminator(torch.cat([a, b], 1) if self.pairs else b)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Side:
    """Rows of one domain on the device, by number."""

    domain: Domain
    rows: Batches

    @classmethod
    def of(cls, domain: Domain, pictures: Array, numbers: Indices, device: torch.device) -> Side:
        """Some of the pictures (n, C, H, W), by number."""
        flat = pictures.reshape(len(pictures), -1)
        return cls(domain, Batches(flat, device=device, rows=numbers))

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Any) -> Tensor:
        """Standardised pictures, by a tensor of numbers or a slice."""
        x = self.rows.take(rows)[0]
        return self.domain.statistics.enter(x.view(-1, *self.domain.shape))


class Game(ABC):
    """The losses of the players of a translation.

    Args:
        ways: one or both.
        sides: the rows trained on, of both domains.
        objective: a name of `gan.objectives`.
        gamma: weight of the R1 penalty.

    Attributes:
        measure: keeps a number for the record.
        kept: name -> tensor that steps change besides parameters.
    """

    measure: Callable[[str, float], None]

    def __init__(
        self, ways: Sequence[Way], sides: tuple[Side, Side], objective: str, gamma: float
    ) -> None:
        self.ways, self.sides, self.gamma = ways, sides, gamma
        self.objective = OBJECTIVES[objective]
        self.kept: dict[str, Tensor] = {}
        self._made: tuple[int, Tensor, list[Tensor]] | None = None

    @abstractmethod
    def batch(self, rows: Tensor) -> Pair:
        """Pictures of both domains for the rows of a batch."""

    @abstractmethod
    def beside(self, batch: Pair, fakes: Sequence[Tensor]) -> Tensor:
        """What the generators lower beside their part of the objective.

        Args:
            fakes: the translations of the batch, one a way.
        """

    @abstractmethod
    def held_out(self, held: tuple[Side, Side]) -> Floats:
        """A score of each held-out row, the higher the better."""

    def shown(self, way: Way, a: Tensor, fake: Tensor) -> Pair:
        """What a discriminator is shown of translations, and what these are of."""
        return a, fake

    # The players

    def discriminator(self, rows: Tensor, step: int) -> Tensor:
        """The loss of the discriminators, who move first: translations are made anew, as a state
        may have been loaded since the last ones were."""
        self._made = None
        batch = self.batch(rows)
        total = torch.zeros((), device=batch[0].device)
        for way, fake in zip(self.ways, self._translated(batch, rows, step), strict=True):
            a, b = batch[way.source], batch[way.target]
            penalised = self.gamma > 0 and step % _LAZY == 0
            b = b.clone().requires_grad_() if penalised else b
            real = way.scores(a, b)
            given, shown = self.shown(way, a, fake.detach())
            total = total + self._losses(real, way.scores(given, shown), player=0).mean()
            if penalised:
                total = total + _LAZY * self.gamma / 2 * r1(real.mean(1), b).mean()
        return total

    def generator(self, rows: Tensor, step: int) -> Tensor:
        """The loss of the generators."""
        batch = self.batch(rows)
        fakes = self._translated(batch, rows, step)
        self._made = None
        total = self.beside(batch, fakes)
        for way, fake in zip(self.ways, fakes, strict=True):
            a, b = batch[way.source], batch[way.target]
            scores = way.scores(a, fake)
            real = way.scores(a, b) if self.objective.paired else scores
            total = total + self._losses(real, scores, player=1).mean()
        return total

    def _losses(self, real: Tensor, fake: Tensor, player: int) -> Tensor:
        play = self.objective.generator if player else self.objective.discriminator
        return play(real.flatten(), fake.flatten())

    def _translated(self, batch: Pair, rows: Tensor, step: int) -> list[Tensor]:
        """The translations of a batch, made once for the turns of both players."""
        if self._made is None or self._made[0] != step or not torch.equal(self._made[1], rows):
            self._made = step, rows, [way(batch[way.source]) for way in self.ways]
        return self._made[2]

    # What is looked at

    def outputs(self, real: Tensor, fake: Tensor, name: str) -> None:
        """Measure what a discriminator says of held-out rows: the mean over patches of the
        probability that it gives to their being real (see `Objective.outputs`), and how well it
        tells them apart."""
        n = min(len(real), len(fake))
        of_real, of_fake = self.objective.outputs(real[:n], fake[:n])
        self.measure(f"real {name}", float(of_real.mean()))
        self.measure(f"fake {name}", float(of_fake.mean()))
        self.measure(f"told apart {name}", apart(real.mean(1), fake.mean(1)))


def apart(real: Tensor, fake: Tensor) -> float:
    """The probability that a real row has a higher score than a fake one (ties count a half)."""
    order = torch.searchsorted
    fake, real = fake.sort().values.contiguous(), real.contiguous()
    below = order(fake, real) + order(fake, real, right=True)
    return float(below.double().mean() / (2 * len(fake)))


@torch.no_grad()
def by_blocks(make: Callable[[slice], Tensor], n: int) -> Tensor:
    """What is made of n rows, a block at a time."""
    return torch.cat([make(at) for at in slices(n, _BLOCK)])


def absolute(a: Tensor, b: Tensor) -> Tensor:
    """(n,) mean absolute differences of pictures."""
    return (a - b).abs().flatten(1).mean(1)


def parameters(ways: Sequence[Way], player: str) -> Mapping[str, Tensor]:
    """Those of all generators or all discriminators, by name."""
    return {
        f"{i}.{name}": p
        for i, way in enumerate(ways)
        for name, p in getattr(way, player).named_parameters()
    }
