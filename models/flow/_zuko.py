"""zuko, imported without its side effect.

Importing zuko turns the argument checks of torch's distributions off for the whole process; here
they are left as found.
"""

# ruff: noqa: E402
from __future__ import annotations

from torch.distributions import Distribution

_found = Distribution._validate_args

from zuko.distributions import DiagNormal as DiagNormal
from zuko.flows import Flow as Flow
from zuko.lazy import LazyTransform as LazyTransform
from zuko.lazy import UnconditionalDistribution as UnconditionalDistribution
from zuko.transforms import AutoregressiveTransform as AutoregressiveTransform
from zuko.transforms import CouplingTransform as CouplingTransform
from zuko.transforms import DependentTransform as DependentTransform
from zuko.transforms import MonotonicAffineTransform as MonotonicAffineTransform

Distribution._validate_args = _found
