"""Normalizing flows: RealNVP, MAF and neural splines, as a Pyro pair over zuko and a NumPyro pair
over FlowJAX."""

from typing import TYPE_CHECKING

from ...lazy import lazily

if TYPE_CHECKING:
    from .estimator import NormalizingFlow as NormalizingFlow

__getattr__ = lazily(__name__, NormalizingFlow="estimator")
