"""The nets of a debiasing variational autoencoder, and its loss.

One encoder gives of a row x the logits of its label y and the Gaussian q(z | x) with means m and
standard deviations s; a decoder reads z. With r the reconstruction error as a share of that of the
best constant row (see `nets.reconstruction`) and k latents,

    l(x, y) = -log p(y | x)  +  [y is modelled] (w_r r(x, z) + w_k KL(x)),     z ~ q(z | x),
    KL(x) = 1/2 sum_i (m_i^2 + s_i^2 - 1 - log s_i^2).

The bracket is on the unsupervised part only: rows of any class train the classifier.

Reference: Amini, Soleimany, Schwarting, Bhatia and Rus, "Uncovering and mitigating algorithmic bias
through learned latent structure" (2019), https://doi.org/10.1145/3306618.3314243
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..nets.coder import Architecture, Coder
from ..nets.reconstruction import Reconstruction
from ..nets.values import Values

_LOG_SCALE = 7.0  # the most that log s lies from 0


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


class Nets(Coder):
    """Encoder and decoder of features (n, F)."""

    def __init__(self, a: Architecture, values: Values) -> None:
        super().__init__(a, values, a.classes + 2 * a.latent)
        self.split = [a.classes, a.latent, a.latent]

    def see(self, y: Tensor) -> Seen:
        """What the encoder says of features (n, F)."""
        logits, mean, log_scale = torch.split(self.encode(y), self.split, -1)
        return Seen(logits, mean, log_scale.clamp(-_LOG_SCALE, _LOG_SCALE))


def loss_parts(
    nets: Nets, reconstruction: Reconstruction, y: Tensor, label: Tensor, weights: Weights
) -> tuple[Tensor, Tensor]:
    """l of each row in its parts, (n,) each: of the classification, and of the bracket, 0 for rows
    that are not modelled.

    Args:
        y: (n, F) features.
        label: (n,) numbers of their classes.
    """
    seen = nets.see(y)
    classification = F.cross_entropy(seen.logits, label, reduction="none")
    # Drawn for all rows, so that the random state does not depend on the labels.
    z = seen.mean + seen.log_scale.exp() * torch.randn_like(seen.mean)
    rows = torch.arange(len(y), device=y.device)
    if weights.modelled is not None:
        rows = rows[label == weights.modelled]
    none = torch.zeros_like(classification)
    if not len(rows):
        return classification, none
    r = reconstruction.errors(nets.decode(z[rows]), y[rows]) / weights.constant
    kl = divergence(seen.mean[rows], seen.log_scale[rows]).sum(-1)
    unsupervised = weights.reconstruction * r + weights.kl * kl
    return classification, none.index_add(0, rows, unsupervised.to(none.dtype))


def divergence(mean: Tensor, log_scale: Tensor) -> Tensor:
    """(n, k) nats of each latent."""
    return 0.5 * (mean.square() + torch.exp(2 * log_scale) - 1) - log_scale
