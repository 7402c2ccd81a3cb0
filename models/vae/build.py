"""The nets of a variational autoencoder from what describes them: numbers and names only, as a
saved run keeps them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ...inference.torch_state import seeded
from ..nets.conditioned import Conditioned, conditioned, given
from ..nets.conv import ConvDecoder, ConvEncoder
from ..nets.features import Features
from ..nets.mlp import mlp
from ..nets.whitening import Whitening
from .observation import Observation
from .parts import Part
from .priors import (
    FlowPosterior,
    FlowPrior,
    MixturePrior,
    NormalPosterior,
    NormalPrior,
    VampPrior,
    split,
)
from .pyro import Nets

_MOST_LEVELS = 64  # from which categorical values are numbers to the encoder


@dataclass(frozen=True)
class Architecture:
    """What the nets of a fit are.

    Attributes:
        net: "mlp" or "conv".
        parts: of a row, and the likelihood of each.
        latent: sizes of the layers of latents, the one next to the data first.
        shape: (C, H, W) of images, else ().
        context: numbers that each row is conditioned on.
        hidden: of perceptrons; of a convolutional net, the one layer between pictures and latents.
        channels: of the convolutions.
        noise: of the observation.
        missing: whether the rows fitted have gaps, of which the encoder is told.
        prior, posterior: names, see `priors`.
        flow_layers, components: of the flows, and of the mixture priors.
    """

    net: str
    parts: tuple[Part, ...]
    latent: tuple[int, ...]
    shape: tuple[int, ...] = ()
    context: int = 0
    hidden: tuple[int, ...] = (64, 64)
    channels: tuple[int, ...] = ()
    activation: str = "relu"
    dropout: float = 0.0
    noise: str | float = "column"
    missing: bool = False
    prior: str = "normal"
    posterior: str = "normal"
    flow_layers: int = 4
    components: int = 50

    @property
    def size(self) -> int:
        """D, the values of a row."""
        return self.parts[-1].stop

    @property
    def indicated(self) -> list[tuple[int, int]]:
        """Place and number of levels of the values that the encoder sees as indicators."""
        found: list[tuple[int, int]] = []
        for part in self.parts:
            if part.kind == "categorical" and max(part.levels) < _MOST_LEVELS:
                places = range(part.start, part.stop)
                found += zip(places, part.each_levels, strict=True)
        return found

    @property
    def plain(self) -> list[int]:
        """Places of the values that the encoder sees as numbers."""
        indicated = {place for place, _ in self.indicated}
        return [place for place in range(self.size) if place not in indicated]

    @property
    def gaps(self) -> bool:
        """Whether rows may have gaps when they are scored, though those fitted may have had none:
        a table's may."""
        return not self.shape

    def hidden_of(self, net: str) -> tuple[int, ...]:
        """Sizes of the hidden layers of "encoder", "decoder", "up" or "down"."""
        if net == "decoder":
            return self.hidden[::-1]
        return self.hidden if net == "encoder" else self.hidden or (16,)

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Architecture:
        """The architecture that `to_json` wrote."""
        parts = tuple(Part(**{**p, "levels": tuple(p["levels"])}) for p in body["parts"])
        lists: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in body.items()}
        lists.pop("blocks", None)  # which version 0.1.0 wrote, always as 1
        return cls(**{**lists, "parts": parts})


def build(
    a: Architecture, seed: int, rows: Tensor | None = None, whitening: Whitening | None = None
) -> Nets:
    """The nets; a pure function of its arguments, torch's random state is left as found.

    Args:
        rows: (n, D) model values from which centres, biases and pseudo-inputs start; None where
            weights are loaded next.
        whitening: of the numbers of a row, where their noise is "full".
    """
    with seeded(seed):
        return _build(a, seed, rows, whitening)


