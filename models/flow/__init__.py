"""Normalizing flows: RealNVP, MAF and neural splines, as a Pyro pair over zuko and a NumPyro pair
over FlowJAX."""

from .estimator import NormalizingFlow as NormalizingFlow
