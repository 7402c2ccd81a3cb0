"""A target as functions of NumPy arrays, the same for both backends."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from ...arrays import Array
from .target import Target

_AT_ONCE = 256  # places that are evaluated together at most
_NUMBERS = 2e7  # held for them: observed values times places


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
    def constrain(self, z: Array) -> dict[str, Array]:
        """Latent site -> (chain, draw, ...) of z (chain, draw, p)."""


def numeric(target: Target) -> Numeric:
    """The functions of a target."""
    return OfJax(target) if target.backend == "numpyro" else OfTorch(target)


class OfJax(Numeric):
    """Those of a NumPyro pair: compiled, many places at once."""

    def __init__(self, target: Target) -> None:
        import jax

        super().__init__(target)
        self._slope = jax.jit(jax.value_and_grad(target.log_joint))
        self._curvature = jax.jit(jax.hessian(target.log_joint))

    def log_joint(self, z: Array) -> Array:
        return np.asarray(self._over("log_joint", z))

    def log_parts(self, z: Array) -> tuple[Array, Array]:
        prior, likelihood = self._over("log_parts", z)
        return np.asarray(prior), np.asarray(likelihood)

    def value_and_gradient(self, z: Array) -> tuple[float, Array]:
        self.gradients += 1
        with self.target.precision():
            value, slope = self._slope(np.asarray(z, np.float64))
            return float(value), np.asarray(slope)

    def hessian(self, z: Array) -> Array:
        self.gradients += self.target.size
        with self.target.precision():
            return np.asarray(self._curvature(np.asarray(z, np.float64)))

    def start(self, seed: int) -> Array:
        return np.asarray(self.target.start(seed))

    def prior(self, n: int, seed: int) -> Array:
        import jax

        with self.target.precision():
            keys = jax.random.split(jax.random.key(seed), n)
            return np.asarray(jax.jit(jax.vmap(self.target.draw_prior))(keys))

    def constrain(self, z: Array) -> dict[str, Array]:
        flat = self._over("constrain", z.reshape(-1, z.shape[-1]))
        return {k: np.asarray(v).reshape(*z.shape[:2], *v.shape[1:]) for k, v in flat.items()}

    @cached_property
    def _compiled(self) -> dict[str, Callable[[Array], Any]]:
        return {}

    def _over(self, name: str, z: Array) -> Any:
        """A function of the target at each of n places."""
        import jax

        with self.target.precision():
            if name not in self._compiled:
                one = getattr(self.target, name)
                batch = at_once(self.target, _AT_ONCE)
                self._compiled[name] = jax.jit(lambda z: jax.lax.map(one, z, batch_size=batch))
            return self._compiled[name](np.asarray(z, np.float64))


class OfTorch(Numeric):
    """Those of a Pyro pair: one place after the other."""

    def log_joint(self, z: Array) -> Array:
        import torch

        with self.target.precision(), torch.no_grad():
            return np.array([float(self.target.log_joint(torch.tensor(each))) for each in z])

    def log_parts(self, z: Array) -> tuple[Array, Array]:
        import torch

        with self.target.precision(), torch.no_grad():
            each = [self.target.log_parts(torch.tensor(one)) for one in z]
        return np.array([float(p) for p, _ in each]), np.array([float(q) for _, q in each])

    def value_and_gradient(self, z: Array) -> tuple[float, Array]:
        import torch

        self.gradients += 1
        with self.target.precision():
            at = torch.tensor(z, dtype=torch.float64, requires_grad=True)
            value = self.target.log_joint(at)
            (slope,) = torch.autograd.grad(value, at)
        return float(value.detach()), slope.numpy()

    def hessian(self, z: Array) -> Array:
        import torch

        self.gradients += self.target.size
        with self.target.precision():
            at = torch.tensor(z, dtype=torch.float64)
            found = torch.autograd.functional.hessian(  # type: ignore[no-untyped-call]
                self.target.log_joint, at
            )
            return np.asarray(found)

    def start(self, seed: int) -> Array:
        return np.asarray(self.target.start(seed))

    def prior(self, n: int, seed: int) -> Array:
        import torch

        generator = torch.Generator().manual_seed(seed)
        return np.stack([self.target.draw_prior(generator).numpy() for _ in range(n)])

    def constrain(self, z: Array) -> dict[str, Array]:
        import torch

        with self.target.precision(), torch.no_grad():
            each = [self.target.constrain(torch.tensor(one)) for one in z.reshape(-1, z.shape[-1])]
        return {
            name: np.stack([one[name].numpy() for one in each]).reshape(
                *z.shape[:2], *each[0][name].shape
            )
            for name in each[0]
        }
