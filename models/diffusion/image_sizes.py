"""Sizes of a U-Net where the user leaves them open, by the images and what computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Shape = tuple[int, ...]

_SMALLEST = 8  # pixels a side of the smallest maps, at most
_LARGEST = 20  # of the largest maps on a processor
_LARGEST_GPU = 48
_MOST = 256  # channels
_FEW = 3000  # images for which narrow nets do


@dataclass(frozen=True)
class ImageSizes:
    """Sizes of a U-Net (see `unet`).

    Attributes:
        channels: of the maps, from the largest down.
        unshuffle: sides of the blocks of pixels that become channels.
        blocks: of each size, on either way.
        width: of the embedding of level and context.
    """

    channels: tuple[int, ...]
    unshuffle: int
    blocks: int
    width: int


def image_sizes(shape: Shape, n: int, asked: Sequence[int] | None, *, gpu: bool) -> ImageSizes:
    """The sizes for n images (C, H, W).

    Args:
        asked: channels, where they are given.
        gpu: whether a GPU computes, on which larger nets take as long.
    """
    side, unshuffle = max(shape[1:]), 2
    while side / unshuffle > (_LARGEST_GPU if gpu else _LARGEST):
        unshuffle *= 2
    maps, levels = -(-side // unshuffle), 1
    while maps > _SMALLEST:
        maps, levels = -(-maps // 2), levels + 1
    first = 96 if gpu else 48
    first = first if n >= _FEW else first * 2 // 3
    channels = tuple(min(first * 2**i, _MOST) for i in range(levels))
    return ImageSizes(
        channels=tuple(map(int, asked or channels)),
        unshuffle=unshuffle,
        blocks=2 if gpu else 1,
        width=256 if gpu else 128,
    )
