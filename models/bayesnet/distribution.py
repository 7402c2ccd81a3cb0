"""A fitted network as a distribution of NumPyro or Pyro.

The density is that of `row_density`, written once for both backends: hidden nodes are summed out,
and values that are conditioned on are known. A fit with a posterior is the mean over S draws, which
is a network with one more hidden node, uniform over the draws, that all others depend on. A flow
given its parents is a net of torch, which JAX reaches by `inference.bridge`. Draws are those of
the engines, on the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...arrays import Floats
from ...errors import InputError
from ..distributions.columns import Columns
from ..distributions.making import Backend
from . import draws
from .conditionals import LinearGaussian, Table
from .families import Family, families
from .flow_node import FlowConditional
from .layout import Layout, NodeRows
from .network import Network
from .posterior import posterior_of
from .row_density import Backend as Functions
from .row_density import Parameters, RowDensity

Numbers = dict[int, Floats]


class Described(NamedTuple):
    """A network as plain numbers: families, parents first, and the values of the pair's sites."""

    of: Sequence[Family]
    order: Sequence[int]
    theta: Numbers
    b: Numbers
    s2: Numbers


def distribution(
    network: Network,
    layout: Layout,
    parameters: draws.Draws | None,
    columns: Columns,
    backend: Backend,
) -> Any:
    """The distribution of a network's columns.

    Args:
        network: in the coordinates of the codec.
        layout: which node each column is, and what is known beforehand.
        parameters: draws of the parameters, or None.
        columns: of the values.
        backend: "numpyro" or "pyro".

    Raises:
        InputError: if a node is a function of its parents, or a flow depends on a hidden node.
    """
    known = layout.evidence.known[0].copy()
    known[layout.columns] = True
    _check(network, known)
    described = _described(network) if parameters is None else _stacked(network, parameters)
    hidden = [f.node for f in described.of if f.node >= len(known) or not known[f.node]]
    before = 0.0
    if layout.conditioned:
        before = float(posterior_of(network).log_prob(layout.evidence)[0])

    def draw(n: int, seed: int) -> Floats:
        rng = np.random.default_rng(seed)
        if parameters is None:
            drawn = posterior_of(network).draw(layout.evidence.repeated(n), rng)
        else:
            drawn = draws.sample(network, parameters, layout.evidence, n, rng)
        found, out = layout.gathered(drawn), np.empty((n, len(columns)))
        out[:, columns.continuous], out[:, columns.discrete] = found.x, found.codes
        return out

    size, places = len(columns), _places(layout, columns)
    if backend == "pyro" or network.flows:
        log_prob = _in_torch(network, described, hidden, places, layout.evidence, before)
    if backend == "pyro":
        from ...inference.bridge import draws_in_torch
        from ..distributions import in_pyro

        made = in_pyro.ByFunction(size, log_prob, draws_in_torch(draw, size))
        return in_pyro.in_units(made, columns)
    from ...inference.bridge import draws_in_jax, torch_in_jax
    from ..distributions import in_numpyro

    if network.flows:
        of_rows: Any = torch_in_jax(log_prob)
    else:
        of_rows = _in_jax(described, hidden, places, layout.evidence, before)
    drawn = draws_in_jax(draw, size)
    return in_numpyro.FittedRows(lambda: in_numpyro.ByFunction(size, of_rows, drawn), columns)


def _check(network: Network, known: Any) -> None:
    for node, conditional in enumerate(network.conditionals):
        name = network.names[node]
        if isinstance(conditional, LinearGaussian) and (conditional.variance == 0).any():
            raise InputError(
                f"{name!r} is a function of its parents, so that the network has no density. Give "
                "it a variance, or leave it out."
            )
        parents = network.dag.parents[node]
        if isinstance(conditional, FlowConditional) and not known[[*parents, node]].all():
            raise InputError(
                f"{name!r} is a flow given its parents, and one of these is hidden: the sum over "
                'it is no distribution here. Fit with conditionals="linear".'
            )


