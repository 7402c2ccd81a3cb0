"""A target as functions of NumPy arrays, the same for both backends."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module

from ...arrays import Array
from .target import Target

_NUMBERS = 2e7  # held for places evaluated together: observed values times places


def at_once(target: Target, most: int) -> int:
    """How many places are evaluated together, so that memory holds the terms of all observed
    values; `most` at the most."""
    observed = sum(math.prod(site.shape) for site in target.sites.observed.values())
    return int(min(most, max(1, _NUMBERS // max(observed, 1))))


class Numeric(ABC):
    """A target's functions, all in double precision.

    Attributes:
        gradients: of the log joint taken so far; a Hessian counts as p.
    """

    def __init__(self, target: Target) -> None:
        self.target, self.gradients = target, 0

    @abstractmethod
    def log_joint(self, z: Array) -> Array:
        """(n,) of z (n, p)."""

    @abstractmethod
    def log_parts(self, z: Array) -> tuple[Array, Array]:
        """Log prior and log likelihood, (n,) each, of z (n, p)."""

    @abstractmethod
    def value_and_gradient(self, z: Array) -> tuple[float, Array]:
        """Log joint and its gradient (p,)."""

    @abstractmethod
    def slopes(self, z: Array) -> tuple[Array, Array]:
        """Log joint (n,) and its gradient (n, p) at z (n, p)."""

    @abstractmethod
    def hessian(self, z: Array) -> Array:
        """(p, p) of the log joint."""

    @abstractmethod
    def start(self, seed: int) -> Array:
        """(p,) where a search may start.

        Raises:
            InputError: if there is none.
        """

    @abstractmethod
    def prior(self, n: int, seed: int) -> Array:
        """Draws (n, p) from the prior.

        Raises:
            InputError: if a site is improper.
        """

    @abstractmethod
    def unconstrain(self, values: Mapping[str, Array]) -> Array:
        """z (n, p) of values (n, ...) of all latent sites."""

    @abstractmethod
    def constrain(self, z: Array) -> dict[str, Array]:
        """Latent site -> (chain, draw, ...) of z (chain, draw, p)."""


def numeric(target: Target) -> Numeric:
    """The functions of a target."""
    made: Numeric = import_module(f".numeric_{target.backend}", __package__).make(target)
    return made
