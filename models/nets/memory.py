"""Whether samples of trained nets repeat training rows.

Memorised are rows of which samples are too near: the nearest real row of a sample, of all that were
trained on and all that were held out, is a held-out one less often than chance has it, with a
false-alarm rate of 0.1 % (see `neighbours.memorised`). Of rows of more than 128 features, distances
are taken among as many random projections, which keep each to some 6 %: a copy is much nearer than
that. Samples have the contexts of rows trained on and held out alike, in their numbers, so that
those of neither side are nearer for it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...arrays import Floats, Hashes
from ...neighbours import Memorised, memorised
from ...verdict import Reason, warning
from .batches import slices
from .held_out import Subset

FEW = 50  # rows below which samples are not judged
_COPIES, _LEVEL = 0.25, 0.001  # share of memorised samples that is warned of, and the level
_PRODUCTS, _NARROW = 20_000_000_000, 16  # that a look for copies takes, and columns that cost alike
_WIDTH = 128  # columns that copies are looked for in
_BLOCK = 4096  # rows that are projected at once


class Narrow:
    """Rows in few columns, in which nearest rows are looked for.

    Args:
        features: of a row.
        seed: of the projections.
    """

    def __init__(self, features: int, seed: int) -> None:
        self._spread: Floats | None = None
        if features > _WIDTH:
            rng = np.random.default_rng([seed, 0x10])
            self._spread = rng.standard_normal((features, _WIDTH))

    def __call__(self, x: Floats) -> Floats:
        """(n, at most 128) of features (n, F)."""
        return x if self._spread is None else x @ self._spread

    def rows(self, rows: Subset, space: Callable[[Subset], Floats]) -> Floats:
        """Those of rows, a block at a time.

        Args:
            space: gives their features (n, F), as distances are taken among them.
        """
        parts = (rows.only(rows.numbers[at]) for at in slices(len(rows), _BLOCK))
        return np.concatenate([self(space(part)) for part in parts])


def contexts(seen: Subset, unseen: Subset, n: int, rng: np.random.Generator) -> Floats | None:
    """(n, c) contexts of rows drawn of both sides, or None."""
    if seen.context is None or unseen.context is None:
        return None
    told = np.concatenate([seen.context[seen.numbers], unseen.context[unseen.numbers]])
    return np.asarray(told[rng.integers(len(told), size=n)])


def repeated(
    generated: Floats, seen: Floats, unseen: Floats, units: tuple[Hashes, Hashes]
) -> Memorised | None:
    """How far samples repeat training rows; None where there are too few rows to tell.

    Args:
        generated, seen, unseen: (n, d) samples, all rows trained on and all held-out rows, in any
            space of Euclidean distances; of many rows, some of the samples are looked at.
        units: what the rows trained on, and those held out, belong to.
    """
    if min(map(len, (generated, seen, unseen))) < FEW:
        return None
    cost = (len(seen) + len(unseen)) * max(generated.shape[1], _NARROW)
    return memorised(seen, generated[: max(FEW, _PRODUCTS // cost)], unseen, units)


def memory(found: Memorised | None, advice: str) -> list[Reason]:
    """What is said of samples that repeat training rows."""
    if found is None or found.p_value > _LEVEL or found.share < _COPIES:
        return []
    return warning(
        f"rows trained on were memorised, about {found.share:.0%} of samples: the nearest real row "
        f"is a held-out one for {found.to_held_out:.1%} of samples, by chance for "
        f"{found.expected:.1%}.",
        advice,
    )
