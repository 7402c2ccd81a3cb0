"""What the values of images are: two values, levels, or real numbers.

Read off the values as the kinds of columns are, and matched when further images come: a likelihood
is a mass on levels and a density on real values, and images of another scale are no rows of the
fit.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

_BLOCK = 1 << 24  # values looked at at a time


@dataclass(frozen=True)
class Pixels:
    """The values of images.

    Attributes:
        kind: "binary" for 0 and 1 only; "levels" for whole numbers 0 ... levels - 1; "real" for
            anything else.
        levels: how many there are; 0 for real values.
        low, high: the smallest and largest value seen of real ones, else 0 and levels - 1.
        dtype: how they were stored.
    """

    kind: Literal["binary", "levels", "real"]
    levels: int
    low: float
    high: float
    dtype: str

    @classmethod
    def infer(cls, images: NDArray[Any]) -> Pixels:
        """Read off images (n, C, H, W), a block at a time.

        Raises:
            InputError: if a value is not finite, or a whole number is negative.
        """
        dtype = images.dtype
        low, high, whole = np.inf, -np.inf, True
        for block in _blocks(images):
            if dtype.kind == "f" and not np.isfinite(block).all():
                raise InputError(
                    "the images hold NaN or infinite values; expected finite ones. Fill the gaps, "
                    "for instance with the mean of their neighbours."
                )
            low, high = min(low, float(block.min())), max(high, float(block.max()))
            whole = whole and bool(np.isin(block, (0, 1)).all())
        if whole:
            return cls("binary", 2, 0.0, 1.0, str(dtype))
        if dtype.kind in "iu":
            if low < 0:
                raise InputError(
                    f"the images hold whole numbers from {low:g} to {high:g}; expected levels from "
                    "0 up. Add a constant, or give real values (astype(float))."
                )
            levels = 256 if high < 256 else 65536
            if high >= levels:
                raise InputError(
                    f"the images hold whole numbers up to {high:g}; expected at most 65535. Scale "
                    "them to 0 ... 255."
                )
            return cls("levels", levels, 0.0, levels - 1.0, str(dtype))
        return cls("real", 0, low, high, str(dtype))

    def check(self, images: NDArray[Any], who: str) -> None:
        """Raise InputError unless the images are such as these, in whatever type."""
        found = Pixels.infer(images)
        if self.kind == "real" or found.kind == "binary":
            return  # black and white is a picture on any scale of whole numbers
        inside = self.kind == "levels" and found.low >= 0 and found.high < self.levels
        if inside and all((b == np.rint(b)).all() for b in _blocks(images)):
            return
        raise InputError(f"images of {found} given; {who} was fitted to {self}. {self._how(found)}")

    def _how(self, found: Pixels) -> str:
        if self.kind == "binary":
            return f"Bring them to that scale, for instance (X > {found.high / 2:g})."
        last = self.levels - 1
        store = f".round().astype('uint{8 if last < 256 else 16}')"
        if 1 < found.high <= last and found.low >= 0:
            return f"Make them whole numbers: X{store}."
        wanted = f"Bring them to that scale, whole numbers from 0 to {last}"
        if found.low >= 0 and found.high <= 1:
            return f"{wanted}, for instance ({last} * X){store}."
        if found.low >= 0 and found.high > 2 * last:
            return f"{wanted}, for instance (X / {found.high / last:g}){store}."
        if found.high > 1:
            return f"{wanted}, for instance X.clip(0, {last}){store}."
        return f"{wanted}."

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return asdict(self)

    def __str__(self) -> str:
        if self.kind == "binary":
            return "two values, 0 and 1"
        if self.kind == "levels":
            return f"{self.levels} levels"
        return f"real values from {self.low:.4g} to {self.high:.4g}"


def _blocks(images: NDArray[Any]) -> Any:
    rows = max(1, _BLOCK // max(1, images[0].size))
    for start in range(0, len(images), rows):
        yield images[start : start + rows]
