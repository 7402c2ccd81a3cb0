"""What a model is told of a row: drawn from the rows fitted, or given.

Of the columns that a fit is conditional on, all, some or none may be given. The others are those of
a row fitted, drawn among the rows that match: with the levels given, and with numbers no farther
than `NEAR` (in deviations, or in normal scores) from those given; where none is so near, such as
beyond all rows, the nearest.

In training a row is drawn with a probability in proportion to (share of its levels)^(-1/2), where
its levels are those of all columns told. As the generator's and the real rows of a batch are told
the same, this changes how often what is rare is learnt, and not what is learnt: p(rest | told) is
the optimum for whatever is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from ...arrays import Array, Floats
from ...errors import InputError
from ...thinning import thinned
from .values import Values

NEAR = 0.25
_MOST = 10_000  # rows kept


@dataclass(frozen=True, eq=False)
class Told:
    """Values told of some of the rows fitted.

    Attributes:
        names: of their columns.
        values: what they are.
        rows: (m, k) of each row.
        shares: (m,) of the rows, which sum to 1.
    """

    names: tuple[str, ...]
    values: Values
    rows: Floats
    shares: Floats

    @classmethod
    def fit(
        cls,
        names: Sequence[str],
        values: Values,
        rows: Floats,
        weights: Floats | None,
        rng: np.random.Generator,
    ) -> Self:
        """Those of (n, k) rows, weighted if so given; of many rows, some at random."""
        kept = thinned(len(rows), _MOST, rng)
        w = np.ones(len(rows)) if weights is None else weights
        return cls(tuple(names), values, rows[kept], w[kept] / w[kept].sum())

    def draw(self, n: int, given: Floats | None, rng: np.random.Generator) -> Floats:
        """(n, k) values: those given (k,), NaN where they are not, the others drawn.

        Raises:
            InputError: if no row fitted has the levels given.
        """
        free = np.ones(len(self.names), bool) if given is None else np.isnan(given)
        if given is not None and not free.any():
            return np.repeat(given[None], n, axis=0)
        shares = self.shares
        if given is not None and not free.all():
            number = np.arange(len(given)) < self.values.numbers
            off = np.where(free, 0.0, np.nan_to_num(np.abs(self.rows - given), nan=np.inf))
            same = (off[:, ~number] == 0).all(axis=1)
            if not same.any():
                raise InputError(self._unmatched(~number & ~free, free))
            apart = off[:, number].max(axis=1, initial=0.0)
            shares = np.where(same & (apart <= max(NEAR, apart[same].min())), shares, 0.0)
        drawn = self.rows[rng.choice(len(shares), size=n, p=shares / shares.sum())]
        return drawn if given is None else np.where(free, drawn, given)

    def usual(self) -> Floats:
        """(k,) values of a row like most: of the levels that most rows have together, and of the
        rows that have these the one nearest to the median of each number."""
        numbers = self.values.numbers
        levels = np.nan_to_num(self.rows[:, numbers:], nan=-1.0)
        group = np.unique(levels, axis=0, return_inverse=True)[1].reshape(-1)
        some = self.rows[group == np.bincount(group, self.shares).argmax()]
        off = np.abs(some[:, :numbers] - np.median(some[:, :numbers], axis=0)).sum(axis=1)
        usual: Floats = some[int(off.argmin())]
        return usual

    def _unmatched(self, levels: Array, free: Array) -> str:
        held, rest = (
            ", ".join(name for name, is_so in zip(self.names, which, strict=True) if is_so)
            for which in (levels, free)
        )
        return (
            f"no row fitted has the values given of {held} together, from which {rest} could be "
            f"drawn. Give {rest} too, or fewer of {held}."
        )

    def arrays(self) -> dict[str, Array]:
        """What a saved run keeps besides the names."""
        return {"rows": self.rows, "shares": self.shares}

    @classmethod
    def of(cls, names: Sequence[str], values: Values, arrays: Mapping[str, Array]) -> Self:
        """Those that `arrays` gave."""
        return cls(tuple(names), values, arrays["rows"], arrays["shares"])


def rarity(values: Values, rows: Floats) -> Floats:
    """(n,) how often each row is drawn in training, up to a factor: (share of its levels)^(-1/2),
    of rows (n, k) told; 1 for each where only numbers are told."""
    levels = rows[:, values.numbers :]
    _, group, counts = np.unique(levels, axis=0, return_inverse=True, return_counts=True)
    often: Floats = 1 / np.sqrt(counts[group.reshape(-1)] / len(rows))
    return often
