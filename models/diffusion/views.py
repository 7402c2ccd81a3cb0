"""What the net of a diffusion model sees of encoded rows, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...arrays import Array, Hashes
from ...data import AnyCodec, Codec, ImageCodec
from ...errors import InputError
from ...fitting import Fit
from ...rows import Rows
from ..nets.table_view import TableView, check_told
from ..nets.views import View
from .pixel_levels import PixelView

Units = Callable[[], Hashes]
_SOME = 1000  # images whose pixels are looked at


def view_of(asked: Any, codec: AnyCodec, rows: Rows, units: Units, fit: Fit) -> View:
    """The view for rows that are trained on: columns of a table as `margins` says, levels as
    indicators, pixels centred and scaled by two numbers for all of them; whole pixels are filled
    in.

    Args:
        units: gives (n,) which rows are one draw.
    """
    if isinstance(codec, Codec):
        return _table_view(asked, codec, rows, units, fit)
    if asked.condition_on is not None:
        raise InputError(
            "condition_on names columns of a table, and images or sequences were given. "
            "Condition on labels: Diffusion(conditional=True).fit(X, y)."
        )
    if not isinstance(codec, ImageCodec):
        return View.of(codec)
    view = PixelView.of(codec) if codec.pixels.kind == "levels" else View.of(codec)
    some = np.asarray(rows.data.x[:: max(1, len(rows) // _SOME)], np.float64)
    filled = codec.pixels.kind != "real"
    some = some + 0.5 * filled
    scale = max(float(some.std()), 1e-6)
    values = replace(
        view.values,
        shift=float(some.mean()),
        scale=scale,
        filled=filled,
        log_det=-view.values.numbers * float(np.log(scale)),
    )
    return replace(view, values=values, bounded=False)


def _table_view(asked: Any, codec: Codec, rows: Rows, units: Units, fit: Fit) -> TableView:
    """The view of a table: by ranks where it has levels, or numbers that are as good as levels."""
    told = [fit.schema[name].name for name in asked.condition_on or ()]
    if told and rows.context is not None:
        raise InputError(
            f"condition_on names {', '.join(told)}, and conditional is True; what is drawn of "
            "columns that are not given would not go with y. Put y among the columns and name it "
            "in condition_on, or leave one of both out."
        )
    check_told(codec, told)
    ranked = TableView.fit(
        codec,
        rows,
        ranks=asked.margins != "none",
        smooth=True,
        told=told,
        rng=fit.rng(),
        units=units(),
    )
    if asked.margins != "auto" or ranked.map.few or ranked.map.levels:
        return ranked
    return TableView.fit(codec, rows, ranks=False, told=told, rng=fit.rng())


def restored_view(state: dict[str, Any], arrays: dict[str, Array]) -> View:
    """The view whose `state` a saved run has."""
    kind = TableView if "table" in state else PixelView if "levels" in state else View
    return kind.restored(state, arrays)
