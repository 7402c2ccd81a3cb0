"""Linear Gaussian equations, conditioned on some of their variables.

    x = c + B x + s * e,     e ~ Normal(0, I),     B strictly lower triangular

has the solution x = T c + L e with T = (I - B)^-1 and L = T diag(s). Observed are the variables o,
free the others h. With the decomposition L_o^T = Q R, Q = [Q1 Q2] orthogonal, R upper triangular,

    w = R1^-T (x_o - T_o c),
    log p(x_o) = -|w|^2 / 2 - sum log |R_ii| - |o| log(2 pi) / 2,
    E[x_h | x_o] = T_h c + L_h Q1 w,     Cov[x_h | x_o] = (L_h Q2) (L_h Q2)^T.

No covariance is formed and no precision, so noise may be small beside what it is added to, or 0: a
function of other variables is one without noise. Units play no part: the rows of L that are
decomposed are first divided by their lengths.

Reference: Golub and Van Loan, "Matrix computations", 4th ed., 2013, sections 5.2 and 6.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Floats, Ints, Mask

INFINITE = 1e30  # stands for the log density of a value that is certain
_SINGULAR = 1e-12  # of |R_ii| beside the length of its column: less is rounding of 0


@dataclass(frozen=True, eq=False)
class Equations:
    """Equations of d variables under Q configurations of what is discrete.

    Attributes:
        coefficients: (Q, d, d) B, of earlier variables in later ones.
        offsets: (Q, d, c): the offsets c of the equations are offsets @ constants, with constants
            (n, c) of each row.
        scale: (Q, d) standard deviations s, 0 where there is no noise.
        observed: (o,) which of the d variables are observed.
        free: (h,) the others.
    """

    coefficients: Floats
    offsets: Floats
    scale: Floats
    observed: Ints
    free: Ints


@dataclass(frozen=True, eq=False)
class Conditioned:
    """What conditioning needs of each configuration, before values are known.

    Attributes:
        mean: (Q, d, c) T offsets, the observed variables first, then the free ones.
        whiten: (Q, o, o) R1^-T.
        log_det: (Q,) sum log |R_ii|.
        singular: (Q,) whether what is observed has no density.
        gain: (Q, h, o) L_h Q1.
        root: (Q, h, d - o) L_h Q2, whose square is the covariance.
    """

    mean: Floats
    whiten: Floats
    log_det: Floats
    singular: Mask
    gain: Floats
    root: Floats


def conditioned(equations: Equations) -> Conditioned:
    """Solve and decompose equations."""
    B, o, h = equations.coefficients, equations.observed, equations.free
    Q = len(B)
    if not len(h):
        return _alone(equations)
    T = unit_lower_inverse(B)
    L = T * equations.scale[:, None, :]
    mean = np.matmul(T, equations.offsets)[:, np.concatenate([o, h])]
    if not len(o):
        none = np.zeros((Q, 0, 0))
        singular = np.zeros(Q, bool)
        return Conditioned(mean, none, np.zeros(Q), singular, np.zeros((Q, len(h), 0)), L[:, h])
    L_o, L_h = L[:, o], L[:, h]
    length = np.sqrt((L_o**2).sum(axis=2))
    length = np.where(length > 0, length, 1.0)
    orthogonal, R = np.linalg.qr((L_o / length[..., None]).transpose(0, 2, 1), mode="complete")
    R1 = R[:, : len(o)]
    diagonal = np.diagonal(R1, axis1=1, axis2=2)
    singular = (np.abs(diagonal) < _SINGULAR).any(axis=1)
    diagonal = np.where(singular[:, None], 1.0, diagonal)
    below = np.tril(R1.transpose(0, 2, 1), -1) / -diagonal[..., None]
    whiten = unit_lower_inverse(below) / diagonal[:, None, :] / length[:, None, :]
    log_det = np.log(np.abs(diagonal)).sum(axis=1) + np.log(length).sum(axis=1)
    gain = np.matmul(L_h, orthogonal[:, :, : len(o)])
    root = np.matmul(L_h, orthogonal[:, :, len(o) :])
    return Conditioned(mean, whiten, log_det, singular, gain, root)


def _alone(equations: Equations) -> Conditioned:
    """A single equation, of a variable that is observed."""
    scale = equations.scale[:, :, None]
    singular = scale[:, 0, 0] == 0
    scale = np.where(singular[:, None, None], 1.0, scale)
    nothing = np.empty((len(scale), 0, 1))
    log_det = np.log(scale[:, 0, 0])
    return Conditioned(equations.offsets, 1 / scale, log_det, singular, nothing, nothing[..., :0])


def unit_lower_inverse(B: Floats) -> Floats:
    """(I - B)^-1 of strictly lower triangular matrices (..., d, d), by substitution."""
    d = B.shape[-1]
    out = np.zeros(B.shape)
    for i in range(d):
        if i:
            out[..., i, :i] = np.matmul(B[..., i, None, :i], out[..., :i, :i])[..., 0, :]
        out[..., i, i] = 1.0
    return out


@dataclass(frozen=True, eq=False)
class Posterior:
    """Of each pair of a row and a configuration: the log density of what is observed, (n, u), and
    the means of the free variables, (n, u, h)."""

    log_density: Floats
    mean: Floats


def posterior(
    solved: Conditioned, constants: Floats, values: Floats, config: Ints | None
) -> Posterior:
    """Condition on values.

    Args:
        solved: of Q configurations.
        constants: (n, c).
        values: (n, o) of the variables observed.
        config: (n, u) the numbers of the configurations of each row; None: each row has all.
    """
    o = values.shape[1]
    mean = _mean(solved.mean, constants, config)
    e = values[:, None, :] - mean[..., :o]
    w = _times(solved.whiten, e, config)
    log_det, singular = solved.log_det, solved.singular
    if config is not None:
        log_det, singular = log_det[config], singular[config]
    with np.errstate(over="ignore"):  # so far out that the density is 0
        squares = (w**2).sum(axis=-1)
    log_density = -0.5 * squares - log_det - 0.5 * o * np.log(2 * np.pi)
    log_density = np.where(singular, INFINITE, log_density)
    free = mean[..., o:]
    return Posterior(log_density, free + _times(solved.gain, w, config) if free.size else free)


def _mean(matrices: Floats, constants: Floats, config: Ints | None) -> Floats:
    """(n, u, d) matrices (Q, d, c) times constants (n, c)."""
    if config is None:
        Q, d, c = matrices.shape
        mean: Floats = constants @ matrices.reshape(Q * d, c).T
        return mean.reshape(len(constants), Q, d)
    product: Floats = np.matmul(matrices[config], constants[:, None, :, None])
    return product[..., 0]


def _times(matrices: Floats, vectors: Floats, config: Ints | None) -> Floats:
    """(n, u, i) matrices (Q, i, j) times vectors (n, u, j)."""
    if config is None:
        product: Floats = np.matmul(vectors.transpose(1, 0, 2), matrices.transpose(0, 2, 1))
        return product.transpose(1, 0, 2)
    product = np.matmul(matrices[config], vectors[..., None])
    return product[..., 0]
