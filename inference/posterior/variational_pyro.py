"""What SVI needs of Pyro: the learner of a pair, and draws from its guide. See `svi`.

Modules that a model or a guide uses are trained where they are: they are the user's own. Param
sites belong to the fit.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.distributions import MultivariateNormal
from pyro.infer import Trace_ELBO, TraceEnum_ELBO, TraceMeanField_ELBO, config_enumerate
from pyro.infer.autoguide import AutoDelta, AutoLaplaceApproximation, AutoNormal
from pyro.poutine.util import site_is_subsample
from torch import Tensor, nn
from torch.distributions import biject_to

from ...arrays import Array
from ...errors import InputError
from .. import local_pyro
from ..adam import Adam
from ..local_objective import Objective
from ..svi_pyro import PyroLearner
from .distributions import Drawn
from .guides import NO_MAXIMUM
from .minibatch import Call, accepted
from .sites import Sites, model_raised
from .sites_pyro import drawn, read
from .target import Target
from .target_pyro import apart


@contextmanager
def precision(double: bool) -> Iterator[None]:
    """Within it, double precision or single, and the process as it was afterwards."""
    with apart():
        torch.set_default_dtype(torch.float64 if double else torch.float32)
        yield


class LocalBound:
    """The bound of a pair whose latents are local to rows, its weights those of each row."""

    def __init__(self, what: Objective) -> None:
        self.what = what

    def differentiable_loss(self, model: Any, guide: Any, *batch: Any, n_total: int) -> Tensor:
        """Minus the bound of `n_total` rows, from those of the batch."""
        rows = len(batch[0])  # plates of the batch alone: none is weighted
        module = next((a for a in guide.args if isinstance(a, nn.Module)), None)
        pair = local_pyro.Pair(partial(model, n_total=rows), partial(guide, n_total=rows), module)
        return -n_total * local_pyro.objective(pair, self.what, 0, *batch)

    loss = differentiable_loss


class RenyiBound:
    """1 / (1 - alpha) log mean_k w_k^(1 - alpha) by K draws, where no site is subsampled; that of
    Pyro has no differentiable loss."""

    def __init__(self, alpha: float, particles: int) -> None:
        self.alpha, self.particles = alpha, particles

    def differentiable_loss(self, model: Any, guide: Any, *batch: Any, n_total: int) -> Tensor:
        """Minus the bound."""
        log_w = []
        for _ in range(self.particles):
            q = poutine.trace(guide).get_trace(*batch, n_total=n_total)
            p = poutine.trace(poutine.replay(model, trace=q)).get_trace(*batch, n_total=n_total)
            log_w.append(p.log_prob_sum() - q.log_prob_sum())
        power = 1 - self.alpha
        bound = torch.logsumexp(power * torch.stack(log_w), 0) - math.log(self.particles)
        return -bound / power

    loss = differentiable_loss


def batch_sites(target: Target, call: Call) -> tuple[Sites, dict[str, float]]:
    """The sites of the model called with a batch, and what the log density of each observed one
    is multiplied by."""
    with target.precision(), torch.no_grad():
        model = partial(call.program(target.model), n_total=call.n_rows)
        sites = read(model, tuple(call.first), {})
        trace = poutine.trace(model).get_trace(*call.first)
    kept = sites.of("observed", "factor")
    return sites, {n: float(torch.as_tensor(trace.nodes[n]["scale"]).mean()) for n in kept}


def drawn_sites(target: Target, guide: Callable[..., Any], call: Call) -> dict[str, Drawn]:
    """The sites that a guide draws, those of plates and auxiliary ones aside.

    Raises:
        InputError: if the guide raises.
    """
    with target.precision(), torch.no_grad():
        try:
            trace = poutine.trace(call.program(guide)).get_trace(*call.first, n_total=call.n_rows)
        except InputError:
            raise
        except Exception as error:
            raise model_raised(error, guide, call.args, call.kwargs, "guide") from error
    return drawn(trace)


def make_learner(target: Target, guide: Any, call: Call, settings: Any, seed: int) -> Any:
    """The learner of the pair, on the objective that `settings` names."""
    model, proposal = call.program(target.model), call.program(guide)
    if target.sites.discrete:
        model = partial(config_enumerate(model.func), *model.args)
        if drawn_sites(target, guide, call).keys() & {*target.sites.discrete}:
            proposal = partial(config_enumerate(proposal.func), *proposal.args)

    def adam(parameters: list[Tensor]) -> Adam:
        return Adam(parameters, betas=(0.9, settings.b2))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # weights of guides are drawn when they are first called
        found = PyroLearner(
            model, proposal, call.feed, elbo=_bound(target, settings), optimiser=adam, seed=seed
        )
    found.clip = settings.clip
    return found


def _bound(target: Target, settings: Any) -> Any:
    objective, particles = settings.objective, settings.num_particles
    if objective in ("iwae", "dreg"):
        return LocalBound(Objective(objective, samples=particles or 10))
    if objective == "renyi":
        return RenyiBound(settings.alpha, particles or 10)
    if target.sites.discrete:
        dims = [plate.dim for site in target.sites.values() for plate in site.plates]
        nested = -min(dims, default=0)
        return TraceEnum_ELBO(num_particles=particles or 1, max_plate_nesting=nested)
    bound = TraceMeanField_ELBO if objective == "mean_field" else Trace_ELBO
    return bound(num_particles=particles or 1)


class FittedGuide:
    """A guide and a model with the parameters that training left.

    Attributes:
        density: whether the guide has one: points have none.
    """

    def __init__(self, target: Target, guide: Any, learner: Any) -> None:
        self.target, self.guide, self.learner = target, guide, learner
        learner.keep_average()
        self.density = not isinstance(guide, AutoDelta)
        self.whole = not target.sites.subsampled
        self.rows = target.sites.common_plate
        self.kwargs = accepted(guide, target.kwargs)

    def draw(self, n: int, seed: int) -> tuple[dict[str, Array], dict[str, Array]]:
        """Draws of the latent sites, name -> (draw, ...), and `lp` and `log_q` (draw,) on the
        unconstrained scale, as far as they are known."""
        one = self._sampler()
        with self.learner.inside(), torch.no_grad():
            torch.manual_seed(seed)
            each = [one() for _ in range(n)]
        parts = ([values for values, _ in each], [stats for _, stats in each])
        return tuple(  # type: ignore[return-value]
            {k: torch.stack([one[k] for one in part]).detach().numpy() for k in part[0]}
            for part in parts
        )

    def by_row(self, n: int, seed: int) -> Array | None:
        """(rows, draws) log weights of each row, where all latents are local to rows."""
        target, plate = self.target, self.rows
        if plate is None or target.sites.discrete or not self.whole:
            return None
        weights = []
        with self.learner.inside(), torch.no_grad():
            torch.manual_seed(seed)
            for _ in range(n):
                q = poutine.trace(self.guide).get_trace(*target.args, **self.kwargs)
                model = poutine.replay(target.model, trace=q)
                p = poutine.trace(model).get_trace(*target.args, **target.kwargs)
                total = torch.zeros(plate.size)
                for sign, trace in ((1, p), (-1, q)):
                    trace.compute_log_prob()
                    for site in trace.nodes.values():
                        if site["type"] != "sample" or site_is_subsample(site):
                            continue
                        if all(frame.name != plate.name for frame in site["cond_indep_stack"]):
                            return None
                        log_prob = site["log_prob"]
                        others = [d for d in range(-log_prob.ndim, 0) if d != plate.dim]
                        total = total + sign * (log_prob.sum(others) if others else log_prob)
                weights.append(total)
        return torch.stack(weights, 1).numpy()

    def _sampler(self) -> Callable[[], Any]:
        if isinstance(self.guide, AutoLaplaceApproximation):
            return self._of_laplace()
        latents = self.target.sites.latents.values()
        local = any(p.subsample < p.size for s in latents for p in s.plates)
        return self._of_normal if local and isinstance(self.guide, AutoNormal) else self._of_guide

    def _of_guide(self) -> Any:
        target = self.target
        q = poutine.trace(self.guide).get_trace(*target.args, **self.kwargs)
        values = {n: q.nodes[n]["value"] for n in target.sites.latents}
        if not self.density:
            return values, self._lp(values)
        q.compute_log_prob(lambda name, site: name not in target.sites.discrete)
        log_q = sum(s["log_prob_sum"] for s in q.nodes.values() if "log_prob_sum" in s)
        return values, self._lp(values) | {"log_q": log_q + self._log_det(values)}

    def _of_normal(self) -> Any:
        """All of latents of which steps see some: only their own parameters say what they are."""
        values = {}
        for name in self.target.sites.latents:
            loc, scale = self.guide._get_loc_and_scale(name)
            support = self.guide.prototype_trace.nodes[name]["fn"].support
            values[name] = biject_to(support)(loc + scale * torch.randn_like(loc))
        return values, {}

    def _of_laplace(self) -> Callable[[], Any]:
        target = self.target
        with self.learner.inside():
            values = self.guide(*target.args, **self.kwargs)
            mode = target.unconstrain(values).detach()
            hessian = torch.autograd.functional.hessian(target.log_joint, mode)
        factor, failed = torch.linalg.cholesky_ex(-hessian)
        if failed:
            raise InputError(NO_MAXIMUM)
        q = MultivariateNormal(mode, torch.cholesky_inverse(factor))

        def one() -> Any:
            z = q.sample()
            return target.constrain(z), {"lp": target.log_joint(z), "log_q": q.log_prob(z)}

        return one

    def _lp(self, values: Mapping[str, Any]) -> dict[str, Any]:
        if not self.whole:
            return {}
        return {"lp": self.target.log_joint(self.target.unconstrain(values))}

    def _log_det(self, values: Mapping[str, Any]) -> Any:
        """log |d theta / d z|."""
        placed = poutine.condition(self.target.model, data=dict(values))
        trace = poutine.trace(placed).get_trace(*self.target.args, **self.target.kwargs)
        total = torch.zeros(())
        nodes: Any = trace.nodes
        for name, value in values.items():
            to_support = biject_to(nodes[name]["fn"].support)
            total = total + to_support.log_abs_det_jacobian(to_support.inv(value), value).sum()
        return total

    def arrays(self) -> dict[str, Array]:
        """The parameters by name: param sites as the model sees them, and those of modules."""
        with self.learner.inside(), torch.no_grad():
            sites = {n: v.detach().numpy().copy() for n, v in pyro.get_param_store().items()}
        own = {
            name.removeprefix("module."): p.detach().numpy().copy()
            for name, p in self.learner.parameters.items()
            if name.startswith("module.")
        }
        return own | sites
