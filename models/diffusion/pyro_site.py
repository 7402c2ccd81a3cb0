"""A diffusion model as a distribution of Pyro: rows as the flow carries them from noise.

With z ~ N(0, I), the flow from t_max down to t_min carries scale z to a row's features f, and x =
offset + slope f. In a model,

    x = pyro.sample("x", fitted.as_distribution("pyro"))
    pyro.sample("y", dist.Normal(blur(x), 0.1).to_event(1), obs=y)

and `pyro.infer.reparam.TransformReparam` puts the noise z in the place of x, which HMC and guides
move easily: gradients pass through the flow. `log_prob` is the density of the flow, a number
without gradient.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from copy import copy, deepcopy
from itertools import pairwise
from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.transforms import Transform

from ...arrays import Floats
from ...errors import InputError
from ...inference.diffusion.likelihood import log_density
from ...inference.diffusion.plan import Plan
from ...inference.diffusion.process import Denoise
from .linear_units import LinearUnits
from .trained import TrainedDiffusion


class ProbabilityFlow(Transform):
    """Noise z (..., D) to rows x (..., D), by Heun's steps on the grid that suits them.

    Args:
        nets: a trained net of numbers.
        units: of the rows.
        context: (1, c) what all rows are conditioned on, or None.
        steps: of the flow, two passes of the net each; None is 18.
    """

    domain = constraints.real_vector
    codomain = constraints.real_vector
    bijective = True

    def __init__(
        self,
        nets: TrainedDiffusion,
        units: LinearUnits,
        context: Floats | None = None,
        steps: int | None = None,
    ) -> None:
        super().__init__(cache_size=1)
        nets = copy(nets)
        nets.net = deepcopy(nets.net).requires_grad_(False)  # gradients are for rows
        self.nets, self.units, self.context = nets, units, context
        plan = Plan.of(nets.process, "heun", steps, nets.noise.sigma_data)
        self.times, self.scale = [*plan.times[:-1], nets.process.t_min], plan.scale
        self.offset, self.slope = nets.tensor(units.offset), nets.tensor(units.slope)
        self.denoise: Denoise = nets.denoiser(context)

    def __eq__(self, other: object) -> bool:
        return self is other

    def _call(self, z: Tensor) -> Tensor:
        flat = z.reshape(-1, z.shape[-1])
        x_t = self._carried(self.scale * flat, self.times)
        f = self.denoise(x_t, self._time(self.times[-1], x_t))
        return (self.offset + self.slope * f).reshape(z.shape)

    def _inverse(self, x: Tensor) -> Tensor:
        f = ((x - self.offset) / self.slope).reshape(-1, x.shape[-1])
        alpha = float(self.nets.process.alpha(torch.tensor(self.times[-1])))
        return (self._carried(alpha * f, self.times[::-1]) / self.scale).reshape(x.shape)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """(...,) of noise x and rows y, without gradient."""
        base: Tensor = dist.Normal(0.0, 1.0).log_prob(x).sum(-1)
        return base - self.log_prob(y)

    def log_prob(self, x: Tensor) -> Tensor:
        """(...,) log densities of rows, without gradient; the trace is exact."""
        f = ((x.detach() - self.offset) / self.slope).to(self.slope).reshape(-1, x.shape[-1])
        nets = self.nets

        def denoise(x_t: Tensor, t: Tensor, context: Tensor | None = None) -> Tensor:
            return self.denoise(x_t.to(f.dtype), t.to(f.dtype)).to(x_t.dtype)

        found = log_density(denoise, nets.process, f.double(), nets.gauge.frame.to(nets.device))
        return (found.values + self.units.log_det).to(x.dtype).reshape(x.shape[:-1])

    def _carried(self, x_t: Tensor, times: list[float]) -> Tensor:
        """States at the first of the times, carried along the flow to the last: by Heun's rule for
        x_t / (alpha_t + sigma_t), whose flow has the time u = sigma_t / (alpha_t + sigma_t)."""
        process = self.nets.process
        for t, s in pairwise(times):
            ends = torch.tensor([t, s], dtype=torch.float64)
            total = (process.alpha(ends) + process.sigma(ends)).tolist()
            u = (process.sigma(ends) / (process.alpha(ends) + process.sigma(ends))).tolist()
            y = x_t / total[0]
            first = self._slope(y, u[0], t, total[0])
            guess = y + (u[1] - u[0]) * first
            second = self._slope(guess, u[1], s, total[1])
            x_t = total[1] * (y + (u[1] - u[0]) / 2 * (first + second))
        return x_t

    def _slope(self, y: Tensor, u: float, t: float, total: float) -> Tensor:
        """dy/du = epshat - xhat, with y = (1 - u) xhat + u epshat."""
        x_t = total * y
        return (y - self.denoise(x_t, self._time(t, x_t))) / u

    def _time(self, t: float, x_t: Tensor) -> Tensor:
        return torch.full((1,), t, dtype=x_t.dtype, device=x_t.device).expand(len(x_t))


class DiffusionDistribution(dist.TransformedDistribution):  # type: ignore[misc]
    """Rows x (D,) of a diffusion model, in the units of the data; see the module."""

    def __init__(self, flow: ProbabilityFlow) -> None:
        zero = torch.zeros_like(flow.offset)
        super().__init__(dist.Normal(zero, 1.0).to_event(1), [flow])

    def log_prob(self, value: Tensor) -> Tensor:
        """(...,) log densities, without gradient.

        Raises:
            InputError: if a gradient is asked for.
        """
        if value.requires_grad:
            raise InputError(
                "the log density of a diffusion model has no gradient here. Put its noise in the "
                "place of the site: pyro.poutine.reparam(model, {name: TransformReparam()})."
            )
        found: Tensor = self.transforms[0].log_prob(value)
        return found


def distribution(
    nets: TrainedDiffusion, units: LinearUnits, context: Any, steps: int | None
) -> DiffusionDistribution:
    """The distribution of a net's rows, of which gradients reach the rows and not the net."""
    return DiffusionDistribution(ProbabilityFlow(nets, units, context, steps))
