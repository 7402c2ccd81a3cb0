"""The product of two tables, summed over some of their variables: C[c] = sum A[a] B[b]."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from string import ascii_letters
from typing import Any

import numpy as np

Array = Any

# Where the entries next to each other in both factors are fewer than these, einsum's innermost loop
# is short, and multiplying matrices is faster, if they have some entries and are no vectors.
_SHORT = 64
_ENTRIES = 1024


class Product:
    """C[c] = sum A[a] B[b], or the sum of A alone, of tables whose axes are in one order.

    Neighbouring axes that are in the same of a, b and c are taken as one, called a run: most
    products of large tables have few runs. The batch is a run of its own, of size -1.

    Args:
        sizes: of the runs, in order.
        a, b, c: the runs of each table; `b` is None where A is summed alone.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        a: tuple[int, ...],
        b: tuple[int, ...] | None,
        c: tuple[int, ...],
    ) -> None:
        self.sizes, self.a, self.b, self.c = sizes, a, b, c
        self.shape_a, self.shape_b = self._shape(a), self._shape(b or ())
        self.summed = tuple(i for i, run in enumerate(a) if run not in c)
        letters = ["".join(ascii_letters[i] for i in runs) for runs in (a, b or (), c)]
        self.subscripts = f"{letters[0]},{letters[1]}->{letters[2]}"
        self.matrices = self._matrices_pay()
        whole = range(len(sizes))
        self.shapes = None  # for a product without a sum
        if b is not None and len(c) == len(sizes):
            self.shapes = tuple(tuple(sizes[i] if i in x else 1 for i in whole) for x in (a, b))

    def __call__(self, A: Array, B: Array | None, xp: Any) -> Array:
        if B is None:
            A = A.reshape(self.shape_a)
            return A.sum(axis=self.summed) if self.summed else A
        if self.shapes is not None:
            return A.reshape(self.shapes[0]) * B.reshape(self.shapes[1])
        A, B = A.reshape(self.shape_a), B.reshape(self.shape_b)
        if self.matrices and xp is np:
            return self._multiply(A, B)
        return xp.einsum(self.subscripts, A, B)

    def held(self, a: int, b: int, c: int) -> int:
        """Cells that are allocated for tables of so many, the result included: matrices are copies
        with their axes in another order."""
        return a + b + 2 * c if self.matrices else c

    def _shape(self, runs: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(self.sizes[i] for i in runs)

    def _roles(self) -> tuple[list[int], ...]:
        """The runs that both tables have and keep, those of A, of B, and those summed in both."""
        a, b, c = set(self.a), set(self.b or ()), set(self.c)
        return sorted(a & b & c), sorted(a & c - b), sorted(b & c - a), sorted(a & b - c)

    def _matrices_pay(self) -> bool:
        if self.b is None or -1 in self.sizes or not self.sizes or self.sizes[-1] >= _SHORT:
            return False
        if (set(self.a) ^ set(self.b)) - set(self.c):  # summed in one of them alone
            return False
        _, rows, columns, inner = (prod(self._shape(tuple(runs))) for runs in self._roles())
        return min(rows, columns) > 1 and rows * columns * inner >= _ENTRIES

    def _multiply(self, A: Array, B: Array) -> Array:
        both, rows, columns, inner = self._roles()
        s, r, c, k = (prod(self._shape(tuple(runs))) for runs in (both, rows, columns, inner))
        assert self.b is not None
        A = A.transpose([self.a.index(i) for i in (*both, *rows, *inner)]).reshape(s, r, k)
        B = B.transpose([self.b.index(i) for i in (*both, *inner, *columns)]).reshape(s, k, c)
        runs = (*both, *rows, *columns)
        C = (A @ B).reshape(self._shape(runs))
        return np.ascontiguousarray(C.transpose([runs.index(i) for i in self.c]))


@lru_cache(maxsize=1 << 12)
def product_of(
    sizes: tuple[int, ...], a: tuple[int, ...], b: tuple[int, ...] | None, c: tuple[int, ...]
) -> Product:
    """A product, of which programs have many alike, made once."""
    return Product(sizes, a, b, c)
