"""Which states the rows of sequences were in, given parameters of a hidden Markov model.

With a_t as in the pair (`numpyro.py`) and, from the end of the sequence back,

    c_T(k) = 1,    c_t(j) = sum_k A_jk b_t+1(k) c_t+1(k),

    p(s_t = k | y_1, ..., y_T) = a_t(k) c_t(k) / sum_l a_t(l) c_t(l).

Reference: Rabiner, "A tutorial on hidden Markov models and selected applications in speech
recognition", 1989, https://doi.org/10.1109/5.18626.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

from ...arrays import Array, Floats


def smoothed(pi: Floats, A: Floats, log_b: Floats) -> Floats:
    """p(s_t = k | y_1, ..., y_T), (..., T, K), of pi (..., K), A (..., K, K), log b (..., T, K);
    leading dimensions are draws and sequences."""
    with np.errstate(divide="ignore"):
        log_pi, log_A = np.log(pi), np.log(A)
    T = log_b.shape[-2]
    log_a = np.empty(np.broadcast_shapes(log_b.shape, (*log_pi.shape[:-1], T, log_pi.shape[-1])))
    log_c = np.zeros_like(log_a)
    log_a[..., 0, :] = log_pi + log_b[..., 0, :]
    for t in range(1, T):
        before = log_a[..., t - 1, :, None] + log_A
        log_a[..., t, :] = logsumexp(before, axis=-2) + log_b[..., t, :]
    for t in range(T - 2, -1, -1):
        after = log_A + (log_b[..., t + 1, :] + log_c[..., t + 1, :])[..., None, :]
        log_c[..., t, :] = logsumexp(after, axis=-1)
    log_p = log_a + log_c
    p: Floats = np.exp(log_p - logsumexp(log_p, axis=-1, keepdims=True))
    return p


def log_gaussian(y: Floats, mean: Floats, scale: Floats) -> Floats:
    """log b_t(k), (..., T, K), of y (..., T, d) where the states are Gaussian: mean and scale
    (..., K, d)."""
    at = y[..., :, None, :], mean[..., None, :, :], scale[..., None, :, :]
    log_b: Floats = norm.logpdf(*at).sum(axis=-1)
    return log_b


def log_categorical(y: Array, B: Floats) -> Floats:
    """log b_t(k), (..., T, K), of y (T,) where the states are categorical: B (..., K, levels)."""
    with np.errstate(divide="ignore"):
        log_b: Floats = np.log(np.moveaxis(B[..., y], -1, -2))
    return log_b
