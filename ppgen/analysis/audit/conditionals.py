"""Do conditionals, marginals, draws and filled gaps agree with the joint density?

For rows that the model draws, split into a and b both ways,

    log p(a | b) + log p(b) = log p(a, b),        integral of p(a | b) da = 1,

with p(a | b) from `condition` and p(b) from `marginal`; `sample(given=b)` has the means of
`condition(b).sample()`, weighted by p(a, b) / p(a | b) where only the joint density averages over
draws of the parameters; and `impute` fills all gaps, leaves what is known as it was, and is the
mean of what `condition` draws. Rounded columns are marginalised first: their cells are filled with
noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ...data import Dataset, as_dataset
from ...data.column import CONTINUOUS, DISCRETE
from ...data.values import is_gap
from ...errors import InputError
from .agreement import RowFunctions, same_means
from .coordinates import Coordinates
from .findings import Check, measured, step, unchecked
from .normalisation import integral
from .row_by_row import apart
from .subject import Subject

_CHAIN = "log p(a | b) + log p(b) = log p(a, b)"
_GIVEN = "rows with columns held fixed are those of the conditional density"
_GAPS = "gaps are filled, and nothing else is changed"
_AVERAGED = (
    "densities are means over draws of the parameters, conditionals those at the parameters' means."
)
_LIMIT, _ROWS, _DRAWS, _GAPPY = 1e-5, 4, 1500, 12


@step(("conditional", _CHAIN), ("given", _GIVEN))
def conditionals(subject: Subject) -> Iterator[Check]:
    """The chain rule, the conditional's integral, and draws with columns held fixed."""
    model: Any = subject.model
    if not model.capabilities.conditions:
        return
    held = {*model.codec_.constants, *model.codec_.empties, *model.codec_.dequantised}
    kinds = (*CONTINUOUS, *DISCRETE)
    names = [c.name for c in model.schema_.columns if c.name not in held and c.kind in kinds]
    if len(model.schema_.columns) < 2:
        return
    if len(names) < 2:
        raise InputError("fewer than two columns are not rounded or held.")
    if len(names) < len(model.schema_.columns):
        model = model.marginal(names)
    seed = int(subject.rng(40).integers(2**31 - 1))
    rows = as_dataset(model.sample(_ROWS, random_state=seed), model.schema_)
    cut = max(1, len(names) // 2)
    if model._plugged_in:
        yield unchecked("conditional", _CHAIN, _AVERAGED)
    else:
        yield _chain(subject, model, rows, (names[:cut], names[cut:]))
    yield from _given(subject, model, rows, names)


def _chain(
    subject: Subject, model: Any, rows: Dataset, halves: tuple[list[str], list[str]]
) -> Check:
    joint, off = model.log_density(rows).values, 0.0
    for known, free in (halves, halves[::-1]):
        below = model.marginal(known).log_density(_select(rows, known)).values
        for i in range(len(rows)):
            row = rows.take(slice(i, i + 1))
            rest = model.condition(_values(row, known))
            chain = rest.log_density(_select(row, free)).values + below[i]
            off = max(off, apart(chain, joint[i : i + 1]))
    return measured(
        "conditional",
        _CHAIN,
        off,
        _LIMIT,
        rules_out=f"a difference of {_LIMIT:g} of the log density",
        why=f"{len(rows)} rows, halves of {len(halves[0])} and {len(halves[1])} columns, both ways",
    )


def _given(subject: Subject, model: Any, rows: Dataset, names: list[str]) -> Iterator[Check]:
    """Of one row, with all columns held fixed but one or two."""
    continuous = [c.name for c in rows.schema.continuous if c.name in names]
    free = (continuous or names)[:2] if len(names) > 2 else (continuous or names)[:1]
    known = [name for name in names if name not in free]
    row = rows.take(slice(0, 1))
    given = _values(row, known)
    rest = model.condition(given)
    part = subject.of(rest)
    yield replace(integral(part).check, name="conditional integral")
    coordinates: Coordinates = part.coordinates
    by_rest = coordinates.places(coordinates.sampled, subject.rng(41))
    seed = int(subject.rng(42).integers(2**31 - 1))
    held = model._unbounded(_DRAWS, given, None, seed)
    by_given = coordinates.places(_select(held, free), subject.rng(43))
    features = RowFunctions.fit(by_rest, coordinates.n_levels, subject.rng(44))
    f, g = features(by_rest), features(by_given)
    how = f"{len(g)} rows with {len(known)} columns held against {len(f)} of the conditional"
    shares = np.full(len(f), 1 / len(f))
    if model._plugged_in:
        drawn = coordinates.sampled
        held_fixed = {name: np.repeat(row.columns[name], len(drawn)) for name in known}
        whole = as_dataset({**drawn.columns, **held_fixed}, model.schema_)
        log_w = model.log_density(whole).values - rest.log_density(drawn).values
        shares = softmax(log_w)
        how += ", weighted"
    variance = (shares**2) @ (f - shares @ f) ** 2
    yield same_means("given", _GIVEN, (f, shares, variance), g, how)


@step(("impute", _GAPS))
def gaps(subject: Subject) -> Iterator[Check]:
    """Filled gaps."""
    model: Any = subject.model
    if not model.capabilities.fills_gaps or len(model.schema_.columns) < 2:
        return
    rows = subject.some.take(slice(0, _GAPPY))
    columns = {name: np.array(v) for name, v in rows.columns.items()}
    for j, name in enumerate(rows.schema.names):
        values = columns[name]
        values[j :: len(columns)] = None if values.dtype == object else math.nan
    gappy = as_dataset(columns, rows.schema)
    filled = as_dataset(model.impute(gappy), rows.schema)
    wrong = 0
    for column in rows.schema.columns:
        name, given = column.name, columns[column.name]
        if column.kind == "empty":
            continue
        gap, filling = is_gap(given), filled.columns[name]
        wrong += int(is_gap(filling).sum()) + int((filling[~gap] != given[~gap]).sum())
    yield measured(
        "impute",
        _GAPS,
        float(wrong),
        0.0,
        rules_out="any cell that is changed or left empty",
        why=f"cells wrong, of {len(rows)} rows with a gap each",
    )


def _select(rows: Dataset, names: list[str]) -> Dataset:
    schema = rows.schema.select(names)
    return as_dataset({name: rows.columns[name] for name in schema.names}, schema)


def _values(row: Dataset, names: list[str]) -> Mapping[str, Any]:
    return {name: _plain(row.columns[name]) for name in names}


def _plain(values: NDArray[Any]) -> Any:
    value = values[0]
    return value.item() if isinstance(value, np.generic) else value
