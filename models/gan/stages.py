"""Sizes that images grow through while nets are trained, and where a training stands.

Images of H x W pixels are halved S times: stage k = 0, ..., S sees H / 2^(S - k) x W / 2^(S - k).
From the share g of the schedule on all is trained at stage S. Before, each stage has g / S of the
schedule: in its first part it is trained as it is, and in the rest the next one fades in,

    image of the fade = alpha x + (1 - alpha) U(D(x)),        alpha from 0 to 1,

D the mean over 2 x 2 pixels and U each pixel four times, so that D(U(x)) = x.

Reference: Karras, Aila, Laine and Lehtinen, "Progressive growing of GANs for improved quality,
stability, and variation", 2018, https://arxiv.org/abs/1710.10196.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import InputError

_LEAST = 8  # pixels on the shorter side that training begins with at least, where it is left open
_SMALLEST = 4  # where it is not


class Place(NamedTuple):
    """Where a training stands.

    Attributes:
        stage: k, the highest that takes part.
        alpha: its weight beside stage k - 1; 1 is stage k alone.
    """

    stage: int
    alpha: float = 1.0


@dataclass(frozen=True)
class Stages:
    """The stages of a training.

    Attributes:
        height, width: of the images.
        doublings: S.
        growing: g, the share of the schedule after which all is H x W.
        fading: share of each stage in which the next one fades in.
    """

    height: int
    width: int
    doublings: int
    growing: float = 0.5
    fading: float = 0.5

    @classmethod
    def of(cls, height: int, width: int, start: int | None, growing: float = 0.5) -> Self:
        """The stages of images.

        Args:
            start: pixels on the shorter side that training begins with; None is the fewest, but at
                least 8, that halving leads to.

        Raises:
            InputError: if images cannot be halved to it.
        """
        short = min(height, width)
        whole = math.gcd(height, width)
        most = (whole & -whole).bit_length() - 1  # times that both sides can be halved
        could = [size for k in range(most + 1) if (size := short // 2**k) >= _SMALLEST]
        given = f"images of {height} x {width} pixels"
        if start is None:
            doublings = sum(size >= _LEAST for size in could[1:])
            if doublings:
                return cls(height, width, doublings, growing)
            even = f"{height - height % 2} x {width - width % 2}"
            way = f"Crop them to {even}" if short >= 2 * _LEAST else "Give larger ones"
            raise InputError(
                f"{given} cannot be halved to {_LEAST} or more on the shorter side, so that there "
                f"is nothing to grow from. {way}, or take ppgen.GAN."
            )
        if start not in could:
            doubled = ", ".join(str(start * 2**k) for k in range(1, 4))
            raise InputError(
                f"start is {start}, and {given} cannot be halved to it, but to "
                f"{', '.join(map(str, could))}. Take one of these, or images whose shorter side is "
                f"{start} doubled ({doubled}, ...)."
            )
        return cls(height, width, could.index(start), growing)

    def size(self, stage: int) -> tuple[int, int]:
        """Height and width of a stage."""
        by = 2 ** (self.doublings - stage)
        return self.height // by, self.width // by

    def at(self, share: float) -> Place:
        """Where a training stands at a share of its schedule."""
        if not self.doublings or share >= self.growing:
            return Place(self.doublings)
        stage, part = divmod(share / self.growing * self.doublings, 1.0)
        beyond = part - (1 - self.fading)
        return Place(int(stage)) if beyond < 0 else Place(int(stage) + 1, beyond / self.fading)

    def faded(self, images: Tensor, place: Place) -> Tensor:
        """Images (n, C, H, W) as the nets of a stage are shown them: (n, C, h, w)."""
        small = reduced(images, self.doublings - place.stage)
        return small if place.alpha == 1 else blended(doubled(reduced(small)), small, place.alpha)

    def whole(self, images: Tensor, place: Place) -> Tensor:
        """Images (n, C, h, w) of a stage with each pixel as often as it takes for H x W."""
        return doubled(images, self.doublings - place.stage)


def reduced(images: Tensor, times: int = 1) -> Tensor:
    """Images (n, C, H, W), halved so often by the means of 2 x 2 pixels."""
    return F.avg_pool2d(images, 2**times) if times else images


def doubled(images: Tensor, times: int = 1) -> Tensor:
    """Images (n, C, H, W) with each pixel in 2 x 2 places, so often."""
    return F.interpolate(images, scale_factor=2**times, mode="nearest") if times else images


def blended(before: Tensor, after: Tensor, alpha: float) -> Tensor:
    """(1 - alpha) before + alpha after."""
    return torch.lerp(before, after, alpha)
