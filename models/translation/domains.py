"""One side of a translation: rows as the pictures that nets see, and back.

A domain makes of encoded rows pictures v (n, C, H, W), in the units of the data, and of pictures
rows. Nets see them standardised, by the mean and the spread of each channel c over the rows of this
domain that are trained on:

    x_c = (v_c - mean_c) / scale_c,        low_c <= x_c <= high_c.

A translated picture leaves by the statistics of the domain that it goes to. There are two kinds:
images (here), and spectrograms of sequences (`speech`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...arrays import Array, Floats
from ...data import Encoded, ImageCodec
from ...plain_json import PlainFields

Shape = tuple[int, int, int]
_BLOCK, _VALUES = 1024, 1 << 20  # pictures looked at at a time, and values of large ones


@dataclass(frozen=True)
class Standard(PlainFields):
    """The statistics of the pictures of a domain.

    Attributes:
        mean, scale: (C,) of each channel.
        low, high: (C,) the ends of standardised values; () where there are none.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @classmethod
    def of(cls, pictures: Array, ends: tuple[float, float] | None = None) -> Self:
        """Those of pictures (n, C, H, W).

        Args:
            ends: the least and the greatest value that there can be; None where there are none.
        """
        size = len(pictures) * pictures[0, 0].size
        mean = sum(block.sum((0, 2, 3)) for block in _blocks(pictures)) / size
        around = (block - mean[:, None, None] for block in _blocks(pictures))
        scale = np.sqrt(sum((block**2).sum((0, 2, 3)) for block in around) / size)
        scale = np.where(scale > 0, scale, 1.0)
        each = {"mean": mean, "scale": scale}
        if ends is not None:
            each |= {"low": (ends[0] - mean) / scale, "high": (ends[1] - mean) / scale}
        return cls(**{name: tuple(values.tolist()) for name, values in each.items()})

    def enter(self, pictures: Tensor) -> Tensor:
        """Pictures standardised."""
        return (pictures - _of(self.mean, pictures)) / _of(self.scale, pictures)

    def leave(self, pictures: Tensor) -> Tensor:
        """Standardised pictures in the units of the data."""
        return pictures * _of(self.scale, pictures) + _of(self.mean, pictures)


def _blocks(pictures: Array) -> Iterator[Floats]:
    size = max(1, min(_BLOCK, _VALUES // pictures[0].size))
    for start in range(0, len(pictures), size):
        yield pictures[start : start + size].astype(np.float64)


def _of(values: tuple[float, ...], like: Tensor) -> Tensor:
    """(C,) numbers beside pictures (n, C, H, W)."""
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]


@dataclass(frozen=True, kw_only=True)
class Domain(ABC):
    """One side of a translation.

    Attributes:
        standard: the statistics of its pictures, once `fitted`.
    """

    kind: ClassVar[str]
    standard: Standard | None = None

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """(C, H, W) of its pictures."""

    @abstractmethod
    def pictures(self, rows: Encoded) -> Array:
        """(n, C, H, W) pictures of encoded rows, in whatever type they are stored."""

    @abstractmethod
    def rows(self, pictures: Floats, like: Encoded) -> Encoded:
        """Encoded rows of pictures (n, C, H, W) of this domain.

        Args:
            like: the encoded rows of the other domain that the pictures were made of, for what
                pictures do not say, such as phases.
        """

    @abstractmethod
    def _ends(self) -> tuple[float, float] | None:
        """The least and the greatest value of pictures; None where there are none."""

    @abstractmethod
    def shown(self, pictures: Tensor) -> Floats:
        """Standardised pictures as one looks at them: (n, 1 or 3, h, w) values from 0 to 1."""

    def fitted(self, pictures: Array) -> Self:
        """This domain with the statistics of these of its pictures."""
        return replace(self, standard=Standard.of(pictures, self._ends()))

    @property
    def statistics(self) -> Standard:
        """Those of a domain that is fitted."""
        assert self.standard is not None
        return self.standard

    def encode(self, rows: Encoded) -> Tensor:
        """(n, C, H, W) standardised pictures of encoded rows."""
        return self.statistics.enter(torch.from_numpy(self.pictures(rows).astype(np.float32)))

    def decode(self, pictures: Tensor, like: Encoded) -> Encoded:
        """Encoded rows of standardised pictures; see `rows`."""
        return self.rows(self.statistics.leave(pictures.double()).cpu().numpy(), like)

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values, without what the codec says."""
        standard = None if self.standard is None else self.standard.to_json()
        return {"kind": self.kind, "standard": standard}


@dataclass(frozen=True, kw_only=True)
class Images(Domain):
    """A domain of images.

    Attributes:
        codec: of the images, (C, h, w).
        size: pixels that both sides are brought to; 0 leaves images as they are.
    """

    kind: ClassVar[str] = "images"
    codec: ImageCodec = field(repr=False)
    size: int = 0

    @property
    def shape(self) -> Shape:
        c, h, w = self.codec.shape
        return (c, self.size or h, self.size or w)

    def pictures(self, rows: Encoded) -> Array:
        stored = np.asarray(rows.x).reshape(-1, *self.codec.shape)
        return _resized(stored, self.shape)

    def rows(self, pictures: Floats, like: Encoded) -> Encoded:
        x = _resized(pictures, self.codec.shape).reshape(len(pictures), -1)
        return Encoded(x, np.empty((len(x), 0), np.int32), np.zeros(len(x)))

    def _ends(self) -> tuple[float, float]:
        return self.codec.pixels.ends

    def shown(self, pictures: Tensor) -> Floats:
        low, high = self._ends()
        values = self.statistics.leave(pictures.double()).cpu().numpy()
        return np.clip((values - low) / max(high - low, 1e-12), 0, 1)

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | {"size": self.size}


def _resized(pictures: Array, shape: Shape) -> Array:
    """Pictures (n, C, h, w) at another size, each pixel the mean of what it covers."""
    if pictures.shape[1:] == shape:
        return pictures
    made = np.empty((len(pictures), *shape), np.float32)
    for start in range(0, len(pictures), _BLOCK):
        at = slice(start, start + _BLOCK)
        block = torch.from_numpy(pictures[at].astype(np.float32))
        how: dict[str, Any] = {"mode": "bilinear", "antialias": True}
        made[at] = functional.interpolate(block, shape[1:], **how).numpy()
    return made
