"""The losses of both players of a GAN, on batches of rows.

In each turn the discriminator sees real rows x, as many generated ones G(z, c) with the contexts of
the real ones, and lowers the mean over pairs of

    w (L_D(D(x, c), D(G(z, c), c)) + e [step is a multiple of e] penalty),

e = `Penalty.every`; the generator lowers that of w L_G. w is the weight of the real row, of packed
rows the product of theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..nets.batches import Batches
from ..nets.features import features
from ..nets.values import Values
from .objectives import Objective, gradient_penalty, r1

Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Penalty:
    """What is added to the discriminator's loss.

    Attributes:
        kind: "r1r2": gamma / 2 (R1 + R2); "gradient": lambda GP.
        weight: gamma or lambda.
        every: steps from one to the next; it counts so many times.
    """

    kind: str
    weight: float
    every: int = 1


@dataclass(eq=False)
class Game:
    """The losses of a generator and a discriminator.

    Attributes:
        generator, discriminator: the nets (see `nets.build`).
        rows: trained on.
        values: what a row is.
        objective: of both.
        penalty: of the discriminator, or None.
        latent: numbers of noise.
        pack: rows to a score.
        shown: of features of real rows: how nets that grow are shown them.
        change: of features of real and of generated rows alike, before they are scored.
        drawn: (n,) which row stands for each in this epoch, or None for itself.
    """

    generator: nn.Module
    discriminator: nn.Module
    rows: Batches
    values: Values
    objective: Objective
    penalty: Penalty | None
    latent: int
    pack: int = 1
    shown: Change | None = None
    change: Change | None = None
    drawn: Tensor | None = None

    def of_discriminator(self, numbers: Tensor, step: int) -> Tensor:
        """The discriminator's mean loss of the rows numbered."""
        real, context, weights = self.real(numbers)
        with torch.no_grad():
            fake = self.generator(self.noise(len(real)), context)
        due = self.penalty if self.penalty and step % self.penalty.every == 0 else None
        both = torch.cat([real, fake])
        if due is not None and due.kind == "r1r2":
            both.requires_grad_()
        scores = self.scores(both, None if context is None else torch.cat([context, context]))
        losses = self.objective.discriminator(*scores.chunk(2))
        if due is not None and due.kind == "r1r2":
            of_real, of_fake = r1(scores, both).chunk(2)
            losses = losses + due.every * due.weight / 2 * (of_real + of_fake)
        elif due is not None:
            draws = torch.rand((len(real) // self.pack, 1), device=real.device)
            draws = draws.repeat_interleave(self.pack, 0)
            norms = gradient_penalty(lambda x: self.scores(x, context), real, fake, draws)
            losses = losses + due.every * due.weight * norms
        return self._mean(losses, weights)

    def of_generator(self, numbers: Tensor, step: int) -> Tensor:
        """The generator's mean loss of the rows numbered."""
        real, context, weights = self.real(numbers)
        fake = self.generator(self.noise(len(real)), context)
        of_fake = self.scores(fake, context)
        of_real = of_fake
        if self.objective.paired:
            with torch.no_grad():
                of_real = self.scores(real, context)
        return self._mean(self.objective.generator(of_real, of_fake), weights)

    def real(self, numbers: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Features, context and weights of the rows numbered, as many as fill packs."""
        numbers = numbers[: len(numbers) // self.pack * self.pack]
        x, context, weights = self.rows.take(numbers if self.drawn is None else self.drawn[numbers])
        seen = features(self.values, self.values.enter(x))
        return seen if self.shown is None else self.shown(seen), context, weights

    def noise(self, n: int) -> Tensor:
        """(n, k) noise."""
        return torch.randn((n, self.latent), device=self.rows.device)

    def scores(self, x: Tensor, context: Tensor | None) -> Tensor:
        """(n / pack,) scores of features."""
        given = x if self.change is None else self.change(x)
        scores: Tensor = self.discriminator(given, context)
        return scores

    def _mean(self, losses: Tensor, weights: Tensor | None) -> Tensor:
        if weights is None:
            return losses.mean()
        return (weights.view(-1, self.pack).prod(1) * losses).mean()
