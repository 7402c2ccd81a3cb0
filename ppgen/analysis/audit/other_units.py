"""Do other units change the density by their Jacobian?

For v' = a v, p'(v') = p(v) / a in each of k columns. A model fitted to rows in other units is to
say, of the same rows, k log a less: the mean over rows of log p'(v') + k log a - log p(v) is 0. All
real columns change together, as some families (a spherical covariance) know one scale of all; or
those whose logarithm or logit is modelled, which only move. Two fits of one family may still
differ, as rounding decides where a start or a batch ends; a factor of 1,024, whose log is 6.9, is
large beside that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from ...data import Dataset, as_dataset
from ...data.column import Column
from ...data.schema import Schema
from ...errors import InputError
from .findings import Check, measured, step
from .subject import Subject

_FACTOR, _LIMIT, _ROWS = 1024.0, 0.25, 400
_CLAIM = "rows in other units change the log density by the logs of their ratios"


@step(("units", _CLAIM))
def units(subject: Subject) -> Iterator[Check]:
    """Two fits, one to rows whose first continuous column is in other units."""
    model = subject.model
    if not model.schema_.continuous:
        return
    measures = _in_units(model.schema_, model.capabilities.scaling == "standard")
    if not measures:
        raise InputError(
            "columns of several kinds, of which the family knows one scale, share no unit."
        )
    if model.context_ is not None or model.schema_.image_shape is not None:
        raise InputError("a fit that is conditional on y is not fitted again.")
    seconds = subject.share(0.3)
    if 3 * model.fit_seconds_ > seconds:
        raise InputError(
            f"two more fits take about {2 * model.fit_seconds_:.0f} s, more than there is."
        )
    rows = subject.rows if subject.rows is not None and len(subject.rows) >= _ROWS else None
    rows = subject.drawn if rows is None else rows
    rows = rows.take(slice(0, _ROWS))
    scaled = _scaled(rows, measures)
    here = _fitted(model, rows).log_density(rows).values
    there = _fitted(model, scaled).log_density(scaled).values
    # A value with a mass of its own has no unit.
    free = sum((~np.isin(rows.columns[c.name], c.atoms)).mean() for c in measures)
    expected = float(free) * math.log(_FACTOR)
    off = float(np.mean(there - here)) + expected
    yield measured(
        "units",
        _CLAIM,
        off / expected,
        _LIMIT,
        rules_out=f"a logarithm that is off by {_LIMIT:.0%} of itself",
        why=f"{len(measures)} columns times {_FACTOR:g}, {len(rows)} rows: off by {off:.3g} nats a "
        "row",
    )


def _fitted(model: Any, rows: Dataset) -> Any:
    again = clone(model)
    return again.set_params(random_state=0).fit(rows)._whole()


def _in_units(schema: Schema, standardised: bool) -> list[Column]:
    """The columns to express in other units."""
    real = [c for c in schema.continuous if c.kind == "real"]
    moved = [c for c in schema.continuous if c.kind in ("positive", "interval")]
    if moved or standardised or len(real) == len(schema.continuous):
        return moved or real
    return []


def _scaled(rows: Dataset, measures: list[Column]) -> Dataset:
    def times(value: float | None) -> float | None:
        return None if value is None else _FACTOR * value

    other = {
        c.name: replace(
            c,
            lower=times(c.lower),
            upper=times(c.upper),
            width=times(c.width),
            atoms=tuple(_FACTOR * a for a in c.atoms),
        )
        for c in measures
    }
    columns = tuple(other.get(c.name, c) for c in rows.schema.columns)
    values = {name: _FACTOR * v if name in other else v for name, v in rows.columns.items()}
    return as_dataset(values, replace(rows.schema, columns=columns))
