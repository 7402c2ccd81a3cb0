"""Scores of how unusual rows are beside others, of coordinates of about unit scale.

Each is made of reference rows and grows with how unusual a row is; see `outliers`, which brings
them to one unit. The mixture is of some of the rows where these are many, and of their leading
principal components where they are wide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..arrays import Floats
from ..thinning import thinned

K = 5
"""Neighbours that distances are averaged over."""
COMPONENTS = 10
"""Gaussians of the mixture; fewer where rows are few."""
_NEAR, _SUMMED = 10, 100  # neighbours that h is read at, and that the kernels are summed over
_MOST_MIXED, _MOST_DIMENSIONS = 2_500, 64  # rows and dimensions of the mixture
_ROWS = 10  # a component
_NOISE = 0.1  # its variance
_REGULARISATION, _STEPS = 0.1, 100  # of EM

Scorer = Callable[[Floats], Floats]


def neighbours(known: Floats, rows: Floats) -> tuple[Floats, Floats, Floats]:
    """(n,) mean distances to the nearest, (n,) -log sums of kernels, and (n, d) how far rows are
    from the mean of the nearest."""
    from scipy.special import logsumexp
    from sklearn.neighbors import NearestNeighbors

    n = len(known)
    found = NearestNeighbors(n_neighbors=min(_SUMMED, n)).fit(known)
    own = found.kneighbors(n_neighbors=min(_NEAR, n - 1))[0][:, -1]
    h = float(np.median(own)) / np.sqrt(known.shape[1])
    h = h or float(own.mean()) or 1.0  # most rows are copies
    far, which = found.kneighbors(rows)
    far, which = np.asarray(far), which[:, :K]
    kernel = -logsumexp(-0.5 * (far / h) ** 2, axis=1)
    return far[:, :K].mean(axis=1), kernel, rows - known[which].mean(axis=1)


def mixture(known: Floats, rng: np.random.Generator) -> Scorer:
    """-log density of a Gaussian mixture of the reference rows, seen with some noise: few rows say
    little of the directions in which a component hardly varies."""
    from ..models.gmm.initialise import best_start
    from ..models.gmm.search import Search
    from ..models.gmm.settings import MixtureSettings
    from ..models.gmm.weighted_rows import WeightedRows, score

    known = known[thinned(len(known), _MOST_MIXED, rng)]
    mean, axes = known.mean(axis=0), np.eye(known.shape[1])
    if known.shape[1] > _MOST_DIMENSIONS:
        axes = np.linalg.svd(known - mean, full_matrices=False)[2][:_MOST_DIMENSIONS].T
    fitted = WeightedRows((known - mean) @ axes, _no_codes(known), (), None)
    k = max(1, min(COMPONENTS, len(known) // _ROWS))
    search = Search.of(MixtureSettings(k, reg_covar=_REGULARISATION), fitted, lambda: None)
    found = search.run(fitted, best_start(fitted, k, search, rng), _STEPS).mixture
    seen = replace(found, covariances=found.covariances + _NOISE * np.eye(axes.shape[1]))
    return lambda rows: -score(seen, (rows - mean) @ axes, _no_codes(rows))[1]


def _no_codes(rows: Floats) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    return np.empty((len(rows), 0), np.int32)
