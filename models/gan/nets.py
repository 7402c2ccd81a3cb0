"""Generators and discriminators, by what a row is.

Of vectors and tables both are perceptrons without normalisation. With z the noise and c what a row
is conditioned on,

    G(z, c)    a perceptron of (z, c); numbers as they come out, levels drawn (see `table_nets`)
    D(x, c)    = v' h(x) + u(c)' h(x),    h a perceptron, u one of c

where v and the last layer of u start at 0, so that D starts by telling nothing. Packed, x and c are
those of m rows side by side, and have one score. Images and sequences have `image_nets`, images
that grow in training `growing`.

References: Miyato and Koyama, "cGANs with projection discriminator", 2018,
https://arxiv.org/abs/1802.05637; Lin, Khetan, Fanti and Oh, "PacGAN", 2018,
https://arxiv.org/abs/1712.04086.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from ...plain_json import PlainFields
from ..nets.values import Values
from .growing import GrowingDiscriminator, GrowingGenerator
from .image_nets import ImageDiscriminator, ImageGenerator
from .stages import Stages
from .table_nets import Levels

_SLOPE = 0.2


@dataclass(frozen=True)
class Architecture(PlainFields):
    """What the nets are made of.

    Attributes:
        net: "mlp" or "conv".
        latent: numbers of noise.
        context: numbers that a row is conditioned on; 0 for none.
        hidden: sizes of the hidden layers of both; of "conv" of the layer the discriminator ends
            with.
        channels: of each halving of an image.
        pack: rows to a score.
        doublings, growing: of images that grow in training, see `Stages`; 0 for none.
    """

    net: str
    latent: int
    context: int = 0
    hidden: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    pack: int = 1
    doublings: int = 0
    growing: float = 0.0


def build(a: Architecture, values: Values, *, bounded: bool) -> tuple[nn.Module, nn.Module]:
    """A generator (z (n, k), context (n, c) or None) -> features (n, F), and a discriminator
    (features (n, F), context) -> scores (n / pack,).

    Args:
        values: what a row is.
        bounded: whether features lie between -1 and 1.
    """
    if a.net == "conv":
        shape, size = values.shape, a.hidden[0]
        nets = (
            ImageGenerator(a.latent, a.context, shape, a.channels, bounded=bounded),
            ImageDiscriminator(shape, a.context, a.channels, hidden=size, packed=a.pack),
        )
        if not a.growing:
            return nets
        stages = Stages(shape[1], shape[2], a.doublings, a.growing)
        return GrowingGenerator(stages, nets[0]), GrowingDiscriminator(stages, nets[1])
    return Generator(a, values, bounded=bounded), Discriminator(a, values.features)


class Generator(nn.Module):
    """A perceptron of noise and context."""

    def __init__(self, a: Architecture, values: Values, *, bounded: bool) -> None:
        super().__init__()
        self.bounded = bounded
        self.layers = nn.Sequential(
            *_hidden(a.latent + a.context, a.hidden), _linear(a.hidden[-1], values.features)
        )
        self.levels = Levels(values) if values.levels else None

    def outputs(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """(n, F) numbers, and what levels are drawn by."""
        outputs: Tensor = self.layers(z if context is None else torch.cat([z, context], 1))
        return outputs

    def expected(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """(n, F) features whose levels are not drawn: the most probable has the largest value."""
        outputs = self.outputs(z, context)
        if self.levels is not None:
            outputs = outputs + self.levels.shift
        return outputs.tanh() if self.bounded else outputs

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        outputs = self.outputs(z, context)
        if self.levels is not None:
            outputs = self.levels(outputs)
        return outputs.tanh() if self.bounded else outputs


class Discriminator(nn.Module):
    """A perceptron of rows, which context projects."""

    def __init__(self, a: Architecture, features: int) -> None:
        super().__init__()
        self.pack = a.pack
        self.layers = nn.Sequential(*_hidden(a.pack * features, a.hidden))
        self.score = nn.Linear(a.hidden[-1], 1)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)
        self.projection: nn.Sequential | None = None
        if a.context:
            last = nn.Linear(a.hidden[-1], a.hidden[-1])
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            self.projection = nn.Sequential(*_hidden(a.pack * a.context, a.hidden[-1:]), last)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        h = self.layers(x.reshape(len(x) // self.pack, -1))
        score: Tensor = self.score(h)[:, 0]
        if self.projection is None or context is None:
            return score
        u: Tensor = self.projection(context.reshape(len(h), -1)) * h
        return score + u.sum(1)


def _hidden(inputs: int, hidden: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for a, b in pairwise((inputs, *hidden)):
        layers += [_linear(a, b, math.sqrt(2 / (1 + _SLOPE**2))), nn.LeakyReLU(_SLOPE)]
    return layers


def _linear(inputs: int, outputs: int, gain: float = 1.0) -> nn.Linear:
    """A linear layer that keeps the size of its signals, times `gain`."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=gain / math.sqrt(inputs))
    nn.init.zeros_(layer.bias)
    return layer
