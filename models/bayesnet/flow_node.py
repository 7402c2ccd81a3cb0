"""The conditional of a continuous node as a flow: any density, of any shape, given its parents.

A linear Gaussian says where the node is and how far it spreads; what is left over has a density of
its own, by an increasing spline f whose parameters a net gives, of the states u of the discrete
parents (an indicator each) and the values z of the continuous ones,

    y = (x - b0[u] - b[u] . z) / s[u],        e = f(y; u, z) ~ Normal(0, 1),

    log p(x | u, z) = log Normal(e; 0, 1) + log f'(y; u, z) - log s[u].

f is a flow of one column (`models.flow`), trained by maximum likelihood on the rows that have the
node and its parents, some of which are held out to stop it.

Reference: Durkan, Bekasov, Murray and Papamakarios, "Neural spline flows", 2019,
https://arxiv.org/abs/1906.04032.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import Array, Floats
from ..flow.architecture import Architecture
from .conditionals import LinearGaussian

_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class FlowConditional:
    """The flow of a continuous node.

    Attributes:
        linear: the regression that the flow is of the residuals of.
        architecture: of the net.
        arrays: its weights, by name.
        shift, scale: (m,) what is taken off the continuous parents, and what they are then divided
            by, before the net sees them.
    """

    linear: LinearGaussian
    architecture: Architecture
    arrays: Mapping[str, Array]
    shift: Floats
    scale: Floats

    def standardised(
        self, codes: NDArray[np.integer], x: Floats, own: Floats
    ) -> tuple[Floats, Floats]:
        """(n,) e, standard normal, of the node's own values (n,) given codes (n, q) and values
        (n, m) of the parents, and (n,) the change of the values per change of e."""
        y, deviation = self.linear.standardised(codes, x, own)
        e, log_slope = self._mapped(codes, x, y, inverse=False)
        return e, deviation * np.exp(-log_slope)

    def log_prob(self, codes: NDArray[np.integer], x: Floats, own: Floats) -> Floats:
        """(n,) log densities of the node's own values."""
        e, deviation = self.standardised(codes, x, own)
        return np.asarray(-0.5 * e**2 - np.log(deviation) - 0.5 * np.log(2 * np.pi))

    def log_prob_torch(self, codes: Any, x: Any, own: Any) -> Any:
        """The same of tensors, with gradients."""
        import torch

        def tensor(a: Floats) -> Any:
            return torch.tensor(np.asarray(a, np.float64))

        u, linear = tuple(codes.unbind(1)), self.linear
        mean = tensor(linear.intercept)[u] + (tensor(linear.coefficients)[u] * x).sum(-1)
        deviation = tensor(linear.variance)[u].sqrt()
        eyes = [torch.eye(r, dtype=torch.float64) for r in linear.intercept.shape]
        indicators = [eye[codes[:, j]] for j, eye in enumerate(eyes)]
        context = torch.cat([*indicators, (x - tensor(self.shift)) / tensor(self.scale)], 1)
        given = context if context.shape[1] else None
        y = ((own - mean) / deviation)[:, None]
        e, log_slope = self._flow(given).transform.call_and_ladj(y)
        normal = -0.5 * e[:, 0] ** 2 - 0.5 * np.log(2 * np.pi)
        return normal + log_slope - deviation.log()

    def draw(self, codes: NDArray[np.integer], x: Floats, rng: np.random.Generator) -> Floats:
        """(n,) values given those of the parents."""
        y, _ = self._mapped(codes, x, rng.standard_normal(len(codes)), inverse=True)
        deviation: Floats = np.sqrt(self.linear.variance[tuple(codes.T)])
        return self.linear.mean(codes, x) + deviation * y

    def rescaled(
        self, shift: float, scale: float, of_parents: Floats, by_parents: Floats
    ) -> FlowConditional:
        """The flow of shift + scale x, where the parents are likewise changed."""
        return replace(
            self,
            linear=self.linear.rescaled(shift, scale, of_parents, by_parents),
            shift=of_parents + by_parents * self.shift,
            scale=by_parents * self.scale,
        )

    def _mapped(
        self, codes: NDArray[np.integer], x: Floats, y: Floats, *, inverse: bool
    ) -> tuple[Floats, Floats]:
        """f(y), or its inverse, and the logarithm of its slope (n,)."""
        import torch

        context = context_of(self.linear.intercept.shape, codes, (x - self.shift) / self.scale)
        values, slopes = np.empty(len(y)), np.empty(len(y))
        with torch.no_grad():
            for start in range(0, len(y), _BLOCK):
                rows = slice(start, start + _BLOCK)
                given = torch.tensor(context[rows]) if context.shape[1] else None
                f = self._flow(given).transform
                value, slope = (f.inv if inverse else f).call_and_ladj(torch.tensor(y[rows, None]))
                values[rows], slopes[rows] = value[:, 0].numpy(), slope.numpy()
        return values, slopes

    @cached_property
    def _flow(self) -> Any:
        """The net, in double precision: what is drawn has the density that is said."""
        import torch

        from ..flow.pyro import build

        flow = build(self.architecture).double().eval()
        weights = {k: torch.tensor(np.asarray(v)).double() for k, v in self.arrays.items()}
        flow.load_state_dict(weights)
        return flow


def context_of(shape: tuple[int, ...], codes: NDArray[np.integer], x: Floats) -> Floats:
    """(n, r_1 + ... + r_q + m) what the net sees of the parents: an indicator of each state, and
    the values."""
    indicators = [np.eye(r)[codes[:, j]] for j, r in enumerate(shape)]
    return np.concatenate([*indicators, x], axis=1)
