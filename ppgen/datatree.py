"""A fit and rows as a DataTree, for ArviZ.

| group | what | dimensions |
|---|---|---|
| `posterior` | draws of the parameters, where there are any | chain, draw, its own |
| | of a model with latents `z`: draws of q(z given x), or codes | chain, draw, row, latent |
| `log_likelihood` | log density of rows under each draw | chain, draw, row |
| | `weighted`: the same times the rows' weights, where these are given | chain, draw, row |
| `posterior_predictive` | rows drawn from each draw, by column, or `image` | chain, draw, row |
| | of a fit without draws: rows drawn from it | chain, draw, row |
| | where none are drawn: the rows' reconstructions | chain, draw, row |
| `observed_data` | the rows, by column | row |
| `prior` | draws of the parameters from their prior, where it is kept | chain, draw, its own |
| `log_prior` | log prior density of each parameter at the draws | chain, draw |
| `sample_stats` | of the draws, where there are any | chain, draw |
| | the training record: step, loss, validation, seconds | record |
| | of a model without density: `reconstruction_error` | row |

`loo_pit`, `loo_expectations` and `loo_metrics` of ArviZ look for one name in three groups. Log
densities of rows of one column bear its name, and those of images are `image`; those of several
columns are `joint`. A tree of one of several columns, by `column`, has the others left out of its
rows and its replicates, and the log densities of whole rows bear the column's name: the row that is
left out is left out whole. Where a column bears the name of a dimension, the dimension gives way
(see `tree`).

Labels of a mixture's rows are summed out. Log densities are in nats and in the units of the data,
as `score_samples` has them. A family without draws has one chain of one draw in `log_likelihood`,
the fit itself: leave-one-out means nothing there, and the group's `note` says so. Replicates in
`posterior_predictive` are rows that `sample` gives. Parameters of a model with latents are the
fit's own, so its `posterior` is that of each row's latents alone.

Reference: Kumar, Carroll, Hartikainen and Martin, "ArviZ a unified library for exploratory
analysis of Bayesian models in Python", 2019, https://doi.org/10.21105/joss.01143.
"""

from __future__ import annotations

import json
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted

from .arrays import Array
from .checks import check_weights
from .coded import made_rows
from .data import Dataset
from .errors import InputError, did_you_mean
from .saving import Saved
from .scoring import placed
from .tree import as_tree, coordinates, free, variables
from .version import __version__

if TYPE_CHECKING:
    from xarray import DataTree

MAX_VALUES = 50_000_000  # numbers in one group, above which draws are thinned
_PRIOR_DRAWS = 500
_ROWS = 4096


