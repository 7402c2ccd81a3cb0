"""Are held-out rows like the model's?

If rows x_i came from the density, the place of each of their values among the model's samples would
be uniform, column by column (the probability integral transform), and so would that of log p(x_i)
among the samples' log densities, which sees what no single column shows. Both are tests of two
samples: Kolmogorov and Smirnov's, of levels Pearson's.

A failure says that the rows are not of this density. No density of real rows is theirs to the last
digit, and with enough rows every model fails; so it is called a misfit and refutes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, ks_2samp

from ...data import Dataset, as_dataset
from ...data.schema import CONTINUOUS, DISCRETE, Column
from ...data.values import is_gap
from .findings import Check, statistical, unchecked

if TYPE_CHECKING:
    from .subject import Subject

Floats = NDArray[np.float64]
_MOST_ROWS, _FEWEST, _LEAST_EXPECTED = 2000, 20, 5.0
_NAMES = ("calibration by column", "calibration, joint")
_COLUMNS = "each column of the rows given is distributed as the model's samples"
_JOINT = "the rows given are as likely as the model's samples"


def calibration(subject: Subject) -> Iterator[Check]:
    """The rows given against samples, by column and by log density."""
    rows, conditional = subject.rows, subject.model.context_ is not None
    why = ""
    if rows is None:
        why = "no rows were given; give some that the model was not fitted to."
    elif len(rows) < _FEWEST:
        why = f"{len(rows)} rows are too few."
    elif conditional and subject.y is None:
        why = "the fit is conditional on y, and no y was given."
    if why or rows is None:
        yield unchecked(_NAMES[0], _COLUMNS, why)
        yield unchecked(_NAMES[1], _JOINT, why)
        return
    n = min(len(rows), _MOST_ROWS)
    kept = np.sort(subject.rng(50).choice(len(rows), n, replace=False))
    rows, y = rows.take(kept), None
    drawn = subject.drawn
    if conditional and subject.y is not None:
        y = subject.y[kept]
        seed = int(subject.rng(51).integers(2**31 - 1))
        drawn = as_dataset(subject.model.sample(n, y=y, random_state=seed), rows.schema)
    yield from _by_column(subject, rows, drawn)
    yield from _joint(subject, rows, drawn, y)


def _by_column(subject: Subject, rows: Dataset, drawn: Dataset) -> Iterator[Check]:
    found: dict[str, tuple[float, float, float]] = {}
    rng = subject.rng(52)
    for column in rows.schema.columns:
        if column.kind in (*CONTINUOUS, *DISCRETE):
            each = _column(column, rows.columns[column.name], drawn.columns[column.name], rng)
            if each is not None:
                found[column.name] = each
    if not found:
        return
    worst = min(found, key=lambda name: found[name][0])
    p, distance, fewest = found[worst]
    yield statistical(
        _NAMES[0],
        _COLUMNS,
        distance,
        0.0,
        min(1.0, len(found) * p),
        resolution=0.6 / math.sqrt(fewest),
        what="distribution functions that are {} apart",
        why=f"the worst of {len(found)} columns is {worst!r}, {len(rows)} rows",
        of_fit=True,
    )


def _column(
    column: Column, given: NDArray[Any], drawn: NDArray[Any], rng: np.random.Generator
) -> tuple[float, float, float] | None:
    """p, the largest difference of shares, and effective rows; None where too little is known."""
    given, drawn = given[~is_gap(given)], drawn[~is_gap(drawn)]
    if len(given) < _FEWEST or len(drawn) < _FEWEST:
        return None
    size = 1 / (1 / len(given) + 1 / len(drawn))
    if column.kind in DISCRETE:
        counts = np.array([[np.sum(v == level) for level in column.levels] for v in (given, drawn)])
        kept = counts.sum(axis=0) * len(given) / counts.sum() >= _LEAST_EXPECTED
        counts = np.column_stack([counts[:, kept], counts[:, ~kept].sum(axis=1)])
        counts = counts[:, counts.sum(axis=0) > 0]
        if counts.shape[1] < 2:
            return None
        shares = counts / counts.sum(axis=1, keepdims=True)
        p = float(chi2_contingency(counts, correction=False).pvalue)
        return p, float(np.abs(shares[0] - shares[1]).max()), size
    a, b = given.astype(np.float64), drawn.astype(np.float64)
    width = 1.0 if column.kind == "count" else column.width
    if width:  # ties are broken at random: the test is of continuous values
        a = a + width * (rng.random(len(a)) - 0.5)
        b = b + width * (rng.random(len(b)) - 0.5)
    test = ks_2samp(a, b, method="asymp")
    return float(test.pvalue), float(test.statistic), size


def _joint(subject: Subject, rows: Dataset, drawn: Dataset, y: Any) -> Iterator[Check]:
    whole = np.ones(len(rows), dtype=bool)
    for column in rows.schema.columns:
        if column.kind != "empty":
            whole &= ~is_gap(rows.columns[column.name])
    name = _NAMES[1]
    if whole.sum() < _FEWEST:
        yield unchecked(name, _JOINT, f"only {int(whole.sum())} rows have no gaps.")
        return
    wanted = int(whole.sum()) + len(drawn)
    share = subject.affordable(subject.share(0.15), wanted) / wanted
    kept = np.flatnonzero(whole)[: max(_FEWEST, int(share * whole.sum()))]
    others = np.arange(max(_FEWEST, int(share * len(drawn))))

    def scored(data: Dataset, which: NDArray[np.intp]) -> Floats:
        of = None if y is None else y[which]
        return np.asarray(subject.model.log_density(data.take(which), of).values)

    given, own = scored(rows, kept), scored(drawn, others)
    test = ks_2samp(given, own, method="asymp")
    gain = float(np.mean(given) - np.mean(own))
    yield statistical(
        name,
        _JOINT,
        float(test.statistic),
        0.0,
        float(test.pvalue),
        resolution=0.6 * math.sqrt(1 / len(given) + 1 / len(own)),
        what="distribution functions of log density that are {} apart",
        why=f"{len(given)} rows, {gain:+.3g} nats a row from the samples on average",
        of_fit=True,
    )
