"""How many modes of a known distribution samples reach, and how evenly.

Of a mixture of K like Gaussians with centres m_k and standard deviation s, a sample belongs to the
nearest centre and is good where it lies within 3 s of it. With q_k the shares of the good samples,

    modes        centres with at least one good sample,
    within       share of all samples that are good,
    kl           reverse KL, of the samples to the truth: sum_k q_k log(q_k / p_k), p_k = 1 / K.

Samples that are not good are in no q_k: `within` tells of them. A mode without samples adds 0 to
the reverse KL and is paid for by the others, which have too many. This is how PacGAN counts. Where
a classifier says which mode a sample is of (stacked MNIST: three digits, 1,000 modes), every sample
is good.

Samples of the truth itself reach `within_floor`, in two dimensions 0.989, and, n of them, a reverse
KL of (K - 1) / (2 n) on average.

References:
    VEEGAN: reducing mode collapse in GANs using implicit variational learning (Srivastava, Valkov,
    Russell, Gutmann, Sutton, 2017) https://arxiv.org/abs/1705.07761
    PacGAN: the power of two samples in generative adversarial networks (Lin, Khetan, Fanti, Oh,
    2018) https://arxiv.org/abs/1712.04086
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Floats
from ..distances import blocks, distances
from ..errors import InputError
from ..plain_json import PlainFields

_REACH = 3.0  # standard deviations


@dataclass(frozen=True)
class ModeCounts(PlainFields):
    """What samples make of known modes; see the module.

    Attributes:
        modes: how many are reached, of `n_modes`.
        within: share of samples within three standard deviations of a centre; 1 of labels.
        kl: reverse KL in nats; infinite where no sample is good.
        within_floor, kl_floor: what as many samples of the truth reach on average.
        counts: (K,) good samples of each mode.
    """

    modes: int
    n_modes: int
    within: float
    kl: float
    within_floor: float
    kl_floor: float
    counts: tuple[int, ...]


def mode_counts(
    samples: ArrayLike, centres: ArrayLike, sd: float, weights: ArrayLike | None = None
) -> ModeCounts:
    """Modes of a mixture of Gaussians, by the nearest centre.

    Args:
        samples: (n, d).
        centres: (K, d), all different.
        sd: the standard deviation of each Gaussian in each dimension.
        weights: (K,) p_k; all alike where None.

    Raises:
        InputError: if the shapes differ, or `sd` is not above 0.
    """
    x, m = (np.asarray(a, np.float64) for a in (samples, centres))
    if x.ndim != 2 or m.ndim != 2 or x.shape[1] != m.shape[1] or not len(x):
        raise InputError(
            f"samples of shape {x.shape} and centres of shape {m.shape} were given; expected "
            "(n, d) and (K, d) with the same d, and at least one sample."
        )
    if not sd > 0:
        raise InputError(f"sd is {sd!r}; expected the standard deviation of a mode, above 0.")
    nearest, good = np.empty(len(x), np.intp), np.empty(len(x), bool)
    for part in blocks(len(x), len(m)):
        between = distances(x[part], m)
        nearest[part] = between.argmin(axis=1)
        good[part] = between.min(axis=1) <= _REACH * sd
    counts = np.bincount(nearest[good], minlength=len(m))
    return _counted(counts, len(x), _within(x.shape[1]), weights)


def label_counts(labels: ArrayLike, n_modes: int, weights: ArrayLike | None = None) -> ModeCounts:
    """Modes that a classifier tells apart.

    Args:
        labels: (n,) whole numbers from 0 to K - 1: what each sample is taken for.
        n_modes: K.
        weights: (K,) p_k; all alike where None.

    Raises:
        InputError: if there are no labels, or one is no mode.
    """
    given = np.asarray(labels)
    if given.ndim != 1 or not len(given) or given.dtype.kind not in "iu":
        raise InputError(
            f"labels of shape {given.shape} and type {given.dtype} were given; expected (n,) whole "
            "numbers, the mode of each sample."
        )
    if given.min() < 0 or given.max() >= n_modes:
        raise InputError(
            f"labels reach from {given.min()} to {given.max()}; {n_modes} modes are numbered 0 to "
            f"{n_modes - 1}."
        )
    return _counted(np.bincount(given, minlength=n_modes), len(given), 1.0, weights)


def _counted(
    counts: NDArray[np.intp], n: int, within_floor: float, weights: ArrayLike | None
) -> ModeCounts:
    k = len(counts)
    p: Floats = np.full(k, 1 / k) if weights is None else np.asarray(weights, np.float64)
    if p.shape != (k,) or (p <= 0).any():
        raise InputError(
            f"weights of shape {p.shape} were given; expected {k} numbers above 0, one a mode."
        )
    p = p / p.sum()
    good = int(counts.sum())
    q = counts / max(good, 1)
    reached = counts > 0
    kl = float(np.sum(q[reached] * np.log(q[reached] / p[reached]))) if good else math.inf
    return ModeCounts(
        modes=int(reached.sum()),
        n_modes=k,
        within=good / n,
        kl=kl,
        within_floor=within_floor,
        kl_floor=(k - 1) / (2 * n),
        counts=tuple(counts.tolist()),
    )


def _within(dimensions: int) -> float:
    """The share of a standard Gaussian within three of its origin."""
    from scipy.special import gammainc

    return float(gammainc(dimensions / 2, _REACH**2 / 2))
