"""Families (a node and its parents) and the sums over rows that their parameters are learnt from:

    N[u, k] = sum_i w_i [u_i = u, x_i = k]                      of a discrete node
    S[u]    = sum_i w_i [u_i = u] v_i v_i',   v = (1, z, x)     of a continuous one

where u are the states of a node's discrete parents and z the values of its continuous ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
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
    w = np.ones(len(codes)) if weights is None else np.asarray(weights, dtype=np.float64)
    return tuple((_counts if f.size else _moments)(f, codes, x, w) for f in of)


def _counts(f: Family, codes: NDArray[np.integer], x: Floats, w: Floats) -> Floats:
    """N of a discrete node."""
    shape = (*f.shape, f.size)
    cells = codes[:, [*f.discrete, f.node]]
    there = (cells >= 0).all(axis=1)
    cell = np.ravel_multi_index(tuple(cells[there].T), shape)
    N = np.bincount(cell, w[there], int(np.prod(shape))).astype(np.float64)
    return N.reshape(shape)


def _moments(f: Family, codes: NDArray[np.integer], x: Floats, w: Floats) -> Floats:
    """S of a continuous node, summed over the rows of each u."""
    u, zx = codes[:, list(f.discrete)], x[:, [*f.continuous, f.node]]
    there = (u >= 0).all(axis=1) & ~np.isnan(zx).any(axis=1)
    v = np.column_stack([np.ones(int(there.sum())), zx[there]])
    w, q = w[there], int(np.prod(f.shape))
    out = np.zeros((q, v.shape[1], v.shape[1]))
    if q == 1:
        out[0] = v.T @ (w[:, None] * v)
    else:
        cell = np.ravel_multi_index(tuple(u[there].T), f.shape)
        order = np.argsort(cell, kind="stable")
        cells, starts = np.unique(cell[order], return_index=True)
        for k, rows in zip(cells, np.split(order, starts[1:]), strict=True):
            out[k] = v[rows].T @ (w[rows, None] * v[rows])
    return out.reshape(*f.shape, *out.shape[1:])
