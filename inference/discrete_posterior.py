"""The posterior over the discrete latent sites of a model, given each draw of everything else.

Given theta and the data the states of a unit (a row of a mixture, a sequence, or all of the model,
see `pointwise`) have the distribution p(x | y, theta) = p(x, y | theta) / Z. Its margins come from
one pass back over the sums of Z, exactly; so do independent draws of all states together and the
states that are most probable together. The posterior of x alone is the mean over draws of theta:

    p(x_i = k | y) ~ (1/S) sum_s p(x_i = k | y, theta_s).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..arrays import Array, Floats, Ints
from .enumerated import Draws, Enumerated
from .enumerated_groups import Group
from .log_sum_product import LogMax, LogSum


@dataclass(frozen=True)
class DiscretePosterior:
    """States of the discrete latent sites, by site.

    Attributes:
        support: (K, ...) values of the states.
        plates: the plates of its entries; "_step" numbers the steps of a scan.
        probabilities: (*entries, K) p(x_i = k | y), the mean over draws.
        by_draw: (b, *entries, K) p(x_i = k | y, theta_s); {} unless asked for.
        draws: (b, *entries) of the states' numbers, one joint draw given each theta; of "map" the
            states most probable together.
    """

    support: dict[str, Array]
    plates: dict[str, tuple[str, ...]]
    probabilities: dict[str, Floats]
    by_draw: dict[str, Floats]
    draws: dict[str, Ints]

    def __repr__(self) -> str:
        sites = (f"{n}: {p.shape[:-1]} of {p.shape[-1]}" for n, p in self.probabilities.items())
        return f"DiscretePosterior(sites and their states {', '.join(sites)})"

    def values(self, site: str) -> Array:
        """(b, *entries, ...) the values of a site's drawn states."""
        return np.asarray(self.support[site][self.draws[site]])


def discrete_posterior(
    model: Enumerated,
    draws: Draws,
    rng: np.random.Generator,
    most_probable: bool = False,
    by_draw: bool = False,
) -> DiscretePosterior:
    """The posterior over the discrete sites under each draw.

    Args:
        model: with its data.
        draws: (b, ...) of every continuous latent site, in its support.
        rng: of the joint draws.
        most_probable: the states most probable together in place of joint draws.
        by_draw: keep the probabilities of each draw.

    Raises:
        InputError: if it takes more memory than there is.
    """
    groups = [group for group in model.groups if group.discrete]
    home = {v.site: group for group in groups for v, _ in group.variables}
    shapes = {site: group.places(site) for site, group in home.items()}
    entries = {site: math.prod(sizes.values()) for site, sizes in shapes.items()}
    states = {site: len(model.support[site]) for site in home}
    n = len(next(iter(draws.values()))) if draws else 1
    kept = sum(entries[s] * (1 + states[s] * by_draw) for s in home)
    sums = {s: np.zeros((*shapes[s].values(), states[s])) for s in home}
    each = {s: np.empty((n, *sums[s].shape)) for s in home} if by_draw else {}
    drawn = {s: np.empty((n, *shapes[s].values()), np.intp) for s in home}
    for block, tables in model.blocks(draws, keep=8 * kept):
        for group in groups:
            for site, at, p, x in _of_group(group, tables, rng, most_probable):
                sums[site][at] += p.sum(axis=0)
                drawn[site][(block, *at)] = x
                if by_draw:
                    each[site][(block, *at)] = p
    return DiscretePosterior(
        {site: model.support[site] for site in home},
        {site: tuple(sizes) for site, sizes in shapes.items()},
        {site: p / n for site, p in sums.items()},
        each,
        drawn,
    )


class _States(NamedTuple):
    """Of a discrete site at some of its entries, every unit of each draw."""

    site: str
    at: tuple[slice | int, ...]
    probabilities: Floats  # (b, *units, K)
    drawn: Ints  # (b, *units)


def _of_group(
    group: Group, tables: Sequence[Floats], rng: np.random.Generator, most_probable: bool
) -> Iterator[_States]:
    units = (len(tables[0]), *group.units.values())
    n = math.prod(units)
    multiplied = [group.multiplied(entry, tables) for entry in group.entries]
    sums = LogSum(group.plan, multiplied)
    if most_probable:
        states = LogMax(group.plan, multiplied).states(n)
    else:
        states = {v: x[0] for v, x in sums.draw(n, 1, rng).items()}
    probabilities = sums.probabilities()
    for v, i in group.own.items():
        p, scope = probabilities[i], group.plan.scopes[i]
        p = p.sum(axis=tuple(a for a, other in enumerate(scope, 1) if other != v))
        entry = group.entries[i]
        yield _States(
            group.factors[entry.factor].site,
            group.place(entry),
            np.broadcast_to(p, (n, p.shape[-1])).reshape(*units, -1),
            states[v].reshape(units),
        )
