"""What the columns themselves say against a density: nothing to model, ties, values far out,
columns that others determine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .data import AnyCodec, Codec, Dataset, Encoded, Schema
from .data.column import CONTINUOUS, LINEAR
from .data.number_text import MOSTLY_NUMBERS
from .data.rounding import find_ties
from .data.units import unit_hashes
from .extremes import extreme_reasons
from .verdict import Reason, nothing_learnt

_MOST_HASHED = 200_000  # rows up to which copies are looked for
_ROWS = 5000  # that dependence is looked for in
_MOST_COLUMNS = 100
_SINGULAR = 1e-9  # eigenvalues of the correlations below this count as 0
_LOADING = 0.05
_CLIP = 5.0
_NOTED = (
    "Model it as categorical or ordinal, name values that have a mass of their own as its atoms, "
    "or accept an unbounded density there."
)
_TEXT = (
    "Correct the value in the file, or name it as missing (missing=..., --missing); until then the "
    "column holds text, not numbers."
)


def column_reasons(
    schema: Schema,
    data: Dataset,
    codec: AnyCodec,
    encoded: Encoded,
    weights: NDArray[np.float64] | None = None,
    *,
    spread: bool = True,
) -> list[Reason]:
    """Findings about the columns of the rows fitted; rows of weight 0 are left out.

    Args:
        spread: whether the fit has a density or draws samples, to which copies, ties and columns
            that others determine do harm.
    """
    kept = slice(None) if weights is None else weights > 0
    reasons = [Reason("ok", note) for note in data.notes]
    if schema.pixels is not None and schema.pixels.note:
        what = "the images are real, and"
        advice = "Give them as whole numbers, or as k / 255 for k from 0 to 255, to have a mass."
        if schema.pixels.kind != "real":
            what = f"the images have {schema.pixels}:"
            advice = "If the greatest value is white, divide by it; what lies between are levels."
        reasons.append(Reason("warn", f"{what} {schema.pixels.note}.", advice))
    copied, explained = _copies(schema, data) if spread else ([], set())
    reasons += copied
    for column in schema.left_out:
        what = f"column {column.name!r} is left out ({column.kind}): {column.note}."
        mostly = MOSTLY_NUMBERS in column.note
        reasons.append(Reason("warn", what, _TEXT) if mostly else Reason("ok", what))
    for column in schema.columns:
        if column.kind in ("constant", "empty"):
            what = f"column {column.name!r} is {column.kind} and is not modelled."
            reasons.append(Reason("ok", what))
            continue
        if column.atoms:
            at = " and ".join(map(column.shown, column.atoms))
            reasons.append(Reason("ok", f"column {column.name!r} has a mass at {at}."))
        told = spread or column.kind not in CONTINUOUS  # of those a note tells of ties
        if column.note and told and column.name not in explained:
            advice = _NOTED if column.kind in CONTINUOUS else _TEXT
            reasons.append(Reason("warn", f"column {column.name!r}: {column.note}.", advice))
        if data.images is None and column.kind in (*LINEAR, "positive", "count"):
            values = data.columns[column.name]
            if weights is not None:
                values = np.where(weights > 0, values, np.nan)
            reasons += extreme_reasons(column, values, data.native_rows)
    if spread and isinstance(codec, Codec):
        if not codec.continuous_names and not codec.discrete_names:
            what = "all columns are constant: each row has probability 1, and nothing is learnt."
            reasons += nothing_learnt(what, "Give columns that vary.")
        reasons += collinear_reasons(codec.continuous_names, encoded.x[kept])
    return reasons


def _copies(schema: Schema, data: Dataset) -> tuple[list[Reason], set[str]]:
    """Whether rows are copies of others, and the columns whose ties that explains."""
    noted = [c.name for c in schema.columns if c.note and c.kind in CONTINUOUS]
    if not noted or len(data) > _MOST_HASHED:
        return [], set()
    n = len(data)
    first = np.unique(unit_hashes(replace(data, groups=None)), return_index=True)[1]
    if len(first) == n:
        return [], set()
    explained = set()
    for name in noted:
        values = np.asarray(data.columns[name][first], dtype=np.float64)
        if not find_ties(values[~np.isnan(values)])[1]:
            explained.add(name)
    what = (
        f"{n - len(first)} of {n} rows are copies of others: they are held out together and count "
        "once in errors, but are fitted to as often as they stand."
    )
    advice = "Leave copies out, unless a row is meant to weigh as often as it was given."
    return [Reason("warn", what, advice)], explained


def collinear_reasons(names: tuple[str, ...], x: NDArray[np.floating]) -> list[Reason]:
    """Columns of x (n, d) that others determine linearly: no density is bounded along them."""
    d = x.shape[1]
    if not 2 <= d <= _MOST_COLUMNS or len(x) <= d + 1:
        return []
    some = np.asarray(x[:: max(1, len(x) // _ROWS)], dtype=np.float64)
    some = some[~np.isnan(some).any(axis=1)]
    if len(some) <= d + 1:
        return []
    low, middle, high = np.quantile(some, [0.16, 0.5, 0.84], axis=0)
    spread = (high - low) / 2
    spread = np.where(spread > 0, spread, np.ptp(some, axis=0))
    kept = (np.abs(some - middle) <= _CLIP * spread).all(axis=1)
    if kept.sum() <= d + 1:
        return []
    some = some[kept] - some[kept].mean(axis=0)
    scale = np.sqrt((some**2).mean(axis=0))
    varied = np.flatnonzero(scale > 0)
    if len(varied) < 2:
        return []
    some = some[:, varied] / scale[varied]
    values, vectors = np.linalg.eigh(some.T @ some / len(some))
    singular = values < _SINGULAR
    if not singular.any():
        return []
    involved = (np.abs(vectors[:, singular]) > _LOADING).any(axis=1)
    which = [repr(names[j]) for j in varied[involved]]
    listed = ", ".join(which[:6]) + (f" and {len(which) - 6} more" if len(which) > 6 else "")
    what = (
        f"columns {listed} are collinear: one is a sum of multiples of the others, and a density "
        "has no bound there."
    )
    return [Reason("warn", what, "Leave out one of them.")]
