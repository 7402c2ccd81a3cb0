"""The optimum of a linear autoencoder in closed form: the principal subspace.

Among linear f and g with k codes, the weighted squared error sum_i w_i |y_i - g(f(y_i))|^2 is least
where g f projects on the span of the k leading eigenvectors of the weighted covariance, through the
weighted mean; every other stationary point is a saddle. Of all bases of that subspace this one is
taken: orthonormal, by falling variance, the largest entry of each axis positive, as PCA has it.

It comes from the covariance (F, F) where F is at most `_DIRECT`, from the products of rows (n, n)
where n is, and otherwise from subspace iterations over the rows, which converge to it at the rate
(lambda_{k + `_MORE`} / lambda_k) an iteration. Rows are read in blocks.

References: Baldi and Hornik, "Neural networks and principal component analysis: learning from
examples without local minima", 1989, https://doi.org/10.1016/0893-6080(89)90014-2; Halko,
Martinsson and Tropp, "Finding structure with randomness", 2011, https://doi.org/10.1137/090771806.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ...arrays import Floats

Blocks = Callable[[], Iterator[tuple[slice, Floats]]]

_DIRECT = 4096
_MORE = 10
_ITERATIONS = 50
_CLOSE = 1e-10  # change of the projections' lengths at which the iterations end


def principal(
    blocks: Blocks, n: int, size: int, k: int, weights: Floats | None, seed: int = 0
) -> tuple[Floats, Floats]:
    """The weighted mean (F,) and the k leading axes (k, F), orthonormal.

    Args:
        blocks: gives, each time it is called, all rows in order: which they are, and (m, F) floats.
        n, size: how many rows there are, and F.
        weights: (n,), or None for 1 each.
        seed: of where the iterations begin.
    """
    w = np.full(n, 1.0 / n) if weights is None else weights / weights.sum()
    mean = np.zeros(size)
    for at, y in blocks():
        mean += w[at] @ y

    def centred() -> Iterator[tuple[slice, Floats]]:
        for at, y in blocks():
            yield at, np.sqrt(w[at])[:, None] * (y - mean)

    if size <= _DIRECT:
        axes = _covariance(centred, size, k)
    elif n <= _DIRECT:
        axes = _products(centred, n, size, k)
    else:
        axes = _iterated(centred, size, k, seed)
    return mean, _signed(axes)


def _covariance(blocks: Blocks, size: int, k: int) -> Floats:
    from scipy.linalg import eigh

    total = np.zeros((size, size))
    for _, y in blocks():
        total += y.T @ y
    _, vectors = eigh(total, subset_by_index=(size - k, size - 1))
    return np.ascontiguousarray(vectors[:, ::-1].T)


def _products(blocks: Blocks, n: int, size: int, k: int) -> Floats:
    from scipy.linalg import svd

    rows = np.empty((n, size))
    for at, y in blocks():
        rows[at] = y
    axes: Floats = svd(rows, full_matrices=False)[2][:k]
    return axes if len(axes) == k else _completed(axes, k)


def _iterated(blocks: Blocks, size: int, k: int, seed: int) -> Floats:
    """Subspace iterations q <- orth(C q), and the leading axes within the last."""
    width = min(k + _MORE, size)
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, width)))[0]
    lengths = np.zeros(width)
    for _ in range(_ITERATIONS):
        image = np.zeros((size, width))
        for _, y in blocks():
            image += y.T @ (y @ q)
        q, values, _ = np.linalg.svd(image, full_matrices=False)
        if np.abs(values[:k] - lengths[:k]).max() <= _CLOSE * values[0]:
            break
        lengths = values
    return np.ascontiguousarray(q[:, :k].T)


def _completed(axes: Floats, k: int) -> Floats:
    """More orthonormal axes where there are fewer rows than axes asked for."""
    spare = np.random.default_rng(0).normal(size=(k - len(axes), axes.shape[1]))
    q = np.linalg.qr(np.vstack([axes, spare]).T)[0].T
    return np.vstack([axes, q[len(axes) :]])


def _signed(axes: Floats) -> Floats:
    largest = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1)
    return axes * np.where(largest < 0, -1.0, 1.0)
