"""Mutual information gap: whether each factor has one latent of its own.

With I(z_j; v) the mutual information of latent j and factor v, H(v) the factor's entropy, and j1,
j2 the latents that know most of v,

    MIG = mean over v of ( I(z_j1; v) - I(z_j2; v) ) / H(v).

Information is counted over bins (see `factors`), every entropy with the correction for small
samples H + (m - 1) / 2n, m the number of bins that are not empty. The paper integrates over
q(z | x); codes are its means, as usual for comparing families.

References:
    Isolating sources of disentanglement in variational autoencoders (Chen, Li, Grosse, Duvenaud,
    2018) https://arxiv.org/abs/1802.04942
    Note on the bias of information estimates (Miller, 1955), in Information theory in psychology
"""

from __future__ import annotations

import numpy as np

from ..arrays import Floats, Ints
from .factors import BINS, Factors, binned, gap


def mutual_information_gap(codes: Floats, factors: Factors, bins: int = BINS) -> Floats:
    """(f,) the gap of each factor in [0, 1]; their mean is the MIG.

    Args:
        codes: (n, k).
        factors: of the same n rows.
        bins: the most bins of a latent and of a factor.
    """
    return gap(information(codes, factors, bins))


def information(codes: Floats, factors: Factors, bins: int = BINS) -> Floats:
    """(k, f) the share of each factor's entropy that each latent knows, in [0, 1]."""
    z = [binned(column, bins) for column in codes.T]
    shares = np.empty((len(z), len(factors.names)))
    for j, unordered in enumerate(factors.categorical):
        v = factors.levels(j) if unordered else binned(factors.values[:, j], bins)
        own = entropy(v)
        for i, latent in enumerate(z):
            shared = own + entropy(latent) - entropy(latent * (v.max() + 1) + v)
            shares[i, j] = shared / own if own > 0 else 0.0
    return np.clip(shares, 0.0, 1.0)


def entropy(v: Ints) -> float:
    """Entropy in nats of whole numbers (n,), corrected for small samples."""
    counts = np.unique(v, return_counts=True)[1]
    p = counts / len(v)
    return float(-(p * np.log(p)).sum() + (len(counts) - 1) / (2 * len(v)))
