"""The functions of a Pyro target on NumPy arrays: one place after the other, gradients of many at
once where no site is discrete."""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ...arrays import Array
from .numeric import Numeric
from .target import Target


def make(target: Target) -> Numeric:
    """The functions of a target."""
    return OfPyro(target)


class OfPyro(Numeric):
    """See `numeric.Numeric`."""

    def log_joint(self, z: Array) -> Array:
        with self.target.precision(), torch.no_grad():
            return np.array([float(self.target.log_joint(torch.tensor(each))) for each in z])

    def log_parts(self, z: Array) -> tuple[Array, Array]:
        with self.target.precision(), torch.no_grad():
            each = [self.target.log_parts(torch.tensor(one)) for one in z]
        return np.array([float(p) for p, _ in each]), np.array([float(q) for _, q in each])

    def value_and_gradient(self, z: Array) -> tuple[float, Array]:
        self.gradients += 1
        with self.target.precision():
            at = torch.tensor(z, dtype=torch.float64, requires_grad=True)
            value = self.target.log_joint(at)
            (slope,) = torch.autograd.grad(value, at)
        return float(value.detach()), slope.numpy()

    def slopes(self, z: Array) -> tuple[Array, Array]:
        if self.target.sites.discrete:  # which torch.func cannot sum out
            values, each = zip(*map(self.value_and_gradient, z), strict=True)
            return np.array(values), np.stack(each)
        self.gradients += len(z)
        with self.target.precision():
            at = torch.tensor(z, dtype=torch.float64, requires_grad=True)
            value = torch.func.vmap(self.target.log_joint)(at)
            (slope,) = torch.autograd.grad(value.sum(), at)
        return value.detach().numpy(), slope.numpy()

    def hessian(self, z: Array) -> Array:
        self.gradients += self.target.size
        with self.target.precision():
            at = torch.tensor(z, dtype=torch.float64)
            found = torch.autograd.functional.hessian(self.target.log_joint, at)
            return np.asarray(found)

    def start(self, seed: int) -> Array:
        return np.asarray(self.target.start(seed))

    def prior(self, n: int, seed: int) -> Array:
        generator = torch.Generator().manual_seed(seed)
        return np.stack([self.target.draw_prior(generator).numpy() for _ in range(n)])

    def unconstrain(self, values: Mapping[str, Array]) -> Array:
        n = len(next(iter(values.values())))
        with self.target.precision(), torch.no_grad():
            each = [self.target.unconstrain({k: v[i] for k, v in values.items()}) for i in range(n)]
            return np.stack([one.numpy() for one in each])

    def constrain(self, z: Array) -> dict[str, Array]:
        with self.target.precision(), torch.no_grad():
            each = [self.target.constrain(torch.tensor(one)) for one in z.reshape(-1, z.shape[-1])]
        return {
            name: np.stack([one[name].numpy() for one in each]).reshape(
                *z.shape[:2], *each[0][name].shape
            )
            for name in each[0]
        }
