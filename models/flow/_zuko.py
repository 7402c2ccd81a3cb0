"""zuko, imported without its side effect.

Importing zuko turns the argument checks of torch's distributions off for the whole process; here
they are left as found.
"""

# ruff: noqa: E402, F401
from __future__ import annotations

from torch.distributions import Distribution

_found = Distribution._validate_args

from zuko.distributions import DiagNormal, NormalizingFlow
from zuko.flows import Flow
from zuko.lazy import LazyTransform, UnconditionalDistribution
from zuko.transforms import (
    AutoregressiveTransform,
    CouplingTransform,
    DependentTransform,
    MonotonicAffineTransform,
)

Distribution._validate_args = _found
