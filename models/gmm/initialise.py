"""Where EM starts, which decides how good a mixture gets.

k-means++ seeds are refined by k-means and short runs of EM; EM goes on from the best start, which
is then improved by splitting and merging components (`moves`). The best start explains rows that
are left out best (`leave_one_out`): by the likelihood, a start whose components sit on single rows
would win. Starts that part nearly all rows alike are one.

Of many columns with full covariances, where a step of EM is dear and a component has few rows for
its parameters, all this is done on the leading principal components of the standardised rows, and
EM goes on from the responsibilities that it comes to there.

Reference: Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", 2007,
https://dl.acm.org/doi/10.5555/1283383.1283494.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from .kernel import FEW_LEVELS, level_sums, second_moments
from .leave_one_out import left_out
from .moves import split_and_merge
from .parameters import Floats, Mixture
from .radial import START
from .search import LONG_ITER, SAMPLE, SHORT_ITER, SHORT_ROWS, Run, Search
from .settings import MixtureSettings
from .weighted_rows import WeightedRows

_FAR = 6.0  # standard deviations
# Two starts are one where they put these shares of the rows together, and of each group of either
# with one of the other's: a few rows of many may be a component of their own.
_ALIKE, _GROUP = 0.99, 0.5
_WIDE, _LEADING = 64, 16  # columns from which starts are of components, and how many beside k - 1


def best_start(
    rows: WeightedRows,
    k: int,
    search: Search,
    rng: np.random.Generator,
    given: Callable[[Mixture], Mixture] = lambda start: start,
    split_merge: bool = False,
) -> Mixture:
    """The best mixture of k components that EM came to on at most `SAMPLE` of the rows, or that it
    is still to go on from (`is_wide`); `given` puts what the user gave into each start, and
    `split_merge` improves the best by moves."""
    sample = rows.thinned(SAMPLE, rng)
    if k > 1 and is_wide(rows, search):
        low = _leading(sample, min(_LEADING + k - 1, _WIDE - 1))
        narrow = Search.of(search.settings, low, search.deadline)
        found = best_start(low, k, narrow, rng, split_merge=split_merge)
        r, _ = low.score(found)
        return given(from_responsibilities(sample, r, search, correlated=True))
    short = sample.thinned(max(SHORT_ROWS, 20 * k), rng)
    tried: list[Run] = []
    for r in _different(_parts(short, k, search.settings, rng)):
        start = given(from_responsibilities(short, r, search))
        tried.append(search.run(short, start, SHORT_ITER))
        if search.out_of_time():
            break
    if len(tried) > 1:
        tried.sort(key=lambda run: -left_out(short, run.mixture))
    ends: list[tuple[float, Run]] = []
    for run in tried:
        begun = run.mixture
        if not (run.converged and short is sample):
            run = search.run(sample, begun, LONG_ITER)
        if len(tried) == 1:
            ends.append((0.0, run))
            break
        ends.append((left_out(sample, run.mixture), run))
        # A run that ends worse than it began has put components on single rows: try the next.
        if search.out_of_time() or ends[-1][0] >= left_out(sample, begun):
            break
    mixture, objective, _ = max(ends, key=lambda end: end[0])[1]
    if split_merge and k > 2:
        mixture = split_and_merge(sample, mixture, objective, search, rng)
    return mixture


def is_wide(rows: WeightedRows, search: Search) -> bool:
    """Whether starts are looked for on some principal components alone."""
    return search.settings.covariance_type in ("full", "tied") and rows.x.shape[1] >= _WIDE


def _leading(rows: WeightedRows, most: int) -> WeightedRows:
    """The rows' leading principal components, gaps filled with means."""
    x = _standardised(rows)
    d = x.shape[1]
    _, axes = eigh(x.T @ x, subset_by_index=[max(d - most, 0), d - 1], overwrite_a=True)
    return WeightedRows(x @ axes, rows.codes, rows.n_levels, rows.weights)


def from_labels(rows: WeightedRows, labels: NDArray[np.intp], k: int, search: Search) -> Mixture:
    """The mixture of the labelled groups."""
    return from_responsibilities(rows, np.eye(k)[labels], search)


def from_responsibilities(
    rows: WeightedRows, r: Floats, search: Search, correlated: bool = False
) -> Mixture:
    """The mixture of groups that rows belong to by shares r (n, k), of independent columns unless
    `correlated`; an empty group has the covariance of all rows."""
    k, d, kind = r.shape[1], rows.x.shape[1], search.settings.covariance_type
    r = r * rows.v[:, None]
    n = r.sum(axis=0)
    x = rows.filled() - rows.centre
    floor = search.regularisation.floor
    variance = np.square(rows.spread) + floor
    means = (r.T @ x) / np.maximum(n, 1e-12)[:, None]
    within = (r.T @ (x * x)) / np.maximum(n, 1e-12)[:, None] - means**2
    # Few rows say little about a covariance: theirs are mixed with the variances of all rows.
    trust = (n / (n + d + 1))[:, None]
    overall = variance / max(1, k) ** (2 / max(1, d))
    variances = trust * np.maximum(within, 0) + (1 - trust) * overall + floor
    probs = []
    for j, levels in enumerate(rows.n_levels):
        counts = level_sums(np, r, rows.columns[:, j], levels + 2)
        seen = counts[:, :levels]
        share = (seen.sum(axis=0) + 1) / (seen.sum() + levels)
        probs.append((seen + share) / (seen.sum(axis=1, keepdims=True) + 1))
    weights = (n + 1) / (n + 1).sum()
    if kind in ("full", "tied"):
        full = variances[:, :, None] * np.eye(d)
        if correlated:
            second = second_moments(np, "full", r, x, False) / np.maximum(n, 1e-12)[:, None, None]
            between = trust[:, :, None] * (second - means[:, :, None] * means[:, None, :])
            full += between * (1 - np.eye(d))
        covariances = full if kind == "full" else np.einsum("k,kij->ij", weights, full)
    elif kind == "diag":
        covariances = variances
    else:
        covariances = variances.mean(axis=1) if d else np.ones(k)
    dof = np.full(k, START) if search.settings.tails == "student" else None
    return Mixture(weights, means + rows.centre, covariances, kind, tuple(probs), dof)


