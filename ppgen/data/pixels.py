"""What the values of images are: two values, levels on a grid, or real numbers.

Read off the values as the kinds of columns are, and matched when further images come: a likelihood
is a mass on levels and a density on real values, and images of another scale are no rows of the
fit.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from itertools import chain
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..plain_json import PlainFields
from .bijections import LARGEST_EXPONENT

_BLOCK = 1 << 21  # values looked at at a time
_STEPS = (256, 65536, *range(3, 66), 101, 128, 129, 257, 512, 513, 1024, 1025, 4096, 4097)
_EXACT = 2.0**-23  # of single precision, in which doubles may have been once
_NEAR = 0.26  # share of a step up to which a value is on a grid
_FAR, _SCALE = 2.0, 64.0  # times the range of real values, from which a scale is another
_OUT, _BEND = 50.0, 10.0  # spreads
_DARK = 4  # parts of the levels, of which only the lowest is used where pictures are dark
_SOME, _TIED = 1 << 16, 20  # real values looked at for ties, and how often each stands there


@dataclass(frozen=True)
class Pixels(PlainFields):
    """The values of images.

    Attributes:
        kind: "binary" for two values; "levels" for values on a grid, low + k (high - low) /
            (levels - 1) with k from 0 to levels - 1; "real" for anything else.
        levels: how many there are; 0 for real values.
        low, high: the ends of the grid; of real values the smallest and the largest seen.
        dtype: how they were stored.
        note: what is peculiar about them.
        centre, spread: of real values of which a few lie more than `_OUT` spreads away, read off
            ranks; a model then sees z = (x - centre) / spread, drawn in as a logarithm beyond
            `_BEND` (see `warp`). A spread of 0 leaves values as they are.

    Two values are 0 and 1, 0 and 255, or 0 and 65535; a grid is whole numbers to 255 or 65535,
    these over their greatest (0 ... 1), 256 levels from -1 to 1, or 0 ... 1 in some other number of
    steps (see `_STEPS`). Whatever the grid, the model sees k: the same picture has the same mass.
    """

    kind: Literal["binary", "levels", "real"]
    levels: int
    low: float
    high: float
    dtype: str
    note: str = ""
    centre: float = 0.0
    spread: float = 0.0

    @classmethod
    def infer(cls, images: NDArray[Any]) -> Pixels:
        """Read off images (n, C, H, W), a block at a time.

        Raises:
            InputError: if a value is not finite, or a whole number is negative.
        """
        dtype = images.dtype
        low, high = _ends(images)
        if low >= 0:
            for levels, last in _grids(dtype.kind, high):
                made = cls("binary" if levels == 2 else "levels", levels, 0.0, last, str(dtype))
                if made.hold(images):
                    return replace(made, note=_dark(made, high))
        if dtype.kind in "iu":
            problem = f"up to {high:g}; expected at most 65535. Scale them to 0 ... 255."
            if low < 0:
                problem = (
                    f"from {low:g} to {high:g}; expected levels from 0 up. Add a constant, or give "
                    "real values (astype(float))."
                )
            raise InputError(f"the images hold whole numbers {problem}")
        signed = cls("levels", 256, -1.0, 1.0, str(dtype))
        if -1 <= low < 0 and high <= 1 and signed.hold(images):
            return signed
        some = _some(images)
        centre, spread = _ranks(some)
        out = spread > 0 and max(high - centre, centre - low) > _OUT * spread
        robust = (centre, spread) if out else (0.0, 0.0)
        return cls("real", 0, low, high, str(dtype), _ties(some), *robust)

    @property
    def unit(self) -> float:
        """Between two neighbouring levels."""
        return (self.high - self.low) / (self.levels - 1)

    @property
    def whole(self) -> bool:
        """Whether values are the numbers of their levels, or real: what a model sees as it is."""
        if self.kind == "real":
            return self.spread == 0
        return self.low == 0 and self.high == self.levels - 1

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest that a model sees."""
        if self.kind != "real":
            return 0.0, self.levels - 1.0
        low, high = self.numbers(np.array([[self.low, self.high]])).ravel().tolist()
        return low, high

    def hold(self, images: NDArray[Any]) -> bool:
        """Whether images, in whatever type, have these levels."""
        step = float(np.finfo(images.dtype).eps) if images.dtype.kind == "f" else 0.0
        near = max(step, _EXACT) * max(abs(self.low), abs(self.high)) / self.unit
        if near > _NEAR:
            return False
        # Most grids are recognised from the first image.
        return all(self._on_grid(some, near) for some in chain([images[:1]], _blocks(images)))

    def _on_grid(self, some: NDArray[Any], near: float) -> bool:
        if self.kind == "binary":
            return bool(((some == self.low) | (some == self.high)).all())
        if some.dtype.kind in "iub" and self.whole:
            return bool(some.min() >= 0 and some.max() <= self.high)
        k = (some.astype(np.float64) - self.low) / self.unit
        inside = k.min() >= -near and k.max() <= self.levels - 1 + near
        return bool(inside and (np.abs(k - np.rint(k)) <= near).all())

    def numbers(self, images: NDArray[Any]) -> NDArray[Any]:
        """What a model sees of values: the numbers of the levels nearest to them, in the smallest
        type that holds them; real ones drawn in; what is whole, or plainly real, as it is."""
        if self.whole:
            return images
        if self.kind == "real":
            z = (images.astype(np.float64) - self.centre) / self.spread
            drawn = np.sign(z) * np.log1p(np.maximum(np.abs(z) - _BEND, 0.0))
            return np.asarray(z.clip(-_BEND, _BEND) + drawn)
        numbers = np.empty(images.shape, np.uint8 if self.levels <= 256 else np.uint16)
        for some, block in zip(_blocks(numbers), _blocks(images), strict=True):
            k = np.rint((block.astype(np.float64) - self.low) / self.unit)
            some[...] = k.clip(0, self.levels - 1)
        return numbers

    def values(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """Values of what a model sees, between levels too."""
        if self.whole:
            return numbers
        if self.kind == "real":
            far = np.expm1((np.abs(numbers) - _BEND).clip(0.0, LARGEST_EXPONENT))
            z = numbers.clip(-_BEND, _BEND) + np.sign(numbers) * far
            return np.asarray(self.centre + self.spread * z)
        return self.low + self.unit * numbers

    def log_det(self, seen: NDArray[Any]) -> NDArray[np.float64]:
        """(n,) log |dz/dx| of rows (n, D) as a model sees them; 0 where these are masses, or the
        values themselves."""
        if self.whole or self.kind != "real":
            return np.zeros(len(seen))
        far = (np.abs(seen) - _BEND).clip(0.0)  # log (1 + |z| - b)
        return np.asarray(-far.sum(1) - seen.shape[1] * math.log(self.spread))

    def check(self, images: NDArray[Any], who: str) -> None:
        """Raise InputError unless the images are such as these, in whatever type; warn where the
        scale is another."""
        low, high = _ends(images)
        given = f"images of values from {low:g} to {high:g} given; {who} was fitted to {self}. "
        warning = ""
        if self.kind == "real":
            wide, far = self.high - self.low, max(self.low - low, high - self.high)
            most = 4.6 * self.spread or wide  # of most values
            narrow = len(images) > 1 and most > 0 and high - low < most / _SCALE
            if far > _FAR * wide or narrow:
                warning = (
                    "Such pictures are of another scale, unless they are unlike all of the fit's; "
                    "bring them to the same units."
                )
        elif not self.hold(images):
            raise InputError(given + self._how(low, high))
        elif 0 < high <= 1 and self.whole and self.levels > 2:
            warning = f"So they are all but black; if 1 is white, multiply by {self.high:g}."
        if warning:
            warnings.warn(given + warning, UserWarning, stacklevel=4)

    def _how(self, low: float, high: float) -> str:
        if self.kind == "binary":
            scale = "" if self.high == 1 else f" * {self.high:g}"
            return f"Bring them to that scale, for instance (X > {high / 2:g}){scale}."
        if not self.whole:
            same = low >= 0 and high > 1 and self.low == 0
            fix = f", for instance X / {high:g}" if same else ""
            return f"Bring them to that grid, {self}{fix}."
        last = self.levels - 1
        store = f".round().astype('uint{8 if last < 256 else 16}')"
        if 1 < high <= last and low >= 0:
            return f"Make them whole numbers: X{store}."
        wanted = f"Bring them to that scale, whole numbers from 0 to {last}"
        if low < 0 or 1 < high <= 2 * last:
            fix = f"X.clip(0, {last})" if high > 1 else ""
        else:
            fix = f"({last} * X)" if high <= 1 else f"(X / {high / last:g})"
        return f"{wanted}, for instance {fix}{store}." if fix else f"{wanted}."

    def __str__(self) -> str:
        if self.kind == "binary":
            return f"two values, 0 and {self.high:g}"
        if self.kind == "levels":
            ends = "" if self.whole else f" from {self.low:g} to {self.high:g}"
            return f"{self.levels} levels{ends}"
        return f"real values from {self.low:.4g} to {self.high:.4g}"


def _grids(kind: str, high: float) -> list[tuple[int, float]]:
    """Numbers of levels, and their last value, that values of this type up to `high` may have."""
    two = [(2, high or 1.0)] if high in (0, 1, 255, 65535) else []
    whole = [(levels, levels - 1.0) for levels in (256, 65536) if high < levels]
    if kind != "f":
        return two + whole
    return two + ([(levels, 1.0) for levels in _STEPS] if high <= 1 else []) + whole


def _dark(made: Pixels, high: float) -> str:
    """What to say of levels of which the upper ones are far from being reached."""
    if not made.whole or made.kind == "binary" or high > made.high / _DARK:
        return ""
    return f"their values reach {high:g}, and {made.high:g} is taken for white"


def _ends(images: NDArray[Any]) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    for block in _blocks(images):
        if images.dtype.kind == "f" and not np.isfinite(block).all():
            raise InputError(
                "the images hold NaN or infinite values; expected finite ones. Fill the gaps, "
                "for instance with the mean of their neighbours."
            )
        low, high = min(low, float(block.min())), max(high, float(block.max()))
    return low, high


def _some(images: NDArray[Any]) -> NDArray[Any]:
    """Some values of some images, from all over."""
    wanted = max(1, _SOME // max(1, images[0].size))
    return np.asarray(images[:: -(-len(images) // wanted)]).ravel()[:_SOME]


def _ranks(some: NDArray[Any]) -> tuple[float, float]:
    """Median, and the spread of a normal with the ranks 1% and 99% that the values have."""
    low, median, high = np.quantile(some.astype(np.float64), (0.01, 0.5, 0.99)).tolist()
    return median, (high - low) / (2 * NormalDist().inv_cdf(0.99))


def _ties(some: NDArray[Any]) -> str:
    """What to say of real values of which many are equal: "" where they are not."""
    distinct = len(np.unique(some))
    if distinct == 1 or len(some) < _TIED * distinct:
        return ""
    return f"{distinct} values stand for {len(some)} pixels, so a density there has no bound"


def _blocks(images: NDArray[Any]) -> Any:
    rows = max(1, _BLOCK // max(1, images[0].size))
    for start in range(0, len(images), rows):
        yield images[start : start + rows]


def shown_limits(images: ArrayLike, low: float, high: float) -> tuple[float, float]:
    """The values of black and white for images whose values may lie from low to high: these, or the
    greatest value that occurs where it is not half of the way, as nothing would be seen then."""
    values = np.asarray(images)
    most = float(values.max()) if values.size else high
    return low, most if low < most < (low + high) / 2 else high
