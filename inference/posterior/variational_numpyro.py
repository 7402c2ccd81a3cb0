"""What SVI needs of NumPyro: the learner of a pair, and draws from its guide. See `svi`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.distributions import MultivariateNormal, biject_to
from numpyro.infer import (
    ELBO,
    RenyiELBO,
    Trace_ELBO,
    TraceEnum_ELBO,
    TraceMeanField_ELBO,
    init_to_feasible,
)
from numpyro.infer.autoguide import AutoDelta, AutoGuide, AutoLaplaceApproximation, AutoNormal

from ...arrays import Array
from ...errors import InputError
from .. import local_numpyro
from ..adam_jax import Adam
from ..local_objective import Objective
from ..svi_numpyro import NumpyroLearner
from .distributions import Drawn
from .guides import NO_MAXIMUM
from .guides_numpyro import plain, site_log_prob
from .minibatch import Call, accepted
from .sites import Plate, Sites, model_raised
from .sites_numpyro import LIBRARY, read
from .target import Target, make_target


class LocalBound(ELBO):  # type: ignore[misc]
    """The bound of a pair whose latents are local to rows, its weights those of each row."""

    def __init__(self, what: Objective) -> None:
        self.what = what
        super().__init__()

    def loss(self, key: Any, params: Any, model: Any, guide: Any, *batch: Any, n_total: int) -> Any:
        """Minus the bound of `n_total` rows, from those of the batch."""
        rows = len(batch[0])  # plates of the batch alone: none is weighted
        pair = local_numpyro.Pair(partial(model, n_total=rows), partial(guide, n_total=rows))
        step = jnp.zeros((), jnp.int32)
        return -n_total * local_numpyro.objective(pair, self.what, params, key, step, *batch)


def batch_sites(target: Target, call: Call) -> tuple[Sites, dict[str, float]]:
    """The sites of the model called with a batch, and what the log density of each observed one
    is multiplied by."""
    with target.precision():
        batch = call.first
        model = partial(call.program(target.model), n_total=call.n_rows)
        sites = read(model, tuple(batch), {})
        seeded = handlers.seed(model, jax.random.key(0))
        placed = handlers.substitute(seeded, substitute_fn=init_to_feasible)
        trace = handlers.trace(placed).get_trace(*batch)
    scales = {name: trace[name]["scale"] for name in sites.of("observed", "factor")}
    return sites, {n: 1.0 if s is None else float(np.mean(s)) for n, s in scales.items()}


def drawn_sites(target: Target, guide: Callable[..., Any], call: Call) -> dict[str, Drawn]:
    """The sites that a guide draws, auxiliary ones aside.

    Raises:
        InputError: if the guide raises.
    """
    if isinstance(guide, AutoGuide):
        sites = target.sites
        return {n: Drawn(sites[n].shape, "", sites[n].support) for n in sites.latents}
    found: dict[str, Drawn] = {}

    def traced(key: Any) -> None:
        seeded = handlers.seed(call.program(guide), key)
        trace = handlers.trace(seeded).get_trace(*call.first, n_total=call.n_rows)
        for name, site in trace.items():
            drawn = site["type"] == "sample" and not site["is_observed"]
            if drawn and not site["infer"].get("is_auxiliary"):
                found[name] = LIBRARY.drawn(site["fn"], site["value"])

    try:
        jax.eval_shape(traced, jax.random.key(0))  # nothing is computed
    except InputError:
        raise
    except Exception as error:
        raise model_raised(error, guide, call.args, call.kwargs, "guide") from error
    return found


def make_learner(target: Target, guide: Any, call: Call, settings: Any, seed: int) -> Any:
    """The learner of the pair, on the objective that `settings` names."""
    model: Callable[..., Any] = call.program(target.model)
    proposal: Callable[..., Any] = call.program(guide)
    if target.sites.discrete and settings.objective not in ("iwae", "dreg"):
        from numpyro.contrib.funsor import config_enumerate

        model = config_enumerate(model)
        both = drawn_sites(target, guide, call).keys() & {*target.sites.discrete}
        proposal = config_enumerate(proposal) if both else plain(proposal)
    bound, adam = _bound(target, settings), Adam(settings.clip, settings.b2)
    return NumpyroLearner(model, proposal, call.feed, elbo=bound, optimiser=adam, seed=seed)


def precision(double: bool) -> Any:
    """Within it, double precision or single, and the process as it was afterwards."""
    return jax.enable_x64(double)


def _bound(target: Target, settings: Any) -> Any:
    objective, particles = settings.objective, settings.num_particles
    if objective in ("iwae", "dreg"):
        return LocalBound(Objective(objective, samples=particles or 10))
    if target.sites.discrete:
        dims = [plate.dim for site in target.sites.values() for plate in site.plates]
        return TraceEnum_ELBO(particles or 1, max_plate_nesting=-min(dims, default=0))
    if objective == "renyi":
        return RenyiELBO(settings.alpha, particles or 10)
    bound = TraceMeanField_ELBO if objective == "mean_field" else Trace_ELBO
    return bound(particles or 1)


class _NotByRow(Exception):
    """A site of the guide stands in no plate of rows."""


def _of_rows(site: Any, plate: Plate) -> Any:
    """(rows,) log density of a site's value, summed over all else."""
    if all(frame.name != plate.name for frame in site["cond_indep_stack"]):
        raise _NotByRow
    log_prob = site["fn"].log_prob(site["value"])
    log_prob = log_prob if site["scale"] is None else site["scale"] * log_prob
    others = tuple(d for d in range(-log_prob.ndim, 0) if d != plate.dim)
    return log_prob.sum(axis=others)


