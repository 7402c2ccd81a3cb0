"""Does a row's score depend on that row alone, and are seeds kept?

A score of rows together, in another order, and of each by itself differ by rounding at most; so do
codes, of a model without density. The same seed gives the same draws, another seed others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...data import Dataset, as_dataset
from ...errors import InputError
from .findings import Check, measured, step
from .subject import Subject

LIMIT = 2e-4  # of the value or of one nat, whichever is more: nets work in single precision
_ALONE = 6
_SEEDS = "one seed gives one set of samples, another seed another"


def scored(subject: Subject, model: Any, data: Dataset) -> Floats:
    """(n, k) what a model says of each row: its log density, or its codes."""
    if model.capabilities.density is None:
        return np.asarray(model.encode(data), dtype=np.float64)
    if model is subject.model:
        return np.asarray(subject.log_density(data).values[:, None], dtype=np.float64)
    values = subject.of(model).log_density(data).values
    return np.asarray(values[:, None], dtype=np.float64)


@step(("row alone", "a row's score depends on that row alone"))
def rows_alone(subject: Subject) -> Iterator[Check]:
    """Scores of rows in company, in another order, and by themselves."""
    model, rows = subject.model, subject.some
    whole, n = scored(subject, model, rows), len(rows)
    order = subject.rng(20).permutation(n)
    moved = np.empty_like(whole)
    moved[order] = scored(subject, model, rows.take(order))
    alone = [scored(subject, model, rows.take(slice(i, i + 1))) for i in range(min(_ALONE, n))]
    twice = scored(subject, model, rows.take(np.repeat(np.arange(min(_ALONE, n)), 2)))
    pairs = [
        (moved, whole),
        (np.concatenate(alone), whole[: len(alone)]),
        (twice[::2], whole[: len(alone)]),
        (scored(subject, model, rows), whole),
    ]
    what = "codes" if model.capabilities.density is None else "log density"
    yield measured(
        "row alone",
        f"a row's {what} depends on that row alone",
        max(apart(a, b) for a, b in pairs),
        LIMIT,
        rules_out=f"a difference of {LIMIT:g} of a value, or of {LIMIT:g} where that is below one",
        why=f"{n} rows together, in another order, doubled, again; {len(alone)} alone",
    )


@step(("seed", _SEEDS))
def seeds(subject: Subject) -> Iterator[Check]:
    """Draws of one seed twice, and of another."""
    model = subject.model
    if not model.capabilities.samples:
        return
    one, again, other = (subject.draw(8, stream) for stream in (21, 21, 22))
    same, fresh = _equal(one, again), not _equal(one, other)
    if not fresh and _discrete(one):
        raise InputError("8 rows of few levels may be equal by chance.")
    said = [] if same else ["one seed gave two sets of samples"]
    said += [] if fresh else ["two seeds gave one set of samples"]
    yield measured(
        "seed",
        _SEEDS,
        float(len(said)),
        0.0,
        rules_out="any difference, bit for bit",
        why="; ".join(said) or "8 rows, three times",
    )


def apart(a: Floats, b: Floats) -> float:
    """The largest difference, relative to values above one; infinite where only one is NaN."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if not np.isfinite(np.where(same, 0.0, a - b)).all():
        return np.inf
    size = np.maximum(1.0, np.abs(np.where(np.isfinite(b), b, 1.0)))
    return float((np.abs(np.where(same, 0.0, a - b)) / size).max(initial=0.0))


def _equal(a: Dataset, b: Dataset) -> bool:
    if a.images is not None and b.images is not None:
        return bool(np.array_equal(a.images, b.images))
    again = as_dataset(b, a.schema)
    return all(_same(a.columns[name], again.columns[name]) for name in a.schema.names)


def _same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    if a.dtype == object:
        return bool(a.tolist() == b.tolist())
    return bool(np.array_equal(a, b, equal_nan=True))


def _discrete(data: Dataset) -> bool:
    return data.images is None and not data.schema.continuous
