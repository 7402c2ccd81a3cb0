"""The target of a Pyro model; discrete sites are summed out by Pyro's enumeration. See `target`."""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyro
import torch
from pyro import poutine
from pyro.infer.mcmc.util import TraceEinsumEvaluator
from pyro.poutine.messenger import Messenger
from torch import Tensor
from torch.distributions import biject_to

from ...arrays import Array
from ..torch_state import as_found
from .sites import Sites
from .sites_pyro import LIBRARY, at_once, read
from .target import TRIES, Target
from .within_pyro import Within, bounded


def make(model: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> PyroTarget:
    """The target of a model called with these arguments."""
    return PyroTarget(model, args, kwargs)


@contextmanager
def apart(validate: bool = False) -> Iterator[None]:
    """Double precision, a param store and random state of its own, and afterwards all as it was."""
    dtype = torch.get_default_dtype()
    with (
        as_found(),
        torch.random.fork_rng(devices=[]),
        pyro.get_param_store().scope(),
        pyro.validation_enabled(validate),
    ):
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


class PyroTarget(Target):
    """See `target.Target`. Keys are generators of torch, or whole numbers."""

    backend = "pyro"

    def __init__(
        self,
        model: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        sites: Sites | None = None,
    ) -> None:
        self.model, self.args, self.kwargs = model, args, kwargs
        with apart(validate=True), torch.no_grad():
            torch.manual_seed(0)
            self.sites = read(model, args, kwargs) if sites is None else sites
        dims = [plate.dim for site in self.sites.values() for plate in site.plates]
        self._nested = -min(dims, default=0)
        self.size = sum(part.stop - part.start for _, part, _ in self._slices())
        self._evaluators: dict[bool, TraceEinsumEvaluator] = {}

    def precision(self) -> Any:
        return apart()

    def observing(self, values: Mapping[str, Any]) -> PyroTarget:
        model = Observing(values)(self.model)
        return PyroTarget(model, self.args, self.kwargs, self.sites)

    # Densities

    def log_joint(self, z: Tensor) -> Tensor:
        return self._density(z, prior=False)

    def log_prior(self, z: Tensor) -> Tensor:
        return self._density(z, prior=True)

    def log_parts(self, z: Tensor) -> tuple[Tensor, Tensor]:
        if self.sites.discrete:
            prior = self.log_prior(z)
            return prior, self.log_joint(z) - prior
        trace, log_det = self._traced(self.model, z)
        trace.compute_log_prob()
        prior, likelihood = log_det, torch.zeros(())
        for name, site in self.sites.items():
            if site.kind == "latent":
                prior = prior + trace.nodes[name]["log_prob_sum"]
            elif site.kind in ("observed", "factor"):
                likelihood = likelihood + trace.nodes[name]["log_prob_sum"]
        return prior, likelihood

    def terms(self, z: Tensor) -> dict[str, float]:
        if self.sites.discrete:
            return {}
        with apart(), torch.no_grad():
            trace, _ = self._traced(self.model, z)
            trace.compute_log_prob()
            kept = self.sites.of("latent", "observed", "factor")
            return {name: float(trace.nodes[name]["log_prob_sum"]) for name in kept}

    def _density(self, z: Tensor, prior: bool) -> Tensor:
        model = poutine.block(self.model, hide_fn=_of_data) if prior else self.model
        if not self.sites.discrete:
            trace, log_det = self._traced(model, z)
            total: Tensor = trace.log_prob_sum() + log_det
            return total
        model = poutine.enum(at_once(model), first_available_dim=-1 - self._nested)
        trace, log_det = self._traced(model, z)
        if prior not in self._evaluators:
            self._evaluators[prior] = TraceEinsumEvaluator(trace, True, self._nested)
        summed: Tensor = self._evaluators[prior].log_prob(trace)
        return summed + log_det

    def _traced(self, model: Callable[..., Any], z: Tensor) -> tuple[Any, Tensor]:
        placed = _Placed({name: z[part].reshape(shape) for name, part, shape in self._slices()})
        with placed:
            trace = poutine.trace(model).get_trace(*self.args, **self.kwargs)
        return trace, placed.log_det

    # Values of sites

    def constrain(self, z: Tensor, with_deterministic: bool = False) -> dict[str, Tensor]:
        trace, _ = self._traced(self.model, z)
        kinds = ("latent", "deterministic") if with_deterministic else ("latent",)
        return {name: trace.nodes[name]["value"] for name in self.sites.of(*kinds)}

    def unconstrain(self, values: Mapping[str, Any]) -> Tensor:
        self._check_given(values)
        given = {name: torch.as_tensor(values[name]) for name in self.sites.latents}
        with Given(given):
            trace = poutine.trace(self.model).get_trace(*self.args, **self.kwargs)
        return self._flat(trace)

    def log_density(self, values: Mapping[str, Any]) -> Array:
        found = []
        with apart(), torch.no_grad():
            each = {name: torch.as_tensor(value) for name, value in values.items()}
            for s in range(len(next(iter(each.values())))):
                found.append(self._density_at({name: value[s] for name, value in each.items()}))
        return np.array(found)

    def _density_at(self, values: Mapping[str, Tensor]) -> float:
        """The log joint density at one value of each latent site, in their supports."""
        with Given(values):
            trace: Any = poutine.trace(self.model).get_trace(*self.args, **self.kwargs)
        for name, value in values.items():
            if not trace.nodes[name]["fn"].support.check(value).all():
                return -math.inf
        if not self.sites.discrete:
            return float(trace.log_prob_sum())
        z = self.unconstrain(values)
        return float(self.log_joint(z) - self._traced(self.model, z)[1])

    def log_priors(self, draws: Mapping[str, Array]) -> dict[str, Array]:
        shape = next(iter(draws.values())).shape[:2]
        found = {name: np.empty(shape) for name in self.sites.latents}
        with apart(), torch.no_grad():
            each = {name: torch.as_tensor(value) for name, value in draws.items()}
            for at in np.ndindex(*shape):
                with Given({name: value[at] for name, value in each.items()}):
                    trace = poutine.trace(self.model).get_trace(*self.args, **self.kwargs)
                trace.compute_log_prob(lambda name, site: name in found)
                for name, values in found.items():
                    values[at] = float(trace.nodes[name]["log_prob_sum"])
        return found

    def draw_prior(self, key: torch.Generator | int) -> Tensor:
        self.check_proper()
        with apart(), torch.no_grad():
            torch.manual_seed(_seed(key))
            return self._flat(poutine.trace(self.model).get_trace(*self.args, **self.kwargs))

    def _flat(self, trace: Any) -> Tensor:
        nodes = trace.nodes
        each = [
            biject_to(nodes[name]["fn"].support).inv(nodes[name]["value"]).reshape(-1)
            for name in self.sites.latents
        ]
        return torch.cat(each)

    # A start

    def start(self, key: torch.Generator | int, jitter: float = 2.0) -> Tensor:
        generator = key if isinstance(key, torch.Generator) else torch.Generator().manual_seed(key)
        with apart():
            for _ in range(TRIES):
                z = torch.rand(self.size, generator=generator) * (2 * jitter) - jitter
                value = self.log_joint(z.requires_grad_())
                if torch.isfinite(value):
                    (slope,) = torch.autograd.grad(value, z)
                    if torch.isfinite(slope).all():
                        return z.detach()
            raise self.no_start(z.detach())


class _Placed(Messenger):
    """Gives latent sites their values from the unconstrained scale, and adds up
    log |d theta / d z|; observed values outside of a support have density 0."""

    def __init__(self, parts: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.parts, self.log_det = parts, torch.zeros(())

    def _pyro_sample(self, msg: Any) -> None:
        if msg["is_observed"] and not LIBRARY.is_factor(msg["fn"]) and bounded(msg["fn"]):
            msg["fn"] = Within(msg["fn"])
        if msg["name"] not in self.parts or msg["is_observed"]:
            return
        z, to = self.parts[msg["name"]], biject_to(msg["fn"].support)
        msg["value"], msg["done"] = to(z), True
        self.log_det = self.log_det + to.log_abs_det_jacobian(z, msg["value"]).sum()


class Given(Messenger):
    """Gives latent sites these values."""

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.values = values

    def _pyro_sample(self, msg: Any) -> None:
        if msg["name"] in self.values and not msg["is_observed"]:
            msg["value"], msg["done"] = self.values[msg["name"]], True


class Observing(Messenger):
    """Observed sites have these values in place of their own."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__()
        self.values = {name: torch.as_tensor(value) for name, value in values.items()}

    def _pyro_sample(self, msg: Any) -> None:
        if msg["is_observed"] and msg["name"] in self.values:
            msg["value"] = self.values[msg["name"]]


def _of_data(site: Any) -> bool:
    return bool(site["type"] == "sample" and site["is_observed"])


def _seed(key: torch.Generator | int) -> int:
    if isinstance(key, int):
        return key
    return int(torch.randint(2**62, (), generator=key))
