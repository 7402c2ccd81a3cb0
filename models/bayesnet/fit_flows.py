"""Flows in the place of linear Gaussians: which nodes have one, and their training.

Each is trained by itself, as the likelihood of a network is a product over nodes: on the residuals
of the node's regression, by the one training loop that all nets have (`models.nets.trainer`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...arrays import Floats, Mask
from ...data import Encoded
from ...errors import InputError, unknown
from ...fitting import Fit
from ...progress import Clock
from ...rows import Rows
from ...verdict import Reason
from ..flow.architecture import Architecture
from ..flow.sizes import sizes_for
from ..nets.held_out import Split
from ..nets.trainer import Trainer
from .flow_node import FlowConditional, context_of
from .layout import Layout, NodeRows
from .network import Network

_UNSET = dict.fromkeys(
    ("batch_size", "n_transforms", "hidden", "bins", "learning_rate", "max_epochs")
)
_LAYERS = 1  # one spline is any increasing function
_EPOCHS = 0.4  # of those that a flow of several columns takes


def flow_nodes(network: Network, asked: str | Mapping[str, str]) -> list[int]:
    """The nodes that are to be flows: "flow" is all that are continuous, a dict says of each
    (nodes that it leaves out are linear).

    Raises:
        InputError: for a node that there is not, or one that is discrete.
    """
    if isinstance(asked, str):
        return list(network.continuous) if asked == "flow" else []
    out = []
    for name, kind in asked.items():
        if name not in network.names:
            raise unknown("continuous column", name, [network.names[v] for v in network.continuous])
        node = network.names.index(name)
        if network.sizes[node]:
            raise InputError(
                f"conditionals make {name!r} {kind!r}, and it is discrete, with a table; leave it "
                "out."
            )
        if kind == "flow":
            out.append(node)
    return out


def with_flows(
    network: Network,
    nodes: Sequence[int],
    rows: NodeRows,
    weights: Floats | None,
    layout: Layout,
    fit: Fit,
    outside: Mask | None = None,
) -> tuple[Network, list[Reason]]:
    """The network with flows at some of its nodes, and what is said of their training.

    Args:
        network: with the regressions that the flows begin as.
        nodes: continuous ones.
        rows: n rows; each flow is trained on those that have its node and the parents.
        weights: (n,), or None.
        layout: which column each node is.
        outside: (n, N) where a node was set from outside, which says nothing of it.
    """
    reasons: list[Reason] = []
    conditionals = list(network.conditionals)
    for place, node in enumerate(nodes):
        if fit.interrupted:
            break
        known = rows.known[:, [*network.dag.parents[node], node]].all(axis=1)
        if outside is not None:
            known &= ~outside[:, node]
        left = fit.deadline()
        part = Fit(
            fit.seed, fit.schema, Clock(None if left is None else left / (len(nodes) - place)),
            progress=fit.progress, within=fit.within,
        )  # fmt: skip
        trained, said = None, list[Reason]()
        with fit.heeding():
            trained, said = _trained(
                network, node, rows, weights, np.flatnonzero(known), layout, fit, part
            )
        name = network.names[node]
        reasons += [replace(reason, what=f"the flow of {name!r}: {reason.what}") for reason in said]
        if trained is not None:
            conditionals[node] = trained
        fit.interrupted |= part.interrupted
    rest = [v for v in nodes if not isinstance(conditionals[v], FlowConditional)]
    if fit.interrupted and rest:
        names = ", ".join(network.names[node] for node in rest)
        reasons.append(Reason("ok", f"the fit was interrupted: {names} stay linear."))
    return replace(network, conditionals=tuple(conditionals)), reasons


def _trained(
    network: Network,
    node: int,
    rows: NodeRows,
    weights: Floats | None,
    known: Any,
    layout: Layout,
    fit: Fit,
    part: Fit,
) -> tuple[FlowConditional | None, list[Reason]]:
    """The flow of one node, trained on the rows that know it and its parents (by number)."""
    from ..flow.backend_torch import TorchFlow

    linear, some = network.linear(node), rows.take(known)
    codes = some.codes[:, network.discrete_parents(node)]
    parents = some.x[:, network.continuous_parents(node)]
    if (linear.variance <= 0).any():
        return None, [Reason("warn", "it is a function of its parents, and stays linear.")]
    shift, scale = np.zeros(parents.shape[1]), np.ones(parents.shape[1])
    if len(parents):
        spread = parents.std(axis=0)
        shift, scale = parents.mean(axis=0), np.where(spread > 0, spread, 1.0)
    context = context_of(linear.intercept.shape, codes, (parents - shift) / scale)

    def residuals(own: Floats) -> Encoded:
        y, _ = linear.standardised(codes, parents, own)
        return Encoded(y[:, None], np.empty((len(y), 0), np.int32), np.zeros(len(y)))

    def redraw(epoch: int) -> Encoded:
        assert fit.redraw is not None
        return residuals(layout.spread(fit.redraw(epoch)).x[known, node])

    part.units = lambda: fit.units()[known]
    part.redraw = None if fit.redraw is None else redraw
    w = None if weights is None else weights[known]
    data = Rows(residuals(some.x[:, node]), w, context if context.shape[1] else None)
    split = Split(data, part)
    sizes = sizes_for(len(split.numbers), 1, _UNSET, timed=part.deadline() is not None)
    schedule = replace(sizes.training, max_epochs=math.ceil(_EPOCHS * sizes.training.max_epochs))
    architecture = Architecture(
        "nsf", 1, context.shape[1], _LAYERS, sizes.hidden, sizes.bins, dropout=sizes.dropout
    )
    flow = TorchFlow(architecture, fit.seed)
    seen, unseen = split.subsets(lambda encoded: encoded.x)

    def renewed(epoch: int) -> Floats:
        return np.asarray(redraw(epoch).x[seen.numbers])

    learner = flow.learner(
        seen,
        unseen,
        weight_decay=sizes.weight_decay,
        redraw=None if fit.redraw is None else renewed,
        seed=fit.seed,
    )
    trainer = Trainer(part, seen, unseen, schedule)
    training = trainer.train(learner)
    flow.keep(learner)
    if not training.failed and training.outcome.steps and not training.outcome.best_step:
        what = "it stays near the linear Gaussian, where it begins: others did not do better."
        reasons = [Reason("ok", what)]
    else:
        reasons = trainer.judge_density(training, flow.log_prob, 'take conditionals="linear"')
    return FlowConditional(linear, architecture, flow.arrays(), shift, scale), reasons
