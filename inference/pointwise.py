"""Log likelihoods of single observations, discrete latent sites summed out.

Observed sites that some discrete site couples, directly or through others, are a group. The plates
that all of its sites are in make it independent units, and

    log p(y_i | theta) = log sum_x prod_s f_s(x, y_i)

is the value of unit i: of a mixture a row, however many observed sites a row has; of a hidden
Markov model whose sequences are in a plate, a sequence. Where they share no plate (a single
sequence; a discrete site outside the plate of the rows) observations are not independent given
theta, and the value of each is conditional, on all others unless told otherwise:

    log p(y_i | y_-i, theta) = log Z - log Z without f_i.

This is what leave-one-out wants, since p(theta | y_-i) is proportional to
p(theta | y) / p(y_i | y_-i, theta). These values do not add up to log p(y | theta); those of each
observation given the ones before it, log p(y_i | y_1, ..., y_i-1, theta), do.

Reference: Buerkner, Gabry and Vehtari, "Efficient leave-one-out cross-validation for Bayesian
non-factorized normal and Student-t models", 2021, https://doi.org/10.1007/s00180-020-01045-4.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ..arrays import Floats
from ..errors import InputError
from .elimination import Scope
from .enumerated import Draws, Enumerated
from .enumerated_groups import Entry, Group
from .log_sum_product import LogSum, aligned, log_sum

_PLATE = -1  # numbers the entries of the plates that a table is multiplied over

Given = Literal["others", "previous"]


@dataclass(frozen=True)
class Pointwise:
    """Log likelihoods of single observations, in nats.

    Attributes:
        values: name -> (b, *units). The name is that of the observed site, or "joint" where several
            are summed together ("joint_2" and so on of further groups).
        plates: name -> the plates of its units; "_step" numbers the steps of a scan.
        sites: name -> the observed sites that its values are of.
        conditional: the names whose values are conditional on other observations.
    """

    values: dict[str, Floats]
    plates: dict[str, tuple[str, ...]]
    sites: dict[str, tuple[str, ...]]
    conditional: tuple[str, ...]


def pointwise(model: Enumerated, draws: Draws, given: Given = "others") -> Pointwise:
    """Log likelihoods of the observations of a model under each draw.

    Args:
        model: with its data.
        draws: (b, ...) of every continuous latent site, in its support.
        given: which observations those are conditional on that are not independent: all others, or
            those before them in the model.

    Raises:
        InputError: if it takes more memory than there is; if `given` is something else; and for
            those before where continuous latent sites depend on discrete ones, and these on each
            other.
    """
    if given not in get_args(Given):
        raise InputError(f"given is {given!r}; expected 'others' or 'previous'.")
    groups = [group for group in model.groups if group.observed]
    together = _together(groups)
    out = Pointwise({}, {}, {}, tuple(s for g in groups if g.coupled for s in g.observed))
    for number, group in enumerate(groups):
        if number in together:
            out.plates[together[number]] = tuple(group.units)
            out.sites[together[number]] = group.observed
        else:
            out.plates.update({site: tuple(group.places(site)) for site in group.observed})
            out.sites.update({site: (site,) for site in group.observed})
    parts: dict[str, list[Floats]] = {name: [] for name in out.sites}
    for _, tables in model.blocks(draws, keep=_kept(groups, together)):
        for number, group in enumerate(groups):
            if number in together:
                log_p = _of_units(group, tables)
                parts[together[number]].append(log_p.reshape(-1, *group.units.values()))
            else:
                for site, values in _single(group, tables, given).items():
                    parts[site].append(values)
    out.values.update({name: np.concatenate(part) for name, part in parts.items()})
    return out


def _together(groups: Sequence[Group]) -> dict[int, str]:
    """The names of the groups whose units are summed whole."""
    out: dict[int, str] = {}
    joint = 0
    for number, group in enumerate(groups):
        if group.units and group.discrete:
            several = len(group.observed) > 1
            joint += several
            many = "joint" if joint == 1 else f"joint_{joint}"
            out[number] = many if several else group.observed[0]
    return out


def _kept(groups: Sequence[Group], together: dict[int, str]) -> int:
    """Bytes of the values of a draw."""
    units = [
        group.unit_count
        if number in together
        else sum(math.prod(group.places(site).values()) for site in group.observed)
        for number, group in enumerate(groups)
    ]
    return 8 * sum(units)


def _multiplied(group: Group, tables: Sequence[Floats]) -> list[Floats]:
    return [group.multiplied(entry, tables) for entry in group.entries]


def _of_units(group: Group, tables: Sequence[Floats]) -> Floats:
    """(b * units,) log p(y_i | theta); continuous latent sites that depend on the discrete ones
    are part of theta, and say something of their states."""
    log_z = LogSum(group.plan, multiplied := _multiplied(group, tables)).log_z
    if not group.latents:
        return log_z
    unseen = [
        np.zeros_like(table) if group.factors[entry.factor].kind == "observed" else table
        for entry, table in zip(group.entries, multiplied, strict=True)
    ]
    return _difference(log_z, LogSum(group.plan, unseen).log_z)


def _single(group: Group, tables: Sequence[Floats], given: Given) -> dict[str, Floats]:
    """(b, *places) of each observed site: of each observation given others of the group."""
    b = len(tables[0])
    out = {s: np.empty((b, *group.places(s).values())) for s in group.observed}
    by = _given_others if given == "others" else _given_previous
    for entry, values in by(group, tables):
        site = group.factors[entry.factor].site
        out[site][(slice(None), *group.place(entry))] = values.reshape(
            b, *group.units.values(), *values.shape[1:]
        )
    return out


def _given_others(group: Group, tables: Sequence[Floats]) -> Iterator[tuple[Entry, Floats]]:
    """(b * units, *over) log p(y_i | y_-i) of each observed table."""
    seen = {i: e for i, e in enumerate(group.entries) if group.factors[e.factor].kind == "observed"}
    multiplied = _multiplied(group, tables)
    sums = LogSum(group.plan, multiplied)
    rest = sums.without(multiplied, seen)
    for i, entry in seen.items():
        own, k = group.table(entry, tables), len(entry.over)
        around = rest[i].reshape(rest[i].shape + (1,) * k)
        without = log_sum(around + _others(own, k), tuple(range(1, own.ndim - k)))
        log_z = sums.log_z.reshape((-1,) + (1,) * k)
        yield entry, _difference(log_z, without)


def _others(own: Floats, k: int) -> Floats:
    """The sum over the last k axes without each entry itself, where some may be -inf."""
    axes = tuple(range(own.ndim - k, own.ndim))
    if not axes:
        return np.zeros_like(own)
    impossible = np.isneginf(own)
    finite = np.where(impossible, 0.0, own)
    left = impossible.sum(axis=axes, keepdims=True) - impossible
    return np.where(left > 0, -np.inf, finite.sum(axis=axes, keepdims=True) - finite)


def _difference(with_it: Floats, without: Floats) -> Floats:
    """The log of a ratio of probabilities, -inf where the first is 0."""
    impossible = np.isneginf(with_it)
    return np.where(impossible, -np.inf, np.where(impossible, 0.0, with_it) - without)


def _given_previous(group: Group, tables: Sequence[Floats]) -> Iterator[tuple[Entry, Floats]]:
    """(b * units, *over) log p(y_i | y_1, ..., y_i-1) of each observed table.

    The tables are multiplied in the order of the model, of discrete sites once an observation
    depends on them, and a variable is summed out once no table is left that has it. What is left
    adds up to log p(y_1, ..., y_i), since each discrete site sums to 1 given those before it.
    """
    if group.latents:
        raise InputError(
            f"the latent site {group.latents[0]!r} depends on discrete sites, and says something "
            "of them before any observation is made; take given='others'."
        )
    entries, scopes = group.entries, group.plan.scopes
    waiting = Counter(v for scope in scopes for v in scope)
    frontier: Floats = np.zeros(1)
    live: Scope = ()
    before: Floats = np.zeros((1, 1))
    done: set[int] = set()
    for i, entry in enumerate(entries):
        if group.factors[entry.factor].kind != "observed":
            continue
        for j in (*_needed(i, scopes, group.own, done), i):
            table, over = group.table(entries[j], tables), entries[j].over
            states = table.shape[: table.ndim - len(over)]
            upto = np.cumsum(table.reshape(*states, -1), axis=-1)  # by the entries of a plate
            both = (*live, *(v for v in scopes[j] if v not in live), _PLATE)
            F = aligned(frontier[..., None], (*live, _PLATE), both)
            F = F + aligned(upto, (*scopes[j], _PLATE), both)
            waiting.subtract(scopes[j])
            gone = tuple(a for a, v in enumerate(both, 1) if v != _PLATE and not waiting[v])
            frontier = log_sum(F[..., -1], gone)
            live = tuple(v for v in both if waiting[v])
        log_p = log_sum(F, tuple(range(1, F.ndim - 1)))
        first = np.broadcast_to(before, (len(log_p), 1))
        values = _difference(log_p, np.concatenate((first, log_p), axis=1)[:, :-1])
        before = log_p[:, -1:]
        yield entry, values.reshape(len(values), *table.shape[table.ndim - len(entry.over) :])


def _needed(i: int, scopes: Sequence[Scope], own: Mapping[int, int], done: set[int]) -> list[int]:
    """The tables, not yet done, of the discrete sites that a table depends on, in the order of the
    model; done from now on."""
    found, ahead = set[int](), [i]
    while ahead:
        for v in scopes[ahead.pop()]:
            if own[v] not in done:
                done.add(own[v])
                found.add(own[v])
                ahead.append(own[v])
    return sorted(found)
