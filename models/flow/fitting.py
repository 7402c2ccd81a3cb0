"""How a flow is fitted: what it starts from, which kind it is, and what is said of its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...arrays import Floats
from ...data import Encoded
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason
from ..nets.device import Machine
from ..nets.held_out import Split, Subset
from ..nets.record import DataUnits
from ..nets.trainer import COMPARED, Trainer, Training
from ..nets.whitening import Whitening
from ..nets.whitening import chosen as whitening_of
from .architecture import Architecture
from .choosing import Contender, Contest, joined, plans
from .sizes import Sizes

_REACH = 5.0  # deviations


@dataclass(frozen=True)
class Fitted:
    """What a fit gives: the flow, its training (None where there was nothing to train), and what is
    said of it."""

    architecture: Architecture
    flow: Any
    training: Training | None
    reasons: list[Reason]


def fit_flow(settings: Mapping[str, Any], rows: Rows, fit: Fit, machine: Machine) -> Fitted:
    """Fit a flow of these settings."""
    split = Split(rows, fit)
    d = rows.data.x.shape[1]
    seen, unseen = split.subsets(columns)
    each = plans(settings, len(seen), d, 0 if unseen is None else len(unseen), fit)
    whitening = _whitening(settings["whiten"], seen, unseen, fit)

    def built(kind: str, sizes: Sizes) -> tuple[Architecture, Any]:
        architecture = _architecture(kind, settings, sizes, seen, whitening)
        how = (settings["backend"], architecture, fit.seed, machine.device, whitening)
        return architecture, made(*how)

    first = built(*each[0])
    if d == 0:  # constants only
        return Fitted(*first, None, [])
    trainer = Trainer(fit, seen, unseen, each[0][1].training, machine=machine)

    def log_prob(some: Subset) -> Floats:
        return np.asarray(first[1].log_prob(*some.values()))

    evaluated = trainer.evaluating(log_prob)
    looked, trainer.after = trainer.looking(log_prob, 2 * COMPARED)
    trainer.record = record = DataUnits(fit, seen, evaluated)

    def contender(kind: str, sizes: Sizes) -> Contender:
        architecture, flow = first if (kind, sizes) == each[0] else built(kind, sizes)
        how = {"weight_decay": sizes.weight_decay, "redraw": record.redraw(columns)}
        learner = flow.learner(seen, evaluated, **how, seed=fit.seed)
        return Contender(architecture, sizes, flow, learner)

    chosen: list[Reason] = []
    if len(each) > 1:
        found, chosen = Contest(trainer).best(each, contender)
    else:
        found = contender(*each[0])
    trainer.settings = found.sizes.training
    training = trainer.train(found.learner)
    training = replace(training, outcome=joined(found.outcome, training.outcome))
    found.flow.keep(found.learner)
    smaller = "a smaller hidden, or fewer n_transforms"
    judged = trainer.judge_density(training, found.flow.log_prob, smaller, -(-looked // 2))
    return Fitted(found.architecture, found.flow, training, [*chosen, *judged])


def made(
    backend: str,
    architecture: Architecture,
    seed: int,
    device: Any,
    whitening: Whitening | None = None,
) -> Any:
    """The flow of an architecture on a backend; without its whitening, where arrays are loaded."""
    if backend == "pyro":
        from .backend_torch import TorchFlow

        return TorchFlow(architecture, seed, device, whitening)
    from .backend_jax import JaxFlow

    return JaxFlow(architecture, seed, whitening)


def columns(data: Encoded) -> Floats:
    """(n, d) rows as a flow takes them."""
    return np.asarray(data.x)


def _whitening(asked: Any, seen: Subset, unseen: Subset | None, fit: Fit) -> Whitening | None:
    if asked is False:
        return None
    return whitening_of(seen, unseen, seen.x.shape[1], fit.rng(), always=asked is True)


def _architecture(
    kind: str,
    settings: Mapping[str, Any],
    sizes: Sizes,
    seen: Subset,
    whitening: Whitening | None,
) -> Architecture:
    return Architecture(
        kind,
        max(seen.x.shape[1], 1),
        0 if seen.context is None else seen.context.shape[1],
        sizes.n_transforms,
        sizes.hidden,
        sizes.bins,
        float(settings["tail_bound"]),
        bool(settings["lu"]),
        sizes.dropout,
        whitening is not None,
        _REACH,
    )
