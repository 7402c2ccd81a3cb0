"""The pictures that are least like what was fitted, by the names of their files."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data import Dataset
from ..data.stacking import in_shape
from ..plotting.images import image_rows, shown_limits
from .drawn import Gallery, Part

_LOOKED_AT, _SHOWN = 200, 8


def unusual_pictures(model: Any, data: Dataset, gallery: Gallery) -> Part | None:
    """The rows of lowest log density or, of a model without density, of largest reconstruction
    error; None where it has neither.

    Args:
        model: the fit.
        data: images under its schema, of which at most `_LOOKED_AT` are scored.
        gallery: where the figure is kept.
    """
    can = model.capabilities
    scored = can.density is not None and model.context_ is None
    if not (scored or can.errors):
        return None
    numbers = np.arange(len(data))
    if len(data) > _LOOKED_AT:
        numbers = np.sort(np.random.default_rng(0).choice(numbers, _LOOKED_AT, replace=False))
    some = data.take(numbers)
    values = model.score_samples(some) if scored else -model.reconstruction_error(some)
    least = np.argsort(values, kind="stable")[:_SHOWN]
    shown = some.take(least)
    called = [f"row {numbers[i]}" for i in least] if shown.files is None else shown.files.tolist()
    what = "log density" if scored else "reconstruction error"
    given = np.abs(values[least]) if not scored else values[least]
    listed = ", ".join(f"{name} ({v:.4g})" for name, v in zip(called, given, strict=True))
    listed = listed.replace("(-", "(−")
    which = "lowest" if scored else "largest"
    of_all = f"Of {len(some)} of {len(data)} rows" if len(some) < len(data) else "Of all rows"
    rows: dict[str, Any] = {"given": shown.images}
    if can.latents and model.context_ is None:
        made = np.asarray(model.reconstruct(shown), np.float64)
        rows["reconstructed"] = in_shape(made, model.codec_.shape, shown.layout)
    pixels = shown.schema.pixels
    assert pixels is not None
    assert some.images is not None
    limits = shown_limits(some.images, pixels.low, pixels.high)
    figure = image_rows(rows, limits=limits, across=_SHOWN)
    note = f"{of_all}, those of the {which} {what}, from left to right: {listed}."
    return Part("Least like the fit", [gallery.keep("least", figure, "Least like the fit")], note)
