"""Objectives of a NumPyro pair whose latents are local to a plate of rows: see `local_objective`,
and `local_pyro`, whose twin this is.

theta and phi are the values of `numpyro.param` sites, by name; what else is random in a pair is up
to its arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
from jax import Array
from jax.lax import stop_gradient
from jax.scipy.special import logsumexp
from numpyro.distributions import Independent, kl_divergence
from numpyro.primitives import Messenger

from .local_objective import Objective
from .local_sites import Backend, Sites, check_rsample, given, values_of

Draw = Callable[[str, Any, Array, int], Array]  # (site, its distribution, key, K) -> (K, n, ...)
Params = Mapping[str, Any]


class Pair(NamedTuple):
    """A model and its guide, called with the same arguments."""

    model: Callable[..., Any]
    guide: Callable[..., Any]


# Reading sites


def rsample(name: str, fn: Any, key: Array, samples: int) -> Array:
    """(K, n, ...) reparameterised draws of a site."""
    check_rsample(name, fn)
    found: Array = fn.rsample(key, (samples,) if len(fn.batch_shape) < 2 else ())
    return found


class _Reader(Messenger):  # type: ignore[misc]
    """Keeps the sites of what runs within it; latents are what `latent` says of their name and
    distribution, `numpyro.param` sites what `params` says."""

    def __init__(self, latent: Callable[[str, Any], Array], params: Params) -> None:
        super().__init__()
        self.latent, self.params, self.sites = latent, params, Sites()

    def process_message(self, msg: Any) -> None:
        if msg["type"] == "param" and msg["name"] in self.params:
            msg["value"] = self.params[msg["name"]]
        if msg["type"] != "sample":
            return
        if not msg["is_observed"]:
            msg["value"] = self.latent(msg["name"], msg["fn"])
        self.sites[msg["name"]] = msg


def draw(
    guide: Callable[..., Any],
    params: Params,
    key: Array,
    *args: Any,
    samples: int,
    by: Draw = rsample,
) -> Sites:
    """The sites of the guide, K values of each row drawn."""
    keys = iter(jr.split(key, 64))  # of as many sites at most
    reader = _Reader(lambda name, fn: by(name, fn, next(keys), samples), params)
    with reader:
        guide(*args)
    return reader.sites


def replay(
    program: Callable[..., Any], params: Params, *args: Any, values: Mapping[str, Array]
) -> Sites:
    """The sites of a model or guide whose latents have these values, (K, n, ...) each.

    Raises:
        InputError: if a latent has no value.
    """
    reader = _Reader(lambda name, fn: given(values, name), params)
    with reader:
        program(*args)
    return reader.sites


def _log_prob(site: Any) -> Any:
    value = site["fn"].log_prob(site["value"])
    return site["scale"] * value if _bent(site) else value


def _bent(site: Any) -> bool:
    return site["scale"] is not None


_SITES = Backend(jnp, _log_prob, _bent, Independent, kl_divergence)
terms, divergences = _SITES.terms, _SITES.divergences

# Objectives


def parts(
    pair: Pair, params: Params, key: Array, *args: Any, samples: int, by: Draw = rsample
) -> tuple[Array, Array, list[int]]:
    """(n,) E_q log p(x | z) by K draws, (n, J) divergences, and how many latents each is of."""
    q = draw(pair.guide, params, key, *args, samples=samples, by=by)
    values = values_of(q)
    p = replay(pair.model, params, *args, values=values)
    return _SITES.parts(q, p, lambda: _fixed(pair, params, args, values))


def elbo(
    pair: Pair,
    params: Params,
    key: Array,
    *args: Any,
    samples: int = 1,
    beta: float | Array = 1.0,
    free_bits: float = 0.0,
    weights: Array | None = None,
    by: Draw = rsample,
) -> Array:
    """The mean over rows of the bound, with beta and free bits in it: as `local_pyro.elbo`, by the
    values of `numpyro.param` sites and the key of the draws."""
    seen, kl, sizes = parts(pair, params, key, *args, samples=samples, by=by)
    each = _mean(kl, weights)
    if free_bits:
        each = jnp.maximum(each, free_bits * jnp.asarray(sizes))
    return _mean(seen, weights) - beta * each.sum()


def iwae(
    pair: Pair,
    params: Params,
    key: Array,
    *args: Any,
    samples: int,
    weights: Array | None = None,
    doubly: bool = False,
    by: Draw = rsample,
) -> Array:
    """The mean over rows (weighted) of log (1/K) sum_k w_k; `doubly` with DReG's gradient."""
    q = draw(pair.guide, params, key, *args, samples=samples, by=by)
    z: dict[str, Array] = values_of(q)
    if not doubly:
        log_w = terms(q, replay(pair.model, params, *args, values=z)).log_w
        return _mean(logsumexp(log_w, 0) - math.log(samples), weights)

    def fixed(params: Params, z: dict[str, Array]) -> Array:
        p = replay(pair.model, params, *args, values=z)
        log_w: Array = terms(q, p, _fixed(pair, params, args, z)).log_w
        return log_w

    # One pass gives d log w by theta and by each direct use of z; what z owes to phi comes after,
    # through the products with z below, so that it is multiplied by v once more.
    log_w, pull = jax.vjp(fixed, *stop_gradient((dict(params), z)))
    v = jax.nn.softmax(log_w, 0)
    rows = v.shape[1]
    by_params, by_z = pull(v * (jnp.ones(rows) if weights is None else weights))
    shares = {name: v.reshape(v.shape + (1,) * (g.ndim - 2)) for name, g in by_z.items()}
    uses = jax.tree.map(lambda g, p: (g * p).sum(), by_params, dict(params))
    uses = [*jax.tree.leaves(uses), *((shares[name] * by_z[name] * z[name]).sum() for name in z)]
    linear = jnp.stack(uses).sum() / rows
    bound = _mean(logsumexp(log_w, 0) - math.log(samples), weights)
    return bound + linear - stop_gradient(linear)


def objective(
    pair: Pair,
    what: Objective,
    params: Params,
    key: Array,
    step: Array,
    *args: Any,
    weights: Array | None = None,
) -> Array:
    """What is raised at a step."""
    bound = elbo if what.name == "elbo" else iwae
    return bound(pair, params, key, *args, weights=weights, **what.options(step, jnp.minimum))


def held_terms(
    pair: Pair, what: Objective, params: Params, key: Array, *args: Any
) -> tuple[Array, list[int]]:
    """(n, 1 + J) of each row, without weights, beta or free bits, and (J,) how many latents each
    divergence is of: as `local_pyro.held_terms`."""
    samples = what.held_samples
    if what.name == "elbo":
        seen, kl, sizes = parts(pair, params, key, *args, samples=samples)
        return jnp.concatenate((seen[:, None], kl), 1), sizes
    q = draw(pair.guide, params, key, *args, samples=samples)
    log_w = terms(q, replay(pair.model, params, *args, values=values_of(q))).log_w
    return (logsumexp(log_w, 0) - math.log(samples))[:, None], []


def _fixed(pair: Pair, params: Params, args: Any, values: Mapping[str, Array]) -> dict[str, Array]:
    """log q of each site at `values`, with phi held fixed, not in the values: the guide run again
    on constants, which compiles to nothing new but that."""
    q = replay(pair.guide, stop_gradient(dict(params)), *args, values=values)
    return _SITES.log_probs(q, q)


def _mean(values: Array, weights: Array | None) -> Array:
    """Mean over rows, the first axis."""
    return values.mean(0) if weights is None else (values.T * weights).T.mean(0)
