"""The one map between encoded rows and the vector that a net sees, and back, for tables and images.

A row is stored as D values: numbers (the standardised columns of a table, or the pixels of an image
as they are), then the number of the level of each discrete column, NaN where it is missing and -2
where the fit never saw it. A model has

    y = (x + u - shift) / scale,          log p(x) = log p(y) - sum_j log scale,

u uniform in [0, 1) where whole numbers are filled in for a density of real values, else 0. A mass
stays a mass: nothing is then added to its logarithm. Columns are standardised by the codec, so that
shift and scale are of images only. A net sees F features: the numbers, and an indicator of each
level, all 0 where the level is missing or was never seen (`features`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...arrays import Array
from ...data import AnyCodec, Codec, Encoded, RecordingCodec
from ...plain_json import PlainFields

_UNSEEN = -2


@dataclass(frozen=True)
class Values(PlainFields):
    """The values of a row.

    Attributes:
        numbers: how many are numbers; they come first.
        levels: how many levels each other value has.
        shape: (C, H, W) of images, (C, T) of sequences, else ().
        shift, scale: of the numbers.
        filled: whether u is drawn.
        log_det: what is added to log p(y) of a row.
    """

    numbers: int
    levels: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    shift: float = 0.0
    scale: float = 1.0
    filled: bool = False
    log_det: float = 0.0

    @classmethod
    def of(cls, codec: AnyCodec) -> Self:
        """The values of a codec's rows, neither shifted nor scaled."""
        if isinstance(codec, Codec):
            return cls(len(codec.continuous_names), tuple(codec.n_levels))
        assert not isinstance(codec, RecordingCodec)  # their lengths differ
        return cls(codec.dimension, shape=codec.shape)

    @property
    def size(self) -> int:
        """D."""
        return self.numbers + len(self.levels)

    @property
    def features(self) -> int:
        """F: numbers and indicators."""
        return self.numbers + sum(self.levels)

    @property
    def free(self) -> int:
        """How many numbers say what a row is: a level of L takes L - 1."""
        return self.features - len(self.levels)

    @property
    def indicators(self) -> list[slice]:
        """Where among the features the indicators of each level stand."""
        ends = accumulate((self.numbers, *self.levels))
        return [slice(a, b) for a, b in pairwise(ends)]

    @property
    def owner(self) -> NDArray[np.int64]:
        """(F,) the number of the value that each feature belongs to."""
        return np.repeat(np.arange(self.size), [1] * self.numbers + list(self.levels))

    # Encoded rows as one array, and back

    def stored(self, data: Encoded, unseen: int = _UNSEEN) -> Array:
        """(n, D) encoded rows as one array; that of images is not copied.

        Args:
            unseen: what stands for a level that the fit never saw.
        """
        if not self.levels:
            return data.x
        codes = np.where(data.codes == _UNSEEN, unseen, data.codes).astype(np.float64)
        codes[data.codes == -1] = np.nan
        return np.column_stack([data.x, codes])

    def encoded(self, x: Array) -> Encoded:
        """Stored rows (n, D), encoded: levels are the nearest, and missing where they are NaN."""
        codes = np.rint(x[:, self.numbers :])
        codes = np.where(np.isnan(codes), -1, codes).astype(np.int32)
        return Encoded(x[:, : self.numbers], codes, np.zeros(len(x)))

    def gathered(self, features: Array) -> Array:
        """(n, D) model values of features (n, F): the level of the largest indicator; NaN where all
        are 0."""
        each = [features[:, at] for at in self.indicators]
        levels = [np.where(block.any(1), block.argmax(1), np.nan) for block in each]
        return np.column_stack([features[:, : self.numbers], *levels])

    # Stored values as model values, and back: arrays of NumPy, torch or JAX

    def enter(self, x: Any, u: Any = None) -> Any:
        """Model values of stored ones; u is a half where it is filled in and not given."""
        if self.filled:
            x = x + (0.5 if u is None else u)
        if self.shift or self.scale != 1:
            x = (x - self.shift) / self.scale
        return x

    def leave(self, y: Any) -> Any:
        """Stored values of model ones: the middle of the cell where they were filled in."""
        if self.shift or self.scale != 1:
            y = y * self.scale + self.shift
        return y - 0.5 if self.filled else y
