"""A model run forward, from the prior or from draws of its latent sites, on either backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from ...arrays import Array
from .sites import Sites


class Called(NamedTuple):
    """A model of a backend, and what it is called with."""

    backend: str
    model: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def forward(
    called: Called,
    *,
    values: Mapping[str, Array],
    names: Sequence[str],
    n: int,
    seed: int,
    tell: Callable[[int], object] = lambda done: None,
) -> dict[str, Array]:
    """Values of sites in n runs of a model.

    Args:
        called: what is called; an observed site is drawn, whether its data are given or None.
        values: site -> (n, ...) that it has in each run; all others are drawn.
        names: of the sites that are given back; those that the model does not have are left out.
        tell: called with how many more runs are done.

    Returns:
        Site -> (n, ...).
    """
    module = import_module(f".forward_{called.backend}", __package__)
    found: dict[str, Array] = module.forward(*called[1:], values, names, n, seed, tell)
    return found


def sites_of(called: Called) -> Sites:
    """The sites of a model that is called without what it observes, or with it; all of them drawn.

    Raises:
        InputError: if the model raises.
    """
    module = import_module(f".forward_{called.backend}", __package__)
    sites: Sites = module.sites_of(*called[1:])
    return sites
