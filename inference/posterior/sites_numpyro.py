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
from numpyro.infer import init_to_feasible
from numpyro.primitives import Messenger

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

_WRAPPERS = ExpandedDistribution | Independent | MaskedDistribution


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
        raise model_raised(error, args, kwargs) from error
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
    for name in sites.observed:
        fn, value = trace[name]["fn"], trace[name]["value"]
        check_observed(sites[name], value, _inside(fn, value), tuple(fn.shape()))
    check_model(sites)
    return sites


def _kind(site: Any) -> Kind | None:
    if site["type"] in ("deterministic", "param"):
        kind: Kind = site["type"]
        return kind
    if site["type"] != "sample":
        return None
    if site["is_observed"]:
        return "factor" if isinstance(base(site["fn"]), Unit) else "observed"
    return "discrete" if site["fn"].support.is_discrete else "latent"


def base(fn: Any) -> Any:
    """The distribution within its wrappers."""
    while isinstance(fn, _WRAPPERS):
        fn = fn.base_dist
    return fn


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
        "distribution": type(base(fn)).__name__,
        "support": words_of(fn.support),
        "plates": plates,
        "looped": looped(site),
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
    values = np.asarray(fn.enumerate_support(expand=False))
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
    """Whether each event is in the support; masked ones are."""
    mask: Any = True
    while isinstance(fn, _WRAPPERS):
        if isinstance(fn, MaskedDistribution):
            mask = jnp.logical_and(mask, fn._mask)
        if isinstance(fn, Independent):
            break
        fn = fn.base_dist
    try:
        inside = fn.support.check(value) if "check" in dir(fn.support) else fn.support(value)
    except (ValueError, TypeError):  # shapes that do not go together: said of the shapes
        return np.True_
    return np.asarray(inside | ~jnp.asarray(mask))
