"""Splits that depend on a seed and on what the rows say, and on nothing else.

Units (`units`: single rows, copies of a row, rows of a named group) are ordered by their hash and
cut where the fractions fall. No test row is a copy of one trained on, nor of its group; rows that
are equal because there are few different ones fall into the parts as any rows do; and the order of
the rows plays no part.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .contents import Contents
from .units import unit_hashes

Indices = NDArray[np.intp]
TOGETHER = "copies and rows of a group stay together"


def split_units(data: Contents, fractions: Sequence[float], seed: int) -> list[Indices]:
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
    of_row = np.searchsorted(np.array(cuts), unit, side="right")
    return [np.flatnonzero(of_row == k) for k in range(len(fractions))]
