"""How a flow is fitted: what it starts from, which kind it is, and what is said of its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...arrays import Floats
from ...data import Encoded
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason
from ..nets.contest import Contender, Contest, worthwhile
from ..nets.held_out import Split, Subset
from ..nets.record import DataUnits
from ..nets.trainer import COMPARED, Trainer, Training
from ..nets.whitening import Whitening
from ..nets.whitening import chosen as whitening_of
from .architecture import Architecture
from .choosing import ROUNDS, plans
from .sizes import Sizes, sizes_for

if TYPE_CHECKING:
    from ..nets.device import Machine

_REACH = 5.0  # deviations


@dataclass(frozen=True)
class Fitted:
    """What a fit gives: the flow, its training (None where there was nothing to train), and what is
    said of it."""

    architecture: Architecture
    flow: Any
    training: Training | None
    reasons: list[Reason]


def fit_flow(settings: Mapping[str, Any], rows: Rows, fit: Fit, machine: Machine | None) -> Fitted:
    """Fit a flow of these settings; a fit on JAX needs no `machine`."""
    split = Split(rows, fit)
    d, left = rows.data.x.shape[1], fit.deadline()
    seen, unseen = split.subsets(columns)
    sizes = sizes_for(len(seen), d, settings, timed=left is not None)
    trainer = Trainer(fit, seen, unseen, sizes.training, machine=machine)
    compared = worthwhile(trainer)
    each = plans(settings, len(seen), d, left=left, compared=compared)
    whitening = _whitening(settings["whiten"], seen, unseen, fit)
    trainer.chosen = not isinstance(settings["whiten"], bool) and unseen is not None

    device = None if machine is None else machine.device

    def built(kind: str, sizes: Sizes) -> tuple[Architecture, Any]:
        architecture = _architecture(kind, settings, sizes, seen, whitening)
        how = (settings["backend"], architecture, fit.seed, device, whitening)
        return architecture, made(*how)

    first = built(*each[0])
    if d == 0:  # constants only
        return Fitted(*first, None, [])

    def log_prob(some: Subset) -> Floats:
        return np.asarray(first[1].log_prob(*some.values()))

    evaluated = trainer.evaluating(log_prob)
    looked, trainer.after = trainer.looking(log_prob, 2 * COMPARED)
    trainer.record = record = DataUnits(fit, seen, evaluated)

    def contender(kind: str, sizes: Sizes) -> Contender:
        made_of = first if (kind, sizes) == each[0] else built(kind, sizes)
        how = {"weight_decay": sizes.weight_decay, "redraw": record.redraw(columns)}
        learner = made_of[1].learner(seen, evaluated, **how, seed=fit.seed)
        label = f"{kind} ({sizes.n_transforms} x {'-'.join(map(str, sizes.hidden))})"
        return Contender(label, sizes.training, learner, made_of)

    contest, said = Contest(trainer, ROUNDS), list[Reason]()
    if len(each) > 1:
        found, reason = contest.best([partial(contender, *plan) for plan in each])
        said.append(reason)
    else:
        found = contender(*each[0])
    training = contest.finished(found)
    architecture, flow = found.made_of
    flow.keep(found.learner)
    smaller = "a smaller hidden, or fewer n_transforms"
    judged = trainer.judge_density(training, flow.log_prob, smaller, -(-looked // 2))
    return Fitted(architecture, flow, training, [*said, *judged])


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
