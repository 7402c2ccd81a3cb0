"""Distributions of Pyro that are 0 outside of their supports, as not all are of themselves.

Without validation, which would raise where a search only passes, the density of a Pareto or of a
shifted exponential goes on rising below its bound, and a posterior follows it there.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from typing import Any

import torch
from pyro.distributions import ExpandedDistribution, MaskedDistribution, TorchDistribution
from torch import Tensor
from torch.distributions import Independent, TransformedDistribution

from .sites import each_value
from .sites_pyro import LIBRARY


class Within(TorchDistribution):
    """A distribution of observed values, whose log density is -inf outside of its support."""

    def __init__(self, fn: Any) -> None:
        self.fn = fn
        super().__init__(fn.batch_shape, fn.event_shape, validate_args=False)

    @property
    def support(self) -> Any:
        return self.fn.support

    def log_prob(self, value: Any) -> Tensor:
        value = torch.as_tensor(value)
        return torch.where(inside(self.fn, value), self.fn.log_prob(value), -torch.inf)


def bounded(fn: Any) -> bool:
    """Whether a distribution has a bound that its density may go beyond."""
    base = LIBRARY.base(fn)
    if isinstance(base, TransformedDistribution) and bounded(base.base_dist):
        return True
    return any(f"{end}_bound" in dir(each_value(base.support)) for end in ("lower", "upper"))


def inside(fn: Any, value: Tensor) -> Tensor:
    """Whether each event is in the support of a distribution, and what it was transformed from in
    that of its base; masked ones are."""
    if isinstance(fn, MaskedDistribution):
        return inside(fn.base_dist, value) | ~torch.as_tensor(fn._mask)
    if isinstance(fn, Independent):
        every = inside(fn.base_dist, value)
        n = fn.reinterpreted_batch_ndims
        return every.flatten(-n).all(-1) if n else every
    if isinstance(fn, ExpandedDistribution):
        return inside(fn.base_dist, value)
    found: Tensor = fn.support.check(value)
    if isinstance(fn, TransformedDistribution):
        for transform in reversed(fn.transforms):
            value = transform.inv(value)
        found = found & inside(fn.base_dist, value)
    return found