def to_datatree(
    estimator: Saved,
    X: Any,
    y: Any = None,
    *,
    column: str | None = None,
    sample_weight: ArrayLike | None = None,
    num_replicates: int = 100,
    random_state: int = 0,
) -> DataTree:
    """An ArviZ DataTree of a fit and these rows.

    `arviz_stats.loo` and `compare` want the rows that were fitted; with others, `log_likelihood`
    has their held-out log densities. Of a weighted fit they leave out a row of weight 1 by `joint`
    (or the name of the one column), and a row of weight w, whose w copies they score at once, by
    `weighted`; `ppgen.loo` leaves out the row and scores it alone.

    Args:
        estimator: fitted.
        X: rows.
        y: what they are conditioned on, one a row, where the fit is conditional.
        column: the one of several to check predictions of; None keeps all.
        sample_weight: (n,) weights the rows were fitted with, for `weighted` in `log_likelihood`.
        num_replicates: data sets as long as X to draw for `posterior_predictive`, and draws of each
            row's latents; 0 for none of the former. Fewer where they would not fit in memory. Of
            a posterior there is one for each of its draws, whatever the number, unless it is 0.
        random_state: seed of these.

    Raises:
        InputError: for a model that has neither density nor latents, or a column that there is not.
    """
    from xarray import Dataset as Empty
    from xarray import DataTree

    check_is_fitted(estimator)
    estimator._refuse_unused(y)
    data = estimator._dataset(X, reset=False)
    named, name = _named(data, column)
    row = free("row", data.schema.names)
    groups: dict[str, dict[str, Any]] = {}
    attrs: dict[str, dict[str, Any]] = {"/": _about(estimator, y)}
    names: dict[str, Any] = {"dims": {}, "coords": {}}
    can, posterior = estimator.capabilities, estimator.posterior_
    model: Any = estimator  # what it has besides is declared
    if can.density is None and not can.latents:
        raise InputError(f"{type(estimator).__name__} has neither density nor latents to show.")
    joint: Array | None = None
    if posterior is None:
        if can.latents and (y is not None or estimator.context_ is None):
            groups["posterior"], attrs["posterior"] = _latents(
                model, data, y, num_replicates, random_state
            )
            names = {"dims": {"z": [row, "latent"]}, "coords": {}}
        if can.density is not None:
            joint = np.asarray(model.score_samples(X, y))[None, None]
            note = "one draw, the fit itself: no posterior of parameters; loo has no meaning"
            attrs["log_likelihood"] = {"note": note}
    else:
        names = model._posterior_dims()
        shape = next(iter(posterior.values())).shape[:2]
        each = len(data) * (len(data.schema.names) if num_replicates > 0 else 1)
        step = max(1, math.ceil(math.prod(shape) * each / MAX_VALUES))
        groups["posterior"] = {name: draws[:, ::step] for name, draws in posterior.items()}
        if model.sample_stats_:
            groups["sample_stats"] = {n: a[:, ::step] for n, a in model.sample_stats_.items()}
        prior, log_prior = model._prior_groups(groups["posterior"], _PRIOR_DRAWS, random_state)
        if prior:
            groups["prior"], groups["log_prior"] = prior, log_prior
        joint = log_likelihood(estimator, data, shape, step)
        attrs["log_likelihood"] = {"thinned": step}
    if joint is not None:
        weighted = _weighted(estimator, joint, attrs["log_likelihood"], sample_weight)
        attrs["log_likelihood"]["of"] = "whole rows"
        also = {} if weighted is None else {free("weighted", [name]): weighted}
        groups["log_likelihood"] = {name: joint, **also}
    seen, levels = _numbers(estimator, _values(data))
    groups["observed_data"] = _kept(seen, named)
    attrs["observed_data"] = {"levels": json.dumps(levels, default=str)}
    values = sum(v.size for v in groups["observed_data"].values())
    count = min(num_replicates, MAX_VALUES // max(1, values))
    if num_replicates > 0 and posterior is not None:
        drawn = _replicates_of_draws(model, len(data), shape, step, random_state)
        groups["posterior_predictive"] = _kept(drawn, named)
        attrs["posterior_predictive"] = attrs["observed_data"]
    elif count > 0 and can.samples:
        drawn = _replicates(model, len(data), count, y, random_state)
        groups["posterior_predictive"] = _kept(drawn, named)
        attrs["posterior_predictive"] = attrs["observed_data"]
    elif count > 0 and can.latents:
        groups["posterior_predictive"] = _kept(_expected(model, data, y), named)
        note = "rows expected of the codes, without noise: the model draws none"
        attrs["posterior_predictive"] = {**attrs["observed_data"], "note": note}
    labels = coordinates(data.index)
    tree = as_tree(
        groups,
        names["dims"],
        names["coords"],
        attrs,
        row=row,
        inner=[] if data.images is None else ["channel", "height", "width"],
        labels=labels,
    )
    record = _record(estimator)
    if can.errors:
        record["reconstruction_error"] = (row, np.asarray(model.reconstruction_error(data)))
    if record:
        given = tree["sample_stats"].to_dataset() if "sample_stats" in tree.children else Empty()
        given = given if labels is None else given.assign_coords({row: labels})
        tree["sample_stats"] = DataTree(given.assign(record))
    return tree


def _named(data: Dataset, column: str | None) -> tuple[list[str], str]:
    """The variables of the rows that are shown, and that of the rows' log densities."""
    if data.images is not None:
        if column is not None:
            raise InputError(f"column={column!r} is given, and images have none. Leave it out.")
        return ["image"], "image"
    named = variables(data.schema.names)
    if column is not None:
        if column not in named:
            raise InputError(
                f"column is {column!r}; expected one of {', '.join(map(str, named))}."
                f"{did_you_mean(str(column), named)}"
            )
        named = {column: named[column]}
    shown = list(named.values())
    return shown, shown[0] if len(shown) == 1 else "joint"


def _kept(values: dict[str, Array], named: list[str]) -> dict[str, Array]:
    return {name: values[name] for name in named}


def _weighted(
    estimator: Saved, joint: Array, attrs: dict[str, Any], sample_weight: Any
) -> Array | None:
    """The weighted log densities; where there are none, a note that the others are not weighted."""
    weights = check_weights(sample_weight, joint.shape[-1])
    if weights is not None:
        with np.errstate(invalid="ignore"):
            return np.where(weights == 0, 0.0, weights * joint)
    if estimator.weighted_ and estimator.posterior_ is not None:
        attrs["note"] = "rows were fitted with weights, which loo by these takes for 1"
        warnings.warn(
            "the rows were fitted with weights, which leave-one-out by this tree would take for 1; "
            "give to_datatree the sample_weight of the fit, or call ppgen.loo.",
            UserWarning,
            stacklevel=4,
        )
    return None


def _latents(
    model: Any, data: Dataset, y: Any, draws: int, random_state: int
) -> tuple[dict[str, Array], dict[str, str]]:
    """`z` (chain, draw, row, latent), and what it is."""
    codes = np.asarray(model.encode(data, y), np.float64)
    if not np.isfinite(codes).all():
        raise InputError("the codes of the rows are not finite; see the verdict_ of the fit.")
    draws = min(draws, MAX_VALUES // max(1, codes.size))
    if draws < 1 or not model.capabilities.prior:
        return {"z": codes[None, None]}, {"note": "one draw, the code of each row"}
    drawn = model.sample_posterior(data, y, n=draws, random_state=random_state)
    return {"z": np.asarray(drawn)[None]}, {"note": "draws of each row's latents by the encoder"}


def _expected(model: Any, data: Dataset, y: Any) -> dict[str, Array]:
    """One replicate: the rows' reconstructions."""
    made = _values(made_rows(model, model.reconstruct(data, y)))
    return {name: v[None, None] for name, v in _numbers(model, made)[0].items()}


def _values(data: Dataset) -> dict[str, Array] | Array:
    return dict(data.columns) if data.images is None else np.asarray(data.images)


def _record(estimator: Saved) -> dict[str, tuple[str, Array]]:
    """The training record as variables over `record`."""
    names = ("step", "loss", "validation", "bound", "seconds")
    trace = [row.get("measures", {}) | row for row in estimator.trace_]
    names += tuple(
        dict.fromkeys(name for row in estimator.trace_ for name in row.get("measures", {}))
    )
    columns = {n: [row.get(n) for row in trace] for n in names}
    known = {n: v for n, v in columns.items() if any(value is not None for value in v)}
    return {n: ("record", np.array(v, float)) for n, v in known.items()}


def _about(estimator: Saved, y: Any) -> dict[str, Any]:
    claimed, context = estimator.capabilities.density, estimator.context_
    if claimed == "exact" and y is None and context is not None and not context.exact:
        claimed = "estimate"
    kind = "estimate" if estimator.posterior_ is not None else claimed or "none"
    noisy = estimator.codec_.dequantised and claimed is not None
    return {
        "inference_library": "ppgen",
        "inference_library_version": __version__,
        "family": estimator.name,
        "measure": estimator.codec_.measure,
        "kind": "lower_bound" if noisy else kind,
        "units": "nats, per unit of the data",
        "verdict": str(estimator.verdict_),
    }


def log_likelihood(estimator: Any, data: Dataset, shape: tuple[int, ...], step: int) -> Array:
    """(chain, draw / step, row); where columns are rounded, of the average over a row's cell."""
    chains, draws = shape
    out = np.empty((chains, len(range(0, draws, step)), len(data)))
    for start in range(0, len(data), _ROWS):
        at = placed(estimator, data.take(slice(start, start + _ROWS)))
        logs = []
        for place in at.places:
            values = estimator._log_prob_draws(place) + place.log_det
            logs.append(values.reshape(chains, draws, -1)[:, ::step])
        mean = logsumexp(logs, axis=0) - math.log(len(logs)) if len(logs) > 1 else logs[0]
        out[:, :, start : start + _ROWS] = np.where(at.impossible, -np.inf, mean)
    return out


def _replicates(estimator: Any, n: int, count: int, y: Any, random_state: int) -> dict[str, Array]:
    def drawn(rows: int, seed: int) -> dict[str, Array]:
        encoded = estimator._draw(rows, None, y, seed)
        return _numbers(estimator, estimator.codec_.decode(encoded))[0]

    if y is None:
        columns = drawn(n * count, random_state)
    else:
        each = [drawn(n, random_state + i) for i in range(count)]
        columns = {name: np.concatenate([one[name] for one in each]) for name in each[0]}
    return {name: v.reshape(1, count, n, *v.shape[1:]) for name, v in columns.items()}


def _replicates_of_draws(
    estimator: Any, n: int, shape: tuple[int, ...], step: int, random_state: int
) -> dict[str, Array]:
    """n rows from each draw that is kept, with its chain and draw. Whole numbers may go beyond
    those seen, as the log densities have it."""
    kept = np.arange(math.prod(shape)).reshape(shape)[:, ::step]
    rng = np.random.default_rng(estimator._seed(random_state))
    encoded = estimator._sample_draws(kept.ravel(), n, rng)
    columns = _numbers(estimator, estimator.codec_.decode(encoded, within=False))[0]
    return {name: v.reshape(*kept.shape, n) for name, v in columns.items()}


def _numbers(
    estimator: Saved, columns: dict[str, Array] | Array
) -> tuple[dict[str, Array], dict[str, list[Any]]]:
    """Columns as floats, text as the number of its level; and the levels of those. Images are one
    variable."""
    if not isinstance(columns, dict):
        return {"image": columns}, {}
    out, levels, named = {}, {}, variables(columns)
    for column in estimator.schema_.columns:
        name, values = named[column.name], columns[column.name]
        if values.dtype.kind == "f":
            out[name] = values
            continue
        levels[name] = list(column.levels)
        code = {level: float(number) for number, level in enumerate(column.levels)}
        out[name] = np.array([code.get(value, math.nan) for value in values])
    return out, levels
