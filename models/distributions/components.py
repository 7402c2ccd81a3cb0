"""Mixtures of normals, or Student's t, and tables over some of the columns, as plain numbers.

    p(z, c) = sum_k w_k N(z; mu_k, Sigma_k) prod_j P_j[k, c_j]

A density is a product of such mixtures, each over columns of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...arrays import Floats, Ints


@dataclass(frozen=True, eq=False)
class Components:
    """K components over d continuous columns and some discrete ones, encoded.

    Attributes:
        weights: (K,), summing to one.
        continuous, discrete: (d,) and (c,) the places of these columns in a value.
        means: (K, d).
        tril: (K, d, d) or (1, d, d) Cholesky factors of the covariances; or None, where these are
        scale: (K, d) standard deviations, or
        loadings: (K, d, k) W, beside `scale`: Sigma = W W' + diag(scale^2).
        tables: P_j, (K, levels) of each discrete column.
        dof: (K,) degrees of freedom of t in place of normals, beside `tril` or `scale`, or None.
    """

    weights: Floats
    continuous: Ints
    discrete: Ints
    means: Floats
    tril: Floats | None = None
    scale: Floats | None = None
    loadings: Floats | None = None
    tables: tuple[Floats, ...] = ()
    dof: Floats | None = None
