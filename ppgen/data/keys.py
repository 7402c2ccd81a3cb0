"""Columns that no model of rows can use: keys, which tell rows apart, and text of too many levels.

A key is

- text whose values are all different,
- a column of whole numbers beyond 2^53, which floating point does not hold; where gaps made floats
  of them, all different or close together,
- all different whole numbers in a column that has no name, or is called an id,
- 0, 1, 2, ... or 1, 2, 3, ..., in any order, in a column that is called an index.

Text has too many levels where these are more than `MOST_LEVELS`, or more than fifty with fewer than
`LEAST_EACH` rows each on average.

Such columns are left out unless the user gives another kind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .column import DISCRETE, Column
from .values import is_gap

LEAST_ROWS = 20  # values below which all may differ by chance
MOST_LEVELS = 1000
LEAST_EACH = 4  # rows to a level, on average, below which nothing is learnt of it
_NEARBY = 1e-9  # of whole numbers beyond 2^53, a range relative to their size that only keys have
_FEW = 50  # levels that are few in any case

_ID = re.compile(r"(?i:(.*[ _.-])?(id|ids|uuid|guid))|.*[a-z](Id|ID)")
_UNNAMED = re.compile(r"Unnamed: ?\d+")  # what pandas calls a column without a name
_INDEX = re.compile(r"(?i:index|level_0|row|row[ _]?(nr|no|num|number)|nr|#)")


def unnamed(names: Sequence[str]) -> set[str]:
    """The columns that have no name of their own in a table whose other columns have one."""
    numbered = {name for j, name in enumerate(names) if name == f"c{j}"}  # by `read_text`
    found = {name for name in names if _UNNAMED.fullmatch(name)}
    return found | (numbered if len(numbered) < len(names) else set())


def beyond_in_gaps(values: NDArray[Any], missing: bool) -> bool:
    """Whether floats are whole numbers of 64 bits beyond 2^53 that gaps made floats of: all differ,
    or they differ by so little beside their size that nothing was measured."""
    if not missing or values.dtype != np.float64:
        return False
    known = np.sort(values[~np.isnan(values)])
    if len(known) < LEAST_ROWS or not 2**53 <= known[-1] < 2**64:
        return False
    different = bool((np.diff(known) > 0).all())
    return bool((known == np.round(known)).all()) and (
        different or bool(known[-1] - known[0] < _NEARBY * known[-1])
    )


def judged(
    column: Column, values: NDArray[Any], *, beyond: bool = False, nameless: bool = False
) -> Column:
    """The column, or the same as one that is left out, with the reason as its note.

    Args:
        column: as its values were read.
        values: (n,) of it.
        beyond: whether it holds whole numbers beyond 2^53.
        nameless: whether the column has no name.
    """
    if beyond or beyond_in_gaps(values, column.missing):
        return _left(column, "key", "whole numbers beyond 2^53, which floating point does not hold")
    if values.dtype == object and column.kind in DISCRETE:
        return _of_text(column, values)
    if column.kind in ("real", "count") and values.dtype != object:
        return _of_numbers(column, values, nameless)
    return column


def _of_text(column: Column, values: NDArray[Any]) -> Column:
    known = values[~is_gap(values)]
    levels, rows = len(set(known.tolist())), len(known)
    if levels == rows >= LEAST_ROWS:
        return _left(column, "key", f"its {rows:,} values are all different")
    few = levels <= _FEW or levels * LEAST_EACH <= rows
    if few and levels <= MOST_LEVELS:
        return column
    most = f"more than {MOST_LEVELS:,}" if few else f"fewer than {LEAST_EACH} rows each"
    return _left(column, "text", f"{levels:,} different values in {rows:,} rows, {most}")


def _of_numbers(column: Column, values: NDArray[np.floating[Any]], nameless: bool) -> Column:
    called_id, called_index = _ID.fullmatch(column.name), _INDEX.fullmatch(column.name)
    if not (nameless or called_id or called_index):
        return column
    known = np.sort(values[~np.isnan(values)])
    different = np.all(known == np.round(known)) and np.all(np.diff(known) > 0)
    if len(known) < LEAST_ROWS or not different:
        return column
    if nameless:
        return _left(column, "key", "it has no name, and its whole numbers are all different")
    if called_id:
        return _left(column, "key", f"its {len(known):,} whole numbers are all different")
    counts_rows = known[0] in (0, 1) and known[-1] - known[0] == len(known) - 1
    return _left(column, "key", "it numbers the rows") if counts_rows else column


def _left(column: Column, kind: Any, note: str) -> Column:
    note = f"{note}; {column.note}" if column.note else note
    return replace(column, kind=kind, levels=(), width=None, atoms=(), note=note)