def _different(parts: Iterator[Floats]) -> Iterator[Floats]:
    """Responsibilities (n, k) that are not, nearly, those of before with other numbers."""
    before: list[Floats] = []
    for r in parts:
        if not any(_alike(r, other) for other in before):
            before.append(r)
            yield r


def _alike(r: Floats, other: Floats) -> bool:
    """Whether responsibilities (n, k) part the rows nearly as others do."""
    shared = r.T @ other
    either = r.sum(axis=0)[:, None] + other.sum(axis=0) - shared
    overlap = shared / np.maximum(either, 1e-12)
    for axis in (0, 1):
        some = shared.max(axis=axis) > 0
        if shared.max(axis=axis).sum() < _ALIKE * len(r):
            return False
        if (overlap.max(axis=axis)[some] <= _GROUP).any():
            return False
    return True


def _parts(
    rows: WeightedRows, k: int, settings: MixtureSettings, rng: np.random.Generator
) -> Iterator[Floats]:
    """`n_init` responsibilities (n, k) to start from."""
    from sklearn.cluster import KMeans, kmeans_plusplus
    from sklearn.exceptions import ConvergenceWarning

    features, way = _features(rows) if k > 1 else np.empty((len(rows), 0)), settings.init_params
    if features.shape[1] == 0:
        yield np.eye(k)[np.arange(len(rows)) % k]
        return
    for _ in range(settings.n_init):
        if way == "random":
            yield rng.dirichlet(np.ones(k), len(rows))
        elif way == "random_from_data":
            chosen = rng.choice(len(rows), k, replace=False, p=rows.v / rows.v.sum())
            yield np.eye(k)[_closest(features, features[chosen])]
        else:
            seed = int(rng.integers(2**31 - 1))
            if way == "k-means++":
                centres = kmeans_plusplus(
                    features, k, sample_weight=rows.weights, random_state=seed
                )[0]
                yield np.eye(k)[_closest(features, centres)]
                continue
            means = KMeans(k, init="k-means++", n_init=1, max_iter=20, random_state=seed)
            with warnings.catch_warnings():
                # Fewer distinct rows than components leaves groups empty, which are filled.
                warnings.simplefilter("ignore", ConvergenceWarning)
                means.fit(features, sample_weight=rows.weights)
            yield np.eye(k)[means.labels_]


def _features(rows: WeightedRows) -> Floats:
    """Standardised columns and indicators of levels, of many the most frequent, for distances
    between rows."""
    blocks = [_standardised(rows)]
    for j, levels in enumerate(rows.n_levels):
        codes, width = rows.columns[:, j], min(levels, FEW_LEVELS)
        if width < levels:
            often = np.argsort(np.bincount(codes, minlength=levels)[:levels])[-width:]
            place = np.full(levels + 2, width)
            place[often] = np.arange(width)
            codes = place[codes]
        blocks.append(np.eye(width + 2)[codes][:, :width] / np.sqrt(2))
    return np.concatenate(blocks, axis=1)


def _standardised(rows: WeightedRows) -> Floats:
    """(n, d) columns about their middle. Beyond `_FAR` they grow as the logarithm, or values far
    out would attract all the centres. They are scaled by their standard deviation: a robust scale
    is widest where a column has clusters, and would hide them."""
    z = rows.filled() - rows.centre
    z /= rows.spread
    far = np.abs(z) > _FAR
    z[far] = np.sign(z[far]) * _FAR * (1 + np.log(np.abs(z[far]) / _FAR))
    v = rows.v / rows.total
    z -= v @ z
    variance = np.einsum("n,nd,nd->d", v, z, z)
    z /= np.sqrt(np.where(variance > 0, variance, 1.0))
    return z


def nearest(rows: WeightedRows, means: Floats) -> NDArray[np.intp]:
    """(n,) which of the means (k, d) each row is nearest to, in standardised columns."""
    x, centres = ((values - rows.centre) / rows.spread for values in (rows.filled(), means))
    return _closest(x, centres)


def _closest(x: Floats, centres: Floats) -> NDArray[np.intp]:
    distances = -2 * x @ centres.T + (centres**2).sum(axis=1)
    return np.asarray(distances.argmin(axis=1), dtype=np.intp)
