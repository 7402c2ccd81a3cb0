"""Splits that depend on a seed and on what the rows say, and on nothing else.

Units (`units`: single rows, copies of a row, rows of a named group) are ordered by their hash and
cut where the fractions fall. No test row is a copy of one trained on, nor of its group; rows that
are equal because there are few different ones fall into the parts as any rows do; and the order of
the rows plays no part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .units import unit_hashes

if TYPE_CHECKING:
    from .dataset import Dataset

Indices = NDArray[np.intp]
TOGETHER = "copies and rows of a group stay together"


def split(
    data: Any,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    *,
    groups: Any = None,
) -> tuple[Indices, Indices, Indices]:
    """Row numbers of the train, valid and test parts, each ascending.

    Args:
        data: a `Dataset`, or what `as_dataset` takes.
        fractions: the shares of the parts, which sum to 1.
        seed: another seed gives another split.
        groups: a column's name or (n,) labels: rows of one label stay together. See
            `Dataset.grouped`.

    Raises:
        InputError: if the fractions are no shares, or a part comes out empty.
    """
    from .dataset import as_dataset

    rows = as_dataset(data)
    rows = rows if groups is None else rows.grouped(groups)
    train, valid, test = split_units(rows, fractions, seed)
    if not (len(train) and len(valid) and len(test)):
        raise InputError(
            f"{len(train) + len(valid) + len(test)} rows are too few to split into "
            f"{' / '.join(f'{f:g}' for f in fractions)}: a part comes out empty ({TOGETHER}). "
            "Give more rows."
        )
    return train, valid, test


split_rows = split


def split_units(data: Dataset, fractions: Sequence[float], seed: int) -> list[Indices]:
    """Row numbers of any number of parts, some of which may come out empty."""
    if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-9:
        raise InputError(
            f"fractions are {tuple(fractions)}; expected positive shares that sum to 1, such as "
            "(0.8, 0.1, 0.1)."
        )
    _, unit, sizes = np.unique(
        unit_hashes(data, seed), return_inverse=True, return_counts=True
    )  # ordered by hash
    ends = np.cumsum(sizes)
    cuts: list[int] = []
    taken = 0
    for k, share in enumerate(fractions[:-1]):
        # What is left is shared by the parts that are left: one large unit upsets one part only.
        wanted = taken + (ends[-1] - taken) * share / sum(fractions[k:])
        cut = int(np.argmin(np.abs(ends - wanted))) + 1
        # No part is empty as long as there are units for all of them.
        later = len(fractions) - 1 - k
        cut = max(min(cut, len(sizes) - later), cuts[-1] + 1 if cuts else 1)
        cuts.append(min(cut, len(sizes)))
        taken = int(ends[cuts[-1] - 1])
    part = np.searchsorted(np.array(cuts), np.arange(len(sizes)), side="right")
    of_row = part[unit]
    return [np.flatnonzero(of_row == k) for k in range(len(fractions))]
