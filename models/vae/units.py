"""Between values as stored and values as the likelihoods have them, and the density's units.

    y = (x + u - shift) / scale,          log p(x) = log p(y) - sum_j log scale_j,

u uniform in [0, 1) where whole numbers are filled in for a likelihood of real values, else 0. A
mass stays a mass: scale is then 1 in the sum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data import Codec, ImageCodec
from ...data.pixels import Pixels
from ...errors import InputError
from .parts import Part


@dataclass(frozen=True)
class Units:
    """How stored values become the model's.

    Attributes:
        shift, scale: numbers for all values of a row.
        filled: whether u is drawn.
        log_det: what is added to log p(y) of a row.
    """

    shift: float = 0.0
    scale: float = 1.0
    filled: bool = False
    log_det: float = 0.0

    def tensor(self, x: NDArray[Any], device: torch.device | str = "cpu") -> Tensor:
        """Stored rows (n, D) as floats, unscaled."""
        # Of a mapped file that may only be read, these rows are copied.
        own = np.require(x, x.dtype.newbyteorder("="), "W")
        return torch.as_tensor(own, device=device).to(torch.get_default_dtype())

    def enter(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """Model values of stored ones; u is a half where it is filled in and not given."""
        if self.filled:
            x = x + (0.5 if u is None else u)
        if self.shift or self.scale != 1:
            x = (x - self.shift) / self.scale
        return x

    def fill(self, x: Tensor) -> Tensor:
        """Model values with u drawn by torch's random state."""
        return self.enter(x, torch.rand_like(x) if self.filled else None)

    def leave(self, y: Tensor) -> Tensor:
        """Stored values of model ones: the middle of the cell where they were filled in."""
        x = y * self.scale + self.shift
        return x - 0.5 if self.filled else x

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Units:
        """What `to_json` wrote."""
        return cls(**body)


def of_images(codec: ImageCodec, likelihood: str, values: NDArray[Any]) -> tuple[Part, Units]:
    """The part and the units of images.

    Args:
        likelihood: one of `KINDS`, or "auto".
        values: (n, D) some rows, for the centre and spread of real values.

    Raises:
        InputError: if the values are outside the likelihood's support; it says how to mend it.
    """
    pixels, size = codec.pixels, codec.dimension
    if likelihood == "auto":
        likelihood = automatic(pixels)
    part = Part(likelihood, 0, size)
    some = np.asarray(values[: 1 << 12], dtype=np.float64)
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
        return part, Units()
    if likelihood in ("categorical", "discretised_logistic"):
        if pixels.kind == "real":
            raise InputError(
                f"{likelihood} models levels; the images have {pixels}. Give whole numbers such as "
                '0 ... 255, or take likelihood="gaussian".'
            )
        levels = (pixels.levels,)
        if likelihood == "categorical":
            return Part(likelihood, 0, size, levels), Units()
        half = (pixels.levels - 1) / 2
        return Part(likelihood, 0, size, levels, unit=spread / half), Units(half, half)
    if likelihood == "continuous_bernoulli" and pixels.kind != "real":
        scale = float(pixels.levels)
        return part, Units(0.0, scale, filled=True, log_det=-size * math.log(scale))
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
        return part, Units()
    filled = pixels.kind != "real"  # a mass then: the cell's width is 1
    centre = float(some.mean()) + 0.5 * filled
    return part, Units(centre, spread, filled, log_det=-size * math.log(spread))


def automatic(pixels: Pixels) -> str:
    """The likelihood that values call for."""
    if pixels.kind == "binary":
        return "bernoulli"
    if pixels.kind == "real":
        return "gaussian"
    return "discretised_logistic"


def of_table(codec: Codec, likelihood: str) -> tuple[Part, ...]:
    """The parts of a table's encoded rows: continuous columns, then level numbers; Gaussian,
    Bernoulli and categorical by the kinds of the columns.

    Raises:
        InputError: if a likelihood is asked for that some column does not have.
    """
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
