"""Rows as a fitted schema has them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, did_you_mean
from . import time_text
from .column import DISCRETE, Column
from .contents import Contents, Held
from .infer import levels_of
from .levels import level_codes, match_levels
from .notation import numbers_of
from .schema import Schema
from .stacking import is_one_image
from .time_parts import part_of
from .times import in_zone, to_objects, zone_of
from .values import check_finite, in_double, is_gap, to_numbers

Columns = Mapping[str, NDArray[Any]]
_SHOWN = 10  # names of columns in a message


def match(data: Held, schema: Schema, estimator: str = "the fit") -> Held:
    """The rows under a fitted schema: frames matched by name, arrays by position.

    Columns that the fit does not have are left out; a warning names those that it did not leave
    out itself. A level that the schema does not have stays as it is: the codec gives it probability
    zero. So does a number outside the support of its column.

    Raises:
        InputError: if they are of another sort, columns are unknown or absent, text stands where
            numbers were, or a value is infinite.
    """
    data = _in_colour(data, schema)
    other_sort = data.schema.sequence != schema.sequence or (data.images is None) != (
        schema.image_shape is None
    )
    if other_sort or (not schema.columns and data.schema.image_shape != schema.image_shape):
        problem = f"{data.schema} given; {estimator} expects {schema}. "
        problem += _to_shape(data.schema.image_shape, schema.image_shape)
        if other_sort:
            problem = f"{_what(data.schema)} given; {estimator} expects {_what(schema)}."
            problem += _features(data, schema)
        raise InputError(_one_image(data, schema, estimator) or problem)
    if not schema.columns:
        if data.images is not None and schema.pixels is not None:
            schema.pixels.check(data.images, estimator)
        return replace(data, schema=schema)
    was = {column.name: column for column in data.schema.every}
    columns = {**data.columns, **data.beside}
    for column in data.schema.columns:
        if column.of and column.name not in schema.names:  # parts of times that are not asked for
            del columns[column.name]
    if data.like.startswith("numpy"):
        by_place = [c.name for c in data.schema.every] or list(columns)
        columns = {name: columns[name] for name in by_place if name in columns}
        given = [c.name for c in schema.every if not c.of]
        every = len(columns) == len(given)
        if not every and len(columns) != len(schema.columns):
            raise InputError(
                f"X has {len(columns)} features, but {estimator} is expecting "
                f"{len(schema.columns)} features as input"
            )
        names = given if every else schema.names
        columns = dict(zip(names, columns.values(), strict=True))
    beside = {c.name: columns.pop(c.name) for c in schema.left_out if c.name in columns}
    columns |= _parts(columns, beside, schema, was)
    _check_names(columns, schema)
    _warn_of_extra(columns, schema, estimator)
    matched = {
        c.name: _conformed(c, _read(c, columns[c.name], schema), was.get(c.name))
        for c in schema.columns
    }
    same = data.array is not None and all(matched[name] is columns[name] for name in schema.names)
    array = data.array if same else None
    return replace(data, schema=schema, columns=matched, beside=beside, array=array)


def _parts(
    columns: Columns, beside: Columns, schema: Schema, was: Mapping[str, Column]
) -> dict[str, NDArray[Any]]:
    """The parts of times that the schema has, of rows with these columns."""
    of = {column.name: column for column in schema.every}
    found: dict[str, NDArray[Any]] = {}
    for column in schema.columns:
        source = columns.get(column.of, beside.get(column.of))
        if source is not None:
            seconds = _conformed(of[column.of], source, was.get(column.of))
            found[column.name] = part_of(column.part, seconds, of[column.of])
    return found


def timed(data: Contents, schema: Schema) -> Schema:
    """The schema with the form in which its columns of times are written, where they are text.

    InputError if they are in none.
    """
    values = {**data.columns, **data.beside}
    columns = []
    for column in schema.columns:
        if column.kind == "time" and not column.form and values[column.name].dtype == object:
            form = time_text.form_of(v for v in values[column.name].tolist() if v is not None)
            if not form:
                raise InputError(
                    f"column {column.name!r} holds text such as {values[column.name][0]!r}, which "
                    "is of no known form of dates, or could be of two. Give its form: "
                    "{'kind': 'time', 'form': '%d/%m/%Y'}."
                )
            column = replace(column, form=form)
        columns.append(column)
    return replace(schema, columns=tuple(columns))


def _check_names(names: Iterable[str], schema: Schema) -> None:
    """Raise InputError unless all names of the schema are among those given, in any order."""
    given = list(names)
    others = [name for name in given if name not in schema.names]
    for name in schema.names:
        if name not in given:
            near = did_you_mean(name, others).replace("Did you mean", "Is it")
            raise InputError(
                f"column {name!r} is missing, and the fit has it. Add it, with missing values "
                f"where it is not known.{near}"
            )


def _warn_of_extra(names: Iterable[str], schema: Schema, estimator: str) -> None:
    """Name columns that are left out because the fit does not have them."""
    known = {*schema.names, *schema.reading.left_out}
    extra = [name for name in names if name not in known]
    if extra:
        shown = ", ".join(map(repr, extra[:_SHOWN])) + ", ..." * (len(extra) > _SHOWN)
        s, were = ("s", "were") if len(extra) > 1 else ("", "was")
        warnings.warn(
            f"column{s} {shown} {were} not in {estimator} and {'are' if s else 'is'} left out.",
            stacklevel=2,
        )


def _in_colour(data: Held, schema: Schema) -> Held:
    """Grey picture files of a fit in colour, with three equal channels."""
    if data.files is None or data.images is None or schema.image_shape is None:
        return data
    if data.images.shape[1] != 1 or schema.image_shape[0] != 3:
        return data
    _, height, width = data.images.shape[1:]
    images = np.repeat(data.images, 3, axis=1)
    of_colour = replace(data.schema, image_shape=(3, height, width))
    return replace(data, images=images, native=None, schema=of_colour)


def complete(columns: Columns, schema: Schema) -> Schema:
    """The schema with the levels, gaps and bounds that hold values read off the values.

    InputError if a binary column has other than two levels, or a column has a single one.
    """
    return replace(schema, columns=tuple(_completed(c, columns[c.name]) for c in schema.columns))


def check_support(columns: Columns, schema: Schema) -> None:
    """Raise InputError naming column and row of the first value outside its column's support."""
    for column in schema.columns:
        values = columns[column.name]
        outside = outside_support(column, values)
        if outside.any():
            row = int(np.argmax(outside))
            expected = {
                "positive": "numbers > 0",
                "interval": f"numbers from {column.lower} to {column.upper}",
                "count": "whole numbers >= 0",
            }.get(column.kind, f"one of {', '.join(map(str, column.levels[:10]))}")
            advice = "Correct the value or the kind."
            if column.ends and column.ends[0] <= values[row] <= column.ends[-1]:
                expected += f", and {values[row]:g} only as an atom"
                advice = f"Give the kind with 'atoms': [{values[row]:g}]."
            raise InputError(
                f"column {column.name!r} holds {values[row]!s} in row {row} (counted from 0); "
                f"as a {column.kind} column it takes {expected}. {advice}"
            )


