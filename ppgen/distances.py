"""Distances between the rows of two sets, a block of rows at a time, so that memory is bounded."""

from __future__ import annotations

from collections.abc import Iterator

from .arrays import Floats

_CELLS = 2_000_000  # of a block, 16 MB


def blocks(n: int, width: int) -> Iterator[slice]:
    """Slices that cover n rows, so that rows by `width` are few cells."""
    size = max(1, _CELLS // max(1, width))
    return (slice(first, min(first + size, n)) for first in range(0, n, size))


def distances(a: Floats, b: Floats) -> Floats:
    """(n, m) Euclidean distances of the rows of (n, d) and (m, d); 0 for equal rows."""
    from scipy.spatial.distance import cdist

    between: Floats = cdist(a, b)
    return between
