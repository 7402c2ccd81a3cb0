"""How the nets are trained, besides the loop's settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Rows(NamedTuple):
    """Some of a table's rows: all stored rows (n, D), what goes with them, and the numbers of
    those meant."""

    x: NDArray[Any]
    context: NDArray[np.float64] | None
    weights: NDArray[np.float64] | None
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
        clip: largest norm of the gradient.
        augment: changes a batch of images (n, C, H, W), or None.
    """

    objective: str = "elbo"
    samples: int = 1
    beta: float = 1.0
    warm_up: int = 0
    free_bits: float = 0.0
    clip: float = 50.0
    augment: Callable[..., Any] | None = None

    def beta_at(self, step: int) -> float:
        """beta at a step: it rises linearly over the warm-up."""
        if step >= self.warm_up:
            return self.beta
        return self.beta * (step + 1) / (self.warm_up + 1)
