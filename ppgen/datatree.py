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
| `prior` | draws of the parameters from their prior | chain, draw, its own |
| `log_prior` | log prior density of each parameter at the draws | chain, draw |
| `sample_stats` | of the draws, where there are any | chain, draw |
| | the training record: step, loss, validation, seconds | record |
| | of a model without density: `reconstruction_error` | row |

`loo_pit`, `loo_expectations` and `loo_metrics` of ArviZ look for one name in three groups. Log
densities of rows of one column bear its name, and those of images are `image`; those of several
columns are `joint`. A tree of one of several columns, by `column`, has the others left out of its
rows and its replicates, and the log densities of whole rows bear the column's name: the row that is
left out is left out whole. Rows without a value of the one column are left out of all groups, as
they have no place among replicates. Where a column bears the name of a dimension, the dimension
gives way (see `tree`).

`arviz_base`, `arviz_stats` and `arviz_plots` take it as it is, from 0.8 on: they are `arviz` 1, and
`arviz[preview]` of 0.23 on Python 3.11. The functions of `arviz` 0 itself take
`arviz.InferenceData.from_datatree(tree)`.

Without rows a posterior has `posterior`, `prior`, `log_prior` and `sample_stats`. A run saved
before runs kept priors has none, and `missing` of the tree's attributes says so.

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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from .arrays import Array
from .checks import check_weights
from .data import Dataset
from .errors import InputError, did_you_mean
from .row_variables import (
    MAX_VALUES,
    expected,
    latents,
    log_likelihood,
    numbers,
    replicates,
    replicates_of_draws,
    values,
)
from .saving import Saved
from .tree import as_tree, coordinates, free, variables
from .version import __version__

if TYPE_CHECKING:
    from xarray import DataTree

_PRIOR_DRAWS = 500
_NO_PRIOR = (
    "prior and log_prior: the run was saved before runs kept the prior of their parameters; fit "
    "again to have them"
)


@dataclass
class _Made:
    """The groups of a tree, their attributes, and the dimensions of parameters with labels."""

    groups: dict[str, dict[str, Any]]
    attrs: dict[str, dict[str, Any]]
    dims: dict[str, list[str]] = field(default_factory=dict)
    coords: dict[str, list[Any]] = field(default_factory=dict)

    def take_draws(self, model: Any, step: int, random_state: int) -> None:
        """Take every so manieth draw of the parameters, its statistics and its prior."""
        names = model._posterior_dims()
        self.dims, self.coords = names["dims"], names["coords"]
        thinned = {name: a[:, ::step] for name, a in model.posterior_.items()}
        self.groups["posterior"] = thinned
        if model.sample_stats_:
            self.groups["sample_stats"] = {n: a[:, ::step] for n, a in model.sample_stats_.items()}
        prior, log_prior = model._prior_groups(thinned, _PRIOR_DRAWS, random_state)
        if prior:
            self.groups["prior"], self.groups["log_prior"] = prior, log_prior
        else:
            self.attrs["/"]["missing"] = _NO_PRIOR


