"""Splitting and merging components, which gets EM out of poor solutions.

Two components that share their rows are merged and one that fits its rows badly is split; the move
is kept only if the likelihood rises, and that of rows left out too. A component fits badly if the
divergence of its rows from its density is large,

    J_k = sum_n f_nk (log f_nk - log p_k(x_n)),        f_nk = r_nk / sum_n r_nk.

Reference: Ueda, Nakano, Ghahramani and Hinton, "SMEM algorithm for mixture models", 2000,
https://doi.org/10.1162/089976600300015088.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np

from ...covariance import root
from .kernel import responsibilities
from .leave_one_out import left_out
from .parameters import Floats, Mixture
from .search import LONG_ITER, SHORT_ITER, SHORT_ROWS, Search
from .weighted_rows import WeightedRows

_MOVES = 8  # candidates in a round
_BEHIND = 0.02  # nats a row by which a move may be behind after a short run


def split_and_merge(
    rows: WeightedRows, mixture: Mixture, objective: float, search: Search, rng: np.random.Generator
) -> Mixture:
    """Split and merge until no move of a round raises the likelihood."""
    k = mixture.n_components
    short = rows.thinned(SHORT_ROWS, rng)
    held = left_out(rows, mixture)

    def mean(mixture: Mixture) -> float:
        return float(short.v @ short.score(mixture)[1]) / short.total

    for _ in range(k):
        joint = rows.joint(mixture).log_prob
        pairs = _merges(responsibilities(np, joint)[0], rows.v)
        splits = misfit(mixture, rows, joint)
        better, least = None, mean(mixture) - _BEHIND
        for a, b, c in _candidates(pairs, splits, k):
            if search.out_of_time():
                return mixture
            moved = split(merge(mixture, a, b), c if c < b else c - 1, short, rng)
            # A move that is behind after a short run on few rows is not worth a long one.
            tried = search.run(short, moved, SHORT_ITER, least).mixture
            if mean(tried) < least:
                continue
            tried, reached, _ = search.run(rows, tried, LONG_ITER)
            if (
                reached > objective + 2 * search.settings.tol
                and (now := left_out(rows, tried)) > held
            ):
                better, held = (tried, reached), now
                break
        if better is None:
            return mixture
        mixture, objective = better
    return mixture


def _candidates(
    pairs: list[tuple[int, int]], splits: list[int], k: int
) -> list[tuple[int, int, int]]:
    """Triples (merge a and b, split c), the most promising first."""
    order = (
        (*pairs[i], splits[total - i])
        for total in range(k + len(pairs))
        for i in range(min(total + 1, len(pairs)))
        if total - i < len(splits)
    )
    return list(islice(((a, b, c) for a, b, c in order if c not in (a, b)), _MOVES))


def _merges(r: Floats, v: Floats) -> list[tuple[int, int]]:
    """Pairs a < b, those with the most similar responsibilities first."""
    inner = (r * v[:, None]).T @ r
    norm = np.sqrt(np.maximum(np.diag(inner), 1e-300))
    alike = inner / np.outer(norm, norm)
    a, b = np.triu_indices(len(alike), 1)
    order = np.argsort(-alike[a, b])
    return [(int(a[i]), int(b[i])) for i in order]


def misfit(mixture: Mixture, rows: WeightedRows, joint: Floats) -> list[int]:
    """Components by the divergence of their rows from their density, the largest first; `joint` is
    (n, k) log w_k p_k(x)."""
    r, _ = responsibilities(np, joint)
    f = r * rows.v[:, None]
    f = f / np.maximum(f.sum(axis=0), 1e-300)
    divergence = np.empty(mixture.n_components)
    for c in range(mixture.n_components):
        used = f[:, c] > 0
        log_density = joint[used, c] - np.log(mixture.weights[c])
        divergence[c] = f[used, c] @ (np.log(f[used, c]) - log_density)
    return [int(c) for c in np.argsort(-divergence * mixture.weights)]


def merge(mixture: Mixture, a: int, b: int) -> Mixture:
    """Components a < b as one with their joint mean and covariance, in the place of a."""
    w = mixture.weights
    total = w[a] + w[b]
    p, q = w[a] / total, w[b] / total

    def averaged(values: Floats) -> Floats:
        out = values.copy()
        out[a] = p * values[a] + q * values[b]
        return out

    weights, covariances, kind = w.copy(), mixture.covariances, mixture.covariance_type
    weights[a] = total
    if kind != "tied":
        gap = mixture.means[a] - mixture.means[b]
        square = np.outer(gap, gap) if kind == "full" else gap**2
        covariances = averaged(covariances)
        covariances[a] += p * q * (square.mean() if kind == "spherical" else square)
    probs = tuple(averaged(table) for table in mixture.probs)
    dof = None if mixture.dof is None else averaged(mixture.dof)
    merged = Mixture(weights, averaged(mixture.means), covariances, kind, probs, dof)
    return merged.take(np.delete(np.arange(len(w)), b))


def split(mixture: Mixture, c: int, rows: WeightedRows, rng: np.random.Generator) -> Mixture:
    """Component c as two, 1.4 standard deviations apart and of unequal weight, as EM stays where
    both halves are alike; the second comes last.

    With y the whitened rows of c, it is mostly split along the eigenvector of E[|y|^2 y y^T] with
    the smallest eigenvalue (d + 2 for a normal, less along a line through two clusters), and by
    chance along another, so that repeated tries differ.
    """
    k, d = mixture.means.shape
    both = mixture.take(np.append(np.arange(k), c))  # arrays of its own, but a tied covariance
    weights, means, covariances = both.weights, both.means, both.covariances
    share = rng.uniform(0.3, 0.7)
    weights[[c, k]] = weights[c] * np.array([share, 1 - share])
    if d:
        alone = mixture.take(np.array([c]))
        share_c = rows.score(mixture)[0][:, c] * rows.v
        e = rows.filled() - alone.means[0]
        if alone.covariance_type in ("full", "tied"):
            factor = root(alone.full_covariances()[0])
            y = np.linalg.solve(factor, e.T).T
        else:
            factor = np.sqrt(alone.full_covariances()[0])
            y = e / np.diagonal(factor)
        fourth = (y * (share_c * np.square(y).sum(axis=1))[:, None]).T @ y
        axes = np.linalg.eigh(fourth)[1]
        step = factor @ axes[:, 0 if rng.random() < 0.7 else int(rng.integers(d))]
        means[c] = mixture.means[c] + 1.4 * (1 - share) * step
        means[k] = mixture.means[c] - 1.4 * share * step
        if mixture.covariance_type == "full":
            covariances[[c, k]] = covariances[c] - 0.45 * np.outer(step, step)
        elif mixture.covariance_type == "diag":
            covariances[[c, k]] = covariances[c] - 0.45 * np.minimum(step**2, covariances[c])
        elif mixture.covariance_type == "spherical":
            covariances[[c, k]] = covariances[c] * 0.6
    for table in both.probs:
        table[c] = 0.8 * table[c] + 0.2 * rng.dirichlet(np.ones(table.shape[1]))
    return replace(both, weights=weights / weights.sum())
