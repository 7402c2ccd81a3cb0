"""Draws of a network's parameters: networks, densities, names.

Draws are named as the sites of the pair: theta_<node> of discrete nodes, (chain, draw, r_1, ...,
r_q, k), b_<node> of continuous ones, (chain, draw, r_1, ..., r_q, m + 1) with the intercept first,
and s2_<node>, (chain, draw, r_1, ..., r_q). A row's density given the rows fitted is the mean of
its density over S draws (`models.predictive`), and samples are of that density.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import logsumexp

from ...arrays import Floats, Ints
from ...family_density import Density
from ..predictive import mean_density
from .conditionals import LinearGaussian, Table
from .layout import NodeRows
from .network import Network
from .posterior import check_possible, posterior_of

Draws = Mapping[str, Floats]

DRAWS = 200  # of a posterior, that a row's density is averaged over


def flat(draws: Draws, most: int | None = DRAWS) -> dict[str, Floats]:
    """All draws, or `most` of them evenly spaced, without the chains: name -> (S, ...)."""
    out = {name: a.reshape(-1, *a.shape[2:]) for name, a in draws.items()}
    total = len(next(iter(out.values())))
    if most is None or most >= total:
        return out
    kept = np.linspace(0, total - 1, most).round().astype(int)
    return {name: a[kept] for name, a in out.items()}


def network_of(network: Network, values: Draws) -> Network:
    """A network with the values of the sites, one of each, as its parameters."""

    def conditional(name: str, size: int) -> Table | LinearGaussian:
        if size:
            return Table(values[f"theta_{name}"])
        b = values[f"b_{name}"]
        return LinearGaussian(b[..., 0], b[..., 1:], values[f"s2_{name}"])

    each = tuple(map(conditional, network.names, network.sizes))
    return replace(network, conditionals=each)


def sites_of(network: Network, floor: float = 1e-3) -> dict[str, Floats]:
    """The values of the sites that a network has, probabilities kept `floor` inside the simplex."""
    out = {}
    for name, given in zip(network.names, network.numbers(), strict=True):
        if isinstance(given, tuple):
            out[f"b_{name}"] = np.concatenate([given[0][..., None], given[1]], axis=-1)
            out[f"s2_{name}"] = given[2]
        else:
            inside = np.maximum(given, floor / given.shape[-1])
            out[f"theta_{name}"] = inside / inside.sum(axis=-1, keepdims=True)
    return out


def networks(network: Network, draws: Draws, most: int | None = None) -> Iterator[Network]:
    """The networks of the draws, or of `most` of them evenly spaced."""
    values = flat(draws, most)
    for s in range(len(next(iter(values.values())))):
        yield network_of(network, {name: a[s] for name, a in values.items()})


def mean_network(network: Network, draws: Draws) -> Network:
    """The network at the posterior means of tables, coefficients and precisions 1 / s2."""
    means = {}
    for name, a in flat(draws, None).items():
        precise = name.startswith("s2_")
        means[name] = 1 / np.mean(1 / a, axis=0) if precise else a.mean(axis=0)
    return network_of(network, means)


def rescaled(network: Network, draws: Draws, shift: Floats, scale: Floats) -> dict[str, Floats]:
    """The draws for y = shift + scale x, of shifts (N,) and positive scales (N,) of the nodes."""
    out = dict(draws)
    for node, name in enumerate(network.names):
        if network.sizes[node]:
            continue
        parents = list(network.continuous_parents(node))
        slopes = draws[f"b_{name}"][..., 1:] * (scale[node] / scale[parents])
        first = shift[node] + scale[node] * draws[f"b_{name}"][..., :1]
        first = first - (slopes @ shift[parents])[..., None]
        out[f"b_{name}"] = np.concatenate([first, slopes], axis=-1)
        out[f"s2_{name}"] = scale[node] ** 2 * draws[f"s2_{name}"]
    return out


def log_prob_draws(
    network: Network, draws: Draws, rows: NodeRows, most: int | None = None
) -> Floats:
    """(S, n) log density of what is known of each row under each of S draws."""
    plans = posterior_of(network)
    each = networks(network, draws, most)
    return np.stack([plans.like(one).log_prob(rows) for one in each])


def predictive(network: Network, draws: Draws, rows: NodeRows) -> Density:
    """Log densities of rows under the mean over `DRAWS` draws, with their standard errors."""
    logs = log_prob_draws(network, draws, rows, DRAWS)
    total = logsumexp(logs, axis=0)
    n, most = len(rows), len(logs)

    def score(some: slice) -> tuple[Floats, Floats]:
        finite = np.where(np.isfinite(total[some]), total[some], 0.0)
        return np.exp(logs[:, some] - finite).T, total[some] - np.log(most)

    return mean_density(score, np.full(most, 1 / most), n, most)


def sample(
    network: Network, draws: Draws, known: NodeRows, n: int, rng: np.random.Generator
) -> NodeRows:
    """n rows of the mean over `DRAWS` draws of the density, given what is known of a single one:
    each of the network of a draw that is chosen in proportion to the density of what is known.

    Raises:
        InputError: if what is known is impossible under all draws.
    """
    logs = log_prob_draws(network, draws, known, DRAWS)[:, 0]
    check_possible(logs.max(keepdims=True))
    shares = np.exp(logs - logs.max())
    which = rng.choice(len(shares), n, p=shares / shares.sum())
    out, plans = known.repeated(n), posterior_of(network)
    for s, one in enumerate(networks(network, draws, DRAWS)):
        here = np.flatnonzero(which == s)
        if len(here):
            some = plans.like(one).draw(known.repeated(len(here)), rng)
            out.codes[here], out.x[here] = some.codes, some.x
    return out


def sample_each(
    network: Network, draws: Draws, known: NodeRows, kept: Ints, rng: np.random.Generator
) -> NodeRows:
    """What is known, the rest drawn under each of some draws, numbered through the chains."""
    values, plans = flat(draws, None), posterior_of(network)
    each = (network_of(network, {name: a[s] for name, a in values.items()}) for s in kept)
    rows = [plans.like(one).draw(known, rng) for one in each]
    return NodeRows(
        np.concatenate([row.codes for row in rows]), np.concatenate([row.x for row in rows])
    )


def stored(text: str) -> str:
    """A name as files of draws and ArviZ take it, which read "/" as a path."""
    return text.replace("/", "\N{DIVISION SLASH}")


def dims(network: Network) -> dict[str, dict[str, list[Any]]]:
    """Names and labels of the draws' dimensions, for ArviZ: {"dims": ..., "coords": ...}; an axis
    is named by its node, and its labels are the node's states."""
    names: dict[str, list[Any]] = {}
    coords: dict[str, list[Any]] = {}
    for node, name in enumerate(network.names):
        parents = [network.names[parent] for parent in network.discrete_parents(node)]
        if network.sizes[node]:
            names[f"theta_{name}"] = [*parents, name]
            coords[name] = [str(state) for state in network.states[node]]
        else:
            terms = f"terms of {name}"
            names[f"b_{name}"], names[f"s2_{name}"] = [*parents, terms], parents
            continuous = [network.names[parent] for parent in network.continuous_parents(node)]
            coords[terms] = ["intercept", *continuous]
    return {"dims": names, "coords": coords}
