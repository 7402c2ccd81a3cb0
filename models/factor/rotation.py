"""Which of the rotations of the loadings, all of which give the same density, is shown.

With W' diag(psi)^-1 W diagonal and falling, factors are independent of each other given a row, and
the first says most of it; for isotropic noise these are the principal axes. Varimax rotates from
there to loadings that are large or small. The largest loading of each factor is positive.

References: Kaiser, "The varimax criterion for analytic rotation in factor analysis", 1958,
https://doi.org/10.1007/BF02289233; Schonemann, "A generalized solution of the orthogonal Procrustes
problem", 1966, https://doi.org/10.1007/BF02289451.
"""

from __future__ import annotations

import numpy as np

from ...arrays import Floats

_ITERATIONS = 500
_GAIN = 1e-10  # of the varimax criterion, relative


def canonical(loadings: Floats, noise: Floats, rotation: str | None) -> Floats:
    """Loadings (d, k), noise (d,): the loadings as they are shown."""
    _, _, right = np.linalg.svd(loadings / np.sqrt(noise)[:, None], full_matrices=False)
    W = loadings @ right.T if loadings.size else loadings
    if rotation == "varimax" and W.shape[1] > 1:
        W = _varimax(W)
    if not W.size:
        return W
    largest = np.take_along_axis(W, np.abs(W).argmax(axis=0)[None], axis=0)
    return np.asarray(W * np.where(largest < 0, -1.0, 1.0))


def _varimax(W: Floats) -> Floats:
    """W rotated to the largest variance of squared loadings within the factors."""
    R, before = np.eye(W.shape[1]), 0.0
    for _ in range(_ITERATIONS):
        turned = W @ R
        slope = W.T @ (turned**3 - turned * np.square(turned).mean(axis=0))
        left, values, right = np.linalg.svd(slope)
        R = left @ right
        if values.sum() <= before * (1 + _GAIN):
            break
        before = values.sum()
    turned = W @ R
    return np.asarray(turned[:, np.argsort(-np.square(turned).sum(axis=0))])


def aligned(draws: Floats, to: Floats) -> Floats:
    """Draws (..., d, k) of loadings, each rotated to be nearest to loadings (d, k)."""
    left, _, right = np.linalg.svd(np.swapaxes(draws, -1, -2) @ to)
    return np.asarray(draws @ (left @ right))
