"""The parameters of a mixture over Gaussian and categorical columns.

p(x, c) = sum_k w_k N(x; mu_k, Sigma_k) prod_j P_j[k, c_j],

or with t_nu_k(x; mu_k, Sigma_k) for N, Student's t of nu_k degrees of freedom (`radial`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats as Floats
from ...covariance import correlations

CovarianceType = Literal["full", "tied", "diag", "spherical"]
_WIDE = 32  # columns from which a triangular inverse pays
COVARIANCE_TYPES: tuple[CovarianceType, ...] = ("full", "tied", "diag", "spherical")


class Whitening(NamedTuple):
    """A mixture in the form that densities need: y_k = A_k x - b_k is standard normal, or t, under
    component k.

    Attributes:
        A: (d, k d) for full, (d, d) for tied, (k, d) factors for diag and spherical.
        b: (k, d) images of the means.
        constant: (k,) log w_k + log |A_k| + the log density of y_k at 0.
        tables: log P_j (k, levels + 2); the last two columns are a missing level, log 1, and an
            unknown one, log 0.
        dof: (k,) degrees of freedom of the t, or None.
    """

    A: Floats
    b: Floats
    constant: Floats
    tables: tuple[Floats, ...]
    dof: Floats | None = None


@dataclass(frozen=True)
class Mixture:
    """Parameters of k components over d continuous columns and any number of categorical ones.

    Attributes:
        weights: (k,), summing to one.
        means: (k, d).
        covariances: (k, d, d) full, (d, d) tied, (k, d) diag, (k,) spherical: variances, as in
            scikit-learn. Of a t they are Sigma; its variances are nu / (nu - 2) as large.
        covariance_type: which of these.
        probs: P_j, (k, levels of column j) each.
        dof: (k,) degrees of freedom of Student's t, or None for Gaussians.
    """

    weights: Floats
    means: Floats
    covariances: Floats
    covariance_type: CovarianceType
    probs: tuple[Floats, ...] = ()
    dof: Floats | None = None

    @property
    def n_components(self) -> int:
        return len(self.weights)

    @property
    def n_levels(self) -> tuple[int, ...]:
        """Levels of each categorical column."""
        return tuple(p.shape[1] for p in self.probs)

    def full_covariances(self) -> Floats:
        """(k, d, d), whatever the covariance type."""
        k, d = self.means.shape
        if self.covariance_type == "full":
            return self.covariances
        if self.covariance_type == "tied":
            return np.broadcast_to(self.covariances, (k, d, d))
        diagonal = self.covariances
        if self.covariance_type == "spherical":
            diagonal = np.repeat(diagonal[:, None], d, axis=1)
        return diagonal[:, :, None] * np.eye(d)

    def precisions_cholesky(self) -> Floats:
        """In scikit-learn's shapes: upper triangular U with Sigma^-1 = U U^T, or 1 / sigma."""
        if self.covariance_type in ("diag", "spherical"):
            return 1 / np.sqrt(self.covariances)
        unitless, spread = correlations(self.covariances)
        lower = np.linalg.cholesky(unitless)
        return np.swapaxes(inverse_of_lower(lower), -1, -2) / spread[..., :, None]

    def whitening(self, shift: Floats) -> Whitening:
        """The whitening of rows that have had `shift` (d,) taken off."""
        k, d = self.means.shape
        means = self.means - shift
        factor = self.precisions_cholesky()
        if self.covariance_type == "full":
            A = factor.transpose(1, 0, 2).reshape(d, k * d)
            b = np.einsum("kd,kde->ke", means, factor)
            log_det = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        elif self.covariance_type == "tied":
            A, b = factor, means @ factor
            log_det = np.full(k, np.log(np.diagonal(factor)).sum())
        else:
            A = factor if self.covariance_type == "diag" else np.repeat(factor[:, None], d, axis=1)
            b = means * A
            log_det = np.log(A).sum(axis=1)
        from .radial import log_norm  # SciPy, which settings alone do without

        with np.errstate(divide="ignore"):
            constant = np.log(self.weights) + log_det + log_norm(d, self.dof)
            edge = np.tile(np.array([0.0, -np.inf]), (k, 1))
            tables = tuple(np.concatenate([np.log(p), edge], axis=1) for p in self.probs)
        return Whitening(A, b, constant, tables, self.dof)

    def n_parameters(self) -> int:
        """Free parameters, for information criteria."""
        k, d = self.means.shape
        per_type = {"full": k * d * (d + 1) // 2, "tied": d * (d + 1) // 2, "diag": k * d}
        covariance = per_type.get(self.covariance_type, k if d else 0)
        tables = sum(k * (levels - 1) for levels in self.n_levels)
        tails = 0 if self.dof is None or not d else k
        return int(k - 1 + k * d + covariance + tables + tails)

    def take(self, components: NDArray[np.intp]) -> Mixture:
        """Some of the components, their weights renormalised."""
        weights = self.weights[components]
        tied = self.covariance_type == "tied"
        covariances = self.covariances if tied else self.covariances[components]
        probs = tuple(p[components] for p in self.probs)
        dof = None if self.dof is None else self.dof[components]
        kind, means = self.covariance_type, self.means[components]
        return Mixture(weights / weights.sum(), means, covariances, kind, probs, dof)


def inverse_of_lower(lower: NDArray[Any]) -> Floats:
    """Inverses of lower triangular matrices (..., d, d)."""
    d = lower.shape[-1]
    if d < _WIDE:  # NumPy's takes all matrices in one call, and does not know that they are lower
        return np.asarray(np.linalg.inv(lower), dtype=np.float64)
    from scipy.linalg.lapack import dtrtri

    each = [dtrtri(one, lower=1)[0] for one in lower.reshape(-1, d, d)]
    return np.asarray(each).reshape(lower.shape)
