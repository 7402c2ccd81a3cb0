"""What a row's values are, stretch by stretch, and which likelihood each has."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data import Codec, ImageCodec
from ...data.pixels import Pixels
from ...errors import InputError
from ..nets.values import Values
from .densities import KINDS_OF

KINDS = tuple(KINDS_OF)
SCALED = ("gaussian", "discretised_logistic")
SMALLEST = -7.0  # log of the least noise, in standard deviations of the data


@dataclass(frozen=True)
class Part:
    """Neighbouring values of one kind: places start ... stop of a row.

    `levels` has the number of levels of each value that is categorical, or one number for all.
    Locations and learnt scales are decoded in multiples of `unit`, the spread of the values, so
    that nets start near them however small it is.
    """

    kind: str
    start: int
    stop: int
    levels: tuple[int, ...] = ()
    unit: float = 1.0

    @property
    def each_levels(self) -> tuple[int, ...]:
        """Levels of each categorical value."""
        width = self.stop - self.start
        return self.levels * width if len(self.levels) == 1 else self.levels

    @property
    def first(self) -> float:
        """The log scale that a fit begins with, of multiples of `unit`."""
        return -1.0 if self.kind == "gaussian" else -2.0

    @property
    def half(self) -> tuple[float, ...]:
        """Half the step between levels on [-1, 1], where there is one."""
        return (1.0 / (self.levels[0] - 1),) if self.kind == "discretised_logistic" else ()

    def stated(self, deviation: float) -> float:
        """Log scale of a stated standard deviation in multiples of `unit`; a logistic of scale s
        has the standard deviation s pi / sqrt(3)."""
        s = deviation * self.unit
        return math.log(s * math.sqrt(3) / math.pi if self.kind == "discretised_logistic" else s)


def parts_of(
    codec: Codec | ImageCodec, likelihood: str, rows: NDArray[Any]
) -> tuple[tuple[Part, ...], Values]:
    """The parts of rows, and how stored values become those that the likelihoods know.

    Args:
        likelihood: one of `KINDS`, or "auto".
        rows: (n, D) some stored ones.

    Raises:
        InputError: if the likelihood does not suit the values; it says how to mend it.
    """
    if isinstance(codec, ImageCodec):
        part, values = _of_images(codec, likelihood, rows)
        return (part,), values
    return _of_table(codec, likelihood), Values.of(codec)


def _of_images(codec: ImageCodec, likelihood: str, rows: NDArray[Any]) -> tuple[Part, Values]:
    """The part and the values of images; centre and spread of real ones are those of the rows."""
    pixels, size, values = codec.pixels, codec.dimension, Values.of(codec)
    likelihood = automatic(pixels) if likelihood == "auto" else likelihood
    part = Part(likelihood, 0, size)
    some = np.asarray(rows[: 1 << 12], dtype=np.float64)
    spread = float(some.std()) or 1.0
    if likelihood == "bernoulli":
        if pixels.kind != "binary":
            fix = (
                f"binarise (X > {(pixels.low + pixels.high) / 2:g}), or take likelihood="
                f'"{automatic(pixels)}", which is made for such values'
            )
            raise InputError(
                f"bernoulli models 0 and 1; the images have {pixels}. Either {fix}, or leave "
                "likelihood out."
            )
        return part, values
    if likelihood in ("categorical", "discretised_logistic"):
        if pixels.kind == "real":
            raise InputError(
                f"{likelihood} models levels; the images have {pixels}. Give whole numbers such as "
                '0 ... 255, or take likelihood="gaussian".'
            )
        levels = (pixels.levels,)
        if likelihood == "categorical":
            return Part(likelihood, 0, size, levels), values
        half = (pixels.levels - 1) / 2
        return Part(likelihood, 0, size, levels, unit=spread / half), replace(
            values, shift=half, scale=half
        )
    if likelihood == "continuous_bernoulli" and pixels.kind != "real":
        scale = float(pixels.levels)
        return part, replace(values, scale=scale, filled=True, log_det=-size * math.log(scale))
    if likelihood == "continuous_bernoulli":
        if pixels.low < 0 or pixels.high > 1:
            raise InputError(
                f"continuous_bernoulli models values in [0, 1]; the images have {pixels}. Scale "
                'them, (X - X.min()) / (X.max() - X.min()), or take likelihood="gaussian".'
            )
        if pixels.spread:
            raise InputError(
                f"continuous_bernoulli models values in [0, 1], and a few of the {pixels} lie so "
                "far from the others that they are drawn in. Bring them nearer, for instance "
                'X ** 0.25, or take likelihood="gaussian".'
            )
        return part, values
    filled = pixels.kind != "real"  # a mass then: the cell's width is 1
    centre = float(some.mean()) + 0.5 * filled
    log_det = -size * math.log(spread)
    return part, replace(values, shift=centre, scale=spread, filled=filled, log_det=log_det)


def automatic(pixels: Pixels) -> str:
    """The likelihood that values call for."""
    if pixels.kind == "binary":
        return "bernoulli"
    if pixels.kind == "real":
        return "gaussian"
    return "discretised_logistic"


def _of_table(codec: Codec, likelihood: str) -> tuple[Part, ...]:
    """The parts of a table's encoded rows: continuous columns, then level numbers; Gaussian,
    Bernoulli and categorical by the kinds of the columns."""
    n = len(codec.continuous_names)
    kinds = ["bernoulli" if count == 2 else "categorical" for count in codec.n_levels]
    _check_table(codec, likelihood, kinds)
    parts = [Part("gaussian", 0, n)] if n else []
    for at, (kind, count) in enumerate(zip(kinds, codec.n_levels, strict=True), n):
        last, levels = parts[-1] if parts else None, (count,) if kind == "categorical" else ()
        if last is not None and last.kind == kind:
            parts[-1] = Part(kind, last.start, at + 1, last.levels + levels)
        else:
            parts.append(Part(kind, at, at + 1, levels))
    return tuple(parts)


def _check_table(codec: Codec, likelihood: str, kinds: list[str]) -> None:
    if likelihood == "auto":
        return
    names = (*codec.continuous_names, *codec.discrete_names)
    each = ["gaussian"] * len(codec.continuous_names) + kinds
    for name, kind in zip(names, each, strict=True):
        if kind != likelihood and not (likelihood == "categorical" and kind == "bernoulli"):
            column = codec.schema[name]
            fix = "Leave likelihood out: each column of a table gets its own, by its kind"
            if likelihood == "bernoulli":
                fix += ", or binarise it (X > X.mean())"
            elif likelihood in ("continuous_bernoulli", "discretised_logistic"):
                fix += "; pictures are given as (n, height, width)"
            raise InputError(
                f"likelihood is {likelihood!r}, and column {name!r} is {column.kind}, which that "
                f"does not model. {fix}."
            )


def outside(
    codec: Codec | ImageCodec, parts: tuple[Part, ...], x: NDArray[Any]
) -> NDArray[np.bool_]:
    """(n,) which stored rows hold values outside the support of their likelihood."""
    pixels = codec.pixels.kind if isinstance(codec, ImageCodec) else ""
    if pixels == "real" and parts[0].kind == "continuous_bernoulli":
        return np.asarray(((x < 0) | (x > 1)).any(axis=1))
    return np.zeros(len(x), dtype=bool)
