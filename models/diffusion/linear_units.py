"""Rows in the units of the data as a linear function of what the net sees: x = offset + slope f."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ...arrays import Floats
from ...data import AnyCodec, Codec, ImageCodec
from ...errors import InputError
from ..nets.table_view import TableView
from .trained import TrainedDiffusion


@dataclass(frozen=True)
class LinearUnits:
    """x (n, D) of features (n, D): columns in order, or pixels, channel by channel.

    Attributes:
        offset, slope: (D,).
    """

    offset: Floats
    slope: Floats

    @classmethod
    def of(cls, codec: AnyCodec, nets: TrainedDiffusion) -> Self:
        """Those of a fit's rows.

        Raises:
            InputError: if rows are no such function of features.
        """
        view = nets.view
        ends = np.stack([np.zeros(view.values.features), np.ones(view.values.features)])
        if isinstance(codec, ImageCodec):
            low, high = codec.pixels.values(np.asarray(view.values.leave(ends)))
            return cls(low, high - low)
        ranked = isinstance(view, TableView) and view.ranked
        curved: list[Any] = ["rows"]
        if isinstance(codec, Codec):
            curved = [w.column.name for w in codec.warps if not w.linear]
            curved += [*codec.discrete_names, *codec.constants, *codec.empties]
        if curved or ranked or view.told_names:
            what = f"{', '.join(curved)} is not" if curved else "columns are not"
            raise InputError(
                f"{what} seen by the net in linear units. A prior over rows is of images, or of "
                'real columns of a fit with margins="none" and no condition_on.'
            )
        assert isinstance(codec, Codec)
        shift, scale = (np.array([getattr(w, s) for w in codec.warps]) for s in ("shift", "scale"))
        return cls(shift, scale)

    @property
    def log_det(self) -> float:
        """log |df/dx|."""
        return -float(np.log(np.abs(self.slope)).sum())
