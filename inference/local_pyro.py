"""Objectives of a Pyro pair whose latents are local to a plate of rows: see `local_objective`.

The K draws of a row stand side by side in a leading dimension: a latent is (K, n, ...) where the
plate has n rows, and whatever the model makes of it has that dimension too. Model and guide are
called as they stand, each once a step; what is read are the distributions and values of their
sites. `poutine.scale` and `poutine.mask` in a pair count.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import contextlib
import copy
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyro
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, kl_divergence

from .local_objective import Objective
from .local_sites import Backend, Sites, values_of
from .local_sites_pyro import Draw, Reader, bent, draw, log_prob, replay, rsample
from .torch_state import from_state, random_state

_PLAIN = (int, float, str, type(None), torch.Size)


@dataclass(frozen=True)
class Pair:
    """A model and its guide, called with the same arguments.

    Attributes:
        module: owns the parameters of the guide that are no `pyro.param` sites.
        drops: whether more of the guide is random than its sites, such as dropout in training.
    """

    model: Callable[..., Any]
    guide: Callable[..., Any]
    module: nn.Module | None = None
    drops: bool = True


_SITES = Backend(torch, log_prob, bent, Independent, kl_divergence)
terms, bound_parts, divergences = _SITES.terms, _SITES.parts, _SITES.divergences

# Objectives


def parts(
    pair: Pair, *args: Any, samples: int, by: Draw = rsample
) -> tuple[Tensor, Tensor, list[int]]:
    """(n,) E_q log p(x | z) by K draws, (n, J) divergences, and how many latents each is of."""
    state = _random(pair)
    q = draw(pair.guide, *args, samples=samples, by=by)
    values = values_of(q)
    p = replay(pair.model, *args, values=values)
    return bound_parts(q, p, lambda: _fixed(pair, args, q, values, state))


def elbo(
    pair: Pair,
    *args: Any,
    samples: int = 1,
    beta: float = 1.0,
    free_bits: float = 0.0,
    weights: Tensor | None = None,
    by: Draw = rsample,
) -> Tensor:
    """The mean over rows of the bound, with beta and free bits in it.

    Args:
        args: of model and guide.
        weights: (n,) of the rows, with the mean 1 over the whole data.
        by: draws the latents.
    """
    log_x, kl, sizes = parts(pair, *args, samples=samples, by=by)
    if not free_bits:
        return _mean(log_x - beta * kl.sum(1), weights)
    each = torch.maximum(_mean(kl, weights), free_bits * kl.new_tensor(sizes))
    return _mean(log_x, weights) - beta * each.sum()


def iwae(
    pair: Pair,
    *args: Any,
    samples: int,
    weights: Tensor | None = None,
    doubly: bool = False,
    by: Draw = rsample,
) -> Tensor:
    """The mean over rows (weighted) of log (1/K) sum_k w_k; `doubly` with DReG's gradient."""
    return _mean(_log_mean(pair, args, samples, doubly, by), weights)


def objective(
    pair: Pair, what: Objective, step: int, *args: Any, weights: Tensor | None = None
) -> Tensor:
    """What is raised at a step."""
    bound = elbo if what.name == "elbo" else iwae
    return bound(pair, *args, weights=weights, **what.options(step))


def held_terms(pair: Pair, what: Objective, *args: Any) -> tuple[Tensor, list[int]]:
    """(n, 1 + J) of each row, without weights, beta or free bits, and (J,) how many latents each
    divergence is of: what `Objective.judged` puts together. The first is E_q log p(x | z), the
    others the divergences; or, of "iwae" and "dreg", log (1/K) sum_k w_k alone."""
    if what.name != "elbo":
        return _log_mean(pair, args, what.samples, False, rsample).unsqueeze(1), []
    log_x, kl, sizes = parts(pair, *args, samples=what.held_samples)
    return torch.cat((log_x.unsqueeze(1), kl), 1), sizes


def _log_mean(pair: Pair, args: Any, samples: int, doubly: bool, by: Draw) -> Tensor:
    """(n,) log (1/K) sum_k w_k."""
    state = _random(pair)
    q = draw(pair.guide, *args, samples=samples, by=by)
    values = values_of(q)
    if not doubly:
        log_w: Tensor = terms(q, replay(pair.model, *args, values=values)).log_w
        return torch.logsumexp(log_w, 0) - math.log(samples)
    # A draw's gradient is multiplied by v on its way into phi, in its direct uses only: what comes
    # through a later site has been multiplied there.
    used = {name: z.view_as(z) for name, z in values.items()}
    fixed = _fixed(pair, args, q, used, state)
    log_w = terms(q, replay(pair.model, *args, values=used), fixed).log_w
    v = torch.softmax(log_w.detach(), 0)
    for z in used.values():
        if z.requires_grad:
            share = v.reshape(v.shape + (1,) * (z.ndim - 2))
            z.register_hook(lambda g, share=share: g * share)
    bound = torch.logsumexp(log_w.detach(), 0) - math.log(samples)
    surrogate: Tensor = (v * log_w).sum(0)
    return surrogate + (bound - surrogate).detach()


def _mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """Mean over rows, the first axis."""
    if weights is not None:
        values = values * weights.view(-1, *[1] * (values.ndim - 1))
    return values.mean(0)


# The guide's parameters as constants


def _fixed(
    pair: Pair, args: Any, q: Sites, values: Mapping[str, Tensor], state: list[Tensor] | None
) -> dict[str, Tensor]:
    """log q of each site at `values`, with phi held fixed, not in the values.

    The distribution of an only site is rebuilt of constants, where it is made of tensors alone. Of
    several sites each depends on the values of those before it, and a flow calls its nets when
    asked: the guide is then run again with its parameters constant, from the same random state and
    with the same draws, which drop out the same.
    """
    (name, site), *others = q.items()
    fn = None if others else _constant(site["fn"])
    if fn is not None:
        return {name: log_prob({**site, "fn": fn, "value": values[name]})}

    def again(name: str, fn: Any) -> Tensor:
        if state is not None:
            rsample(name, fn, values[name].shape[0])
        return values[name]

    # Those of a `pyro.module` are used by the module itself, whatever a site of theirs says.
    own = () if pair.module is None else pair.module.parameters()
    stored = (p for _, p in pyro.get_param_store().named_parameters())
    frozen = [p for p in (*own, *stored) if p.requires_grad]
    with contextlib.ExitStack() as stack:
        if state is not None:
            stack.enter_context(from_state(state, _device(pair)))
        stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", ".* was not registered in the param store")  # not anew
        for p in frozen:
            p.requires_grad_(False)
            stack.callback(p.requires_grad_, True)
        with Reader(again) as reader:
            pair.guide(*args)
        return _SITES.log_probs(q, reader.sites)


def _constant(fn: Distribution) -> Distribution | None:
    """The distribution with its tensors detached; None where it holds more than tensors."""
    found = copy.copy(fn)
    for name, value in vars(fn).items():
        new: Any = value
        if isinstance(value, Tensor):
            new = value.detach()
        elif isinstance(value, Distribution):
            new = _constant(value)
        elif not isinstance(value, _PLAIN):
            return None
        if new is None and value is not None:
            return None
        found.__dict__[name] = new
    return found


def _random(pair: Pair) -> list[Tensor] | None:
    """The random state now, if the guide may draw more than its sites."""
    training = pair.module is not None and pair.module.training
    return random_state(_device(pair)) if training and pair.drops else None


def _device(pair: Pair) -> torch.device:
    first = None if pair.module is None else next(pair.module.parameters(), None)
    return torch.device("cpu") if first is None else first.device
