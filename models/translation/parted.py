"""Which rows of two domains are trained on, and which are held out.

Pairs are held out together, and with all pairs that either of their rows is also in: no row that is
translated to be judged was seen beside another one. Of domains without pairs the rows of each are
held out by their own units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Self

import numpy as np

from ...arrays import Array, Hashes
from ...fitting import Fit
from ...rows import Rows, Target
from ...thinning import thinned
from ..nets.held_out import Indices, Split, Subset

_MOST = 500  # held-out rows of each domain that are looked at
_LEAST = 2  # of each domain, so that translations have distances from each other
Both = tuple[Indices, Indices]


@dataclass(frozen=True)
class Parted:
    """Rows of both domains by number.

    Attributes:
        seen: of those trained on, in X and in Y.
        held: of those held out, or None; numbers of the validation rows if those were given.
        units: (m,) of the held-out rows of X and then of Y; of pairs, one each.
        given: whether the held-out rows are validation rows.
    """

    seen: Both
    held: Both | None
    units: Hashes
    given: bool

    @classmethod
    def of(cls, rows: Rows, fit: Fit, *, paired: bool) -> Self:
        """The rows of a fit."""
        target, validation = _target(rows), fit.validation
        rng, given = fit.rng(), validation is not None
        if paired:
            units = partial(_joined, fit.units, target.units)
            split = Split(rows, replace(fit, units=units))
            seen, held = (split.numbers, split.numbers), split.held
            if validation is not None:
                held, beside = np.arange(len(validation)), _target(validation)
                units = partial(_joined, fit.validation_units, beside.units)
            held = _thinned(held, rng)
            return cls(seen, (held, held) if len(held) else None, units()[held], given)
        first = Split(rows, fit)
        others = None if validation is None else Rows(_target(validation).data)
        second = Split(Rows(target.data), replace(fit, units=target.units, validation=others))
        seen = (first.numbers, second.numbers)
        each, hashes = [first.held, second.held], [fit.units, target.units]
        if validation is not None:
            beside = _target(validation)
            each = [np.arange(len(validation)), np.arange(len(beside))]
            hashes = [fit.validation_units, beside.units]
        x, y = (_thinned(numbers, rng) for numbers in each)
        if min(len(x), len(y)) < _LEAST:
            return cls(seen, None, np.empty(0, np.uint64), given)
        return cls(seen, (x, y), np.concatenate([hashes[0]()[x], hashes[1]()[y]]), given)

    @cached_property
    def longer(self) -> int:
        """Rows of the longer domain that are trained on."""
        return max(map(len, self.seen))

    def at_most(self, n: int, rng: np.random.Generator) -> Self:
        """With at most so many held-out rows, or pairs, in all: half in each domain without pairs,
        but two at least."""
        if self.held is None or n >= len(self.units):
            return self
        x, y = self.held
        if len(self.units) == len(x):  # pairs
            kept = thinned(len(x), n, rng)
            return replace(self, held=(x[kept], y[kept]), units=self.units[kept])
        of_x, of_y = (thinned(len(some), max(n // 2, _LEAST), rng) for some in (x, y))
        units = np.concatenate([self.units[: len(x)][of_x], self.units[len(x) :][of_y]])
        return replace(self, held=(x[of_x], y[of_y]), units=units)

    def subsets(self, width: int = 0) -> tuple[Subset, Subset | None]:
        """What the trainer is told: how many rows an epoch has, of how many values, and the units
        of held-out ones."""
        unseen = None if self.held is None else _numbered(self.units, width)
        return _numbered(np.arange(self.longer, dtype=np.uint64), width), unseen


def joined(first: Hashes, second: Hashes) -> Hashes:
    """(n,) units of pairs: those that share a unit of either side, directly or by turns."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    a, b = (np.unique(units, return_inverse=True)[1] for units in (first, second))
    size = int(max(a.max(), b.max())) + 1
    edges = (np.ones(len(a), dtype=bool), (a, b + size))
    _, part = connected_components(coo_array(edges, shape=(2 * size, 2 * size)), directed=False)
    return np.asarray(part[a], dtype=np.uint64)


def _joined(first: Callable[[], Hashes], second: Callable[[], Hashes]) -> Hashes:
    return joined(first(), second())


def _target(rows: Rows) -> Target:
    assert rows.target is not None
    return rows.target


def _thinned(numbers: Indices, rng: np.random.Generator) -> Indices:
    if len(numbers) <= _MOST:
        return numbers
    return np.sort(rng.choice(numbers, _MOST, replace=False))


def _numbered(units: Hashes, width: int) -> Subset:
    n = len(units)
    x: Array = np.broadcast_to(0.0, (n, width))
    return Subset(x, np.arange(n), np.zeros(n), None, None, None, lambda: units)
