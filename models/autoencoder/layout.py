"""What an autoencoder's net sees of a row, and how far a row is from what the net makes of it.

A row has D values: numbers, y = (x - shift) / scale, and levels, each as indicators. With r what
the decoder gives, its error is the mean over the D values of

    squared             (y - r)^2,                          summed over the indicators of a level,
    cross-entropy       -y log s(r) - (1 - y) log(1 - s(r)),    s the logistic function,
                        -log softmax(r)_k                   where k is the level.

A level that the fit never saw counts as the least likely one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...data import Codec, Encoded, ImageCodec
from ...errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[Any]
_SOME = 4096  # rows that give the centre and spread of real images


@dataclass(frozen=True)
class Layout:
    """The values of a row.

    Attributes:
        numbers: how many are numbers; they come first.
        levels: how many levels each other value has.
        shift, scale: of the numbers.
        loss: "squared" or "cross_entropy", of the numbers, and
        levels_loss: of the levels.
        shape: (C, H, W) of images, else ().
    """

    numbers: int
    levels: tuple[int, ...] = ()
    shift: float = 0.0
    scale: float = 1.0
    loss: str = "squared"
    levels_loss: str = "cross_entropy"
    shape: tuple[int, ...] = ()

    @property
    def values(self) -> int:
        """D."""
        return self.numbers + len(self.levels)

    @property
    def features(self) -> int:
        """Numbers and indicators."""
        return self.numbers + sum(self.levels)

    @property
    def free(self) -> int:
        """How many numbers say what a row is: a level of L takes L - 1."""
        return self.features - len(self.levels)

    @property
    def blocks(self) -> list[slice]:
        """Where the indicators of each level stand."""
        ends = np.cumsum([self.numbers, *self.levels]).tolist()
        return [slice(a, b) for a, b in pairwise(ends)]

    @property
    def owner(self) -> NDArray[np.int64]:
        """(features,) the number of the value that each belongs to."""
        return np.repeat(np.arange(self.values), [1] * self.numbers + list(self.levels))

    # Rows as arrays, as the net sees them, and back

    def stored(self, data: Encoded) -> Array:
        """(n, D) encoded rows as one array; that of images is not copied."""
        return np.column_stack([data.x, data.codes]) if self.levels else data.x

    def encoded(self, y: Array) -> Encoded:
        """The encoded rows of (n, features); of a level, the largest indicator, or none."""
        codes = np.empty((len(y), len(self.levels)), dtype=np.int32)
        for j, block in enumerate(self.blocks):
            indicators = y[:, block]
            codes[:, j] = np.where(indicators.any(1), indicators.argmax(1), -1)
        return Encoded(y[:, : self.numbers] * self.scale + self.shift, codes, np.zeros(len(y)))

    def enter(self, x: Tensor) -> Tensor:
        """(n, features) of stored rows (n, D)."""
        import torch

        y = x[:, : self.numbers]
        if self.shift or self.scale != 1:
            y = (y - self.shift) / self.scale
        if not self.levels:
            return y
        parts = [y]
        for j, count in enumerate(self.levels, self.numbers):
            parts.append((x[:, j, None] == torch.arange(count, device=x.device)).to(x.dtype))
        return torch.cat(parts, 1)

    # What the decoder gives

    def expected(self, raw: Tensor) -> Tensor:
        """(n, features) values and probabilities of decoder outputs."""
        import torch

        numbers = raw[:, : self.numbers]
        parts = [torch.sigmoid(numbers) if self.loss == "cross_entropy" else numbers]
        for block in self.blocks:
            r = raw[:, block]
            parts.append(torch.softmax(r, 1) if self.levels_loss == "cross_entropy" else r)
        return torch.cat(parts, 1)

    def errors(self, raw: Tensor, y: Tensor) -> Tensor:
        """(n,) errors of decoder outputs (n, features) for rows (n, features)."""
        import torch.nn.functional as F

        r, t = raw[:, : self.numbers], y[:, : self.numbers]
        if self.loss == "cross_entropy":
            total = F.binary_cross_entropy_with_logits(r, t, reduction="none").sum(1)
        else:
            total = (t - r).square().sum(1)
        for block in self.blocks:
            r, t = raw[:, block], y[:, block]
            if self.levels_loss == "squared":
                total = total + (t - r).square().sum(1)
                continue
            log_p = F.log_softmax(r, 1)
            seen = t.sum(1) > 0
            total = total - (t * log_p).sum(1).where(seen, log_p.amin(1))
        return total / self.values

    def start(self, y: Tensor) -> Tensor:
        """(features,) decoder outputs that are best for all rows y alike: where a fit begins."""
        import torch

        mean = y.mean(0)
        out = mean.clone()
        if self.loss == "cross_entropy":
            out[: self.numbers] = torch.logit(mean[: self.numbers].clamp(1e-3, 1 - 1e-3))
        if self.levels_loss == "cross_entropy":
            out[self.numbers :] = torch.log(mean[self.numbers :].clamp(min=1e-3))
        return out

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return {**asdict(self), "levels": list(self.levels), "shape": list(self.shape)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Layout:
        """What `to_json` wrote."""
        tuples = {"levels": tuple(body["levels"]), "shape": tuple(body["shape"])}
        return cls(**{**body, **tuples})


def of_images(codec: ImageCodec, loss: str, values: Array, rows: Array) -> Layout:
    """The layout of images: levels over the greatest there is; real values as they are where they
    lie in [0, 1], and otherwise centred and scaled.

    Args:
        loss: "auto", "squared" or "cross_entropy".
        values: (n, D) stored values.
        rows: numbers of those to fit to; all are looked at for the greatest level, and some for the
            centre and spread of real values.

    Raises:
        InputError: if the loss does not suit the values.
    """
    pixels = codec.pixels
    between = pixels.kind != "real" or (pixels.whole and pixels.low >= 0 and pixels.high <= 1)
    if loss == "cross_entropy" and not between:
        raise InputError(
            f"the cross-entropy compares values between 0 and 1; the images have {pixels}. Scale "
            '(X - X.min()) / (X.max() - X.min()), or take loss="squared".'
        )
    if loss == "auto":
        loss = "cross_entropy" if pixels.kind == "binary" else "squared"
    shift, scale = 0.0, 1.0
    if pixels.kind == "levels":
        scale = float(max(values[at].max() for at in np.array_split(rows, -(-len(rows) // _SOME))))
    elif not between:
        some = np.asarray(values[rows[:: max(1, len(rows) // _SOME)]], dtype=np.float64)
        shift, scale = float(some.mean()), float(some.std()) or 1.0
    return Layout(codec.dimension, (), shift, scale, loss, loss, codec.shape)


def of_table(codec: Codec, loss: str) -> Layout:
    """The layout of a table: standardised columns, then the levels of discrete ones.

    Args:
        loss: "auto" compares the first by squares and the others by the cross-entropy.

    Raises:
        InputError: if the loss does not suit the columns, or there is none to model.
    """
    if not codec.continuous_names and not codec.discrete_names:
        raise InputError(
            "every column is constant or empty: there is nothing to encode. Give columns that vary."
        )
    if loss == "cross_entropy" and codec.continuous_names:
        raise InputError(
            f"the cross-entropy compares levels; column {codec.continuous_names[0]!r} is "
            'continuous. Leave loss out: each column gets its own, or take loss="squared".'
        )
    apart = "cross_entropy" if loss == "auto" else loss
    return Layout(len(codec.continuous_names), codec.n_levels, levels_loss=apart)
