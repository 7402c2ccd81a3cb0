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
from pyro.infer.autoguide.initialization import InitMessenger
from pyro.poutine.util import site_is_subsample
from torch.distributions import biject_to, transform_to

from ...errors import InputError
from .sites import (
    Kind,
    Plate,
    Site,
    Sites,
    check_model,
    check_observed,
    model_raised,
    words_of,
)

_WRAPPERS = (ExpandedDistribution, Independent, MaskedDistribution, torch.distributions.Independent)


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
        raise model_raised(error, args, kwargs) from error
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
    for name in sites.observed:
        fn, value = trace[name]["fn"], torch.as_tensor(trace[name]["value"])
        check_observed(sites[name], value, _inside(fn, value), tuple(fn.shape()))
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
        return "factor" if isinstance(base(site["fn"]), Unit) else "observed"
    return "discrete" if site["fn"].support.is_discrete else "latent"


def base(fn: Any) -> Any:
    """The distribution within its wrappers."""
    while isinstance(fn, _WRAPPERS):
        fn = fn.base_dist
    return fn


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
        "distribution": type(base(fn)).__name__,
        "support": words_of(fn.support),
        "plates": plates,
    }
    if kind == "latent":
        about |= {"unconstrained": _unconstrained(name, fn, shape), "improper": _improper(fn)}
    if kind == "discrete" and check:
        about["levels"] = _levels(name, fn)
    return Site(name, kind, shape, **about)


def _unconstrained(name: str, fn: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    try:
        return tuple(biject_to(fn.support).inverse_shape(shape))
    except NotImplementedError:
        raise InputError(
            f"site {name!r} is drawn from {type(base(fn)).__name__}, whose support "
            f"{words_of(fn.support)} has no bijection to the reals, so no engine can draw it. "
            "Write it as a transform of sites whose support has one."
        ) from None


def _improper(fn: Any) -> bool:
    while isinstance(fn, _WRAPPERS):
        if isinstance(fn, MaskedDistribution) and fn._mask is False:
            return True
        fn = fn.base_dist
    return isinstance(fn, ImproperUniform)


def _levels(name: str, fn: Any) -> int:
    if not fn.has_enumerate_support:
        raise InputError(
            f"site {name!r} is drawn from {type(base(fn)).__name__}, which takes infinitely many "
            "discrete values and cannot be summed out. Observe it, bound it (Categorical over "
            "0 .. K), or write the sum over it in the model."
        )
    return len(fn.enumerate_support(expand=False))


def _inside(fn: Any, value: Any) -> Any:
    """Whether each event is in the support; masked ones are."""
    mask: Any = torch.tensor(True)
    while isinstance(fn, _WRAPPERS) and not isinstance(fn, torch.distributions.Independent):
        if isinstance(fn, MaskedDistribution):
            mask = mask & torch.as_tensor(fn._mask)
        fn = fn.base_dist
    try:
        inside = fn.support.check(value)
    except (ValueError, TypeError, RuntimeError):  # shapes that differ: said of the shapes
        return torch.tensor(True).numpy()
    return (inside | ~mask).numpy()


def at_once(model: Callable[..., Any]) -> Any:
    """The model with its discrete latent sites enumerated in parallel, whatever they say."""

    def how(site: Any) -> Any:
        found = site["type"] == "sample" and not site["is_observed"] and is_finite(site["fn"])
        return {"enumerate": "parallel"} if found else {}

    return poutine.infer_config(model, how)


def is_finite(fn: Any) -> bool:
    """Whether a distribution's values can be listed."""
    return bool(getattr(fn, "has_enumerate_support", False))
