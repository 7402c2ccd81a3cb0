"""Accuracy by group, and the group where it is worst.

Of n rows of a group, h of them classified right, the accuracy is h / n and its standard error
sqrt(p (1 - p) / n) at p = (h + 1/2) / (n + 1), which is above 0 even where all are right.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..errors import InputError


@dataclass(frozen=True)
class Group:
    """Rows of one group, and how many of them were classified right.

    Attributes:
        name: the group's value; a tuple where groups are given by several columns.
    """

    name: Any
    count: int
    right: int

    @property
    def accuracy(self) -> float:
        """Share of the rows that were classified right."""
        return self.right / self.count

    @property
    def stderr(self) -> float:
        """Standard error of the accuracy."""
        p = (self.right + 0.5) / (self.count + 1)
        return math.sqrt(p * (1 - p) / self.count)

    def __str__(self) -> str:
        return f"{self.name}: {self.accuracy:.3f} ± {self.stderr:.3f} ({self.count} rows)"


@dataclass(frozen=True)
class GroupAccuracy:
    """Accuracies of groups, in the order of their names."""

    groups: tuple[Group, ...]

    @property
    def worst(self) -> Group:
        """The group with the lowest accuracy; of equal ones the largest."""
        return min(self.groups, key=lambda g: (g.accuracy, -g.count))

    @property
    def accuracy(self) -> float:
        """Of all rows together."""
        return sum(g.right for g in self.groups) / sum(g.count for g in self.groups)

    def __iter__(self) -> Iterator[Group]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def __str__(self) -> str:
        rows = [f"all: {self.accuracy:.3f}"]
        return "\n".join(rows + [f"{g}{'  (worst)' * (g is self.worst)}" for g in self.groups])


def group_accuracy(right: NDArray[np.bool_], groups: Any) -> GroupAccuracy:
    """The accuracy of each group.

    Args:
        right: (n,) whether each row was classified right.
        groups: (n,) values, or (n, m) for groups of rows that agree in all m.

    Raises:
        InputError: if there is not one group a row.
    """
    names, codes = numbered(groups, len(right))
    counts = np.bincount(codes, minlength=len(names))
    hits = np.bincount(codes[right], minlength=len(names))
    return GroupAccuracy(
        tuple(
            Group(name, int(count), int(hit))
            for name, count, hit in zip(names, counts, hits, strict=True)
        )
    )


def balanced(groups: Any, n: int) -> Floats:
    """(n,) weights with mean 1 under which each group weighs the same.

    Raises:
        InputError: if there is not one group a row.
    """
    _, codes = numbered(groups, n)
    counts = np.bincount(codes)
    weights: Floats = n / (len(counts) * counts[codes])
    return weights


def numbered(groups: Any, n: int) -> tuple[list[Any], NDArray[np.int64]]:
    """The names of groups, ascending, and (n,) the number of each row's."""
    table = np.asarray(groups)
    if table.ndim not in (1, 2) or len(table) != n or not n:
        raise InputError(
            f"groups has shape {table.shape}, and there are {n} rows; expected one group a row, "
            f"({n},), or ({n}, m) for m columns."
        )
    if (table != table).any():
        raise InputError("groups hold NaN; give each row a group, such as 'unknown'.")
    rows = [tuple(row) for row in table.tolist()] if table.ndim == 2 else table.tolist()
    names = sorted(set(rows), key=lambda name: (str(type(name)), name))
    number = {name: i for i, name in enumerate(names)}
    return names, np.array([number[row] for row in rows], dtype=np.int64)
