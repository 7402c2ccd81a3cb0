"""Images into what a model works in, and back.

Pixels stay as they are stored: (n, C, H, W) becomes (n, C H W) without a copy, so that a file that
is mapped into memory is read a batch at a time, and a model turns a batch into floats where it
needs it. Only levels that are not whole numbers, such as k / 255, are numbered first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..capabilities import REACH
from ..density import Measure
from .dataset import Dataset
from .encoded import Encoded
from .pixels import Pixels
from .schema import Schema


@dataclass(frozen=True, eq=False)
class ImageCodec:
    """The map of images to `Encoded` and back.

    Attributes:
        schema: of the images fitted.
    """

    schema: Schema

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        assert self.schema.image_shape is not None
        return self.schema.image_shape

    @property
    def pixels(self) -> Pixels:
        """What their values are."""
        assert self.schema.pixels is not None
        return self.schema.pixels

    @property
    def dimension(self) -> int:
        """C H W."""
        return math.prod(self.shape)

    @property
    def dequantised(self) -> tuple[str, ...]:
        """None: how levels are modelled is for the model's likelihood to say."""
        return ()

    @property
    def measure(self) -> Measure:
        """A mass where values are levels, a density where they are real."""
        return "density" if self.pixels.kind == "real" else "mass"

    def encode(self, data: Dataset) -> Encoded:
        """Images as (n, C H W) values: numbers of levels, or real values, as they are stored.

        Real values that lie further out than nets compute are brought in, and the density of such
        an image is 0.
        """
        assert data.images is not None
        n = len(data.images)
        x = self.pixels.numbers(data.images).reshape(n, -1)
        log_det = self.pixels.log_det(x)
        if self.pixels.kind == "real":
            low, high = self._least_most
            # In double precision: the limits may be beyond what the images' own type holds.
            least, most = (np.asarray(end(axis=1), np.float64) for end in (x.min, x.max))
            far = (least < low) | (most > high)
            if far.any():
                x = x.astype(np.float64).clip(low, high).astype(x.dtype)
                log_det = np.where(far, -np.inf, log_det)
        return Encoded(x, np.empty((n, 0), np.int32), log_det)

    @property
    def _least_most(self) -> tuple[float, float]:
        """How far out real values may lie: `REACH` times as far from the middle as those seen."""
        low, high = self.pixels.ends
        middle, half = (low + high) / 2, (high - low) / 2 or 1.0
        return middle - REACH * half, middle + REACH * half

    def decode(self, encoded: Encoded) -> NDArray[Any]:
        """Images (n, C, H, W) in the type that was fitted: whole numbers rounded, levels kept to
        their range."""
        values = np.asarray(encoded.x).reshape(-1, *self.shape)
        if self.pixels.kind != "real":
            values = np.clip(np.rint(values), 0, self.pixels.levels - 1) + 0.0  # of -0.0 makes 0.0
        return self.pixels.values(values).astype(self.pixels.dtype, copy=False)

    def expected(self, encoded: Encoded) -> Encoded:
        """Encoded rows with values in the units of the data, not rounded."""
        return replace(encoded, x=self.pixels.values(np.asarray(encoded.x, dtype=np.float64)))

    def unseen(self, data: Dataset) -> dict[str, list[Any]]:
        """No level of a picture is one that a fit could not know."""
        return {}

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return {"images": self.schema.to_json()}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> ImageCodec:
        """The codec that `to_json` wrote."""
        return cls(Schema.from_json(body["images"]))
