"""How the nets are trained, besides the loop's settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_STEADY = 4


class Rows(NamedTuple):
    """Some of a table's rows: all stored rows (n, D), what goes with them, and the numbers of
    those meant."""

    x: NDArray[Any]
    context: Floats | None
    weights: Floats | None
    numbers: NDArray[np.int64]


@dataclass(frozen=True)
class Training:
    """The objective and what bends it.

    Attributes:
        objective: "elbo", "iwae" or "dreg".
        samples: draws of z a row.
        beta: weight of the divergence.
        warm_up: steps over which it rises from 0 to beta.
        free_bits: nats that each latent may hold unpunished.
        latents: how many there are, in all layers.
        clip: largest norm of the gradient.
        augment: changes a batch of images (n, C, H, W), or None.
    """

    objective: str = "elbo"
    samples: int = 1
    beta: float = 1.0
    warm_up: int = 0
    free_bits: float = 0.0
    latents: int = 1
    clip: float = 50.0
    augment: Callable[..., Any] | None = None

    @property
    def held_samples(self) -> int:
        """Draws of z of a held-out row: an objective of whole rows is another with another number,
        and the mean of a plain one is only steadier with more."""
        return max(self.samples, _STEADY) if self.objective == "elbo" else self.samples

    def judged(self, terms: Floats, shares: Floats | None = None) -> tuple[Floats, Floats]:
        """Of held-out rows (m,), the objective as it is trained after the warm-up, and the bound,

            v_i = log p(x_i | z_i) - beta sum_j (KL_ij, or lambda where mean_i KL_ij < lambda),
            b_i = log p(x_i | z_i) - sum_j KL_ij,

        so that the mean of v is the objective of these rows.

        Args:
            terms: (m, 1 + J), see `objectives.held_terms`.
            shares: (m,) weights with the mean 1.
        """
        log_x, kl = terms[:, 0], terms[:, 1:]
        if self.objective != "elbo":
            return log_x, log_x
        allowed = self.free_bits * self.latents / kl.shape[1]
        below = np.average(kl, axis=0, weights=shares) < allowed
        punished = np.where(below, allowed, kl)
        return log_x - self.beta * punished.sum(1), log_x - kl.sum(1)

    def beta_at(self, step: int) -> float:
        """beta at a step: it rises linearly over the warm-up."""
        if step >= self.warm_up:
            return self.beta
        return self.beta * (step + 1) / (self.warm_up + 1)
