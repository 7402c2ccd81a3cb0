"""Draws from a NumPyro guide as it is, with their importance weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.infer.util import log_density

from ...arrays import Array
from ...errors import InputError
from .guides import check_guide
from .minibatch import accepted
from .sites_numpyro import LIBRARY
from .target import Target


def weighed(target: Target, guide: Callable[..., Any], n: int, seed: int) -> tuple[Array, Array]:
    """Draws z (n, p) and log weights (n,) = log p(theta, y) - log q(theta).

    Raises:
        InputError: if the guide misses a site or has others, or the model has discrete ones.
    """
    if target.sites.discrete:
        raise InputError("a guide cannot be weighed where sites are discrete; take method='nuts'.")

    named = accepted(guide, target.kwargs)

    def one(key: Any) -> tuple[Any, Any]:
        sampled = handlers.seed(guide, key)
        trace = handlers.trace(sampled).get_trace(*target.args, **named)
        sites = {k: site for k, site in trace.items() if site["type"] == "sample"}
        drawn = {
            name: LIBRARY.drawn(site["fn"], site["value"])
            for name, site in sites.items()
            if not site["infer"].get("is_auxiliary")
        }
        check_guide(target, drawn, "the guide")
        log_q = sum(jnp.sum(site["fn"].log_prob(site["value"])) for site in sites.values())
        values = {name: sites[name]["value"] for name in target.sites.latents}
        seeded = handlers.seed(target.model, jax.random.key(0))
        log_p, _ = log_density(seeded, target.args, target.kwargs, values)
        return target.unconstrain(values), log_p - log_q

    with target.precision():
        keys = jax.random.split(jax.random.key(seed), n)
        z, log_w = jax.jit(jax.vmap(one))(keys)
        return np.asarray(z), np.asarray(log_w)