class FittedGuide:
    """A guide and a model with the parameters that training left.

    Attributes:
        density: whether the guide has one: points have none.
        params: values of the `numpyro.param` sites.
    """

    def __init__(self, target: Target, guide: Any, learner: Any) -> None:
        self.guide, self.params = guide, learner.params()
        own = {n: self.params[n] for n in target.sites.of("param") if n in self.params}
        self.target = target
        if own:
            placed = handlers.substitute(target.model, data=own)
            self.target = make_target(placed, target.args, target.kwargs, "numpyro")
        self.density = not isinstance(guide, AutoDelta)
        self.whole = not target.sites.subsampled
        self.rows = target.sites.common_plate
        self.kwargs = accepted(guide, target.kwargs)

    def draw(self, n: int, seed: int) -> tuple[dict[str, Array], dict[str, Array]]:
        """Draws of the latent sites, name -> (draw, ...), and `lp` and `log_q` (draw,) on the
        unconstrained scale, as far as they are known."""
        with self.target.precision():  # densities are compared
            keys = jax.random.split(jax.random.key(seed), n)
            values, stats = jax.jit(lambda ks: jax.lax.map(self._sampler(), ks))(keys)
            return jax.tree.map(np.asarray, (values, stats))  # type: ignore[no-any-return]

    def by_row(self, n: int, seed: int) -> Array | None:
        """(rows, draws) log weights of each row, where all latents are local to rows."""
        if self.rows is None or self.target.sites.discrete or not self.whole:
            return None
        plate, target = self.rows, self.target

        def one(key: Any) -> Any:
            placed = handlers.substitute(handlers.seed(self.guide, key), data=self.params)
            q = handlers.trace(placed).get_trace(*target.args, **self.kwargs)
            model = handlers.replay(handlers.seed(target.model, jax.random.key(0)), trace=q)
            p = handlers.trace(model).get_trace(*target.args, **target.kwargs)
            total = jnp.zeros(plate.size)
            for sign, trace in ((1, p), (-1, q)):
                for site in trace.values():
                    if site["type"] == "sample":
                        total += sign * _of_rows(site, plate)
            return total

        with target.precision():
            keys = jax.random.split(jax.random.key(seed), n)
            try:
                return np.asarray(jax.jit(lambda ks: jax.lax.map(one, ks))(keys)).T
            except _NotByRow:
                return None

    def _sampler(self) -> Callable[[Any], Any]:
        if isinstance(self.guide, AutoLaplaceApproximation):
            return self._of_laplace()
        local = any(
            p.subsample < p.size for s in self.target.sites.latents.values() for p in s.plates
        )
        return self._of_normal if local and isinstance(self.guide, AutoNormal) else self._of_guide

    def _of_guide(self, key: Any) -> Any:
        placed = handlers.substitute(handlers.seed(self.guide, key), data=self.params)
        trace = handlers.trace(placed).get_trace(*self.target.args, **self.kwargs)
        values = {n: trace[n]["value"] for n in self.target.sites.latents}
        if not self.density:
            return values, self._lp(values)
        sites = [site for site in trace.values() if site["type"] == "sample"]
        log_q = sum(site_log_prob(s) for s in sites if not s["fn"].support.is_discrete)
        return values, self._lp(values) | {"log_q": log_q + self._log_det(values)}

    def _of_normal(self, key: Any) -> Any:
        """All of latents of which steps see some: only their own parameters say what they are."""
        values = {}
        latents = self.target.sites.latents
        for name, each in zip(latents, jax.random.split(key, len(latents)), strict=True):
            loc, scale = (self.params[f"{name}_{self.guide.prefix}_{k}"] for k in ("loc", "scale"))
            z = loc + scale * jax.random.normal(each, jnp.shape(loc), jnp.result_type(loc))
            values[name] = biject_to(self.guide.prototype_trace[name]["fn"].support)(z)
        return values, {}

    def _of_laplace(self) -> Callable[[Any], Any]:
        log_joint = self.target.log_joint
        with handlers.seed(rng_seed=0):
            at = handlers.substitute(self.guide, data=self.params)
            values = at(*self.target.args, **self.kwargs)
        mode = self.target.unconstrain(values)
        hessian = -jax.hessian(log_joint)(mode)
        if not jnp.isfinite(jnp.linalg.cholesky(hessian)).all():
            raise InputError(NO_MAXIMUM)
        q = MultivariateNormal(mode, precision_matrix=hessian)

        def one(key: Any) -> Any:
            z = q.sample(key)
            return self.target.constrain(z), {"lp": log_joint(z), "log_q": q.log_prob(z)}

        return one

    def _lp(self, values: Mapping[str, Any]) -> dict[str, Any]:
        if not self.whole:
            return {}
        return {"lp": self.target.log_joint(self.target.unconstrain(values))}

    def _log_det(self, values: Mapping[str, Any]) -> Any:
        """log |d theta / d z|."""
        seeded = handlers.seed(self.target.model, jax.random.key(0))
        placed = handlers.substitute(seeded, data=dict(values))
        trace = handlers.trace(placed).get_trace(*self.target.args, **self.target.kwargs)
        total = jnp.zeros(())
        for name, value in values.items():
            to_support = biject_to(trace[name]["fn"].support)
            total += to_support.log_abs_det_jacobian(to_support.inv(value), value).sum()
        return total

    def arrays(self) -> dict[str, Array]:
        """The parameters by name; those of nets by their place in them."""
        found = {}
        for name, value in self.params.items():
            for path, leaf in jax.tree_util.tree_flatten_with_path(value)[0]:
                found[name + jax.tree_util.keystr(path)] = np.asarray(leaf)
        return found
