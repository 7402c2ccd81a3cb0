"""The levels of generated pixels, brought to the shares that those of the rows have.

A net's errors at little noise stay in what a sampler ends with: a background that is of level 0 in
nearly all rows comes out as faint grey, which the eye hardly sees and every comparison does. With F
and G the distributions of the levels of real and of generated pixels, level v becomes

    F^-1(G(v - 1) + P_G(v) / 2),

a monotone map of each pixel alone: what pixels have to do with each other stays as it was learnt.
It is left out where G is as near to F as the levels of so many rows that were held out are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from ...arrays import Array, Floats, Ints
from ...data import AnyCodec, Encoded, ImageCodec
from ..nets.held_out import Subset
from ..nets.views import View

_APART = 2.0  # times as far from the rows' levels as those of held-out rows are
_READ = 4000  # rows whose levels are counted


@dataclass(frozen=True)
class PixelView(View):
    """Pixels of images of levels, centred and scaled.

    Attributes:
        levels: how many there are.
        table: (levels,) what each generated level becomes; None leaves it.
    """

    levels: int = 0
    table: Array | None = None

    @classmethod
    def of(cls, codec: AnyCodec) -> Self:
        assert isinstance(codec, ImageCodec)
        return replace(super().of(codec), levels=codec.pixels.levels)

    def finished(self, features: Array) -> Array:
        """Features of generated images, of levels that the table has."""
        if self.table is None:
            return features
        x = self.values.leave(np.asarray(features, np.float64))
        made: Array = self.values.enter(self.table[_nearest(x, self.levels)].astype(np.float64))
        return made

    def encoded(
        self,
        features: Array,
        told: Floats | None = None,
        rng: np.random.Generator | None = None,
    ) -> Encoded:
        return super().encoded(self.finished(features), told, rng)

    def state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        state, arrays = super().state()
        table = {} if self.table is None else {"levels": self.table}
        return {**state, "levels": self.levels}, {**arrays, **table}

    @classmethod
    def restored(cls, state: dict[str, Any], arrays: dict[str, Array]) -> Self:
        view = super().restored(state, arrays)
        return replace(view, levels=int(state["levels"]), table=arrays.get("levels"))


def matched(
    view: PixelView, made: Floats, seen: Subset, unseen: Subset, seed: int
) -> tuple[PixelView, float]:
    """The view by which generated levels have the shares of the rows'.

    Args:
        view: before.
        made: (m, F) features of generated images.
        seen, unseen: rows trained on and held out.
        seed: of which rows are read.

    Returns:
        The view, and the share of generated pixels whose levels were too many of their kind; 0
        where they were not.
    """
    rng = np.random.default_rng([seed, 0x71E])
    real, control = (
        _shares(np.asarray(rows.values()[0]), view.levels, rows.shares)
        for rows in (seen.thinned(_READ, rng), unseen.thinned(len(made), rng))
    )
    drawn = _shares(view.values.leave(np.asarray(made, np.float64)), view.levels)
    apart, floor = (np.abs(shares - real).sum() / 2 for shares in (drawn, control))
    if apart <= _APART * floor:
        return view, 0.0
    middles = np.cumsum(drawn) - drawn / 2
    table = np.searchsorted(np.cumsum(real), middles).clip(0, view.levels - 1)
    return replace(view, table=table.astype(np.int32)), float(apart)


def _nearest(x: Array, levels: int) -> Ints:
    return np.rint(x).clip(0, levels - 1).astype(np.int64)


def _shares(x: Array, levels: int, weights: Floats | None = None) -> Floats:
    """(levels,) shares of the levels nearest to stored values (n, D), by weights (n,) of rows."""
    whole = _nearest(x, levels)
    each = None if weights is None else np.repeat(weights, whole.shape[1])
    counts = np.bincount(whole.ravel(), each, minlength=levels)
    return np.asarray(counts / counts.sum())
