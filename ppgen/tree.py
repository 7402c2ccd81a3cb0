"""Groups of arrays as a DataTree whose variables are called as the columns are.

A variable of xarray may not bear the name of one of its dimensions. Columns keep their names, and
dimensions give way: beside a column `row` the dimension of rows is `row_`, and where replicates or
log densities have a variable `chain` or `draw`, those of their dimensions are `chain_` and `draw_`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import Array

if TYPE_CHECKING:
    from xarray import DataTree

COLUMNS = ("observed_data", "posterior_predictive")  # groups whose variables are columns


def as_tree(
    groups: Mapping[str, Mapping[str, Array]],
    dims: Mapping[str, list[str]],
    coords: Mapping[str, Any],
    attrs: Mapping[str, Mapping[str, Any]],
    *,
    row: str,
    inner: list[str],
    labels: Array | None,
) -> DataTree:
    """A tree of groups.

    Args:
        groups: group -> variable -> values; chains and draws come first but in `observed_data`.
        dims: of the parameters, in groups that hold neither columns nor log densities.
        coords: of these dimensions.
        attrs: group -> attributes; those of "/" are the tree's.
        row: the dimension of rows.
        inner: the dimensions within a row's value, of images.
        labels: (n,) of the rows; None numbers them.
    """
    from arviz_base import dict_to_dataset
    from xarray import DataTree

    rows: dict[Any, Any] = {} if labels is None else {row: labels}
    datasets = {}
    for group, values in groups.items():
        of_rows = group in COLUMNS or group == "log_likelihood"
        sample, of = ["chain", "draw"], dict[Any, Any]({} if group == "log_prior" else dims)
        if of_rows:
            of = {name: [row, *(inner if group in COLUMNS else [])] for name in values}
            sample = [] if group == "observed_data" else [free(dim, values) for dim in sample]
        datasets[group] = dict_to_dataset(
            dict(values),
            attrs=dict(attrs.get(group, {})),
            dims=of,
            coords=rows if of_rows else {**coords, **rows},
            sample_dims=sample,
            skip_event_dims=group == "log_likelihood",
        )
    tree = DataTree.from_dict(datasets)
    tree.attrs = dict(attrs["/"])
    return tree


def free(dim: str, names: Collection[str]) -> str:
    """The name of a dimension, with underscores behind it until no variable has it."""
    while dim in names:
        dim += "_"
    return dim


def variables(columns: Collection[str]) -> dict[str, str]:
    """Column -> variable: a slash, which would be a path in a tree, becomes a bar."""
    variable_of: dict[str, str] = {}
    for column in columns:
        taken = {*variable_of.values(), *(c for c in columns if c != column)}
        variable_of[column] = free(column.replace("/", "|"), taken) if "/" in column else column
    return variable_of


def coordinates(index: Any) -> Array | None:
    """The labels of rows as coordinates; None where they only number the rows from 0."""
    if index is None or (index.dtype.kind == "i" and np.array_equal(index, np.arange(len(index)))):
        return None
    values = np.asarray(index)
    return np.array([str(v) for v in index]) if values.dtype.kind == "O" else values
