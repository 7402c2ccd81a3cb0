"""A diffusion model as a distribution of NumPyro: the flow of `pyro_site`, which calls back to
torch."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import torch
from numpyro.distributions import constraints
from numpyro.distributions.transforms import Transform
from torch import Tensor

from ...arrays import Floats
from ...inference.bridge import map_in_jax, values_in_jax
from .linear_units import LinearUnits
from .pyro_site import ProbabilityFlow
from .trained import TrainedDiffusion

_WHY = (
    "the log density of a diffusion model has no gradient here. Put its noise in the place of the "
    "site: numpyro.handlers.reparam(model, config={name: TransformReparam()})."
)


class Rows(Transform):  # type: ignore[misc]
    """Noise z (..., D) to rows x (..., D)."""

    domain = constraints.real_vector
    codomain = constraints.real_vector

    def __init__(self, flow: ProbabilityFlow) -> None:
        self.flow = flow
        self.forward = map_in_jax(lambda z: flow._call(z.to(flow.slope)))
        self.back = map_in_jax(lambda x: flow._inverse(x.to(flow.slope)))

        def log_prob(x: Floats) -> Floats:
            with torch.no_grad():
                found: Tensor = flow.log_prob(torch.tensor(x).to(flow.slope))
            return np.asarray(found.cpu())

        self.log_prob = values_in_jax(log_prob, _WHY)

    def __call__(self, x: Any) -> Any:
        return self.forward(x)

    def _inverse(self, y: Any) -> Any:
        return self.back(y)

    def log_abs_det_jacobian(self, x: Any, y: Any, intermediates: Any = None) -> Any:
        """(...,) of noise x and rows y, without gradient."""
        return dist.Normal(0.0, 1.0).log_prob(x).sum(-1) - self.log_prob(y)

    def tree_flatten(self) -> Any:
        return (), ((), dict(self.__dict__))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and self.flow is other.flow

    def __hash__(self) -> int:
        return id(self.flow)


class DiffusionRows(dist.TransformedDistribution):  # type: ignore[misc]
    """Rows x (D,) of a diffusion model, in the units of the data."""

    def __init__(self, flow: ProbabilityFlow) -> None:
        noise = dist.Normal(0.0, 1.0).expand([len(flow.offset)]).to_event(1)
        super().__init__(noise, [Rows(flow)])

    def log_prob(self, value: Any, intermediates: Any = None) -> Any:
        """(...,) log densities, without gradient: asking for one raises TypeError."""
        return self.transforms[0].log_prob(jnp.asarray(value))


def distribution(
    nets: TrainedDiffusion, units: LinearUnits, context: Floats | None, steps: int | None
) -> DiffusionRows:
    """The distribution of a net's rows, of which gradients reach the rows and not the net."""
    return DiffusionRows(ProbabilityFlow(nets, units, context, steps))
