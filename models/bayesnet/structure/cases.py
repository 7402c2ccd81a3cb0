"""Rows as scores of structures count them."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ....arrays import Array, Floats, Mask


@dataclass(frozen=True, eq=False)
class Cases:
    """n weighted rows over N nodes.

    Attributes:
        names: of the nodes.
        sizes: how many states each node has; 0 for a continuous one.
        codes: (n, N) states of discrete nodes, -1 where not known; -1 for continuous ones.
        x: (n, N) values of continuous nodes, NaN where not known; NaN for discrete ones.
        weights: (n,) of the rows: a weight of 2 counts as two rows.
        outside: (n, N) whether a value was set from outside, an intervention: such a row does not
            count for that node given its parents, only as a parent of others. None: nowhere.

    Reference for interventions: Cooper and Yoo, "Causal discovery from a mixture of experimental
    and observational data", 1999, https://arxiv.org/abs/1301.6686.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    codes: NDArray[np.integer]
    x: Floats
    weights: Floats
    outside: Mask | None = None

    def __len__(self) -> int:
        return len(self.weights)

    @cached_property
    def known(self) -> Mask:
        """(n, N) which values are known."""
        known: Mask = (self.codes >= 0) | ~np.isnan(self.x)
        return known

    @cached_property
    def complete(self) -> bool:
        """Whether all values are known."""
        return bool(self.known.all())

    def permuted(self, order: NDArray[np.intp]) -> Self:
        """The same with the nodes in another order: node i is what was `order[i]`."""
        outside = None if self.outside is None else self.outside[:, order]
        names, sizes = ([what[i] for i in order] for what in (self.names, self.sizes))
        codes, x = self.codes[:, order], self.x[:, order]
        return type(self)(tuple(names), tuple(sizes), codes, x, self.weights, outside)

    def content_order(self) -> NDArray[np.intp]:
        """An order of the nodes that depends on what their columns hold, not on where they stand:
        by number of states, then by a hash of the values whatever the order of the rows, then by
        one of the rows as they are; columns that are equal, by name."""

        values = [(size, self._values(node)) for node, size in enumerate(self.sizes)]
        several = {value for value, count in Counter(values).items() if count > 1}

        def key(node: int) -> tuple[tuple[int, bytes], bytes, str]:
            column = self._column(node).tobytes() if values[node] in several else b""
            return values[node], hashlib.sha256(column).digest(), str(self.names[node])

        return np.array(sorted(range(len(self.names)), key=key), np.intp)

    def _column(self, node: int) -> Array:
        column: Array = self.codes[:, node] if self.sizes[node] else self.x[:, node]
        return column if self.outside is None else np.stack([column, self.outside[:, node]])

    def _values(self, node: int) -> bytes:
        """A hash of a column's values, however the rows stand."""
        if self.sizes[node]:
            values: Array = np.bincount(self.codes[:, node] + 1, minlength=self.sizes[node] + 1)
        else:
            values = np.sort(self.x[:, node])
        return hashlib.sha256(values.tobytes()).digest()
