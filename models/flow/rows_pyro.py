"""A flow of zuko as a distribution of Pyro."""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor


class FlowRows(dist.TransformedDistribution):  # type: ignore[misc]
    """Encoded rows x (D,), f(x) being standard normal.

    `TransformReparam` puts that noise in the place of a site. Of value and Jacobian, which zuko
    computes together, one pass is made where torch's own class would make two.

    Args:
        f: a transform of zuko, rows to noise.
        size: D.
        batch_shape: of f.
    """

    def __init__(self, f: Any, size: int, batch_shape: tuple[int, ...] = ()) -> None:
        self.f = f
        noise = dist.Normal(torch.zeros(size, dtype=torch.float64), 1.0)
        super().__init__(noise.expand([*batch_shape, size]).to_event(1), [f.inv])

    def log_prob(self, value: Tensor) -> Tensor:
        """(...,) log densities."""
        noise, log_slope = self.f.call_and_ladj(value)
        found: Tensor = self.base_dist.log_prob(noise) + log_slope
        return found

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return FlowRows(self.f, self.event_shape[0], tuple(batch_shape))
