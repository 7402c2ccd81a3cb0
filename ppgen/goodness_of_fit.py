"""The line that ends each verdict: whether the model's samples are like rows it was not fitted to.

Three tests of `goodness`, each at a third of 1% by Holm's steps: trees that tell rows from samples,
the worst column (Bonferroni over columns), and the places of the rows' log densities among those of
samples. A model without density has the first two, each at a half. The rows are, in this order,

- `validation`, where it was given;
- the rows that the family held out itself (`Fit.held_out`);
- a fifth of the rows (a third of few), which the same model, fitted cheaply to the others
  (`_refitted`), has not seen;
- the rows fitted, where there is no cheap fit: that is said, and misses what was learnt by heart.

What is warned of is no chance and no trifle: an AUC of at least 0.6, a distance of at least 0.15.
The tests take rows as independent draws: each is one row of a unit (`data.units`), a unit is drawn
in proportion to its weight by rejection. Gaps are filled by draws given the rest of the row, which
leaves the distribution of complete rows as the model has it if gaps depend on nothing unseen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from .arrays import Floats, Hashes, Mask
from .data import AnyCodec, Codec, Encoded, ImageCodec
from .extremes import HUGE
from .family_density import Density
from .fitting import Fit
from .rows import Rows
from .significance import LEVEL, holm
from .thinning import thinned
from .two_sample import TwoSample, two_sample
from .uniformity import Uniformity, pit_by_column, pit_joint
from .verdict import Reason

LEAST = 50  # rows below which nothing is tested
MOST = 1000  # rows that are tested
MOST_REFITTED = 10_000  # rows that the cheap fit sees
MOST_COLUMNS = 200
_UNITS = 200_000  # rows up to which copies are looked for
_DRAWN = 500  # rows that are drawn at least
_PROBED, _SHARE = 20, 0.7  # rows by which the time of a row is told, and share of what is left
_AUC, _DISTANCE = 0.6, 0.15  # differences that are worth a warning, where they are no chance

_SEEN = "is detected 4 times in 5"
_ADVICE = "The model has not the shape of the data: use a more flexible one ({}){}."


class Judged(Protocol):
    """What is asked of the model; log densities, where it has them."""

    capabilities: Any
    codec_: AnyCodec

    def _log_prob(self, rows: Rows) -> Density: ...

    def _sample(
        self, n: int, rng: np.random.Generator, given: None, context: Floats | None
    ) -> Encoded: ...

    def _refitted(self, rows: Rows, fit: Fit) -> Self | None: ...

    def _filled(self, rows: Rows, rng: np.random.Generator) -> Encoded | None: ...

    def _told(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class _Held:
    """Rows that a model is judged by, and the model."""

    model: Judged
    rows: Rows
    what: str
    fitted: int | None


def goodness_reasons(model: Judged, rows: Rows, fit: Fit) -> list[Reason]:
    """One reason: how like held-out rows the samples of a fit are, or why that was not checked."""
    if isinstance(model.codec_, ImageCodec):
        return [_unchecked("images are compared by ppgen.run_study")]
    if not isinstance(model.codec_, Codec):
        return [_unchecked("sequences are not compared column by column")]
    columns = rows.data.x.shape[1] + rows.data.codes.shape[1]
    if not columns:
        return []
    if columns > MOST_COLUMNS:
        return [_unchecked(f"{columns} columns are too many")]
    with fit.heeding():
        if not fit.interrupted:
            most = _in_time(model, rows, fit)
            if most < LEAST:
                return [_unchecked("the budget left no time")]
            rng = np.random.default_rng([fit.seed, 0x600D])
            held = _held(model, rows, fit, rng, most)
            return [held if isinstance(held, Reason) else _judged(held, fit.seed, rng)]
    return [_unchecked("the fit was interrupted")]


def _unchecked(why: str) -> Reason:
    return Reason("ok", f"goodness of fit not checked: {why}.", checked=False)


def _in_time(model: Judged, rows: Rows, fit: Fit) -> int:
    """How many rows can be tested in what is left of the budget: each is scored, and twice as many
    are drawn (`_DRAWN` at least) and scored."""
    if not (left := fit.clock.left()):
        return MOST if left is None else 0
    some = rows.take(np.arange(min(len(rows), _PROBED)))

    def seconds() -> float:
        began = time.perf_counter()
        model._sample(len(some), fit.rng(), None, some.context)
        if model.capabilities.density is not None:
            model._log_prob(some)
        return max(time.perf_counter() - began, 1e-9)

    each = seconds() / len(some)
    if (_DRAWN + 3 * LEAST) * each > _SHARE * left and 3 * len(some) * each < left:
        each = seconds() / len(some)  # the first may compile
    in_all = _SHARE * (fit.clock.left() or 0.0) / each
    return int(max(0, min(MOST, in_all / 3, in_all - _DRAWN)))


def _held(
    model: Judged, rows: Rows, fit: Fit, rng: np.random.Generator, most: int
) -> _Held | Reason:
    few = "fewer than {} independent rows are {}"
    fitted: int | None = None
    n, weights, what, chosen, judged = len(rows), rows.weights, "held-out", rows, model
    if fit.validation is not None:
        numbers = np.arange(len(fit.validation))
        some = _independent(numbers, fit.validation_units(), None, rng, most)
        fitted = _effective(_looked(fit.units, n), weights)
        what, chosen = "validation", fit.validation
    elif fit.held_out is not None:
        units = _looked(fit.units, n)
        some = _independent(np.flatnonzero(fit.held_out), units, weights, rng, most)
        fitted = _effective(units, weights, ~fit.held_out)
    elif n < 3 * LEAST:
        return _unchecked(few.format(3 * LEAST, "given"))
    else:
        units = _looked(fit.units, n)
        part = _part(units, rng)
        some = _independent(np.flatnonzero(part), units, weights, rng, most)
        if len(some) >= LEAST:
            others = np.flatnonzero(~part)
            others = others[thinned(len(others), MOST_REFITTED, rng)]
            refitted = model._refitted(rows.take(others), fit)
            if refitted is None:
                what = "fitted"
            else:
                judged, fitted = refitted, _effective(units, weights, others)
    if len(some) < LEAST:
        return _unchecked(few.format(LEAST, "held out"))
    chosen = chosen.take(some)
    if np.isnan(chosen.data.x).any() or (chosen.data.codes < 0).any():
        if (chosen.data.codes == -2).any():
            return _unchecked("held-out rows hold levels that the fit never saw")
        filled = judged._filled(chosen, rng)
        if filled is None:
            return _unchecked("rows have gaps")
        chosen = replace(chosen, data=filled)
    return _Held(judged, chosen, what, fitted)


def _looked(units: Callable[[], Hashes], n: int) -> Hashes:
    """(n,) the rows' units, or of many rows each its own."""
    return units() if n <= _UNITS else np.arange(n, dtype=np.uint64)


