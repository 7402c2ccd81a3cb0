"""The nets of a debiasing variational autoencoder, and its loss.

One encoder gives of a row x the logits of its label y and the Gaussian q(z | x) with means m and
standard deviations s; a decoder reads z. With r the reconstruction error as a share of that of the
best constant row (see `autoencoder.layout`) and k latents,

    l(x, y) = -log p(y | x)  +  [y is modelled] (w_r r(x, z) + w_k KL(x)),     z ~ q(z | x),
    KL(x) = 1/2 sum_i (m_i^2 + s_i^2 - 1 - log s_i^2).

The bracket is on the unsupervised part only: rows of any class train the classifier.

Reference: Amini, Soleimany, Schwarting, Bhatia and Rus, "Uncovering and mitigating algorithmic bias
through learned latent structure" (2019), https://doi.org/10.1145/3306618.3314243
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...inference.seeding import seeded
from ..autoencoder.layout import Layout
from ..nets.conv import ConvDecoder, ConvEncoder
from ..nets.mlp import mlp

_LOG_SCALE = 7.0  # the most that log s lies from 0


@dataclass(frozen=True)
class Architecture:
    """What the nets are made of.

    Attributes:
        net: "mlp" or "conv".
        classes: how many there are.
        latent: k.
        hidden: sizes of the hidden layers; of "conv" the one between pictures and latents.
        channels: of each halving of an image.
        activation: one of `nets.mlp.ACTIVATIONS`.
        dropout: of the encoder.
    """

    net: str
    classes: int
    latent: int
    hidden: tuple[int, ...]
    channels: tuple[int, ...] = ()
    activation: str = "silu"
    dropout: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        return {**asdict(self), "hidden": list(self.hidden), "channels": list(self.channels)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Architecture:
        """What `to_json` wrote."""
        tuples = {"hidden": tuple(body["hidden"]), "channels": tuple(body["channels"])}
        return cls(**{**body, **tuples})


class Seen(NamedTuple):
    """What the encoder says of rows: logits (n, C), means and log standard deviations (n, k)."""

    logits: Tensor
    mean: Tensor
    log_scale: Tensor


@dataclass(frozen=True)
class Weights:
    """Of the parts of the loss.

    Attributes:
        reconstruction: w_r.
        kl: w_k, a nat.
        constant: the error of the best constant row.
        modelled: the number of the class whose rows are reconstructed; None for all.
    """

    reconstruction: float
    kl: float
    constant: float = 1.0
    modelled: int | None = None


class Parts(NamedTuple):
    """The loss of rows, (n,) each: what is not modelled has zeros in the second."""

    classification: Tensor
    unsupervised: Tensor


class Nets(nn.Module):
    """Encoder and decoder of rows (n, features); inputs are centred, and scaled by one number."""

    centre: Tensor
    gain: Tensor

    def __init__(self, of: Architecture, layout: Layout) -> None:
        super().__init__()
        size, act = layout.features, of.activation
        self.split = (of.classes, of.latent, of.latent)
        self.encoder: nn.Module
        self.decoder: nn.Module
        if of.net == "conv":
            c, h, w = layout.shape
            how: dict[str, Any] = {"hidden": of.hidden[0], "activation": act}
            outputs = sum(self.split)
            self.encoder = ConvEncoder((c, h, w), of.channels, outputs, dropout=of.dropout, **how)
            self.decoder = ConvDecoder(of.latent, of.channels, (c, h, w), **how)
        else:
            self.encoder = mlp(size, of.hidden, sum(self.split), activation=act, dropout=of.dropout)
            self.decoder = mlp(of.latent, of.hidden[::-1], size, activation=act)
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("gain", torch.ones(()))

    def see(self, y: Tensor) -> Seen:
        """What the encoder says of rows (n, features)."""
        raw = self.encoder((y - self.centre) * self.gain)
        logits, mean, log_scale = raw.split(self.split, -1)
        return Seen(logits, mean, log_scale.clamp(-_LOG_SCALE, _LOG_SCALE))

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


def build(of: Architecture, layout: Layout, seed: int) -> Nets:
    """Nets with weights drawn from a seed; torch's own random state stays as it is."""
    with seeded(seed):
        return Nets(of, layout).eval()


def loss_parts(nets: Nets, layout: Layout, y: Tensor, label: Tensor, of: Weights) -> Parts:
    """l of each row, in its parts.

    Args:
        y: (n, features) rows as the net sees them.
        label: (n,) numbers of their classes.
    """
    seen = nets.see(y)
    classification = F.cross_entropy(seen.logits, label, reduction="none")
    # Drawn for all rows, so that the random state does not depend on the labels.
    z = seen.mean + seen.log_scale.exp() * torch.randn_like(seen.mean)
    rows = torch.arange(len(y), device=y.device)
    if of.modelled is not None:
        rows = rows[label == of.modelled]
    none = torch.zeros_like(classification)
    if not len(rows):
        return Parts(classification, none)
    r = layout.errors(nets.decode(z[rows]), y[rows]) / of.constant
    kl = divergence(seen.mean[rows], seen.log_scale[rows]).sum(-1)
    found = of.reconstruction * r + of.kl * kl
    return Parts(classification, none.index_add(0, rows, found.to(none.dtype)))


def divergence(mean: Tensor, log_scale: Tensor) -> Tensor:
    """(n, k) nats of each latent."""
    return 0.5 * (mean.square() + torch.exp(2 * log_scale) - 1) - log_scale
