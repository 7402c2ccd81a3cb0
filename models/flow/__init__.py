"""Normalizing flows: RealNVP, MAF and neural splines, in Pyro over zuko, NumPyro over FlowJAX."""

from typing import TYPE_CHECKING

from ...lazy import lazily

if TYPE_CHECKING:
    from .estimator import NormalizingFlow as NormalizingFlow

__getattr__ = lazily(__name__, NormalizingFlow="estimator")
