"""What the net of a diffusion model sees of encoded rows, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...data import AnyCodec, ImageCodec
from ...fitting import Fit
from ...rows import Rows
from ..nets.views import View

_SOME = 1000  # images whose pixels are looked at


def view_of(asked: Any, codec: AnyCodec, rows: Rows, fit: Fit) -> View:
    """The view for rows that are trained on: columns standardised by the codec, levels as
    indicators, pixels centred and scaled by two numbers for all of them; whole pixels are filled
    in."""
    view = View.of(codec)
    if not isinstance(codec, ImageCodec):
        return view
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