def _described(network: Network) -> Described:
    """The network's numbers; a flow stands as a standard normal without parents."""
    cut = network.cut(network.flows)
    theta, b, s2 = {}, {}, {}
    for node, given in enumerate(cut.conditionals):
        if isinstance(given, Table):
            theta[node] = given.probs
        else:
            linear = cut.linear(node)
            b[node] = np.concatenate([linear.intercept[..., None], linear.coefficients], axis=-1)
            s2[node] = linear.variance
    return Described(families(cut.dag, cut.sizes), cut.dag.order, theta, b, s2)


def _stacked(network: Network, parameters: draws.Draws) -> Described:
    """The mean over draws: every table has them as its first axis."""
    flat, N = draws.flat(parameters), len(network.names)
    S = len(next(iter(flat.values())))
    of = [
        f._replace(discrete=(N, *f.discrete), shape=(S, *f.shape))
        for f in families(network.dag, network.sizes)
    ]
    named = list(enumerate(network.names))
    theta = {i: flat[f"theta_{name}"] for i, name in named if network.sizes[i]}
    b = {i: flat[f"b_{name}"] for i, name in named if not network.sizes[i]}
    s2 = {i: flat[f"s2_{name}"] for i, name in named if not network.sizes[i]}
    one = Family(N, S, (), (), ())
    theta[N] = np.full(S, 1 / S)
    return Described([*of, one], [N, *network.dag.order], theta, b, s2)


def _places(layout: Layout, columns: Columns) -> dict[int, int]:
    """Node -> the place of its column in a value."""
    nodes = [*layout.continuous.tolist(), *layout.discrete.tolist()]
    return dict(zip(nodes, [*columns.continuous.tolist(), *columns.discrete.tolist()], strict=True))


def _spread(
    value: Any, described: Described, places: dict[int, int], evidence: NodeRows, on: Functions
) -> tuple[Any, Any]:
    """x (n, N), NaN, and codes (n, N), -1, of encoded rows (n, D) over the nodes."""
    zeros = 0 * value[:, 0]
    nodes = sorted(f.node for f in described.of)
    sizes = {f.node: f.size for f in described.of}
    x, codes = [], []
    for node in nodes:
        own = value[:, places[node]] if node in places else None
        known = node < evidence.x.shape[1]
        x.append(zeros + (evidence.x[0, node] if known else np.nan) if own is None else own)
        code = zeros + (float(evidence.codes[0, node]) if known else -1.0)
        codes.append(own if own is not None and sizes[node] else code)
    return on.xp.stack(x, -1), on.xp.stack(codes, -1)


def _in_jax(
    described: Described,
    hidden: Sequence[int],
    places: dict[int, int],
    evidence: NodeRows,
    before: float,
) -> Any:
    import jax.numpy as jnp

    from .numpyro import BACKEND

    density = RowDensity(described.of, described.order, hidden, BACKEND)

    def log_prob(value: Any) -> Any:
        rows = value.reshape(-1, value.shape[-1])
        x, codes = _spread(rows, described, places, evidence, BACKEND)
        numbers = (
            {node: jnp.asarray(array) for node, array in each.items()}
            for each in (described.theta, described.b, described.s2)
        )
        found = density(Parameters(*numbers), x, codes.astype(jnp.int32))
        return (found - before).reshape(value.shape[:-1])

    return log_prob


def _in_torch(
    network: Network,
    described: Described,
    hidden: Sequence[int],
    places: dict[int, int],
    evidence: NodeRows,
    before: float,
) -> Any:
    import torch

    from .pyro import BACKEND

    density = RowDensity(described.of, described.order, hidden, BACKEND)
    numbers = (
        {node: torch.tensor(np.asarray(array)) for node, array in each.items()}
        for each in (described.theta, described.b, described.s2)
    )
    parameters = Parameters(*numbers)

    def log_prob(value: Any) -> Any:
        rows = value.reshape(-1, value.shape[-1])
        x, codes = _spread(rows, described, places, evidence, BACKEND)
        codes = codes.long()
        found = density(parameters, x, codes) - before
        for node in network.flows:
            flow = network.conditionals[node]
            assert isinstance(flow, FlowConditional)
            u = codes[:, list(network.discrete_parents(node))]
            z = x[:, list(network.continuous_parents(node))]
            own = x[:, node]
            standard = -0.5 * own**2 - 0.5 * np.log(2 * np.pi)
            found = found + flow.log_prob_torch(u, z, own) - standard
        return found.reshape(value.shape[:-1])

    return log_prob
