"""The target of a NumPyro model; discrete sites are summed out by funsor. See `target`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from copy import copy
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.distributions import Distribution, biject_to
from numpyro.infer.util import _unconstrain_params
from numpyro.primitives import Messenger

from ...arrays import Array
from ...errors import InputError
from ..funsor_backend import funsors_of_jax
from .sites import Sites, check_model, model_raised
from .sites_numpyro import LIBRARY, AtOnce, read
from .target import TRIES, Target


def make(model: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> NumPyroTarget:
    """The target of a model called with these arguments."""
    return NumPyroTarget(model, args, kwargs)


class NumPyroTarget(Target):
    """See `target.Target`. Keys are those of `jax.random`, or whole numbers.

    Attributes:
        base, given: the target that this one has other data than (itself, where it has its own),
            and these data by site.
        programs, sizes: what has been compiled for it, and what it holds on its way; see
            `numeric_numpyro`.
    """

    backend = "numpyro"

    def __init__(
        self,
        model: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        sites: Sites | None = None,
    ) -> None:
        self.model, self.args, self.kwargs = model, args, kwargs
        self.base, self.given = self, dict[str, Any]()
        self.programs = dict[str, Any]()
        self.sizes: tuple[int, int] | None = None
        with self.precision():
            self.sites = read(model, args, kwargs) if sites is None else sites
            seeded = handlers.seed(model, jax.random.key(0))  # for draws that are no sites
        check_model(self.sites)
        self._log_dets = {f"_{name}_log_det" for name in self.sites.latents}
        self._whole: Callable[..., Any] = Within(seeded)
        self._prior_only: Callable[..., Any] = handlers.block(seeded, hide_fn=self._of_data)
        if self.sites.discrete:
            whole, prior_only = map(self._enumerated, (self._whole, self._prior_only))
            self._whole, self._prior_only = whole, prior_only
        self.size = sum(int(np.prod(s.unconstrained)) for s in self.sites.latents.values())

    def precision(self) -> AbstractContextManager[Any]:
        return jax.enable_x64(True)  # type: ignore[no-any-return]

    def observing(self, values: Mapping[str, Any]) -> NumPyroTarget:
        given = self.given | dict(values)
        model = Observing(self.base.model, given)
        made = NumPyroTarget(model, self.args, self.kwargs, self.sites)
        made.base, made.given = self.base, given
        return made

    # Densities

    def log_joint(self, z: Any) -> Any:
        if self.sites.discrete:
            return self._summed(self._whole, z)
        return sum(self._log_probs(z).values(), start=jnp.zeros(()))

    def log_prior(self, z: Any) -> Any:
        return (
            self.log_parts(z)[0] if not self.sites.discrete else self._summed(self._prior_only, z)
        )

    def log_parts(self, z: Any) -> tuple[Any, Any]:
        if self.sites.discrete:
            prior = self._summed(self._prior_only, z)
            return prior, self._summed(self._whole, z) - prior
        prior = likelihood = jnp.zeros(())
        for name, value in self._log_probs(z).items():
            if name in self._log_dets or self.sites[name].kind == "latent":
                prior = prior + value
            else:
                likelihood = likelihood + value
        return prior, likelihood

    def terms(self, z: Any) -> dict[str, float]:
        if self.sites.discrete:
            return {}
        with self.precision():
            values = self._log_probs(jnp.asarray(z))
            return {n: float(v) for n, v in values.items() if n not in self._log_dets}

    def _parts(self, z: Any) -> dict[str, Any]:
        z = jnp.asarray(z)  # an array of NumPy cannot be indexed by states that JAX traces
        return {name: z[part].reshape(shape) for name, part, shape in self._slices()}

    def _log_probs(self, z: Any) -> dict[str, Any]:
        """Log density of each site, and of each latent's Jacobian."""
        placed = _unconstrain_params(self._whole, self._parts(z))
        trace = handlers.trace(placed).get_trace(*self.args, **self.kwargs)
        return {name: _log_prob(site) for name, site in trace.items() if site["type"] == "sample"}

    def _summed(self, model: Callable[..., Any], z: Any) -> Any:
        from numpyro.contrib.funsor import log_density

        placed = _unconstrain_params(model, self._parts(z))
        with funsors_of_jax():
            return log_density(placed, self.args, self.kwargs, {})[0]

    def _enumerated(self, model: Callable[..., Any]) -> Callable[..., Any]:
        from numpyro.contrib.funsor import config_enumerate, enum

        dims = [plate.dim for site in self.sites.values() for plate in site.plates]
        found: Callable[..., Any] = enum(config_enumerate(AtOnce(model)), min(dims, default=0) - 1)
        return found

    def _of_data(self, site: Any) -> bool:
        return bool(
            site["type"] == "sample" and site["is_observed"] and site["name"] not in self._log_dets
        )

    # Values of sites

    def constrain(self, z: Any, with_deterministic: bool = False) -> dict[str, Any]:
        seeded = handlers.seed(self.model, jax.random.key(0))
        placed = _unconstrain_params(seeded, self._parts(z))
        trace = handlers.trace(placed).get_trace(*self.args, **self.kwargs)
        kinds = ("latent", "deterministic") if with_deterministic else ("latent",)
        return {name: trace[name]["value"] for name in self.sites.of(*kinds)}

    def unconstrain(self, values: Mapping[str, Any]) -> Any:
        self._check_given(values)
        placed = handlers.substitute(
            handlers.seed(self.model, jax.random.key(0)),
            data={name: jnp.asarray(values[name]) for name in self.sites.latents},
        )
        return self._flat(handlers.trace(placed).get_trace(*self.args, **self.kwargs))

    def log_density(self, values: Mapping[str, Any]) -> Array:
        def one(given: Mapping[str, Any]) -> Any:
            placed = handlers.substitute(self._whole, data=dict(given))
            if self.sites.discrete:
                from numpyro.contrib.funsor import log_density

                with funsors_of_jax():
                    return log_density(placed, self.args, self.kwargs, {})[0]
            trace = handlers.trace(placed).get_trace(*self.args, **self.kwargs).values()
            return sum((_log_prob(s) for s in trace if s["type"] == "sample"), jnp.zeros(()))

        def inside(given: Mapping[str, Any]) -> Any:
            placed = handlers.substitute(handlers.seed(self.model, jax.random.key(0)), data=given)
            trace = handlers.trace(placed).get_trace(*self.args, **self.kwargs)
            checks = [trace[name]["fn"].support(value) for name, value in given.items()]
            return jnp.all(jnp.stack([jnp.all(check) for check in checks]))

        with self.precision():
            each = {name: jnp.asarray(value) for name, value in values.items()}
            both = jax.jit(jax.vmap(lambda v: jnp.where(inside(v), one(v), -jnp.inf)))
            return np.asarray(both(each))

    def log_priors(self, draws: Mapping[str, Array]) -> dict[str, Array]:
        def one(given: Mapping[str, Any]) -> dict[str, Any]:
            placed = handlers.substitute(self._whole, data=dict(given))
            trace = handlers.trace(placed).get_trace(*self.args, **self.kwargs)
            return {name: _log_prob(trace[name]) for name in self.sites.latents}

        with self.precision():
            each = {name: jnp.asarray(value) for name, value in draws.items()}
            found = jax.jit(jax.vmap(jax.vmap(one)))(each)
            return {name: np.asarray(value) for name, value in found.items()}

    def draw_prior(self, key: Any) -> Any:
        self.check_proper()
        seeded = handlers.seed(self.model, _key(key))
        return self._flat(handlers.trace(seeded).get_trace(*self.args, **self.kwargs))

    def _flat(self, trace: Mapping[str, Any]) -> Any:
        each = [
            jnp.ravel(biject_to(trace[name]["fn"].support).inv(trace[name]["value"]))
            for name in self.sites.latents
        ]
        return jnp.concatenate(each)

    # A start

    @cached_property
    def _finite(self) -> Callable[[Any, Any], Any]:
        def finite(given: Mapping[str, Any], z: Any) -> Any:
            target = self.observing(given) if given else self
            value, slope = jax.value_and_grad(target.log_joint)(z)
            return jnp.isfinite(value) & jnp.isfinite(slope).all()

        return jax.jit(finite)

    def start(self, key: Any, jitter: float = 2.0) -> Any:
        with self.precision():
            for each in jax.random.split(_key(key), TRIES):
                z = jax.random.uniform(each, (self.size,), minval=-jitter, maxval=jitter)
                try:
                    finite = self.base._finite(self.given, z)
                except InputError:
                    raise
                except Exception as error:  # what only raises where values are not known yet
                    raise model_raised(error, self.model, self.args, self.kwargs) from error
                if finite:
                    return z
            raise self.no_start(z)


