"""Do stated standard errors hold?

The random numbers of a row's score follow from what the row says, to the last bit. The row moved by
a few units in the last place is as good as the same row, and draws others: over R such copies the
score spreads by as much as its standard error says,

    rms over rows of sd_r(score)  /  rms of stderr  =  1.

Rows whose k-hat is bad are left out, as their errors are said to be of no use.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ...data import Dataset, as_dataset
from ...density import LogDensity
from ...errors import InputError
from .findings import Check, measured, step
from .subject import Subject

_ROWS, _COPIES, _LIMIT = 40, 16, 0.5
_CLAIM = "scores spread by their stated standard errors"


@step(("standard error", _CLAIM))
def stated_errors(subject: Subject) -> Iterator[Check]:
    """The spread of scores over copies of each row, beside what they state."""
    rows = subject.some.take(slice(0, _ROWS))
    density = subject.log_density(rows)
    if density.stderr is None or not np.nanmax(density.stderr, initial=0.0) > 0:
        return
    model = subject.model
    own = model.capabilities.density == "estimate" and model.context_ is None
    if density.kind == "estimate" and not own:
        raise InputError(
            "the error is that of the fit's own posterior draws; only another fit has others."
        )
    moved = _moved(rows, _COPIES)
    if moved is None:
        raise InputError("no column can be moved by so little: all are on a grid.")
    copies = subject.log_density(moved)
    values = copies.values.reshape(_COPIES, len(rows))
    usable = _usable(density) & np.isfinite(values).all(axis=0)
    if usable.sum() < 5:
        raise InputError("fewer than five rows have a k-hat that is good.")
    spread = math.sqrt(float(values.var(axis=0, ddof=1)[usable].mean()))
    # Of the copies too: the error of a row with rare heavy weights is as unsure as its score.
    assert copies.stderr is not None
    errors = copies.stderr.reshape(_COPIES, -1)[:, usable]
    stated = math.sqrt(float(np.nanmean(errors**2)))
    # Strata in a rounding cell make the spread smaller than its error says, which is no fault.
    ratio = math.log(spread / stated) if spread > 0 else -math.inf
    if density.dequantised:
        ratio = max(ratio, 0.0)
    yield measured(
        "standard error",
        _CLAIM,
        ratio,
        _LIMIT,
        rules_out=f"errors wrong by a factor of {math.exp(_LIMIT):.2g} or more",
        why=f"log of spread {spread:.3g} over stated {stated:.3g} nats; {_COPIES} copies of "
        f"{int(usable.sum())} rows",
    )


def _usable(density: LogDensity) -> NDArray[np.bool_]:
    assert density.stderr is not None
    usable = np.isfinite(density.stderr) & np.isfinite(density.values)
    if "khat" in density.diagnostics:
        usable &= density.diagnostics["khat"] <= 0.5
    return np.asarray(usable)


def _moved(rows: Dataset, copies: int) -> Dataset | None:
    """Rows (copies, n) with a free column moved by 1, 2, ... units in the last place."""
    for column in rows.schema.continuous:
        gridded = column.width is not None or column.kind == "count" or column.atoms
        if gridded or column.dtype == "float32":
            continue
        several = rows.take(np.tile(np.arange(len(rows)), copies))
        columns = dict(several.columns)
        values = np.array(columns[column.name], dtype=np.float64)
        steps = np.repeat(np.arange(copies), len(rows))
        columns[column.name] = values + steps * 4 * np.spacing(np.abs(values))
        return as_dataset(columns, rows.schema)
    return None
