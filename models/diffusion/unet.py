"""A U-Net of images of any size, on pixels unshuffled.

Blocks of p x p pixels become channels (p = `unshuffle`), (C, H, W) -> (p^2 C, H / p, W / p), which
makes convolutions cheap and loses nothing; sides that p and the halvings do not divide are padded
by their edge, and the padding is cut off in the end. Then, on maps h, with one entry of `channels`
for each size and half the sides from one to the next,

    down        `blocks` residual blocks, kept as `skip`; a strided convolution
    middle      on the smallest maps: a block, attention where there are few places, a block
    up          1 x 1 convolution and shuffle, 1 x 1 convolution of [h; skip], `blocks` blocks

    block       h + V silu((1 + a) norm(W silu(norm(h))) + b),        (a, b) = A silu(e),

with 3 x 3 convolutions V and W, group normalisation and the embedding e of noise level and context
(feature-wise linear modulation). V, A, the output of attention and the last layer start at 0: at
first each block is the identity, and the net gives 0.

Forward, an image of 28 x 28 with p = 2 and channels (48, 96) costs 79 million floating-point
operations, a training step three times that. On one core of two that share a machine,
channels last ran at 57 to 77 thousand million operations a second forward and back, channels first
at 46 to 70, and nine shifted copies with one matrix product at 29 to 58.

References: Ronneberger, Fischer and Brox, "U-Net", 2015, https://arxiv.org/abs/1505.04597; Dhariwal
and Nichol, "Diffusion models beat GANs on image synthesis", 2021, https://arxiv.org/abs/2105.05233;
Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
convolutional neural network" (shuffled pixels), 2016, https://arxiv.org/abs/1609.05158; Perez et
al., "FiLM: visual reasoning with a general conditioning layer", 2018,
https://arxiv.org/abs/1709.07871.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

Shape = tuple[int, ...]

_GROUP = 16  # channels normalised together at least
_HEAD = 32  # channels of a head of attention
_FEW = 256  # places up to which attention costs little beside convolutions


class UNet(nn.Module):
    """Noisy images (n, C H W), with what else is told of them -> (n, C H W).

    Args:
        shape: (C, H, W).
        embed: gives of all that is told, such as level of noise and context, silu(e), (n, width),
            or (1, width) where that is the same of all images.
        width: of e.
        channels: of the maps, from the largest down.
        unshuffle: p.
        blocks: of each size but the smallest, on either way.
        dropout: share of a block's maps dropped in training.
    """

    def __init__(
        self,
        shape: Shape,
        embed: nn.Module,
        width: int,
        *,
        channels: Sequence[int],
        unshuffle: int = 2,
        blocks: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.shape, self.embed, self.unshuffle = tuple(shape), embed, unshuffle
        self.padding = _padding(shape, unshuffle << (len(channels) - 1))
        pixels = shape[0] * unshuffle**2

        def some(maps: int) -> nn.ModuleList:
            return nn.ModuleList(Block(maps, width, dropout) for _ in range(blocks))

        self.first = nn.Conv2d(pixels, channels[0], 3, padding=1)
        self.down = nn.ModuleList(some(maps) for maps in channels[:-1])
        self.halving = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(channels)
        )
        last, smallest = channels[-1], self.sides[-1]
        self.middle = nn.ModuleList([Block(last, width, dropout), Block(last, width, dropout)])
        self.attention = Attention(last) if math.prod(smallest) <= _FEW else None
        self.doubling = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(channels))
        self.joining = nn.ModuleList(nn.Conv2d(2 * maps, maps, 1) for maps in channels[:-1])
        self.up = nn.ModuleList(some(maps) for maps in channels[:-1])
        self.norm = _norm(channels[0])
        self.last = _zero(nn.Conv2d(channels[0], pixels, 3, padding=1))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def sides(self) -> list[tuple[int, int]]:
        """Height and width of the maps, from the largest down."""
        top, bottom, left, right = self.padding
        height = (self.shape[1] + top + bottom) // self.unshuffle
        width = (self.shape[2] + left + right) // self.unshuffle
        return [(height >> i, width >> i) for i in range(len(self.halving) + 1)]

    def forward(self, x: Tensor, *told: Tensor | None) -> Tensor:
        e = self.embed(*told)
        h, kept = self.first(self._maps(x)), []
        for blocks, halve in zip(self.down, self.halving, strict=True):
            h = _through(blocks, h, e)
            kept.append(h)
            h = halve(h)
        h = self.middle[0](h, e)
        h = h if self.attention is None else self.attention(h)
        h = self.middle[1](h, e)
        ways = list(zip(self.doubling, self.joining, self.up, kept, strict=True))
        for double, join, blocks, skip in reversed(ways):
            h = functional.pixel_shuffle(double(h), 2)
            h = _through(blocks, join(torch.cat([h, skip], 1)), e)
        return self._pixels(self.last(functional.silu(self.norm(h))))

    def _maps(self, x: Tensor) -> Tensor:
        """Images as maps of unshuffled pixels, with their channels last in memory."""
        images = x.reshape(-1, *self.shape)
        top, bottom, left, right = self.padding
        if any(self.padding):
            images = functional.pad(images, (left, right, top, bottom), mode="replicate")
        maps = functional.pixel_unshuffle(images, self.unshuffle)
        return maps.contiguous(memory_format=torch.channels_last)

    def _pixels(self, maps: Tensor) -> Tensor:
        images = functional.pixel_shuffle(maps, self.unshuffle)
        (top, _, left, _), (_, height, width) = self.padding, self.shape
        images = images[:, :, top : top + height, left : left + width]
        return images.reshape(len(images), -1)


class Block(nn.Module):
    """Maps (n, maps, H, W) and silu(e), (n, width) or (1, width) -> maps of the same shape."""

    def __init__(self, maps: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norms = nn.ModuleList([_norm(maps), _norm(maps)])
        self.first = nn.Conv2d(maps, maps, 3, padding=1)
        self.last = _zero(nn.Conv2d(maps, maps, 3, padding=1))
        self.film = _zero(nn.Linear(width, 2 * maps))
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        a, b = self.film(e)[:, :, None, None].chunk(2, 1)
        g = self.norms[1](self.first(functional.silu(self.norms[0](h))))
        g = self.dropout(functional.silu(torch.addcmul(b, 1 + a, g)))
        return h + self.last(g)  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Maps (n, maps, H, W), each place of which looks at all."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.maps, self.heads = maps, max(1, maps // _HEAD)
        while maps % self.heads:
            self.heads -= 1
        self.norm = _norm(maps)
        self.inputs, self.output = nn.Linear(maps, 3 * maps), _zero(nn.Linear(maps, maps))

    def forward(self, h: Tensor) -> Tensor:
        n, maps, height, width = h.shape
        places = self.norm(h).permute(0, 2, 3, 1).reshape(n, height * width, maps)
        q, k, v = self.inputs(places).view(n, -1, 3, self.heads, maps // self.heads).unbind(2)
        seen = functional.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        )
        out = self.output(seen.transpose(1, 2).reshape(n, height, width, maps))
        return h + out.permute(0, 3, 1, 2)  # type: ignore[no-any-return]


def _through(blocks: nn.Module, h: Tensor, e: Tensor) -> Tensor:
    for block in blocks.children():
        h = block(h, e)
    return h


def _norm(maps: int) -> nn.GroupNorm:
    groups = max(1, maps // _GROUP)
    while maps % groups:
        groups -= 1
    return nn.GroupNorm(groups, maps)


def _zero(layer: nn.Module) -> nn.Module:
    """The layer, which gives 0 at first."""
    for values in layer.parameters():
        nn.init.zeros_(values)
    return layer


def _padding(shape: Shape, unit: int) -> tuple[int, int, int, int]:
    """Pixels at the top, bottom, left and right that make sides multiples of `unit`."""
    lacking = [-side % unit for side in shape[1:]]
    (top, left), (height, width) = (n // 2 for n in lacking), lacking
    return top, height - top, left, width - left
