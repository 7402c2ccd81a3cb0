"""How a fit scores rows: block by block, averaged over cells, in the units of the data.

What belongs to a row that is scored, the place in its cell and the seed of what is drawn for it,
is a pure function of the row.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .arrays import Floats
from .conditioning import Conditioning
from .data import AnyCodec, Dataset, Encoded
from .data.hashing import mix, row_hashes
from .density import LogDensity
from .family_density import Density, joined, mixed
from .rows import Rows

CELL_DRAWS = 8  # a power of two, see `data.dequantise`
_BLOCK = 1 << 18  # rows encoded at a time, counting each place in a cell and each y
_LEAST = -1e37  # of a log density: less is not held in single precision


class Scored(Protocol):
    """What scoring asks of a fit."""

    capabilities: Any
    codec_: AnyCodec
    context_: Conditioning | None

    def _encode(self, data: Dataset, **noise: Any) -> Encoded: ...

    def _averaged(self, rows: Rows, places: Sequence[Encoded], **how: Any) -> Density: ...

    def _diagnosed(self, density: Density, **how: Any) -> Mapping[str, Any]: ...

    def _draw_seed(self) -> int | None: ...


@dataclass(frozen=True, eq=False)
class Placed:
    """Rows at places of their cells.

    Attributes:
        rows: in the middle of their cells.
        places: the same rows at each of the places that densities are averaged over; where no
            column has cells, the rows alone.
        impossible: (n,) which rows have probability 0: they hold a level that was never seen, are
            outside the support of a column, or further out than arithmetic reaches. In `rows` and
            `places` others stand in for them, lest they upset those beside them.
    """

    rows: Rows
    places: list[Encoded]
    impossible: NDArray[np.bool_]


def placed(model: Scored, data: Dataset, context: Floats | None = None) -> Placed:
    """Rows, with their encoded `y`, at places of their cells."""
    middle = model._encode(data, draw=None)
    places = [middle]
    if model.codec_.dequantised:
        places = [model._encode(data, draw=k, draws=CELL_DRAWS) for k in range(CELL_DRAWS)]
    never = np.asarray(np.isneginf(middle.log_det) | (middle.codes == -2).any(axis=1))
    if never.any():
        middle, *places = (_stand_in(part, never) for part in (middle, *places))
    seed = model._draw_seed()
    seeds = None if seed is None else mix(row_hashes(data, seed))
    return Placed(Rows(middle, context=context, seeds=seeds), places, never)


def log_density(model: Scored, data: Dataset, context: Floats | None, **how: Any) -> LogDensity:
    """The log density of rows, with what it claims.

    Args:
        model: the fit.
        data: n rows.
        context: (n, k) the encoded `y` that each is given; None for a conditional fit sums over
            the `y` that were fitted.
        how: options of the family's scoring.
    """
    summed = model.context_ if context is None else None
    at_once = CELL_DRAWS if model.codec_.dequantised else 1
    at_once *= 1 if summed is None else len(summed.table()[0])
    step = max(1, _BLOCK // at_once)
    blocks = []
    for start in range(0, len(data), step):
        rows = slice(start, start + step)
        block = data if len(data) <= step else data.take(rows)
        at = placed(model, block, None if context is None else context[rows])
        density = (
            model._averaged(at.rows, at.places, **how)
            if summed is None
            else _summed(model, at, summed, how)
        )
        blocks.append(density.without(at.impossible | (density.values < _LEAST)))
    density = joined(blocks)
    _warn_unseen(model.codec_, data, density.values)
    noisy = model.codec_.dequantised
    filled = (*density.filled, *noisy)
    kind = density.kind or model.capabilities.density
    if kind == "exact" and summed is not None and not summed.exact:
        kind = "estimate"
    words = [density.method or model.capabilities.method]
    words += [f"{CELL_DRAWS} draws a cell"] * bool(noisy)
    words += [] if summed is None else [summed.words]
    return LogDensity(
        values=density.values,
        kind="lower_bound" if noisy else kind,
        method=", ".join(words),
        measure=model.codec_.measure,
        dequantised=filled,
        gap=density.gap + ("dequantisation",) * bool(filled),
        stderr=density.stderr,
        diagnostics=model._diagnosed(density, **how),
    )


def _summed(model: Scored, at: Placed, fitted: Conditioning, how: Mapping[str, Any]) -> Density:
    """A conditional fit asked without y is the mixture over it: p(x) = sum_y p(y) p(x | y)."""
    values, log_shares = fitted.table()
    parts = []
    for y in values:
        rows = replace(at.rows, context=np.tile(y, (len(at.rows), 1)))
        parts.append(model._averaged(rows, at.places, **how))
    density = mixed(parts, log_shares)
    if fitted.exact:
        return density
    over_y = fitted.stderr(np.stack([part.values for part in parts]), density.values)
    within = 0.0 if density.stderr is None else density.stderr
    return replace(density, stderr=np.hypot(within, over_y))


def _stand_in(data: Encoded, never: NDArray[np.bool_]) -> Encoded:
    n = int(never.sum())
    zeros = np.zeros((n, data.x.shape[1])), np.zeros((n, data.codes.shape[1]), dtype=np.int32)
    return data.put(np.flatnonzero(never), Encoded(*zeros, np.zeros(n)))


def _warn_unseen(codec: AnyCodec, data: Dataset, values: Floats) -> None:
    """Name the levels that the fit never saw, where rows have probability zero."""
    if not np.isneginf(values).any():
        return
    for column, seen in codec.unseen(data).items():
        warnings.warn(
            f"column {column!r} holds {', '.join(map(repr, seen[:3]))}, which the fit never saw: "
            "such rows have probability 0, a log density of -inf.",
            UserWarning,
            stacklevel=4,
        )
