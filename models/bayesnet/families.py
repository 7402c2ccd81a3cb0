"""Families (a node and its parents) and the sums over rows that their parameters are learnt from:

    N[u, k] = sum_i w_i [u_i = u, x_i = k]                      of a discrete node
    S[u]    = sum_i w_i [u_i = u] v_i v_i',   v = (1, z, x)     of a continuous one

where u are the states of a node's discrete parents and z the values of its continuous ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats, Ints, Mask
from ...inference.dag import DAG

Statistics = tuple[
    Floats, ...
]  # of each node, N (r_1, ..., r_q, k) or S (r_1, ..., r_q, m + 2, m + 2)


class Family(NamedTuple):
    """A node and its parents, by number, in the order of `DAG.parents`.

    Attributes:
        node: the node.
        size: its states; 0 of a continuous one.
        discrete: its discrete parents.
        shape: (r_1, ..., r_q) their numbers of states.
        continuous: its continuous parents.
    """

    node: int
    size: int
    discrete: tuple[int, ...]
    shape: tuple[int, ...]
    continuous: tuple[int, ...]


def families(dag: DAG, sizes: Sequence[int]) -> tuple[Family, ...]:
    """The family of each node; `sizes` are the numbers of states, 0 for continuous nodes."""
    return tuple(
        Family(
            node,
            sizes[node],
            tuple(p for p in parents if sizes[p]),
            tuple(sizes[p] for p in parents if sizes[p]),
            tuple(p for p in parents if not sizes[p]),
        )
        for node, parents in enumerate(dag.parents)
    )


def statistics(
    of: Sequence[Family], codes: NDArray[np.integer], x: Floats, weights: Floats | None = None
) -> Statistics:
    """The sums of each family over the rows that have all of it.

    Args:
        of: the families of N nodes.
        codes: (n, N) states; below 0 where missing, and of continuous nodes.
        x: (n, N) values; NaN where missing, and of discrete nodes.
        weights: (n,), or None where all count alike.
    """
    return tuple(sums(of, codes, x, weights))


def sums(
    of: Sequence[Family],
    codes: NDArray[np.integer],
    x: Floats,
    weights: Floats | None,
    outside: Mask | None = None,
) -> Iterator[Floats]:
    """The same one after the other, so that not all need be held. `outside` (n, N) are values that
    were set from outside: such a row does not count for the family of that node."""
    w = np.ones(len(codes)) if weights is None else np.asarray(weights, dtype=np.float64)
    columns = np.ascontiguousarray(codes.T)
    known = np.asarray((columns >= 0).all(axis=1))  # in all rows
    for f in of:
        own = w if outside is None else np.where(outside[:, f.node], 0.0, w)
        yield (_counts if f.size else _moments)(f, columns, known, x, own)


def _counts(f: Family, columns: NDArray[np.integer], known: Mask, x: Floats, w: Floats) -> Floats:
    """N of a discrete node."""
    shape = (*f.shape, f.size)
    cell, there = _cells(columns, known, [*f.discrete, f.node], shape)
    N = np.bincount(cell, w[there], math.prod(shape))
    return N.astype(np.float64, copy=False).reshape(shape)


def _moments(f: Family, columns: NDArray[np.integer], known: Mask, x: Floats, w: Floats) -> Floats:
    """S of a continuous node, summed over the rows of each u."""
    cell, there = _cells(columns, known, f.discrete, f.shape)
    zx = x[:, [*f.continuous, f.node]][there]
    seen = ~np.isnan(zx).any(axis=1)
    v = np.column_stack([np.ones(int(seen.sum())), zx[seen]])
    cell, w, q = cell[seen], w[there][seen], math.prod(f.shape)
    out = np.zeros((q, v.shape[1], v.shape[1]))
    if q == 1:
        out[0] = v.T @ (w[:, None] * v)
    else:
        for i, a in enumerate(v.T):
            for j, b in enumerate(v.T[: i + 1]):
                out[:, i, j] = out[:, j, i] = np.bincount(cell, w * a * b, q)
    return out.reshape(*f.shape, *out.shape[1:])


def _cells(
    columns: NDArray[np.integer], known: Mask, nodes: Sequence[int], shape: tuple[int, ...]
) -> tuple[Ints, slice | Mask]:
    """The numbers of the configurations of some nodes (N, n), and which rows know all of them."""
    there: slice | Mask = slice(None)
    if not known[list(nodes)].all():
        there = np.asarray((columns[list(nodes)] >= 0).all(axis=0))
    cell = np.zeros(columns[:1, there].shape[1], np.intp)
    for node, size in zip(nodes, shape, strict=True):
        cell *= size
        cell += columns[node, there]
    return cell, there
