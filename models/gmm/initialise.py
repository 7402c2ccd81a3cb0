"""Where EM starts, which decides how good a mixture gets.

k-means++ seeds are refined by k-means and short runs of EM; EM goes on from the best start, which
is then improved by splitting and merging components (`moves`). The best start explains rows that
are left out best (`leave_one_out`): by the likelihood, a start whose components sit on single rows
would win.

Reference: Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", 2007,
https://dl.acm.org/doi/10.5555/1283383.1283494.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .leave_one_out import left_out
from .moves import split_and_merge
from .parameters import CovarianceType, Floats, Mixture
from .search import LONG_ITER, SAMPLE, SHORT_ITER, SHORT_ROWS, Search
from .weighted_rows import WeightedRows

_FAR = 6.0  # standard deviations


def best_start(
    rows: WeightedRows,
    k: int,
    search: Search,
    rng: np.random.Generator,
    given: Callable[[Mixture], Mixture] = lambda start: start,
    split_merge: bool = False,
) -> Mixture:
    """The best mixture of k components that EM came to on at most `SAMPLE` of the rows; `given`
    puts what the user gave into each start, and `split_merge` improves the best by moves."""
    sample = rows.thinned(SAMPLE, rng)
    short = sample.thinned(max(SHORT_ROWS, 20 * k), rng)
    tried: list[tuple[float, Mixture]] = []
    for _ in range(search.settings.n_init if k > 1 else 1):
        labels = _labels(short, k, rng, search.settings.init_params)
        start = given(from_labels(short, labels, k, search))
        mixture, _ = search.run(short, start, SHORT_ITER)
        tried.append((left_out(short, mixture), mixture))
        if search.out_of_time():
            break
    ends: list[tuple[float, Mixture, float]] = []
    for _, start in sorted(tried, key=lambda pair: -pair[0]):
        mixture, objective = search.run(sample, start, LONG_ITER)
        ends.append((left_out(sample, mixture), mixture, objective))
        # A run that ends worse than it began has put components on single rows: try the next.
        if k == 1 or search.out_of_time() or ends[-1][0] >= left_out(sample, start):
            break
    _, mixture, objective = max(ends, key=lambda end: end[0])
    if split_merge and k > 2:
        mixture = split_and_merge(sample, mixture, objective, search, rng)
    return mixture


def from_labels(rows: WeightedRows, labels: NDArray[np.intp], k: int, search: Search) -> Mixture:
    """The mixture of the labelled groups; an empty group has the covariance of all rows."""
    r = np.eye(k)[labels] * rows.v[:, None]
    n = r.sum(axis=0)
    x = rows.filled() - rows.centre
    floor = search.regularisation.floor
    variance = np.square(rows.spread) + floor
    means = (r.T @ x) / np.maximum(n, 1e-12)[:, None]
    within = (r.T @ (x * x)) / np.maximum(n, 1e-12)[:, None] - means**2
    # Few rows say little about a covariance: theirs are mixed with the variances of all rows.
    trust = (n / (n + x.shape[1] + 1))[:, None]
    overall = variance / max(1, k) ** (2 / max(1, x.shape[1]))
    variances = trust * np.maximum(within, 0) + (1 - trust) * overall + floor
    probs = []
    for j, levels in enumerate(rows.n_levels):
        counts = np.zeros((k, levels + 2))
        np.add.at(counts, (labels, rows.columns[:, j]), rows.v)
        seen = counts[:, :levels]
        share = (seen.sum(axis=0) + 1) / (seen.sum() + levels)
        probs.append((seen + share) / (seen.sum(axis=1, keepdims=True) + 1))
    weights = (n + 1) / (n + 1).sum()
    kind = search.settings.covariance_type
    covariances = _shaped(variances, weights, kind)
    return Mixture(weights, means + rows.centre, covariances, kind, tuple(probs))


def _shaped(variances: Floats, weights: Floats, kind: CovarianceType) -> Floats:
    """Variances (k, d) as covariances of a type."""
    if kind == "diag":
        return variances
    if kind == "spherical":
        return variances.mean(axis=1) if variances.shape[1] else np.ones(len(variances))
    full = variances[:, :, None] * np.eye(variances.shape[1])
    return full if kind == "full" else np.einsum("k,kij->ij", weights, full)


def _labels(
    rows: WeightedRows, k: int, rng: np.random.Generator, init_params: str
) -> NDArray[np.intp]:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    features = _features(rows)
    if k == 1 or features.shape[1] == 0:
        return np.arange(len(rows), dtype=np.intp) % k
    if init_params == "random":
        chosen = rng.choice(len(rows), k, replace=False, p=rows.v / rows.v.sum())
        return _closest(features, features[chosen])
    seed = int(rng.integers(2**31 - 1))
    means = KMeans(k, init="k-means++", n_init=1, max_iter=20, random_state=seed)
    with warnings.catch_warnings():
        # Fewer distinct rows than components leaves groups empty, which `from_labels` fills.
        warnings.simplefilter("ignore", ConvergenceWarning)
        means.fit(features, sample_weight=rows.weights)
    return np.asarray(means.labels_, dtype=np.intp)


def _features(rows: WeightedRows) -> Floats:
    """Standardised columns and indicators of levels, for distances between rows. Beyond `_FAR` they
    grow as the logarithm, or values far out would attract all the centres. They are scaled by their
    standard deviation: a robust scale is widest where a column has clusters, and would hide
    them."""
    z = (rows.filled() - rows.centre) / rows.spread
    far = np.maximum(np.abs(z) / _FAR, 1.0)
    near = z / far * (1 + np.log(far))
    middle = np.average(near, axis=0, weights=rows.v)
    variance = np.average(np.square(near - middle), axis=0, weights=rows.v)
    blocks = [near / np.sqrt(np.where(variance > 0, variance, 1.0))]
    for j, levels in enumerate(rows.n_levels):
        blocks.append(np.eye(levels + 2)[rows.columns[:, j]][:, :levels] / np.sqrt(2))
    return np.concatenate(blocks, axis=1)


def nearest(rows: WeightedRows, means: Floats) -> NDArray[np.intp]:
    """(n,) which of the means (k, d) each row is nearest to, in standardised columns."""
    x, centres = ((values - rows.centre) / rows.spread for values in (rows.filled(), means))
    return _closest(x, centres)


def _closest(x: Floats, centres: Floats) -> NDArray[np.intp]:
    distances = -2 * x @ centres.T + (centres**2).sum(axis=1)
    return np.asarray(distances.argmin(axis=1), dtype=np.intp)