def to_datatree(
    estimator: Saved,
    X: Any = None,
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
        X: rows; without them a posterior has `posterior`, `prior`, `log_prior` and `sample_stats`,
            and other fits have nothing to show.
        y: what they are conditioned on, one a row, where the fit is conditional.
        column: the one of several to check predictions of; None keeps all. Rows in which it is
            missing are left out, and `left_out` of the tree's attributes says how many.
        sample_weight: (n,) weights the rows were fitted with, for `weighted` in `log_likelihood`.
        num_replicates: data sets as long as X to draw for `posterior_predictive`, and draws of each
            row's latents; 0 for none of the former. Fewer where they would not fit in memory. Of
            a posterior there is one for each of its draws, whatever the number, unless it is 0.
        random_state: seed of these.

    Raises:
        InputError: for a model that has neither density nor latents, a column that there is not or
            that has no value, or no rows where there is nothing to show without them.
    """
    check_is_fitted(estimator)
    estimator._refuse_unused(y)
    can, posterior = estimator.capabilities, estimator.posterior_
    if can.density is None and not can.latents:
        raise InputError(f"{type(estimator).__name__} has neither density nor latents to show.")
    model: Any = estimator  # what it has besides is declared
    made = _Made({}, {"/": _about(estimator, y)})
    if X is None:
        _check_alone(estimator, y=y, column=column, sample_weight=sample_weight)
        made.take_draws(model, 1, random_state)
        return _tree(made, estimator, "row", None)
    data = estimator._dataset(X, reset=False)
    named, name = _named(data, column)
    row = free("row", data.schema.names)
    seen, levels = numbers(estimator, values(data))
    known = _known(seen, named, made.attrs["/"])
    joint: Array | None = None
    if posterior is None:
        if can.latents and (y is not None or estimator.context_ is None):
            made.groups["posterior"], made.attrs["posterior"] = latents(
                model, data, y, num_replicates, random_state
            )
            made.dims = {"z": [row, "latent"]}
        if can.density is not None:
            joint = np.asarray(model.score_samples(X, y))[None, None]
            note = "one draw, the fit itself: no posterior of parameters; loo has no meaning"
            made.attrs["log_likelihood"] = {"note": note}
    else:
        shape = next(iter(posterior.values())).shape[:2]
        each = len(data) * (len(data.schema.names) if num_replicates > 0 else 1)
        step = max(1, math.ceil(math.prod(shape) * each / MAX_VALUES))
        made.take_draws(model, step, random_state)
        joint = log_likelihood(estimator, data, shape, step)
        made.attrs["log_likelihood"] = {"thinned": step}
    if joint is not None:
        weighted = _weighted(estimator, joint, made.attrs["log_likelihood"], sample_weight)
        made.attrs["log_likelihood"]["of"] = "whole rows"
        also = {} if weighted is None else {free("weighted", [name]): weighted}
        made.groups["log_likelihood"] = {name: joint, **also}
    made.groups["observed_data"] = _kept(seen, named)
    said = made.attrs["observed_data"] = {"levels": json.dumps(levels, default=str)}
    count = min(num_replicates, MAX_VALUES // max(1, sum(seen[n].size for n in named)))
    drawn: dict[str, Array] = {}
    if num_replicates > 0 and posterior is not None:
        drawn = replicates_of_draws(model, len(data), shape, step, random_state)
    elif count > 0 and can.samples:
        drawn = replicates(model, len(data), count, y, random_state)
    elif count > 0 and can.latents:
        drawn = expected(model, data, y)
        said = {**said, "note": "rows expected of the codes, without noise: the model draws none"}
    if drawn:
        made.groups["posterior_predictive"] = _kept(drawn, named)
        made.attrs["posterior_predictive"] = said
    tree = _tree(made, estimator, row, data)
    if known is not None:
        tree = tree.map_over_datasets(lambda group: group.isel({row: known}, missing_dims="ignore"))
        tree.attrs = made.attrs["/"]
    return tree


def _check_alone(estimator: Saved, **given: Any) -> None:
    """Raise InputError if there is nothing to show without rows, or what is given is of rows."""
    name = type(estimator).__name__
    rows = "X, those fitted for leave-one-out, or others for their held-out log densities"
    if of_rows := [key for key, value in given.items() if value is not None]:
        raise InputError(f"{' and '.join(of_rows)} given without the rows; give {rows}.")
    if estimator.posterior_ is None:
        engines = [f"engine={e!r}" for e in estimator.capabilities.engines if e in ("svi", "nuts")]
        other = f" A fit with {' or '.join(engines)} has." if estimator.capabilities.draws else ""
        raise InputError(
            f"this {name} has no draws of its parameters, which a tree without rows would show."
            f"{other} Give the rows: {rows}."
        )


def _known(seen: dict[str, Array], named: list[str], attrs: dict[str, Any]) -> Array | None:
    """The numbers of the rows that have the one column that is shown; None where all have it, or
    several are shown."""
    if len(named) > 1 or seen[named[0]].ndim > 1:
        return None
    there = ~np.isnan(seen[named[0]])
    if there.all():
        return None
    if not there.any():
        raise InputError(f"column {named[0]!r} has no value in these rows; give rows that have it.")
    lost = len(there) - int(there.sum())
    attrs["left_out"] = f"{lost} of {len(there)} rows, in which {named[0]!r} is missing"
    return np.flatnonzero(there)


def _tree(made: _Made, estimator: Saved, row: str, data: Dataset | None) -> DataTree:
    """The tree of the groups, and the training record."""
    from xarray import Dataset as Empty
    from xarray import DataTree

    labels = None if data is None else coordinates(data.index)
    images = data is not None and data.images is not None
    tree = as_tree(
        made.groups,
        made.dims,
        made.coords,
        made.attrs,
        row=row,
        inner=["channel", "height", "width"] if images else [],
        labels=labels,
    )
    record = _record(estimator)
    if data is not None and estimator.capabilities.errors:
        model: Any = estimator
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