def _effective(units: Hashes, weights: Floats | None, rows: Any = slice(None)) -> int:
    """How many independent draws some rows are worth: (sum_u w_u)^2 / sum_u w_u^2, w_u being the
    weight of unit u."""
    w = None if weights is None else weights[rows]
    total = np.bincount(np.unique(units[rows], return_inverse=True)[1], weights=w)
    return max(1, round(float(total.sum() ** 2 / np.square(total).sum())))


def _part(units: Hashes, rng: np.random.Generator) -> Mask:
    """(n,) whole units, in random order, up to a fifth of the rows (a third of few)."""
    n = len(units)
    _, unit, sizes = np.unique(units, return_inverse=True, return_counts=True)
    wanted = min(max(n // 5, min(n // 3, 2 * LEAST)), 2 * MOST)
    place = rng.permutation(len(sizes))
    chosen = (np.cumsum(sizes[np.argsort(place)]) <= wanted)[place]
    return np.asarray(chosen[unit])


def _independent(
    candidates: NDArray[np.intp],
    units: Hashes | None,
    weights: Floats | None,
    rng: np.random.Generator,
    most: int = MOST,
) -> NDArray[np.intp]:
    """At most so many of the candidates, one a unit: units by rejection in proportion to the
    weights they hold, a row of each in proportion to its own."""
    w = np.ones(len(candidates)) if weights is None else weights[candidates]
    candidates, w = candidates[w > 0], w[w > 0]
    if not len(candidates):
        return candidates
    _, unit = np.unique(
        np.arange(len(candidates)) if units is None else units[candidates], return_inverse=True
    )
    total = np.bincount(unit, weights=w)
    kept = rng.random(len(total)) * total.max() <= total
    # Of each unit the row with the least Exp(w) clock, which is each row with probability w / sum.
    order = np.argsort(rng.exponential(size=len(w)) / w)
    first = order[np.unique(unit[order], return_index=True)[1]]
    chosen = candidates[first[kept]]
    return np.sort(rng.permutation(chosen)[:most])


def _judged(held: _Held, seed: int, rng: np.random.Generator) -> Reason:
    model, rows, n = held.model, held.rows.data, len(held.rows)
    context = held.rows.context
    m = int(min(max(2 * n, _DRAWN), 2 * MOST))
    y = None if context is None else np.resize(context, (m, context.shape[1]))
    drawn = Rows(model._sample(m, rng, None, y), context=y)
    real, made = _matrix(rows), _matrix(drawn.data)
    discrete = [False] * rows.x.shape[1] + [True] * rows.codes.shape[1]
    assert isinstance(model.codec_, Codec)
    names = [*model.codec_.continuous_names, *model.codec_.discrete_names]
    columns = pit_by_column(real, made, seed, levels=discrete, fitted=held.fitted)
    worst = int(np.argmin([c.p_value for c in columns]))
    joint = _joint(held, drawn, seed)
    if context is not None and y is not None:
        real, made = np.c_[real, context], np.c_[made, y]
        discrete += [False] * y.shape[1]
    apart = [columns[worst]] if joint is None else [columns[worst], joint]
    level = LEVEL / (1 + len(apart))
    trees = two_sample(real, made, seed, levels=discrete, level=level, fitted=held.fitted)
    of_column = min(1.0, columns[worst].p_value * len(columns))
    p = holm([trees.p_value, of_column, *(u.p_value for u in apart[1:])])
    large = np.array([trees.auc >= _AUC, *(u.statistic >= _DISTANCE for u in apart)])
    return _line(held, trees, names[worst], columns[worst], joint, (p <= LEVEL) & large)


def _joint(held: _Held, drawn: Rows, seed: int) -> Uniformity | None:
    """The places of the rows' log densities among those of samples, where there are any."""
    model = held.model
    if model.capabilities.density is None or model._told():
        return None
    log_probs = model._log_prob(held.rows).values, model._log_prob(drawn).values
    return pit_joint(*log_probs, seed, fitted=held.fitted)


def _matrix(rows: Encoded) -> Floats:
    x = np.clip(np.asarray(rows.x, dtype=np.float64), -HUGE, HUGE)
    return np.concatenate([x, rows.codes.astype(np.float64)], axis=1)


def _line(
    held: _Held,
    trees: TwoSample,
    name: str,
    column: Uniformity,
    joint: Uniformity | None,
    warned: Mask,
) -> Reason:
    rows = f"{len(held.rows)} {held.what} rows"
    area = f"AUC {trees.auc:.2f} ± {trees.stderr:.2f} ({trees.detectable_auc:.2f} {_SEEN})"
    if not warned.any():
        also = " (in-sample: what was learnt by heart is missed)" if held.what == "fitted" else ""
        last = column if joint is None else joint
        densities = "" if joint is None else f" and the log densities by {joint.statistic:.2f}"
        return Reason(
            "ok",
            f"goodness of fit: samples are told from {rows} with {area}; the worst column, "
            f"{name!r}, is off by {column.statistic:.2f}{densities} "
            f"({last.detectable:.2f} {_SEEN}){also}.",
        )
    found = [
        f"samples are told from {rows} with {area}",
        f"column {name!r} of samples is not distributed as that of {rows} {_distance(column)}",
    ]
    if joint is not None:
        what = f"log densities of {rows} are not distributed as those of samples"
        found.append(f"{what} {_distance(joint)}")
    said = "; ".join(text for text, warns in zip(found, warned, strict=True) if warns)
    look = f", or look at column {name!r}" if warned[1] else ""
    advice = _ADVICE.format(held.model.capabilities.remedy, look)
    return Reason("warn", f"goodness of fit: {said}.", advice)


def _distance(apart: Uniformity) -> str:
    return f"(distance {apart.statistic:.2f}; {apart.detectable:.2f} {_SEEN})"
