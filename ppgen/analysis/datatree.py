"""A fit and rows as a DataTree, for ArviZ.

| group | what | dimensions |
|---|---|---|
| `posterior` | draws of the parameters, where there are any | chain, draw, its own |
| `log_likelihood` | `joint`: log density of rows under each draw | chain, draw, row |
| `posterior_predictive` | rows drawn from the fit, by column, or `image` | chain, draw, row |
| `observed_data` | the rows, by column | row |
| `sample_stats` | of the draws, where there are any | chain, draw |
| | the training record: step, loss, validation, seconds | record |

Labels of a mixture's rows are summed out. Log densities are in nats and in the units of the data,
as `score_samples` has them. A family without draws has one chain of one draw in `log_likelihood`,
the fit itself: leave-one-out means nothing there, and the group's `note` says so. Replicates in
`posterior_predictive` are rows that `sample` gives.

Reference: Kumar, Carroll, Hartikainen and Martin, "ArviZ a unified library for exploratory
analysis of Bayesian models in Python", 2019, https://doi.org/10.21105/joss.01143.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted

from .. import __version__
from ..data import Dataset
from ..density_estimator import DensityEstimator
from ..scoring import CELL_DRAWS

if TYPE_CHECKING:
    from xarray import DataTree

Array = NDArray[Any]
MAX_VALUES = 50_000_000  # numbers in one group, above which draws are thinned
_ROWS = 4096


def to_datatree(
    estimator: DensityEstimator, X: Any, *, num_replicates: int = 100, random_state: int = 0
) -> DataTree:
    """An ArviZ DataTree of a fit and these rows.

    `arviz_stats.loo` and `compare` want the rows that were fitted; with others, `log_likelihood`
    has their held-out log densities.

    Args:
        estimator: fitted.
        X: rows.
        num_replicates: data sets as long as X to draw for `posterior_predictive`, 0 for none; fewer
            where they would not fit in memory.
        random_state: seed of these.
    """
    from arviz_base import from_dict
    from xarray import Dataset as Empty
    from xarray import DataTree

    check_is_fitted(estimator)
    data = estimator._dataset(X, reset=False)
    groups: dict[str, dict[str, Any]] = {}
    attrs: dict[str, dict[str, Any]] = {"/": _about(estimator)}
    names: dict[str, Any] = {"dims": {}, "coords": {}}
    posterior = estimator.posterior_
    if posterior is None:
        log_likelihood = estimator.score_samples(X)[None, None]
        attrs["log_likelihood"] = {
            "note": "one draw, the fit itself: there is no posterior, so loo has no meaning here"
        }
    else:
        names = estimator._posterior_dims()
        shape = next(iter(posterior.values())).shape[:2]
        step = max(1, math.ceil(math.prod(shape) * len(data) / MAX_VALUES))
        groups["posterior"] = {name: draws[:, ::step] for name, draws in posterior.items()}
        if estimator.sample_stats_:
            groups["sample_stats"] = {n: a[:, ::step] for n, a in estimator.sample_stats_.items()}
        log_likelihood = _log_likelihood(estimator, data, shape, step)
        attrs["log_likelihood"] = {"thinned": step}
    groups["log_likelihood"] = {"joint": log_likelihood}
    seen: Any = dict(data.columns) if data.images is None else np.asarray(data.images)
    groups["observed_data"], levels = _numbers(estimator, seen)
    attrs["observed_data"] = {"levels": json.dumps(levels, default=str)}
    values = sum(v.size for v in groups["observed_data"].values())
    count = min(num_replicates, MAX_VALUES // max(1, values))
    if count > 0:
        groups["posterior_predictive"] = _replicates(estimator, len(data), count, random_state)
        attrs["posterior_predictive"] = attrs["observed_data"]
    inner = [] if data.images is None else ["channel", "height", "width"]
    rows = {name: ["row", *inner] for name in groups["observed_data"]} | {"joint": ["row"]}
    tree: DataTree = from_dict(
        groups,
        dims={**names["dims"], **rows},
        coords=names["coords"],
        attrs=attrs,
    )
    record = _record(estimator)
    if record:
        given = tree["sample_stats"].to_dataset() if "sample_stats" in tree.children else Empty()
        tree["sample_stats"] = DataTree(given.assign(record))
    return tree


def _record(estimator: DensityEstimator) -> dict[str, tuple[str, Array]]:
    """The training record as variables over `record`."""
    return {
        name: (
            "record",
            np.array([np.nan if r.get(name) is None else r[name] for r in estimator.trace_], float),
        )
        for name in ("step", "loss", "validation", "seconds")
        if any(r.get(name) is not None for r in estimator.trace_)
    }


def _about(estimator: DensityEstimator) -> dict[str, Any]:
    noisy = estimator.codec_.dequantised
    return {
        "inference_library": "ppgen",
        "inference_library_version": __version__,
        "family": estimator.name,
        "measure": estimator.codec_.measure,
        "kind": "lower_bound" if noisy else str(estimator.capabilities.density),
        "units": "nats, per unit of the data",
        "verdict": str(estimator.verdict_),
    }


def _log_likelihood(
    estimator: DensityEstimator, data: Dataset, shape: tuple[int, ...], step: int
) -> Array:
    """(chain, draw / step, row); where columns are rounded, of the average over a row's cell."""
    chains, draws = shape
    out = np.empty((chains, len(range(0, draws, step)), len(data)))
    noisy = CELL_DRAWS if estimator.codec_.dequantised else 1
    for start in range(0, len(data), _ROWS):
        block = data.take(slice(start, start + _ROWS))
        logs = []
        for cell in range(noisy):
            encoded = estimator._encode(block, draw=cell, draws=noisy)
            values = estimator._log_prob_draws(encoded) + encoded.log_det
            logs.append(values.reshape(chains, draws, -1)[:, ::step])
        mean = logs[0] if noisy == 1 else logsumexp(logs, axis=0) - math.log(noisy)
        out[:, :, start : start + _ROWS] = mean
    return out


def _replicates(
    estimator: DensityEstimator, n: int, count: int, random_state: int
) -> dict[str, Array]:
    encoded = estimator._draw(n * count, None, None, random_state)
    columns, _ = _numbers(estimator, estimator.codec_.decode(encoded))
    return {name: v.reshape(1, count, n, *v.shape[1:]) for name, v in columns.items()}


def _numbers(
    estimator: DensityEstimator, columns: dict[str, Array] | Array
) -> tuple[dict[str, Array], dict[str, list[Any]]]:
    """Columns as floats, text as the number of its level; and the levels of those. Images are one
    variable.

    A name with a slash would be a path in a tree: a bar takes its place.
    """
    if not isinstance(columns, dict):
        return {"image": columns}, {}
    out, levels = {}, {}
    for column in estimator.schema_.columns:
        name, values = column.name.replace("/", "|"), columns[column.name]
        if values.dtype.kind == "f":
            out[name] = values
            continue
        levels[name] = list(column.levels)
        code = {level: float(number) for number, level in enumerate(column.levels)}
        out[name] = np.array([code.get(value, math.nan) for value in values])
    return out, levels