def outside_support(column: Column, values: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) whether each value, in a conformed column, is one that its kind cannot have."""
    if column.kind in DISCRETE:
        return np.asarray(level_codes(column, values) == -2)
    outside = np.zeros(len(values), dtype=bool)
    if values.dtype == object:
        return outside
    if column.ends:
        v = in_double(values, column.ends, column.dtype)
        outside = v < column.ends[0]
        if column.upper is not None:
            outside |= v > column.upper
        if column.width is None:
            # A rounded value at an end stands for what is nearest to it; an exact one has a mass.
            outside |= np.isin(v, sorted({*column.ends} - {*column.atoms}))
    elif column.kind == "count":
        outside = (values < 0) | (~np.isnan(values) & (values != np.round(values)))
    return outside


def _completed(column: Column, values: NDArray[Any]) -> Column:
    column = replace(column, missing=column.missing or bool(is_gap(values).any()))
    if column.ends and column.width is None:
        v = in_double(values, column.ends, column.dtype)
        held = {end for end in column.ends if (v == end).any()}
        column = replace(column, atoms=tuple(sorted({*column.atoms, *held})))
    if column.kind not in DISCRETE:
        return column
    if not column.levels:
        column = replace(column, levels=levels_of(values))
    if len(column.levels) < 2 or (column.kind == "binary" and len(column.levels) != 2):
        wanted = "two levels" if column.kind == "binary" else "at least two levels"
        raise InputError(
            f"column {column.name!r} has {len(column.levels)} levels; a {column.kind} column has "
            f"{wanted}. Choose another kind."
        )
    return column


def _read(column: Column, values: NDArray[Any], schema: Schema) -> NDArray[Any]:
    """Values with text as numbers where the column has numbers, written as those fitted were."""
    if values.dtype != object or column.clock or not column.numeric or column.kind == "empty":
        return values
    return numbers_of(values, schema.reading.notation(column.name))


def _conformed(column: Column, values: NDArray[Any], was: Column | None = None) -> NDArray[Any]:
    if column.kind == "empty":
        return np.full(len(values), np.nan)
    if was is not None and was.clock and not column.clock and values.dtype != object:
        # Dates that are levels, or text, in the schema.
        values = np.array(
            [None if v is None else str(v) for v in to_objects(values, was.dtype, was.form)], object
        )
    if column.clock and values.dtype == object:
        values = time_numbers(column, values)
    elif column.levels:
        values = match_levels(column, values)
    elif column.kind not in DISCRETE:
        values = to_numbers(column.name, values)
    if values.dtype != object:
        check_finite(column.name, values)
    return values


def time_numbers(column: Column, values: NDArray[Any]) -> NDArray[np.float64]:
    """Seconds of texts, in the form of the column or in one that they share; InputError names the
    first row that holds something else."""
    known = [v for v in values.tolist() if v is not None]
    form = column.form if "%" in column.form else ""
    if not form or any(time_text.read(text, form) is None for text in known):
        form = time_text.form_of(known) or form
    out = np.full(len(values), np.nan)
    for row, text in enumerate(values.tolist()):
        seconds = None if text is None or not form else time_text.read(text, form)
        if text is not None and seconds is None:
            raise InputError(
                f"column {column.name!r} holds {text!r} in row {row} (counted from 0); expected a "
                f"{column.clock} such as {column.shown(0.0)}."
            )
        out[row] = np.nan if seconds is None else seconds
    return out if time_text.is_aware(form) else in_zone(out, zone_of(column.dtype, column.form))


def _one_image(data: Contents, schema: Schema, estimator: str) -> str:
    """What to say where what was given is one image, not several; else ""."""
    image, array = schema.image_shape, data.native
    if image is None or not isinstance(array, np.ndarray) or data.native_rows is not None:
        return ""
    if not is_one_image(array.shape, image):
        return ""
    many = image if image[0] > 1 else image[1:]
    return (
        f"one image was given, of shape {array.shape}; {estimator} expects several, "
        f"(n, {', '.join(map(str, many))}). Give X[None]."
    )


def _features(data: Contents, schema: Schema) -> str:
    d, image = len(data.columns), schema.image_shape
    if image is None or not d:
        return ""
    size, shape = math.prod(image), ", ".join(map(str, image))
    if d == size:
        return f" Reshape the rows to (n, {shape})."
    return f" A row has {d} features, an image ({shape}) has {size} features."


def _to_shape(given: Any, wanted: Any) -> str:
    """What to do with images of another shape (C, H, W)."""
    if given is None or wanted is None or given[0] == wanted[0]:
        return "Resize them."
    colours = {1: "grey", 3: "in colour", 4: "in colour with transparency"}
    is_now, to_be = (colours.get(shape[0], f"of {shape[0]} channels") for shape in (given, wanted))
    resized = " and resize them" * (given[1:] != wanted[1:])
    grey = ' (files with Pillow: image.convert("L"))' * (wanted[0] == 1)
    return f"They are {is_now}, and those fitted {to_be}. Convert them{resized}{grey}."


def _what(schema: Schema) -> str:
    if schema.sequence:
        return "sequences"
    return "a table" if schema.image_shape is None else "images"
