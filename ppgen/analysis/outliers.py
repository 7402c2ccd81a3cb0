"""How unusual rows are beside others, without a model: three scores, combined.

No score finds every sort of outlier, and without labels nothing says which is best. Those here err
on different rows; each grows with how unusual a row is:

    neighbours  mean distance to the K nearest reference rows: rows where hardly any other is
    kernel      -log sum_i exp(-|x - x_i|^2 / 2h^2) over the nearest reference rows, with h sqrt(d)
                the median distance of these to their own 10th: the same, from close by
    mixture     -log density of a mixture of few Gaussians, each widened by noise: rows that break
                how columns go together

Scores of different units are brought to one by the reference rows. With s_1 <= ... <= s_n the
scores that these have where they were not fitted (in two halves, each scored by the other),

    t(s) = -log P(S >= s),    P(S >= s) = (#{s_i > s} + #{s_i = s} / 2 + 1/2) / (n + 1),

and beyond the highest, where ranks end, it grows on as log(1 + excess) / c, with c the mean of that
over the tenth of the highest, so that rows further out stand higher. The score of a row is the
mean of t over the scores: their evidence, counted alike. No weight is fitted; which three to take,
and which mixture, was decided by the mean over the sets of `benchmarks/outliers.py`, where a
forest, local density ratios and one Gaussian beside them lowered it.

Rows are looked at in `Features.space`, but with numbers in standard deviations, unclipped: far out
they are drawn in as a logarithm. A column that does not vary counts where a value is another.
Which columns make a row unusual is read off its nearest reference rows: t of how far each of its
columns is from their mean, by the same halves.

References:
    Theoretical foundations and algorithms for outlier ensembles (Aggarwal, Sathe, 2015)
    https://doi.org/10.1145/2830544.2830549
    Efficient algorithms for mining outliers from large data sets (Ramaswamy, Rastogi, Shim, 2000)
    https://doi.org/10.1145/342009.335437
    Interpreting and unifying outlier scores (Kriegel, Kröger, Schubert, Zimek, 2011)
    https://doi.org/10.1137/1.9781611972818.2
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Array, Floats
from ..data import Dataset, as_dataset
from ..data.standardisation import standard
from ..errors import InputError
from .features import Feature, Features
from .outlier_scores import mixture, neighbours

_MOST_FITTED = 10_000  # reference rows
_BEND = 8.0  # deviations from which on numbers grow as a logarithm
_UNSEEN = 4.0  # times as far as levels from each other stands one that was never seen
_TAIL = 0.1  # share of reference rows that the tail is fitted to
_LEAST = 10  # reference rows


@dataclass(frozen=True, eq=False)
class Outliers:
    """How unusual each of n rows is.

    Attributes:
        score: (n,) mean of `parts`, in nats: the higher, the more unusual.
        fraction_above: (n,) share of reference rows whose score is higher, ties counting half.
        parts: score -> (n,) -log tail probability of the row by that score alone.
        column: (n,) the column in which the row differs most from the reference rows nearest to it;
            of images, the principal component of their pixels.
        tail: (n,) probability of differing as much there or more.
        method: what was combined, and what the rows were compared with.
    """

    score: Floats
    fraction_above: Floats
    parts: Mapping[str, Floats]
    column: np.ndarray[Any, np.dtype[np.object_]]
    tail: Floats
    method: str

    def __len__(self) -> int:
        return len(self.score)


def outliers(rows: Any, reference: Any = None, *, seed: int = 0) -> Outliers:
    """How unusual rows are, by scores that need no labels and no model; see the module.

    Args:
        rows: n rows of a table or images, as `as_dataset` takes them.
        reference: rows that are known, or thought, to be usual. None compares the rows with each
            other: each half is scored by the other, so that no row speaks for itself.
        seed: of the halves, the mixture and the rows taken from very many.

    Raises:
        InputError: if there are fewer than 10 reference rows, no column varies in them, or rows are
            sequences.
    """
    usual = as_dataset(rows if reference is None else reference)
    of_rows = usual if reference is None else as_dataset(rows, usual.schema)
    _check(usual)
    rng = np.random.default_rng(seed)
    space = _Space.fit(usual.thinned(_MOST_FITTED, rng))
    if reference is None:
        within = _crossed(space, space.of(usual), rng)
        return _combined(space, within, within, "each half of the rows with the other")
    known = space.of(usual.thinned(_MOST_FITTED, rng))
    here = _measured(space, known, space.of(of_rows), rng)
    crossed = _crossed(space, known, rng)
    return _combined(space, here, crossed, f"the rows with {len(known)} reference rows")


def _check(usual: Dataset) -> None:
    if usual.schema.sequence:
        raise InputError("sequences are given; expected a table or images. Score them by a model.")
    if len(usual) < _LEAST:
        raise InputError(
            f"{len(usual)} rows are given to compare with; expected at least {_LEAST}. Give more."
        )


@dataclass(frozen=True)
class _Space:
    """Coordinates of rows, and which of them are of which column."""

    features: Features

    @classmethod
    def fit(cls, usual: Dataset) -> _Space:
        """Numbers in standard deviations, those of the others where a few values would set them;
        of columns that do not vary, whether a value is another."""
        features = Features.fit(usual)
        if features.components is not None:
            return cls(features)
        if not features.columns:
            raise InputError("no column varies, so that nothing sets rows apart. Give other rows.")
        columns = []
        for feature in features.columns:
            if feature.is_number and feature.period is None:
                values = np.asarray(usual.columns[feature.name], np.float64)
                values = values[~np.isnan(values)]
                centre, scale, _ = standard(values, np.ones(len(values)), 0.0)
                feature = replace(feature, centre=centre, scale=scale or 1.0)
            columns.append(feature)
        for column in usual.schema.columns:
            if column.kind == "constant":
                columns.append(Feature(column.name, "categorical", levels=column.levels[:1]))
        return cls(Features(tuple(columns)))

    def of(self, data: Dataset) -> Floats:
        """(n, d) coordinates."""
        if self.features.components is not None:
            return self.features.space(data)
        parts = []
        for feature in self.features.columns:
            values = data.columns[feature.name]
            part = feature.coordinates(values)
            if feature.is_number and feature.period is None:
                z = np.nan_to_num((feature.codes(values) - feature.centre) / feature.scale)
                part[:, 0] = _bent(z)
            elif feature.levels:
                part[:, len(feature.levels)] *= _UNSEEN
            parts.append(part)
        return np.column_stack(parts)

    def by_column(self, squares: Floats) -> Floats:
        """(n, columns) sums over the coordinates of each column."""
        if self.features.components is not None:
            return squares
        return np.add.reduceat(squares, self.starts, axis=1)

    @property
    def starts(self) -> list[int]:
        """The first coordinate of each column."""
        empty = np.zeros(0)
        widths = [f.coordinates(empty).shape[1] for f in self.features.columns]
        starts: list[int] = np.cumsum([0, *widths[:-1]]).tolist()
        return starts


def _bent(z: Floats) -> Floats:
    far = np.abs(z) > _BEND
    bent: Floats = np.where(
        far, np.sign(z) * (_BEND + np.log1p(np.maximum(np.abs(z) - _BEND, 0.0))), z
    )
    return bent


Measured = dict[str, Floats]


def _measured(space: _Space, known: Floats, rows: Floats, rng: np.random.Generator) -> Measured:
    """The scores of rows by members fitted to others, and how far each column is from theirs."""
    away, kernel, apart = neighbours(known, rows)
    return {
        "neighbours": away,
        "kernel": kernel,
        "mixture": mixture(known, rng)(rows),
        "": space.by_column(apart**2),
    }


def _crossed(space: _Space, known: Floats, rng: np.random.Generator) -> Measured:
    """The scores of rows by members fitted to the half that they are not in."""
    halves = np.array_split(rng.permutation(len(known)), 2)
    found: Measured = {}
    for here, others in (halves, halves[::-1]):
        parts = _measured(space, known[others[:_MOST_FITTED]], known[here], rng)
        for name, values in parts.items():
            found.setdefault(name, np.empty((len(known), *values.shape[1:])))[here] = values
    return found


def _combined(space: _Space, here: Measured, usual: Measured, compared: str) -> Outliers:
    """The rows' scores in the light of those of reference rows."""
    parts = {name: surprise(values, usual[name]) for name, values in here.items() if name}
    score = np.mean(list(parts.values()), axis=0)
    others = np.mean([surprise(usual[name], usual[name]) for name in parts], axis=0)
    apart = np.column_stack([surprise(a, b) for a, b in zip(here[""].T, usual[""].T, strict=True)])
    names = np.array([f.name for f in space.features.columns], dtype=object)
    most = apart.argmax(axis=1)
    below = midranks(np.sort(others), score) / len(others)
    return Outliers(
        score,
        1 - below,
        parts,
        names[most],
        np.exp(-apart[np.arange(len(apart)), most]),
        f"mean of the surprise of {', '.join(parts)}, comparing {compared}",
    )


def surprise(scores: Floats, usual: Floats) -> Floats:
    """(n,) -log tail probabilities of scores among those of m usual rows, as the module has them:
    by ranks, and beyond the highest by a Pareto tail."""
    ordered = np.sort(usual)
    m = len(ordered)
    by_rank = -np.log((m - midranks(ordered, scores) + 0.5) / (m + 1))
    top = ordered[-max(2, int(_TAIL * m)) :]
    unit = top[0] - np.median(ordered) or 1.0
    mean = float(np.log1p((top - top[0]) / unit).mean()) or 1.0
    further = np.log1p(np.maximum(scores - top[-1], 0.0) / unit)
    return np.asarray(by_rank + further / mean)


def midranks(ordered: Floats, values: Array) -> Floats:
    """How many of ascending scores are lower than each value; those within 1e-9 count half."""
    slack = 1e-9 * np.maximum(1.0, np.abs(np.where(np.isfinite(values), values, 0.0)))
    lower = np.searchsorted(ordered, values - slack, side="left")
    upto = np.searchsorted(ordered, values + slack, side="right")
    return np.asarray((lower + upto) / 2, np.float64)
