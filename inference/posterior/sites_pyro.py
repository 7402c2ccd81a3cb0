"""Reading the sites of a Pyro model: see `sites`."""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from pyro import poutine
from pyro.distributions import (
    ExpandedDistribution,
    ImproperUniform,
    Independent,
    MaskedDistribution,
    Unit,
)
from pyro.infer.autoguide.initialization import InitMessenger, init_to_uniform
from pyro.poutine.util import site_is_subsample
from torch.distributions import biject_to, transform_to

from ...errors import InputError
from .distributions import Drawn, Library
from .sites import (
    Kind,
    Plate,
    Site,
    Sites,
    check_model,
    check_observed,
    each_value,
    model_raised,
    moves,
    words_of,
)

LIBRARY = Library(
    (ExpandedDistribution, Independent, MaskedDistribution, torch.distributions.Independent),
    MaskedDistribution,
    ImproperUniform,
    Unit,
    biject_to,
)


def read(
    model: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    check: bool = True,
) -> Sites:
    """The sites of a model, checked unless it is run forward. To be called in double precision,
    within `apart`.

    Raises:
        InputError: see `target.make_target`.
    """
    try:
        seen = poutine.trace(InitMessenger(_feasible)(model)).get_trace(*args, **kwargs)
    except InputError:
        raise
    except Exception as error:
        raise model_raised(error, model, args, kwargs) from error
    trace: Any = seen.nodes
    wholes = {
        site["name"]: (site["fn"].size, len(site["value"]))
        for site in trace.values()
        if site["type"] == "sample" and site_is_subsample(site)
    }
    found = {n: _site(s, kind, wholes, check) for n, s in trace.items() if (kind := _kind(s))}
    observed = [name for name, site in found.items() if site.kind == "observed"]
    sites = Sites(found, {name: trace[name]["value"] for name in observed})
    if not check:
        return sites
    elsewhere: Any = None
    for name in sites.observed:
        fn, value = trace[name]["fn"], torch.as_tensor(trace[name]["value"])
        inside = _inside(fn, value)
        if not np.all(inside):
            if elsewhere is None:
                placed = InitMessenger(_elsewhere)(model)
                elsewhere = poutine.trace(placed).get_trace(*args, **kwargs).nodes
            if moves(fn.support, elsewhere[name]["fn"].support):
                inside = np.True_  # whether there are such values is for the start to find
        check_observed(sites[name], value, inside, tuple(fn.shape()))
    check_model(sites)
    return sites


def _feasible(site: Any) -> Any:
    """The value at 0 on the unconstrained scale."""
    fn = site["fn"]
    if fn.support.is_discrete:
        return fn.sample()
    to = transform_to(fn.support)
    return to(torch.zeros(to.inverse_shape(fn.shape())))


def _kind(site: Any) -> Kind | None:
    if site["type"] == "param":
        return "param"
    if site["type"] != "sample" or site_is_subsample(site):
        return None
    if site["infer"].get("_deterministic"):
        return "deterministic"
    if site["is_observed"]:
        return "factor" if LIBRARY.is_factor(site["fn"]) else "observed"
    return "discrete" if site["fn"].support.is_discrete else "latent"


def _site(site: Any, kind: Kind, wholes: Mapping[str, tuple[int, int]], check: bool) -> Site:
    name, shape = site["name"], tuple(np.shape(site["value"]))
    if kind == "param":
        return Site(name, kind, shape)
    frames = sorted((f for f in site["cond_indep_stack"] if f.vectorized), key=lambda f: f.dim)
    plates = tuple(Plate(f.name, f.dim, *wholes.get(f.name, (f.size, f.size))) for f in frames)
    fn = site["fn"]
    if kind == "deterministic":
        return Site(name, kind, shape, fn.event_dim, plates=plates)
    about: dict[str, Any] = {
        "event_dim": fn.event_dim,
        "distribution": type(LIBRARY.base(fn)).__name__,
        "support": words_of(fn.support),
        "plates": plates,
    }
    if kind == "latent":
        about["unconstrained"] = LIBRARY.unconstrained(name, fn, shape)
        about["improper"] = LIBRARY.is_improper(fn)
    if kind == "discrete" and check:
        about["levels"] = len(LIBRARY.levels(name, fn))
    return Site(name, kind, shape, **about)


def _elsewhere(site: Any) -> Any:
    """A value of a latent site other than the first."""
    return site["fn"].sample() if site["fn"].support.is_discrete else init_to_uniform(site)


def _inside(fn: Any, value: Any) -> Any:
    """Whether each event is in the support, or each value where events are made of independent
    ones and none are masked; masked ones are."""
    support = each_value(fn.support) if not LIBRARY.masks(fn) else fn.support
    try:
        inside = support.check(value)
    except (ValueError, TypeError, RuntimeError):  # shapes that differ: said of the shapes
        return np.True_
    for mask in LIBRARY.masks(fn):
        inside = inside | ~torch.as_tensor(mask)
    return inside.numpy()


def at_once(model: Callable[..., Any]) -> Any:
    """The model with its discrete latent sites enumerated in parallel, whatever they say."""

    def how(site: Any) -> Any:
        found = site["type"] == "sample" and not site["is_observed"] and is_finite(site["fn"])
        return {"enumerate": "parallel"} if found else {}

    return poutine.infer_config(model, how)


def is_finite(fn: Any) -> bool:
    """Whether a distribution's values can be listed."""
    return bool(getattr(fn, "has_enumerate_support", False))


def drawn(trace: Any) -> dict[str, Drawn]:
    """The sites that a guide drew, by its trace; those of plates and auxiliary ones aside."""
    return {
        name: LIBRARY.drawn(trace.nodes[name]["fn"], trace.nodes[name]["value"])
        for name in trace.stochastic_nodes
        if not (
            trace.nodes[name]["infer"].get("is_auxiliary") or site_is_subsample(trace.nodes[name])
        )
    }
