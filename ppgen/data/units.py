"""Which rows are one draw from the population, copies of each other and rows of a named group; and
splits, which depend on a seed and on what the rows say alone.

Such rows go together wherever rows are parted (splits, early stopping), and count once in standard
errors of means over rows. Equal rows are not always copies: of two binary columns every row has
equals, and each of them is a draw of its own. Equal rows are copies where a tie is accidental, that
is where at least one column that expects no ties has a value there. A column expects no ties if

- its values are fine: numbers whose grid (the step of their rounding, else the precision of
  floating point) is so fine that a smooth density tied at most 5 % of them, 1 - exp(-n w / 2 r)
  for n values of step w and interquartile range r; or texts of which at least half are different,
  beside other columns;
- at most 5 % of the different rows share its value with another one: values that recur beside
  different values of the other columns recur by their nature, as zeros and levels do;
- each of its values stands in at most four rows on average: more are levels, on whatever grid,
  unless a second column of numbers expects no ties either, which confirms the first.

Columns that the schema leaves out are looked at as well: rows whose keys differ are no copies.
Declared levels (binary, ordinal, numeric categories) expect ties. A missing value, an atom of the
schema, and a value that more than ten rows and one in a hundred share (the zeros of a zero-inflated
column), makes no row a copy. Images are compared whole and expect no ties if at least half of them
are different (four rows on average, as above, if their values are no whole numbers). Equal
sequences are copies.

In a split the units are ordered by their hash and cut where the fractions fall: no test row is a
copy of one trained on, nor of its group, and the order of the rows plays no part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .column import CONTINUOUS, Column
from .contents import Contents
from .hashing import GOLDEN, Hashes, label_hashes, mix, occurrence, row_hashes, whole_numbers
from .values import is_gap

Mask = NDArray[np.bool_]
TOGETHER = "copies and rows of a group stay together"
_TIED = 0.05  # share of ties that accidents explain
_ATOM, _ATOM_SHARE = 10, 0.01  # rows that share a value which is no accident
_TIMES = 4  # rows to a value, on average, that copying explains


def split_units(data: Contents, fractions: Sequence[float], seed: int) -> list[NDArray[np.intp]]:
    """Row numbers of any number of parts, some of which may come out empty."""
    if min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-9:
        raise InputError(
            f"fractions are {tuple(fractions)}; expected positive shares that sum to 1, such as "
            "(0.8, 0.1, 0.1)."
        )
    hashes = unit_hashes(data, seed)  # np.unique orders by them
    _, unit, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
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


def unit_hashes(data: Contents, seed: int = 0) -> Hashes:
    """(n,) a hash of each row's unit: rows that are one draw have the same.

    Equal rows that are no copies are told apart by how many stand before them, so that the hashes,
    as a multiset, do not depend on the order of the rows. Rows without a group's label are in none.
    """
    rows = row_hashes(data, seed)
    units, whole = rows, rows
    for values in data.beside.values():
        whole = mix(whole ^ label_hashes(values, seed))
    _, first, of_row = np.unique(whole, return_index=True, return_inverse=True)
    if len(np.unique(rows)) < len(rows):
        again = occurrence(rows)
        copied = _copied(data, first, of_row)
        again[copied] = again[first[of_row]][copied]
        with np.errstate(over="ignore"):
            units = np.where(again > 0, mix(rows + again * GOLDEN), rows)
    return units if data.groups is None else _joined(units, data.groups, seed)


def _copied(data: Contents, first: NDArray[np.intp], of_row: NDArray[np.intp]) -> Mask:
    """(n,) whether the equals of each row, if it has any, are its copies.

    `first` is a row of each set of equal ones, `of_row` (n,) the set that each row is in.
    """
    n = len(of_row)
    if data.schema.sequence:
        return np.ones(n, dtype=bool)
    if data.images is not None:
        own, times = _own(of_row, first, np.zeros(n, dtype=bool))
        return own & (times <= (2 if whole_numbers(data.images) else _TIMES))
    copied = np.zeros(n, dtype=bool)
    for values in data.beside.values():  # which have too many levels to recur by their nature
        if values.dtype == object:
            own, times = _own(values.astype(str), first, is_gap(values))
            copied |= own & (times <= 2)
    fine: list[tuple[Mask, float]] = []
    varied = sum(c.kind not in ("constant", "empty") for c in data.schema.columns)
    for column in data.schema.columns:
        values = data.columns[column.name]
        gaps = is_gap(values)
        if column.kind == "categorical" and not column.numeric and varied > 1:
            own, times = _own(values.astype(str), first, gaps)
            copied |= own & (times <= 2)
        elif column.kind in CONTINUOUS:
            if column.atoms:
                gaps = gaps | np.isin(values, np.array(column.atoms, values.dtype))
            own, times = _own(values, first, gaps)
            if own.any() and _is_fine(column, values[first][own[first]]):
                fine.append((own, times))
    for own, times in fine:
        if times <= _TIMES or len(fine) > 1:
            copied |= own
    return copied


def _own(values: NDArray[Any], first: NDArray[np.intp], gaps: Mask) -> tuple[Mask, float]:
    """(n,) whether each row's value is one that does not recur by its nature, and how many rows
    such a value has on average; `first` is a row of each set of equal ones."""
    n, codes = len(values), np.unique(values, return_inverse=True)[1]
    times = np.bincount(codes, minlength=n)  # rows with each value
    apart = np.bincount(codes[first], minlength=n)  # different rows with each value
    own = ~gaps & (times[codes] <= max(_ATOM, _ATOM_SHARE * n))
    kept = np.unique(codes[own])
    if apart[kept][apart[kept] > 1].sum() > _TIED * apart[kept].sum():
        own[:] = False
    return own, float(times[kept].mean()) if len(kept) else 0.0


def _is_fine(column: Column, values: NDArray[Any]) -> bool:
    """Whether a smooth density over the quartiles of these numbers would hardly ever tie."""
    low, high = np.quantile(values, [0.25, 0.75])
    spread = float(high - low)
    step = column.width or (1.0 if column.kind == "count" else 0.0)
    if not step:
        single = np.all(values.astype(np.float32) == values)
        eps = np.finfo(np.float32 if single else np.float64).eps
        step = float(eps) * float(np.abs(values).max())
    return spread > 0 and -np.expm1(-len(values) * step / (2 * spread)) <= _TIED


def _joined(units: Hashes, groups: NDArray[Any], seed: int) -> Hashes:
    """Units that neither part copies nor a group: what either joins, directly or by turns."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    labels = np.where(is_gap(groups), units, label_hashes(groups, seed))
    _, unit = np.unique(units, return_inverse=True)
    _, group = np.unique(labels, return_inverse=True)
    size = int(max(unit.max(), group.max())) + 1
    edges = (np.ones(len(unit), dtype=bool), (unit, group + size))
    _, part = connected_components(coo_array(edges, shape=(2 * size, 2 * size)), directed=False)
    least = np.full(2 * size, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(least, part[unit], labels)
    return np.asarray(least[part[unit]], dtype=np.uint64)
