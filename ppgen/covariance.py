"""Covariance matrices of columns in any units.

Eigenvalues and inverses of a covariance lose what is small in its largest units: beside 1e6, a
spread of 1e-3 is below rounding. With D = diag(Sigma),

    Sigma = D^1/2 R D^1/2,

the correlations R have no units; everything is computed from R and scaled by D^1/2 at the end.
"""

from __future__ import annotations

import numpy as np

from .arrays import Floats


def correlations(covariances: Floats) -> tuple[Floats, Floats]:
    """R (..., d, d) and D^1/2 (..., d) of covariances (..., d, d); 1 for a variance of 0."""
    variances = np.diagonal(covariances, axis1=-2, axis2=-1)
    spread = np.sqrt(np.where(variances > 0, variances, 1.0))
    return covariances / spread[..., :, None] / spread[..., None, :], spread


def root(covariances: Floats) -> Floats:
    """A (..., d, d) with A A^T = Sigma, for positive semidefinite Sigma (..., d, d)."""
    unitless, spread = correlations(covariances)
    values, vectors = np.linalg.eigh(unitless)
    scaled = vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]
    return np.asarray(spread[..., :, None] * scaled)
