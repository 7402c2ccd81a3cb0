"""Images of one sprite each, of which every factor of variation is known.

A sprite is a shape, a square, an ellipse or a heart, of some scale and orientation, at (x, y). Its
edges are smooth: a small change of a factor is a small change of the image. Factors are drawn
independently of each other, each from a grid of values, and no two of these look the same:
orientations lie within a quarter turn, after which a square is itself again.

Reference for the factors, whose images and code are not used here: Matthey, Higgins, Hassabis and
Lerchner, "dSprites: disentanglement testing sprites dataset" (2017),
https://github.com/google-deepmind/dsprites-dataset
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, unknown
from ..settings import integer
from .bijections import Floats
from .dataset import Dataset, as_dataset
from .memory_limit import check_memory
from .sprite_shapes import SHAPES, cover

Value = str | float

COLOURS = ("red", "yellow", "green", "cyan", "blue", "magenta")
WORDS: dict[str, tuple[str, ...]] = {"shape": SHAPES, "colour": COLOURS}
"""What the numbers 0, 1, ... of a factor are called."""

VALUES: dict[str, Floats] = {
    "shape": np.arange(3.0),
    "scale": np.linspace(0.5, 1.0, 6),
    "orientation": np.arange(15) * math.pi / 30,
    "x": np.linspace(0.3, 0.7, 16),
    "y": np.linspace(0.3, 0.7, 16),
    "colour": np.arange(6.0),
}
"""Factor -> the values that are drawn: numbers of `WORDS`; the scale as a share of the largest;
radians, anticlockwise; the centre as a share of the image's width from the left and from the top.
"""

_PIXELS = 1 << 20  # rendered at a time
_HUES = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]], np.float32)


@dataclass(frozen=True, eq=False)
class Sprites:
    """Sprites and what they show.

    Attributes:
        images: (n, 1, size, size) bytes, (n, 3, size, size) if coloured.
        factors: (n, k) values of the factors, in the order of
        names: "shape", "scale", "orientation", "x", "y", and "colour" if coloured.
        values: the ascending values that each factor is drawn from.
    """

    images: NDArray[np.uint8]
    factors: Floats
    names: tuple[str, ...]
    values: tuple[Floats, ...]

    def __len__(self) -> int:
        return len(self.images)

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """(n, k) factors as numbers of their values, from 0."""
        columns = zip(self.factors.T, self.values, strict=True)
        return np.stack([_nearest(column, grid) for column, grid in columns], axis=1)

    def to_dataset(self) -> Dataset:
        """The images as a data set whose target has a field for each factor: the number of the
        shape in `SHAPES`, and the values of the others."""
        kinds = [(name, np.int64 if name == "shape" else np.float64) for name in self.names]
        target = np.array(list(map(tuple, self.factors)), dtype=kinds)
        return replace(as_dataset(self.images), target=target)


def sprites(
    n: int,
    *,
    size: int = 32,
    seed: int | np.random.Generator = 0,
    factors: Mapping[str, Value | Sequence[Value]] | None = None,
    colour: bool = False,
    rare: Mapping[str, Mapping[Value, float]] | None = None,
) -> Sprites:
    """Draw sprites.

    Args:
        n: how many.
        size: height and width in pixels, 16 or more.
        seed: of the factors. Each has draws of its own: to hold one or to make it rare does not
            change the others.
        factors: factor -> the value that it is held at, or the values that it is drawn from, such
            as {"shape": "heart", "scale": [0.5, 1.0]}. All of `VALUES` for those not named.
        colour: whether sprites have a colour too, which is then the last factor.
        rare: factor -> {value: its probability}, such as {"shape": {"heart": 0.02}}; the other
            values share the rest equally.

    Raises:
        InputError: if a factor or value is unknown, or a probability is not in [0, 1].
    """
    drawn = draw_factors(n, seed=seed, factors=factors, colour=colour, rare=rare)
    names = factor_names(colour)
    values = tuple(VALUES[name] for name in names)
    return Sprites(render(drawn, size=size), drawn, names, values)


def factor_names(colour: bool = False) -> tuple[str, ...]:
    """The factors in the order of the columns."""
    return tuple(name for name in VALUES if colour or name != "colour")


def draw_factors(
    n: int,
    *,
    seed: int | np.random.Generator = 0,
    factors: Mapping[str, Value | Sequence[Value]] | None = None,
    colour: bool = False,
    rare: Mapping[str, Mapping[Value, float]] | None = None,
) -> Floats:
    """(n, k) factors, drawn as `sprites` draws them; it has the arguments and the errors."""
    integer(1).check("n", n)
    names = factor_names(colour)
    factors, rare = factors or {}, rare or {}
    for name in (*factors, *rare):
        if name not in names:
            raise unknown("factor", name, names)
    rng = np.random.default_rng(seed)
    out = np.empty((n, len(names)))
    for j, name in enumerate(names):
        shares = _shares(name, factors.get(name), rare.get(name, {}))
        ends = np.cumsum(shares)
        drawn = np.searchsorted(ends, rng.random(n) * ends[-1], side="right")
        out[:, j] = VALUES[name][drawn]
    return out


def render(factors: Any, *, size: int = 32) -> NDArray[np.uint8]:
    """The images of factors: (n, 1, size, size) bytes, (n, 3, size, size) if coloured.

    Args:
        factors: (n, 5) values in the order of `VALUES`, or (n, 6) with a colour. Values between
            those that are drawn are rendered too, except for shapes and colours.
        size: height and width in pixels, 16 or more.

    Raises:
        InputError: if the shape is another, a value is not finite, a scale not positive, or there
            is no such shape or colour.
    """
    f = np.atleast_2d(np.asarray(factors, dtype=np.float64))
    if f.ndim != 2 or f.shape[1] not in (5, 6):
        raise InputError(
            f"factors of shape {f.shape} given; expected (n, 5): {', '.join(factor_names())}; or "
            "(n, 6) with the colour."
        )
    if size < 16:
        raise InputError(f"size is {size}; expected 16 pixels or more.")
    kinds = [(0, SHAPES), (5, COLOURS)][: f.shape[1] - 4]
    known = all(np.isin(f[:, j], np.arange(len(words))).all() for j, words in kinds)
    if not (np.isfinite(f).all() and (f[:, 1] > 0).all() and known):
        raise InputError(
            "the factors are no sprites: expected finite values, scales above 0, shapes 0 to 2 and "
            "colours 0 to 5. Use `draw_factors`."
        )
    channels = 1 if f.shape[1] == 5 else 3
    check_memory(f"{len(f)} sprites", len(f) * channels * size**2)
    out = np.empty((len(f), channels, size, size), dtype=np.uint8)
    step = max(1, _PIXELS // size**2)
    for start in range(0, len(f), step):
        block = f[start : start + step]
        bright = np.empty((len(block), 1, size, size), dtype=np.float32)
        for k in range(len(SHAPES)):
            chosen = block[:, 0] == k
            bright[chosen, 0] = cover(k, block[chosen, 1:5], size)
        if channels == 3:
            bright = bright * _HUES[block[:, 5].astype(int)][:, :, None, None]
        out[start : start + step] = np.rint(255 * bright)
    return out


def _shares(name: str, held: Value | Sequence[Value] | None, rare: Mapping[Value, float]) -> Floats:
    """The probabilities of a factor's values."""
    count = len(VALUES[name])
    allowed = np.full(count, held is None)
    if held is not None:
        several: Any = [held] if np.ndim(held) == 0 else held
        allowed[[_code(name, value) for value in several]] = True
    given = {_code(name, value): share for value, share in rare.items()}
    total = sum(given.values())
    others = allowed.copy()
    others[list(given)] = False
    whole = total <= 1 if others.any() else math.isclose(total, 1)
    if not allowed[list(given)].all() or min(given.values(), default=0) < 0 or not whole:
        raise InputError(
            f"{name!r} has the probabilities {dict(rare)}; expected none below 0, at most 1 in all "
            "(1 if no other value is left), and of values that are drawn."
        )
    shares = np.where(others, (1 - total) / max(1, others.sum()), 0.0)
    shares[list(given)] = list(given.values())
    return shares


def _code(name: str, value: Value) -> int:
    """The number of a factor's value, given in words or in figures."""
    grid, words = VALUES[name], WORDS.get(name, ())
    if value in words:
        return words.index(str(value))
    if not isinstance(value, str):
        code = int(_nearest(np.array([value]), grid)[0])
        if math.isclose(grid[code], value, abs_tol=1e-6):
            return code
    options = ", ".join(words) if words else ", ".join(f"{v:.6g}" for v in grid)
    raise InputError(f"{name!r} has no value {value!r}; expected one of {options}.")


def _nearest(values: Floats, grid: Floats) -> NDArray[np.int64]:
    return np.asarray(np.abs(values[:, None] - grid).argmin(axis=1), dtype=np.int64)