def _build(a: Architecture, seed: int, rows: Tensor | None, whitening: Whitening | None) -> Nets:
    observation = Observation(a.parts, noise=a.noise, missing=a.gaps, whitening=whitening)
    whitened = a.noise == "full"
    features = Features(a.size, a.indicated, missing=a.missing, gaps=a.gaps, whitened=whitened)
    if rows is not None:
        features.fit(rows, whitening)
    k, width = a.latent[0], max((*a.hidden, 16))
    posterior: nn.Module = NormalPosterior(k)
    if a.posterior == "flow":
        posterior = FlowPosterior(k, a.flow_layers, width, seed)
    encoder = _encoder(a, features.size, posterior.n_inputs)  # type: ignore[arg-type]
    decoder = _decoder(a, observation.n_outputs)
    if rows is not None:
        _last_bias(decoder).data.copy_(torch.from_numpy(observation.start(rows.numpy())))
    up = down = None
    if len(a.latent) == 2:
        up, down = _mlp(a, "up", k, 2 * a.latent[1]), _mlp(a, "down", a.latent[1], 2 * k)
    made = Nets(observation, features, encoder, decoder, nn.Identity(), posterior, up, down)
    made.prior = _prior(a, made, width, seed, rows)
    return made


def _last_bias(decoder: Any) -> Tensor:
    layers: Any = decoder.layers if isinstance(decoder, Conditioned) else decoder
    last: Tensor = (layers if isinstance(layers, ConvDecoder) else layers[-1]).bias
    return last


def _encoder(a: Architecture, inputs: int, outputs: int) -> nn.Module:
    if a.net == "mlp":
        return conditioned(_mlp(a, "encoder", inputs, outputs), a.context)
    if inputs != math.prod(a.shape):
        raise ValueError("a convolutional encoder takes pictures without gaps")
    return ConvEncoder(a.shape, a.channels, outputs, **_conv(a))  # type: ignore[arg-type]


def _decoder(a: Architecture, outputs: int) -> nn.Module:
    k = a.latent[0]
    if a.net == "mlp":
        return conditioned(_mlp(a, "decoder", k, outputs), a.context)
    each = outputs // math.prod(a.shape)
    return ConvDecoder(k, a.channels, a.shape, per_pixel=each, **_conv(a))  # type: ignore[arg-type]


def _mlp(a: Architecture, name: str, inputs: int, outputs: int) -> nn.Sequential:
    hidden = a.hidden_of(name)
    return mlp(inputs, hidden, outputs, activation=a.activation, dropout=a.dropout)


def _conv(a: Architecture) -> dict[str, Any]:
    """What both convolutional nets take."""
    hidden = a.hidden[-1] if a.hidden else 256
    how = {"activation": a.activation, "dropout": a.dropout, "context": a.context}
    return {"hidden": hidden, **how}


def _prior(a: Architecture, nets: Nets, width: int, seed: int, rows: Tensor | None) -> nn.Module:
    k = a.latent[-1]
    if a.prior == "normal":
        return NormalPrior(k)
    if a.prior == "flow":
        return FlowPrior(k, a.flow_layers, width, seed)
    if a.prior == "mixture":
        return MixturePrior(k, a.components)
    inputs = torch.zeros(a.components, nets.features.size + a.context)
    if rows is not None:
        with torch.no_grad():
            seen = nets.features(rows[torch.randperm(len(rows))[: a.components]])
            inputs[: len(seen), : seen.shape[-1]] = seen
            inputs += 0.01 * torch.randn_like(inputs)
    return VampPrior(partial(_pseudo, nets, a.latent[0]), inputs)


def _pseudo(nets: Nets, k: int, inputs: Tensor) -> Tensor:
    """(components, 2 k) means and log scales of the last latents, given features of pseudo-inputs;
    of two layers, given the mean of the first."""
    seen, context = inputs[..., : nets.features.size], inputs[..., nets.features.size :]
    raw = given(nets.encoder, seen, context if context.shape[-1] else None)[..., : 2 * k]
    return raw if nets.up is None else nets.up(split(raw)[0])
