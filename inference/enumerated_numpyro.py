"""The tables of a NumPyro model whose discrete latent sites are summed out: see `enumerated`.

NumPyro's enumeration (`numpyro.contrib.funsor`) gives every discrete site an axis of its own, to
the left of the plates, and says which axis of a site's log density is which. In a `scan` the first
steps are run one by one, their sites named "_PREV_x", and the others have an axis of steps, along
which "_PREV_x" is x of the step before; here each step becomes a table of its own.

A plate that subsamples takes all its rows where data of its full size are among the arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from numpyro import handlers
from numpyro.primitives import Messenger

from ..arrays import Array, Floats
from .enumerated import Axes, Draws, Enumerated, kind_of, lengths_of, states_of, weighed
from .enumerated_groups import Factor, Kind, Variable
from .funsor_backend import funsors_of_jax
from .posterior.sites_numpyro import AtOnce, check_numbered

_PREV, _TIME = "_PREV_", "_time_"


def read(
    model: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], like: Draws
) -> Enumerated:
    """The tables of a model given its data.

    Args:
        model: a NumPyro program.
        args, kwargs: what it is called with, its data among them.
        like: (b, ...) draws of its continuous latent sites, of which the shapes are taken.

    Raises:
        InputError: for a discrete site whose states cannot be numbered from 0, and one that is
            depended on from outside its plate.
    """
    with jax.enable_x64(True):
        program = _Program(
            model, [_array(a) for a in args], {name: _array(a) for name, a in kwargs.items()}
        )
        given = _arrays(like)
        program.look({name: value[0] for name, value in given.items()})
        compiled = jax.jit(jax.vmap(program.log_probs))
        jax.eval_shape(*((compiled, given) if given else (program.log_probs, {})))  # no memory
        parts = _parts(program.sites)

    def tables(draws: Draws) -> list[Floats]:
        with jax.enable_x64(True):
            given = _arrays(draws)
            if given:
                found = compiled(given)
            else:
                found = [table[None] for table in program.log_probs({})]
            found = [np.asarray(table, np.float64) for table in found]
        return [found[i] if place is None else found[i][:, place] for i, place, _ in parts]

    factors = [factor for *_, factor in parts]
    return Enumerated(factors, program.support, tables, program.weights)


def _arrays(draws: Draws) -> dict[str, Any]:
    """Draws as arrays of JAX, in float64."""
    given = {name: np.asarray(value) for name, value in draws.items()}
    return {n: _array(v.astype(np.float64) if v.dtype.kind == "f" else v) for n, v in given.items()}


def _array(value: Any) -> Any:
    """An array of NumPy as one of JAX, which may be indexed by what is traced."""
    numbers = isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
    return jnp.asarray(value) if numbers else value


class _Site(NamedTuple):
    """A site of the trace: the scan that it is in, and the steps that its log density has an axis
    of (the first), and the other axes, discrete sites by their names in the trace."""

    name: str
    kind: Kind
    scan: str | None
    steps: int
    axes: Axes


@dataclass
class _Program:
    """A model called with its data.

    Attributes:
        depth: plates nested, at most.
        support: of the discrete latent sites.
        weights: of the observed sites that are scaled.
        sites: those whose log densities it gave last.
    """

    model: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    depth: int = 0
    support: dict[str, Array] = field(default_factory=dict)
    weights: dict[str, Array] = field(default_factory=dict)
    sites: list[_Site] = field(default_factory=list)

    def look(self, draw: Mapping[str, Any]) -> None:
        """Find the discrete sites and the plates, by a run without enumeration."""

        def support(draw: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
            states, weights = {}, {}
            trace = self._trace(self._given(draw))
            for name, site in trace.items():
                if site["type"] != "sample":
                    continue
                fn, in_scan = site["fn"], "_scan_current_index" in site["infer"]
                dims = [-f.dim for f in site["cond_indep_stack"]]
                self.depth = max([self.depth, 0 if in_scan else len(fn.batch_shape), *dims])
                if not site["is_observed"] and name not in draw:
                    states[name] = states_of(name, fn)
                elif site["is_observed"] and site["scale"] is not None:
                    plates = [trace[f.name]["args"] for f in site["cond_indep_stack"]]
                    usual = math.prod(size / (rows or size) for size, rows in plates)
                    weights[name] = site["scale"] / usual
            return states, weights

        states, weights = jax.jit(support)(draw)
        self.support.update({name: np.asarray(values) for name, values in states.items()})
        self.weights.update(weighed(weights))
        for name, values in self.support.items():
            check_numbered(name, values)

    def _given(self, draw: Mapping[str, Any]) -> Callable[..., Any]:
        whole = _WholePlates(self.model, lengths_of(self.args, self.kwargs))
        given: Callable[..., Any] = handlers.substitute(
            handlers.seed(whole, jr.key(0)), data=dict(draw)
        )
        return given

    def log_probs(self, draw: Mapping[str, Any]) -> list[Any]:
        """The log densities of its sites, with axes as `sites` says from then on."""
        found = (self._at_once if self.support else self._trace)(self._given(draw))
        self.sites.clear()
        tables = [
            self._table(name, site, kind_of(_root(name) in self.support, not site["is_observed"]))
            for name, site in found.items()
            if site["type"] == "sample" and (site["is_observed"] or self.support)
        ]
        return [table for table in tables if table is not None]

    def _trace(self, program: Callable[..., Any]) -> Any:
        return handlers.trace(program).get_trace(*self.args, **self.kwargs)

    def _at_once(self, program: Callable[..., Any]) -> Any:
        """The trace with all states of the discrete sites at once."""
        from numpyro.contrib.funsor import config_enumerate, enum, trace
        from numpyro.contrib.funsor.infer_util import plate_to_enum_plate

        with funsors_of_jax(), plate_to_enum_plate():
            program = enum(config_enumerate(AtOnce(program)), -1 - self.depth)
            return trace(program).get_trace(*self.args, **self.kwargs)

    def _table(self, name: str, site: Any, kind: Kind) -> Any:
        """The log density, None of a continuous site that depends on no discrete one."""
        given = (site["value"],) + ((site["intermediates"],) if site["intermediates"] else ())
        value = jnp.asarray(site["fn"].log_prob(*given))
        labels = dict(site["infer"].get("dim_to_name", {}))
        scan = next((dim for dim, label in labels.items() if label.startswith(_TIME)), None)
        axes = Axes.of(
            value.shape,
            {dim: label for dim, label in labels.items() if _root(label) in self.support},
            [(f.name, f.dim, f.size) for f in site["cond_indep_stack"]],
            name if kind == "discrete" else None,
            scan,
        )
        if kind == "latent" and not axes.variables:
            return None
        first = [] if scan is None else [value.ndim + scan]
        steps = tuple(value.shape[axis] for axis in first)
        label = None if scan is None else labels[scan]
        self.sites.append(_Site(name, kind, label, sum(steps), axes))
        moved = axes.moved(value, jnp.permute_dims, first)
        return jnp.broadcast_to(moved, (*steps, *axes.shape))


def _root(name: str) -> str:
    while name.startswith(_PREV):
        name = name[len(_PREV) :]
    return name


def _shift(name: str) -> int:
    return (len(name) - len(_root(name))) // len(_PREV)


class _Part(NamedTuple):
    """Of which site of the trace a factor is, and its place on the axis of steps."""

    site: int
    place: int | None
    factor: Factor


def _parts(sites: Sequence[_Site]) -> list[_Part]:
    """The factors in the order of the model: in a scan step by step."""
    first: dict[str, int] = {}  # steps that are run one by one, of each site in a scan
    for site in sites:
        if _shift(site.name):
            root = _root(site.name)
            first[root] = max(first.get(root, 0), _shift(site.name))
    out = []
    for scan, found in groupby(enumerate(sites), key=lambda item: item[1].scan):
        members = list(found)
        for place in range(members[0][1].steps) if scan else (None,):
            out += [_Part(i, place, _factor(site, place, first)) for i, site in members]
    return out


def _factor(site: _Site, place: int | None, first: Mapping[str, int]) -> Factor:
    def step(name: str) -> int | None:
        """x is of the step at `place`, after those that are run one by one, "_PREV_x" before it."""
        root = _root(name)
        return first[root] + (place or 0) - _shift(name) if root in first else None

    return Factor(
        _root(site.name),
        step(site.name),
        site.kind,
        tuple(Variable(_root(name), step(name)) for name in site.axes.variables),
        tuple(site.axes.plates),
        site.axes.shape,
    )


class _WholePlates(Messenger):  # type: ignore[misc]
    """Plates that subsample data given whole take all rows.

    Args:
        fn: a program.
        lengths: of the data that it is given.
    """

    def __init__(self, fn: Callable[..., Any], lengths: frozenset[int]) -> None:
        super().__init__(fn)
        self.lengths = lengths

    def process_message(self, msg: Any) -> None:
        if msg["type"] == "plate" and msg["args"][0] in self.lengths:
            size = msg["args"][0]
            msg["args"], msg["value"] = (size, size), jnp.arange(size)
