"""Autoguides of NumPyro by name, a flow of splines among them: see `guides`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from flowjax.bijections import Affine, RationalQuadraticSpline
from flowjax.distributions import Normal, Transformed
from flowjax.experimental.numpyro import distribution_to_numpyro, register_params
from flowjax.flows import masked_autoregressive_flow
from numpyro import handlers
from numpyro.distributions import Delta, MultivariateNormal
from numpyro.infer import autoguide, init_to_feasible, init_to_value

from .modes import Mode, chosen
from .target import Target

_SCALE = 0.1  # standard deviations at the start, on the unconstrained scale
_MEDIAN_OF = 31


class AutoSplineFlow(autoguide.AutoContinuous):  # type: ignore[misc]
    """m + s * f(u) with u ~ Normal(0, I) and f a masked autoregressive flow of splines, drawn from
    in one pass."""

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        p = self.latent_dim
        flow = masked_autoregressive_flow(
            jax.random.key(0),
            base_dist=Normal(jnp.zeros(p)),
            transformer=RationalQuadraticSpline(knots=8, interval=5),
            flow_layers=4,
            nn_width=max(32, 2 * p),
            nn_activation=jnp.tanh,  # bounded, for the rare draw far out
            invert=False,
        )
        self._flow = Transformed(flow, Affine(self._init_latent, jnp.full(p, _SCALE)))

    def _get_posterior(self) -> Any:
        return distribution_to_numpyro(register_params(f"{self.prefix}_flow", self._flow))


class AutoWhitenedNormal(autoguide.AutoMultivariateNormal):  # type: ignore[misc]
    """m0 + C (m + L u): a dense Gaussian in coordinates where the posterior is N(0, I) nearly, so
    that steps of the optimiser are alike, whatever the units and correlations.

    Args:
        mode: m0, and C C' = P^-1 there.
        slices: the part of m0 that each site has.
    """

    def __init__(self, model: Any, mode: Mode, slices: dict[str, slice]) -> None:
        self._mode, self._slices = mode, slices
        super().__init__(model, init_loc_fn=init_to_feasible, init_scale=1.0)

    def _setup_prototype(self, *args: Any, **kwargs: Any) -> None:
        super()._setup_prototype(*args, **kwargs)
        every = np.arange(self.latent_dim)
        order = np.concatenate([every[self._slices[name]] for name in self._init_locs])
        self._place, self._root = (
            jnp.asarray(a) for a in (self._mode.z[order], self._mode.root(order))
        )
        self._init_latent = jnp.zeros(self.latent_dim)

    def _get_posterior(self) -> Any:
        q = super()._get_posterior()
        tril = self._root @ q.scale_tril
        return MultivariateNormal(self._place + self._root @ q.loc, scale_tril=tril)


_SCALED: dict[str, Callable[..., Any]] = {
    "normal": autoguide.AutoNormal,
    "multivariate_normal": autoguide.AutoMultivariateNormal,
    "low_rank": autoguide.AutoLowRankMultivariateNormal,
}
_OTHERS: dict[str, Callable[..., Any]] = {
    "laplace": autoguide.AutoLaplaceApproximation,
    "delta": autoguide.AutoDelta,
    "flow": AutoSplineFlow,
    "iaf": autoguide.AutoIAFNormal,
    "bnaf": autoguide.AutoBNAFNormal,
    "dais": autoguide.AutoDAIS,
}


def build(name: str, target: Target, seed: int, modes: Sequence[Mode]) -> Any:
    """The guide of that name, of which discrete sites are no part; a dense Gaussian starts as
    Laplace's approximation at the mode, where there is one."""
    model: Callable[..., Any] = target.model
    if target.sites.discrete:
        seeded = handlers.seed(model, jax.random.key(0))
        model = handlers.block(seeded, hide=list(target.sites.discrete))
    if name == "multivariate_normal" and modes and (mode := chosen([*modes])).found:
        return AutoWhitenedNormal(model, mode, {name: at for name, at, _ in target._slices()})
    values = {n: jnp.asarray(np.asarray(v)) for n, v in start_values(target, seed).items()}
    start = init_to_value(values=values)
    if name in _SCALED:
        return _SCALED[name](model, init_loc_fn=start, init_scale=_SCALE)
    return _OTHERS[name](model, init_loc_fn=start)


def start_values(target: Target, seed: int) -> dict[str, Any]:
    """The value of each latent where a guide starts: the median of draws from the prior if the log
    joint is finite there, or 0 on the unconstrained scale, or a random place where it is."""
    constrain = jax.jit(target.constrain)
    with target.precision():
        slope = jax.jit(jax.value_and_grad(target.log_joint))
        for z in _places(target, seed):
            if all(bool(jnp.isfinite(part).all()) for part in slope(z)):
                return constrain(z)  # type: ignore[no-any-return]
        return constrain(target.start(seed))  # type: ignore[no-any-return]


def _places(target: Target, seed: int) -> Iterator[Any]:
    def median(key: Any) -> Any:
        draws = jax.vmap(target.draw_prior)(jax.random.split(key, _MEDIAN_OF))
        return jnp.median(draws, axis=0)

    if not any(site.improper for site in target.sites.latents.values()):
        yield jax.jit(median)(jax.random.key(seed))
    yield jnp.zeros(target.size)


def plain(guide: Callable[..., Any]) -> Callable[..., Any]:
    """A guide that draws its sites through one auxiliary site, as one that draws only the sites
    themselves: each is a point, and the density is that of the first. Sums over enumerated sites
    know no auxiliary ones."""

    def called(*args: Any, **kwargs: Any) -> None:
        key = numpyro.prng_key()
        inner = guide if key is None else handlers.seed(guide, key)
        with handlers.block(hide_fn=lambda site: site["type"] == "sample"):
            trace = handlers.trace(inner).get_trace(*args, **kwargs)
        sites = [site for site in trace.values() if site["type"] == "sample"]
        rest = sum(site_log_prob(site) for site in sites)
        for site in sites:
            if not site["infer"].get("is_auxiliary"):
                event_dim = jnp.ndim(site["value"])
                numpyro.sample(site["name"], Delta(site["value"], rest, event_dim=event_dim))
                rest = jnp.zeros(())

    return called


def site_log_prob(site: Any) -> Any:
    """Log density of a site's value, by what its draw left behind where it did."""
    inner, scale = site["intermediates"], site["scale"]
    fn, value = site["fn"], site["value"]
    log_prob = (fn.log_prob(value, inner) if inner else fn.log_prob(value)).sum()
    return log_prob if scale is None else scale * log_prob
