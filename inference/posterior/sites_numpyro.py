"""Reading the sites of a NumPyro model: see `sites`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import handlers
from numpyro.distributions import biject_to
from numpyro.distributions.distribution import (
    ExpandedDistribution,
    ImproperUniform,
    Independent,
    MaskedDistribution,
    Unit,
)
from numpyro.infer import init_to_feasible, init_to_uniform
from numpyro.primitives import Messenger

from ...errors import InputError
from .distributions import Library
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
    (ExpandedDistribution, Independent, MaskedDistribution),
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
    """The sites of a model, checked unless it is run forward. To be called in double precision.

    Raises:
        InputError: see `target.make_target`.
    """
    seeded = handlers.seed(model, jax.random.key(0))
    try:
        trace = handlers.trace(
            handlers.substitute(seeded, substitute_fn=init_to_feasible)
        ).get_trace(*args, **kwargs)
    except InputError:
        raise
    except Exception as error:
        raise model_raised(error, model, args, kwargs) from error
    wholes = {
        n: (site["args"][0], site["args"][1] or site["args"][0])
        for n, site in trace.items()
        if site["type"] == "plate"
    }
    found = {n: _site(s, kind, wholes, check) for n, s in trace.items() if (kind := _kind(s))}
    observed = [name for name, site in found.items() if site.kind == "observed"]
    sites = Sites(found, {name: trace[name]["value"] for name in observed})
    if not check:
        return sites
    elsewhere: Any = None
    for name in sites.observed:
        fn, value = trace[name]["fn"], trace[name]["value"]
        inside = _inside(fn, value)
        if not np.all(inside):
            if elsewhere is None:
                placed = handlers.substitute(seeded, substitute_fn=init_to_uniform)
                elsewhere = handlers.trace(placed).get_trace(*args, **kwargs)
            if moves(fn.support, elsewhere[name]["fn"].support):
                inside = np.True_  # whether there are such values is for the start to find
        check_observed(sites[name], value, inside, tuple(fn.shape()))
    check_model(sites)
    return sites


def _kind(site: Any) -> Kind | None:
    if site["type"] in ("deterministic", "param"):
        kind: Kind = site["type"]
        return kind
    if site["type"] != "sample":
        return None
    if site["is_observed"]:
        return "factor" if LIBRARY.is_factor(site["fn"]) else "observed"
    return "discrete" if site["fn"].support.is_discrete else "latent"


def looped(site: Any) -> bool:
    """Whether a site stands in a loop by `scan`."""
    return "_scan_current_index" in site["infer"]


def _site(site: Any, kind: Kind, wholes: Mapping[str, tuple[int, int]], check: bool) -> Site:
    name, shape = site["name"], tuple(np.shape(site["value"]))
    frames = sorted(site.get("cond_indep_stack", ()), key=lambda frame: frame.dim)
    plates = tuple(Plate(f.name, f.dim, *wholes.get(f.name, (f.size, f.size))) for f in frames)
    if kind in ("deterministic", "param"):
        return Site(name, kind, shape, plates=plates)
    fn = site["fn"]
    about: dict[str, Any] = {
        "event_dim": fn.event_dim,
        "distribution": type(LIBRARY.base(fn)).__name__,
        "support": words_of(fn.support),
        "plates": plates,
        "looped": looped(site),
    }
    if kind == "latent":
        about["unconstrained"] = LIBRARY.unconstrained(name, fn, shape)
        about["improper"] = LIBRARY.is_improper(fn)
    if kind == "discrete" and check:
        about["levels"] = _levels(name, fn)
    return Site(name, kind, shape, **about)


def _levels(name: str, fn: Any) -> int:
    values = np.asarray(LIBRARY.levels(name, fn))
    check_numbered(name, values)
    return len(values)


def check_numbered(name: str, values: Any) -> None:
    """Raise InputError if the values of a discrete site are not 0, ..., K - 1."""
    if not (values.reshape(len(values), -1) == np.arange(len(values))[:, None]).all():
        raise InputError(
            f"site {name!r} takes the values {np.unique(values).tolist()}, and NumPyro sums over "
            "values numbered from 0. Draw such a number, and shift it in the model."
        )


class AtOnce(Messenger):  # type: ignore[misc]
    """Discrete latent sites are enumerated in parallel, whatever they say themselves."""

    def process_message(self, msg: Any) -> None:
        if msg["type"] == "sample" and not msg["is_observed"] and msg["fn"].has_enumerate_support:
            msg["infer"]["enumerate"] = "parallel"


def _inside(fn: Any, value: Any) -> Any:
    """Whether each event is in the support, or each value where events are made of independent
    ones and none are masked; masked ones are."""
    support = each_value(fn.support) if not LIBRARY.masks(fn) else fn.support
    try:
        inside = support.check(value) if "check" in dir(support) else support(value)
    except (ValueError, TypeError):  # shapes that do not go together: said of the shapes
        return np.True_
    for mask in LIBRARY.masks(fn):
        inside = inside | ~jnp.asarray(mask)
    return np.asarray(inside)