class Within(Messenger):  # type: ignore[misc]
    """Observed values outside of a support have density 0, whether the model has that checked
    (`validate_args`) or not."""

    def process_message(self, msg: Any) -> None:
        if msg["type"] == "sample" and msg["is_observed"] and not LIBRARY.is_factor(msg["fn"]):
            msg["fn"], msg["value"] = _checked(msg["fn"]), jnp.asarray(msg["value"])


def _checked(fn: Any) -> Any:
    """A distribution that checks values, and those that it is made of."""
    found = copy(fn)
    found._validate_args = True
    for name, part in vars(fn).items():
        if isinstance(part, Distribution):
            setattr(found, name, _checked(part))
    return found


class Observing(Messenger):  # type: ignore[misc]
    """Observed sites have these values in place of their own."""

    def __init__(self, model: Callable[..., Any], values: Mapping[str, Any]) -> None:
        super().__init__(model)
        self.values = values

    def process_message(self, msg: Any) -> None:
        if msg["type"] == "sample" and msg["is_observed"] and msg["name"] in self.values:
            msg["value"] = self.values[msg["name"]]


def _key(key: Any) -> Any:
    return jax.random.key(key) if isinstance(key, int | np.integer) else key


def _log_prob(site: Any) -> Any:
    fn, value, scale = site["fn"], site["value"], site["scale"]
    inner = site["intermediates"]
    log_prob = fn.log_prob(value, inner) if inner else fn.log_prob(value)
    return jnp.sum(log_prob if scale is None else scale * log_prob)
