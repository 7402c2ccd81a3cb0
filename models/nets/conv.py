"""Residual convolutional encoders and decoders of images of any size.

The encoder halves height and width by strided convolutions, one for each entry of `channels`, with
residual blocks h + g(h) after each; the decoder mirrors it with transposed convolutions. Where a
size is odd, 2 s or 2 s - 1, the transposed convolution is told which (its output padding).

References: He, Zhang, Ren and Sun, "Identity mappings in deep residual networks", 2016,
https://arxiv.org/abs/1603.05027; Dumoulin and Visin, "A guide to convolution arithmetic for deep
learning", 2016, https://arxiv.org/abs/1603.07285.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .conditioned import conditioned, given
from .mlp import ACTIVATIONS

Shape = tuple[int, int, int]


class Residual(nn.Module):
    """h + g(h), where g is two 3 x 3 convolutions; at the start g is 0."""

    def __init__(self, channels: int, activation: str) -> None:
        super().__init__()
        act = ACTIVATIONS[activation]
        last = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        first = nn.Conv2d(channels, channels, 3, padding=1)
        self.net = nn.Sequential(act(), first, act(), last)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.net(h)  # type: ignore[no-any-return]


def sizes(height: int, width: int, halvings: int) -> list[tuple[int, int]]:
    """Heights and widths from the image down."""
    pairs = [(height, width)]
    for _ in range(halvings):
        height, width = -(-height // 2), -(-width // 2)
        pairs.append((height, width))
    return pairs


class ConvEncoder(nn.Module):
    """Images (*, C H W), and context (*, c) where there is one -> (*, outputs).

    Args:
        shape: (C, H, W).
        channels: of each halving.
        hidden: size of the layer between the last picture and the outputs.
        context: c, of which every layer is told (see `conditioned`).
    """

    def __init__(
        self,
        shape: Shape,
        channels: Sequence[int],
        outputs: int,
        *,
        hidden: int = 256,
        activation: str = "silu",
        dropout: float = 0.0,
        context: int = 0,
    ) -> None:
        super().__init__()
        self.shape = shape
        act, before = ACTIVATIONS[activation], shape[0]
        layers: list[nn.Module] = []
        for c in channels:
            halve = nn.Conv2d(before, c, 3, stride=2, padding=1)
            layers += [halve, Residual(c, activation), act()]
            before = c
        h, w = sizes(*shape[1:], len(channels))[-1]
        whole = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Linear(before * h * w, hidden),
            act(),
            *([nn.Dropout(dropout)] if dropout else []),
            nn.Linear(hidden, outputs),
        )
        self.net = conditioned(whole, context)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        images = x.reshape(-1, *self.shape).contiguous(memory_format=torch.channels_last)
        outputs = given(self.net, images, _flat(context, x))
        return outputs.reshape(*x.shape[:-1], -1)


class ConvDecoder(nn.Module):
    """Codes (*, inputs), and context (*, c) where there is one -> images (*, per_pixel C H W), the
    parameters of each value together.

    Args:
        shape: (C, H, W).
        channels: of each doubling, from the image down, as for `ConvEncoder`.
        per_pixel: outputs for each of the C H W values.
        context: c, of which every layer is told.
    """

    def __init__(
        self,
        inputs: int,
        channels: Sequence[int],
        shape: Shape,
        *,
        per_pixel: int = 1,
        hidden: int = 256,
        activation: str = "silu",
        dropout: float = 0.0,
        context: int = 0,
    ) -> None:
        super().__init__()
        self.shape, self.per_pixel = shape, per_pixel
        act = ACTIVATIONS[activation]
        places = sizes(*shape[1:], len(channels))
        self.start = (channels[-1], *places[-1])
        head = nn.Sequential(
            nn.Linear(inputs, hidden),
            act(),
            *([nn.Dropout(dropout)] if dropout else []),
            nn.Linear(hidden, math.prod(self.start)),
        )
        self.head = conditioned(head, context)
        layers: list[nn.Module] = []
        outs = [per_pixel * shape[0], *channels[:-1]]
        for i in reversed(range(len(channels))):
            pad = tuple(1 - (2 * s - t) for s, t in zip(places[i + 1], places[i], strict=True))
            layers += [Residual(channels[i], activation), act()]
            up = nn.ConvTranspose2d(channels[i], outs[i], 3, 2, 1, output_padding=(pad[0], pad[1]))
            layers.append(up)
        self.net = conditioned(nn.Sequential(*layers), context)
        # A bias of its own for each value: where in a picture ink lies is no secret to be learnt.
        self.bias = nn.Parameter(torch.zeros(per_pixel * math.prod(shape)))

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        told = _flat(context, z)
        h = given(self.head, z.reshape(-1, z.shape[-1]), told).view(-1, *self.start)
        images = given(self.net, h.contiguous(memory_format=torch.channels_last), told)
        if self.per_pixel > 1:
            n, _, height, width = images.shape
            images = images.reshape(n, self.per_pixel, self.shape[0], height, width)
            images = images.movedim(1, -1)
        return images.reshape(*z.shape[:-1], -1) + self.bias


def _flat(context: Tensor | None, of: Tensor) -> Tensor | None:
    """(rows, c) the context of all rows (*, inputs), one after another."""
    if context is None:
        return None
    size = context.shape[-1]
    return context.expand(*of.shape[:-1], size).reshape(-1, size)
