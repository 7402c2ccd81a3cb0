"""Are held-out rows like the model's?

If rows x_i came from the density, the place of each of their values among the model's samples would
be uniform, column by column (the probability integral transform), and so would that of log p(x_i)
among the samples' log densities, which sees what no single column shows (see `ppgen.uniformity`).
One row of each unit is looked at: copies and rows of a named group are not independent.

A failure says that the rows are not of this density. No density of real rows is theirs to the last
digit, and with enough rows every model fails; so it is called a misfit and refutes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...data import Dataset
from ...data.values import is_gap
from ...errors import InputError
from ...uniformity import pit_by_column, pit_joint
from ..features import Features
from .findings import Check, statistical, step
from .subject import Subject

_MOST_ROWS, _FEWEST = 2000, 20
_NAMES = ("calibration by column", "calibration, joint")
_COLUMNS = "each column of the rows given is distributed as the model's samples"
_JOINT = "the rows given are as likely as the model's samples"


@step((_NAMES[0], _COLUMNS), (_NAMES[1], _JOINT))
def calibration(subject: Subject) -> Iterator[Check]:
    """The rows given against samples, by column and by log density."""
    rows, conditional = subject.rows, subject.model.context_ is not None
    if rows is None:
        raise InputError("no rows were given; give some that the model was not fitted to.")
    draws = len(np.unique(rows.units))
    if draws < _FEWEST:
        raise InputError(f"{draws} rows that do not belong together are too few.")
    if conditional and subject.y is None:
        raise InputError("the fit is conditional on y, and no y was given.")
    shuffled = subject.rng(50).permutation(len(rows))
    first = np.unique(rows.units[shuffled], return_index=True)[1]
    kept = np.sort(shuffled[np.sort(first)[:_MOST_ROWS]])
    n = len(kept)
    rows, y = rows.take(kept), None
    drawn = subject.drawn
    if conditional and subject.y is not None:
        y = subject.y[kept]
        seed = int(subject.rng(51).integers(2**31 - 1))
        drawn = subject.model._unbounded(n, None, y, seed)
    yield from _by_column(subject, rows, drawn)
    yield from _joint(subject, rows, drawn, y)


def _by_column(subject: Subject, rows: Dataset, drawn: Dataset) -> Iterator[Check]:
    features = Features.fit(drawn)
    levels = [not f.is_ordered for f in features.columns]
    sets = (features.table(rows), features.table(drawn))
    tests = pit_by_column(*sets, int(subject.rng(52).integers(2**31 - 1)), levels=levels)
    seen = [(u, f.name) for u, f in zip(tests, features.columns, strict=True) if u.n >= _FEWEST]
    if not seen:
        return
    worst, name = min(seen, key=lambda pair: pair[0].p_value)
    yield statistical(
        Check(
            _NAMES[0],
            _COLUMNS,
            worst.statistic,
            0.0,
            p_value=min(1.0, len(seen) * worst.p_value),
            why=f"the worst of {len(seen)} columns is {name!r}, {len(rows)} rows",
            of_fit=True,
            side="above",
        ),
        "distribution functions that are {} apart",
        scale=0.5 / math.sqrt(worst.size),
        critical=lambda p: worst.critical(p / len(seen)),
    )


def _joint(subject: Subject, rows: Dataset, drawn: Dataset, y: Any) -> Iterator[Check]:
    whole = np.ones(len(rows), dtype=bool)
    for column in rows.schema.columns:
        if column.kind != "empty":
            whole &= ~is_gap(rows.columns[column.name])
    if whole.sum() < _FEWEST:
        raise InputError(f"only {int(whole.sum())} rows have no gaps.")
    wanted = int(whole.sum()) + len(drawn)
    share = subject.affordable(subject.share(0.15), wanted) / wanted
    kept = np.flatnonzero(whole)[: max(_FEWEST, int(share * whole.sum()))]
    others = np.arange(max(_FEWEST, int(share * len(drawn))))

    def scored(data: Dataset, which: NDArray[np.intp]) -> Floats:
        given = None if y is None else y[which]
        return np.asarray(subject.model.log_density(data.take(which), given).values)

    given, own = scored(rows, kept), scored(drawn, others)
    test = pit_joint(given, own, int(subject.rng(53).integers(2**31 - 1)))
    gain = float(np.mean(given) - np.mean(own))
    yield statistical(
        Check(
            _NAMES[1],
            _JOINT,
            test.statistic,
            0.0,
            p_value=test.p_value,
            why=f"{len(given)} rows, {gain:+.3g} nats a row from the samples on average",
            of_fit=True,
            side="above",
        ),
        "distribution functions of log density that are {} apart",
        scale=0.5 / math.sqrt(test.size),
        critical=test.critical,
    )
