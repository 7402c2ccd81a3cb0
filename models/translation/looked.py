"""A look at trained nets: held-out rows there and back, for the verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...verdict import Reason
from . import verdicts
from .game import absolute
from .trained import Sides, TorchTranslation

MOST = 200  # rows of each domain
_NAMES = "X", "y"


@dataclass(frozen=True)
class Looked:
    """Standardised pictures of both domains, and translations.

    Attributes:
        nets: that were trained.
        seen: rows trained on.
        own: of X and of y: held-out rows, or rows trained on where there are none.
        made: of the ways, what they make of the rows that they start from.
        steps: of the training.
    """

    nets: TorchTranslation
    seen: tuple[Tensor, ...]
    own: tuple[Tensor, ...]
    made: tuple[Tensor, ...]
    steps: int = verdicts.STEPS

    @classmethod
    def of(
        cls, nets: TorchTranslation, seen: Sides, held: Sides | None, steps: int, most: int = MOST
    ) -> Looked:
        """At most so many rows of each domain."""
        known = tuple(side.take(slice(0, most)).cpu() for side in seen)
        own = known
        if held is not None:
            own = tuple(side.take(slice(0, most)).cpu() for side in held)
        made = tuple(nets.translated(own[i], back=bool(i)).float() for i in range(len(nets.ways)))
        return cls(nets, known, own, made, steps)

    def of_pairs(self) -> list[Reason]:
        """What a translation learnt from pairs does."""
        reasons = []
        for i, made in enumerate(self.made):
            wanted, known = self.own[1 - i], self.seen[1 - i]
            again = self.nets.translated(self.seen[i], back=bool(i)).float()
            error, seen = _mean(made, wanted), _mean(again, known)
            constant = _mean(known.mean(0, keepdim=True), wanted)
            reasons += verdicts.pairs(error, constant, seen, _NAMES[1 - i])
            if made.shape == self.own[i].shape:
                advice = "Raise l1_weight, or check that the domains differ."
                kinds = self._kinds(i)
                found = [(_mean(m, own), _mean(own, other)) for m, own, other in kinds]
                reasons += verdicts.unchanged(found, _NAMES[1 - i], advice)
        return [*reasons, *self._varied()]

    def of_domains(self) -> list[Reason]:
        """What a translation learnt without pairs does."""
        reasons = verdicts.cycle(*self._cycles())
        for i, made in enumerate(self.made):
            if made.shape[1:] == self.own[i].shape[1:]:
                advice = "Lower identity_weight, or train longer."
                found = [(_mean(m, own), _away(own, other)) for m, own, other in self._kinds(i)]
                reasons += verdicts.unchanged(found, _NAMES[1 - i], advice)
        return [*reasons, *self._varied()]

    def _kinds(self, i: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Of a way: what it makes, the rows that it starts from, and rows of the domain that it
        goes to, standardised and in the units of the data."""
        each = self.made[i], self.own[i], self.own[1 - i]
        yield each
        source, target = (self.nets.domains[k].statistics for k in (i, 1 - i))
        units = target, source, target
        made, own, other = (
            kind.leave(rows.double()) for kind, rows in zip(units, each, strict=True)
        )
        yield made, own, other

    def _cycles(self) -> Iterator[float]:
        """Errors after going there and back, over those of the mean picture, of X and of y."""
        for i, made in enumerate(self.made):
            own = self.own[i]
            back = self.nets.translated(made, back=not i).float()
            yield _mean(back, own) / max(_mean(own, own.mean(0, keepdim=True)), 1e-12)

    def _varied(self) -> list[Reason]:
        reasons = []
        for i, made in enumerate(self.made):
            apart = _between(made), _between(self.own[1 - i])
            reasons += verdicts.varied(*apart, _NAMES[1 - i], self.steps)
        return reasons


def _mean(a: Tensor, b: Tensor) -> float:
    return float(absolute(a, b).mean())


def _away(rows: Tensor, others: Tensor) -> float:
    """The mean over rows of the mean absolute difference from the nearest of others."""
    away = torch.cdist(rows.flatten(1), others.flatten(1), p=1).min(1).values
    return float(away.mean()) / rows[0].numel()


def _between(pictures: Tensor) -> float:
    """The mean distance of two pictures, root of the mean square over values."""
    n = len(pictures)
    total = float(torch.cdist(pictures.flatten(1), pictures.flatten(1)).sum())
    return total / max(n * (n - 1), 1) / math.sqrt(pictures[0].numel())
