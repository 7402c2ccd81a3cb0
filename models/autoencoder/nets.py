"""The nets of an autoencoder: z = f(y), r = g(z)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...inference.seeding import seeded
from ..nets.conv import ConvDecoder, ConvEncoder
from ..nets.mlp import mlp
from .layout import Layout


@dataclass(frozen=True)
class Architecture:
    """What the nets are made of.

    Attributes:
        kind: "mlp", "linear" or "conv".
        latent: size of the code.
        hidden: sizes of hidden layers from the data to the code; the decoder mirrors them.
        channels: of each halving of an image.
        activation: one of `nets.mlp.ACTIVATIONS`.
        double: whether rows are encoded and decoded in double precision once the nets are trained.
    """

    kind: str
    latent: int
    hidden: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    activation: str = "silu"
    double: bool = False

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return {**asdict(self), "hidden": list(self.hidden), "channels": list(self.channels)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Architecture:
        """What `to_json` wrote."""
        tuples = {"hidden": tuple(body["hidden"]), "channels": tuple(body["channels"])}
        return cls(**{**body, **tuples})


class Nets(nn.Module):
    """Encoder and decoder of rows (n, features).

    Inputs are centred, and scaled by one number for all.
    """

    centre: Tensor
    gain: Tensor
    ends: Tensor

    def __init__(self, of: Architecture, layout: Layout) -> None:
        super().__init__()
        size, act = layout.features, of.activation
        self.encoder: nn.Module
        self.decoder: nn.Module
        if of.kind == "conv":
            c, h, w = layout.shape
            how: dict[str, Any] = {"hidden": of.hidden[0], "activation": act}
            self.encoder = ConvEncoder((c, h, w), of.channels, of.latent, **how)
            self.decoder = ConvDecoder(of.latent, of.channels, (c, h, w), **how)
        else:
            hidden: Sequence[int] = () if of.kind == "linear" else of.hidden
            self.encoder = mlp(size, hidden, of.latent, activation=act)
            self.decoder = mlp(of.latent, hidden[::-1], size, activation=act)
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("gain", torch.ones(()))
        self.register_buffer("ends", torch.zeros(2, size))

    def encode(self, y: Tensor) -> Tensor:
        """(n, k) codes of rows."""
        return self.encoder((y - self.centre) * self.gain)  # type: ignore[no-any-return]

    def decode(self, z: Tensor) -> Tensor:
        """(n, features) decoder outputs of codes."""
        return self.decoder(z)  # type: ignore[no-any-return]

    @torch.no_grad()
    def begin(self, start: Tensor, y: Tensor) -> None:
        """Centre on rows y, and let the decoder's outputs lie about `start` (features,)."""
        self.centre.copy_(y.mean(0))
        spread = (y - self.centre).square().mean().sqrt()
        self.gain.copy_(1 / spread.clamp(min=1e-3))
        last: Any = self.decoder if isinstance(self.decoder, ConvDecoder) else self.decoder[-1]  # type: ignore[index]
        last.bias.copy_(start)

    @torch.no_grad()
    def place(self, mean: Tensor, axes: Tensor) -> None:
        """Make linear nets the projection on `axes` (k, features) through `mean` (features,)."""
        encoder: Any = self.encoder
        decoder: Any = self.decoder
        self.centre.copy_(mean)
        self.gain.fill_(1.0)
        encoder[-1].weight.copy_(axes)
        encoder[-1].bias.zero_()
        decoder[-1].weight.copy_(axes.T)
        decoder[-1].bias.copy_(mean)


def build(of: Architecture, layout: Layout, seed: int) -> Nets:
    """Nets with weights drawn from a seed; torch's own random state stays as it is."""
    with seeded(seed):
        return Nets(of, layout).eval()
