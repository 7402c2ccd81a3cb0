"""Autoguides of Pyro by name, flows among them: see `guides`."""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from pyro import poutine
from pyro.distributions import MultivariateNormal, TransformModule
from pyro.distributions.torch_transform import ComposeTransformModule
from pyro.distributions.transforms import (
    AffineTransform,
    Permute,
    affine_autoregressive,
    block_autoregressive,
    spline_autoregressive,
)
from pyro.infer import autoguide
from pyro.infer.autoguide import initialization
from torch import Tensor, nn
from torch.distributions import constraints
from torch.nn.functional import softplus

from .modes import Mode, chosen
from .target import Target

_SCALE = 0.1  # standard deviations at the start, on the unconstrained scale
_MEDIAN_OF = 31
_LAYERS = {"flow": 4, "iaf": 3, "bnaf": 2}
_LAYER: dict[str, Callable[..., Any]] = {
    "flow": partial(spline_autoregressive, count_bins=8, bound=5.0),
    "iaf": affine_autoregressive,
    "bnaf": block_autoregressive,
}


class Place(TransformModule):
    """m + s * x, both learnt."""

    domain = codomain = constraints.real_vector
    bijective = True
    event_dim = 1

    def __init__(self, loc: Tensor) -> None:
        super().__init__(cache_size=1)
        self.loc = nn.Parameter(loc.detach().clone())
        start = torch.full_like(loc, _SCALE).expm1().log()  # of softplus
        self.raw = nn.Parameter(start.detach().clone())

    def _affine(self) -> AffineTransform:
        return AffineTransform(self.loc, softplus(self.raw), event_dim=1)

    def _call(self, x: Tensor) -> Tensor:
        y: Tensor = self._affine()(x)
        return y

    def _inverse(self, y: Tensor) -> Tensor:
        x: Tensor = self._affine().inv(y)
        return x

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        log_det: Tensor = self._affine().log_abs_det_jacobian(x, y)
        return log_det


def _flow(name: str, at: Tensor, p: int) -> Any:
    """Layers of a flow, each after the first on the numbers in reverse, and where it is put."""
    layer = _LAYER[name]
    parts: list[Any] = []
    for i in range(_LAYERS[name]):
        if i:
            parts.append(Permute(torch.arange(p - 1, -1, -1)))
        parts.append(layer(p))
    return ComposeTransformModule([*parts, Place(at)])


class AutoWhitenedNormal(autoguide.AutoMultivariateNormal):
    """m0 + C (m + L u), as in `guides_numpyro`.

    Args:
        mode: m0, and C C' = P^-1 there.
        slices: the part of m0 that each site has.
    """

    def __init__(self, model: Any, mode: Mode, slices: dict[str, slice]) -> None:
        super().__init__(model, init_scale=1.0)
        self._mode, self._slices = mode, slices

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        every = np.arange(self.latent_dim)
        order = np.concatenate([every[self._slices[name]] for name in self._unconstrained_shapes])
        self._place, self._root = (
            torch.as_tensor(a) for a in (self._mode.z[order], self._mode.root(order))
        )
        self.loc = nn.Parameter(torch.zeros_like(self._place))

    def get_posterior(self, *args: Any, **kwargs: Any) -> MultivariateNormal:
        q = super().get_posterior(*args, **kwargs)
        tril = self._root @ q.scale_tril
        return MultivariateNormal(self._place + self._root @ q.loc, scale_tril=tril)


_SCALED: dict[str, Callable[..., Any]] = {
    "normal": autoguide.AutoNormal,
    "multivariate_normal": autoguide.AutoMultivariateNormal,
    "low_rank": autoguide.AutoLowRankMultivariateNormal,
    "structured": autoguide.AutoStructured,
}
_OTHERS: dict[str, Callable[..., Any]] = {
    "laplace": autoguide.AutoLaplaceApproximation,
    "delta": autoguide.AutoDelta,
}


def build(name: str, target: Target, seed: int, modes: Sequence[Mode]) -> Any:
    """The guide of that name; discrete sites are no part of it. A dense Gaussian starts as
    Laplace's approximation at the mode, where there is one."""
    model: Callable[..., Any] = target.model
    if target.sites.discrete:
        model = poutine.block(model, hide=list(target.sites.discrete))
    if name == "multivariate_normal" and modes and (mode := chosen([*modes])).found:
        return AutoWhitenedNormal(model, mode, {site: at for site, at, _ in target._slices()})
    z = start(target, seed)
    if name in _LAYERS:
        return autoguide.AutoNormalizingFlow(model, lambda p: _flow(name, z, p))
    init = initialization.init_to_value(values=target.constrain(z))
    if name in _SCALED:
        return _SCALED[name](model, init_loc_fn=init, init_scale=_SCALE)
    return _OTHERS[name](model, init_loc_fn=init)


def start(target: Target, seed: int) -> Tensor:
    """z (p,) where a guide starts: the median of draws from the prior if the log joint is finite
    there, or 0, or a random place where it is."""
    for z in _places(target, seed):
        z = z.detach().requires_grad_()
        value = target.log_joint(z)
        (slope,) = torch.autograd.grad(value, z)
        if torch.isfinite(value) and torch.isfinite(slope).all():
            return z.detach()
    found: Tensor = target.start(seed)
    return found.detach()


def _places(target: Target, seed: int) -> Iterator[Tensor]:
    if not any(site.improper for site in target.sites.latents.values()):
        draws = [target.draw_prior(seed * _MEDIAN_OF + i) for i in range(_MEDIAN_OF)]
        yield torch.stack(draws).median(0).values
    yield torch.zeros(target.size)
