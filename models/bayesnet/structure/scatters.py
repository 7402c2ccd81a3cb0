"""Scatters of continuous nodes by configuration of discrete ones, and what regressions leave:

R_cc|P = R_cc - R_cP R_PP^-1 R_Pc.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ....arrays import Floats, Ints

JITTER = 1e-12  # of the scatter of parents that are functions of each other
MANY = 500  # rows in a configuration, above which a product of matrices is cheaper


class Moments(NamedTuple):
    """Of some continuous nodes in each configuration that there is.

    Attributes:
        n: (u,) weight of the rows.
        rows: (u,) how many they are.
        mean: (u, k).
        scatter: (u, k, k) weighted products of deviations from the mean.
        q: how many configurations there could be.
    """

    n: Floats
    rows: Ints
    mean: Floats
    scatter: Floats
    q: int


class Schur(NamedTuple):
    """What is left of R when parents P are regressed on, of a node v and the nodes after it.

    Attributes:
        whole: (u, k) R_cc of each.
        rest: (u, k) R_cc|P.
        cross: (u, k) R_vc|P.
        log_det: (u,) log det R_PP.
    """

    whole: Floats
    rest: Floats
    cross: Floats
    log_det: Floats


def moments_of(x: Floats, w: Floats, count: Ints, q: int) -> Moments:
    """Moments of groups of so many rows each, one after the other.

    Args:
        x: (n, k) values.
        w: (n,) weights.
        count: (u,) rows in each group, one at least.
        q: how many groups there could be.
    """
    k = x.shape[1]
    if not len(count):
        return Moments(np.empty(0), count, np.empty((0, k)), np.empty((0, k, k)), q)
    starts = np.cumsum(count) - count
    n = np.add.reduceat(w, starts)
    mean = np.add.reduceat(w[:, None] * x, starts) / n[:, None]
    x = x - np.repeat(mean, count, axis=0)
    weighted = w[:, None] * x
    scatter = np.empty((len(n), k, k))
    if len(x) > MANY * len(count):
        for group, start, size in zip(scatter, starts, count, strict=True):
            group[:] = x[start : start + size].T @ weighted[start : start + size]
    else:
        for i in range(k):
            scatter[:, i, i:] = np.add.reduceat(x[:, i:] * weighted[:, i : i + 1], starts)
            scatter[:, i:, i] = scatter[:, i, i:]
    return Moments(n, count, mean, scatter, q)


def schur(matrix: Floats, block: Floats, least: Floats) -> Schur:
    """What is left when the first m nodes are regressed on.

    Args:
        matrix: (u, k, k) R.
        block: (u, m, m) R_PP, or what is to stand for it.
        least: (u,) what is added to the diagonal of those that are singular.
    """
    m = block.shape[-1]
    whole = np.diagonal(matrix, axis1=1, axis2=2)[:, m:]
    root = _root(block, least)
    half = np.linalg.solve(root, matrix[:, :m, m:])  # L^-1 R_P.
    rest = whole - (half**2).sum(axis=1)
    cross = matrix[:, m, m:] - np.einsum("up,upk->uk", half[:, :, 0], half)
    log_det = 2 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    return Schur(whole, rest, cross, log_det)


def _root(block: Floats, least: Floats) -> Floats:
    """Cholesky factors (u, m, m) of scatters, of which those that are singular are first added a
    little on their diagonal."""
    at = np.arange(block.shape[1])
    diagonal = block[:, at, at]
    try:
        root: Floats = np.asarray(np.linalg.cholesky(block), np.float64)
        pivots = root[:, at, at] ** 2
        if (pivots > 10 * JITTER * diagonal + least[:, None]).all():
            return root
    except np.linalg.LinAlgError:
        pass
    block[:, at, at] += JITTER * diagonal + least[:, None]
    return np.asarray(np.linalg.cholesky(block), np.float64)
