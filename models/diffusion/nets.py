"""Nets that see a noisy row x_t, scaled to unit variance, how much noise it has, and what it is
conditioned on, and give the target (see `inference.diffusion.process`).

For images, a U-Net (see `unet`). For vectors and tables, a residual perceptron. With l =
log(sigma_t / alpha_t) and c the context,

    e = silu(E [l, cos(w_k l), sin(w_k l)] + C c)                      noise and context
    h <- A [x, cos(pi 2^k x), sin(pi 2^k x), ...] + B e                numbers and their waves
    h <- h + W silu(V silu(h) + U e)                                   blocks, W from 0
    F = O silu(h),                                                     O from 0

so that at first F = 0. Waves let a smooth net draw sharp edges in few dimensions. A context that is
not known is a learned vector in the place of C c.

References: Fourier features let networks learn high frequency functions in low dimensional domains
(Tancik et al., 2020), https://arxiv.org/abs/2006.10739; Classifier-free diffusion guidance (Ho and
Salimans, 2022), https://arxiv.org/abs/2207.12598
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from ...plain_json import PlainFields
from ..nets.values import Values
from .text_encoder import TextEncoder
from .unet import UNet

_TOLD = 64  # width of the embedding of noise and context


class Net(Protocol):
    """A net of noisy rows."""

    def __call__(
        self, x: Tensor, level: Tensor, context: Tensor | None, known: Tensor | None
    ) -> Tensor:
        """(n, F) outputs: the target of numbers, logits of levels.

        Args:
            x: (n, F) c_in x_t.
            level: (n,) log(sigma_t / alpha_t), or (1,) where that is the same of all rows.
            context: (n, c) what rows are conditioned on; None where nothing is known of it.
            known: (n,) whether each row's context is known; None is for all.
        """


@dataclass(frozen=True)
class Architecture(PlainFields):
    """What a net is made of.

    Attributes:
        net: "mlp" or "unet".
        context: numbers that a row is conditioned on; 0 for none.
        words: how many numbers of words these are, where they are prompts; else 0.
        width, depth, frequencies: of a perceptron, see `DiffusionSettings`.
        channels, unshuffle, blocks, dropout: of a U-Net, see `unet`.
        lowest, highest: ends of the levels of noise that the net is trained at, but for few; beyond
            them it sees the end.
    """

    net: str
    context: int = 0
    width: int = 0
    depth: int = 0
    frequencies: int = 0
    channels: tuple[int, ...] = ()
    unshuffle: int = 2
    blocks: int = 1
    dropout: float = 0.0
    words: int = 0
    lowest: float = -7.0
    highest: float = 5.0


def build(a: Architecture, values: Values) -> nn.Module:
    """The net of an architecture, a `Net`."""
    if a.net == "mlp":
        return ResidualPerceptron(a, values)
    return UNet(
        values.shape,
        NoiseAndContext(a, a.width),
        a.width,
        channels=a.channels,
        unshuffle=a.unshuffle,
        blocks=a.blocks,
        dropout=a.dropout,
    )


class NoiseAndContext(nn.Module):
    """How much noise a row has and what it is conditioned on, as one vector (n, width) for all
    layers, (1, width) where it is the same of all rows."""

    rates: Tensor

    def __init__(self, a: Architecture, width: int) -> None:
        super().__init__()
        self.lowest, self.highest = a.lowest, a.highest
        self.register_buffer("rates", torch.tensor([0.25, 0.5, 1.0, 2.0]), persistent=False)
        self.noise = nn.Linear(1 + 2 * len(self.rates), width)
        self.context: nn.Module | None = None
        if a.context:
            own = TextEncoder(a.words, a.context, width) if a.words else None
            self.context = own or _told(a.context, width)
            self.unknown = nn.Parameter(torch.zeros(width))

    def forward(self, level: Tensor, context: Tensor | None, known: Tensor | None) -> Tensor:
        level = level.clamp(self.lowest, self.highest)[:, None]
        waves = level * self.rates
        e: Tensor = self.noise(torch.cat([level / 4, waves.cos(), waves.sin()], 1))
        if self.context is None:
            return silu(e)
        if context is None:
            return silu(e + self.unknown)
        told = self.context(context)
        return silu(
            e + (told if known is None else torch.where(known[:, None], told, self.unknown))
        )


class Block(nn.Module):
    """h + W silu(V silu(h) + U e)."""

    def __init__(self, width: int, told: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(width, width), nn.Linear(width, width)
        self.told = nn.Linear(told, width, bias=False)
        _zero(self.last)

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        inner = silu(self.first(silu(h)) + self.told(e))
        out: Tensor = h + self.last(inner)
        return out


class ResidualPerceptron(nn.Module):
    """A perceptron of residual blocks."""

    def __init__(self, a: Architecture, values: Values) -> None:
        super().__init__()
        self.numbers, size = values.numbers, values.features
        self.waves = [math.pi * 2.0**k for k in range(-1, a.frequencies - 1)]
        told = min(a.width, _TOLD)
        self.embed = NoiseAndContext(a, told)
        self.enter = nn.Linear(size + 2 * len(self.waves) * self.numbers, a.width)
        self.told = nn.Linear(told, a.width, bias=False)
        self.blocks = nn.ModuleList(Block(a.width, told) for _ in range(a.depth))
        self.leave = nn.Linear(a.width, size)
        _zero(self.leave)

    def forward(
        self,
        x: Tensor,
        level: Tensor,
        context: Tensor | None = None,
        known: Tensor | None = None,
    ) -> Tensor:
        e = self.embed(level, context, known)
        h = self.enter(_with_waves(x, self.numbers, self.waves)) + self.told(e)
        for block in self.blocks:
            h = block(h, e)
        out: Tensor = self.leave(silu(h))
        return out


def _with_waves(x: Tensor, numbers: int, waves: Sequence[float]) -> Tensor:
    """(n, F + 2 k numbers) rows and the waves of their numbers."""
    if not waves:
        return x
    angles = torch.cat([wave * x[:, :numbers] for wave in waves], 1)
    return torch.cat([x, angles.cos(), angles.sin()], 1)


def _told(inputs: int, width: int) -> nn.Linear:
    """A layer that says as much of a context, indicators or numbers, as is said of the noise: what
    rows are conditioned on is then learnt from the first steps on."""
    layer = nn.Linear(inputs, width)
    nn.init.normal_(layer.weight, std=min(1.0, 2 / math.sqrt(inputs)))
    return layer


def _zero(layer: nn.Linear) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
