"""How an autoencoder is fitted: solved where it is linear, and otherwise trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...arrays import Floats
from ...data import Codec, ImageCodec
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason
from ..nets.coder import Architecture, augmented
from ..nets.device import Machine
from ..nets.held_out import Split, Subset
from ..nets.reconstruction import Reconstruction, reconstruction
from ..nets.sizes import Defaults, layers, sizes_for
from ..nets.trainer import Trainer, Training
from . import verdicts
from .backend import TorchAutoencoder
from .settings import check_rows

DEFAULTS = Defaults(
    width=256,
    mlp=(10_000, 2e-3),
    conv=(5000, 2e-3),
    min_delta=1e-4,  # of the error of the best constant row
)
_START = 4096  # rows that nets start from
_SOME = 2000  # rows on either side that are looked at once the nets are trained
_OFFSET = 10_000  # rows that outliers are told from
_HURRIED = 200  # of these after an interrupt


@dataclass(frozen=True)
class Fitted:
    """What a fit gives: the nets, their training (None if they were solved), minus the error from
    which on a row is an outlier, and what is said of it."""

    nets: TorchAutoencoder
    training: Training | None
    offset: float
    reasons: list[Reason]


def fit_nets(
    settings: Mapping[str, Any], codec: Codec | ImageCodec, rows: Rows, fit: Fit, machine: Machine
) -> Fitted:
    """Fit an autoencoder of these settings."""
    asked = SimpleNamespace(**settings)
    exact = _solved(asked)
    split = Split(rows, fit, hold=not exact)
    loss = "squared" if asked.kind == "linear" and asked.loss == "auto" else asked.loss
    compared = reconstruction(codec, loss, rows.data.x, split.numbers)
    values = compared.values
    timed = fit.deadline() is not None
    sizes = sizes_for(
        len(split.numbers), values, {**settings, "net": asked.kind}, DEFAULTS, timed=timed
    )
    check_rows(asked, sizes.net, values.shape, values.free)
    architecture = Architecture(
        sizes.net,
        sizes.latent[0],
        sizes.hidden,
        sizes.channels,
        asked.activation,
        double=exact or not values.shape,
    )
    seen, unseen = split.subsets(values.stored)
    rng = fit.rng()
    nets = TorchAutoencoder(architecture, compared, fit.seed, machine.device)
    nets.begin(seen.thinned(_START, rng).values()[0])
    nets.take_ends(_ends(codec, compared, seen))
    trainer = Trainer(fit, seen, unseen, sizes.training, machine=machine)
    kept = np.arange(len(rows)) if rows.weights is None else np.flatnonzero(rows.weights > 0)
    looked = [
        seen.thinned(_SOME, rng),
        seen.only(kept).thinned(_OFFSET, rng),
        *([] if unseen is None else [unseen.thinned(_SOME, rng)]),
    ]
    training, reasons = None, []
    if exact:
        nets.solve(seen.x, rows.weights, fit.seed)
    else:
        wanted = sum(map(len, looked))

        def errors(some: Subset) -> Floats:
            return nets.errors(some.values()[0])

        most, trainer.after = trainer.looking(errors, wanted)
        learner = nets.learner(
            seen,
            trainer.evaluating(errors),
            noise=None if asked.noise is None else (asked.noise, float(asked.noise_level)),
            weight_decay=float(asked.weight_decay),
            change=augmented(asked.augment, values),
            seed=fit.seed,
        )
        training = trainer.train(learner)
        nets.keep(learner)
        reasons = list(training.reasons)
        if training.failed:
            return Fitted(nets, training, 0.0, reasons)
        reasons += verdicts.progress(training.outcome)
        if most < wanted:
            what = f"look at about {most} of {len(looked[1])} rows once trained."
            reasons.append(Reason("ok", f"the budget leaves time to {what}"))
            looked = [_spaced(part, max(1, most // 3)) for part in looked]
        if fit.interrupted:
            looked = [_spaced(part, _HURRIED) for part in looked]
    offset, more = _looked_at(nets, looked, asked.contamination, judged=not exact)
    return Fitted(nets, training, offset, reasons + more)


def _looked_at(
    nets: TorchAutoencoder, looked: list[Subset], contamination: float, *, judged: bool
) -> tuple[float, list[Reason]]:
    """Minus the error from which on a row is an outlier, and what errors and codes say.

    Args:
        looked: rows trained on, rows that outliers are told from, and held-out ones if there are.
        judged: whether held-out rows are needed to judge the errors.
    """
    seen, every, *unseen = looked
    numbers = np.union1d(seen.numbers, every.numbers)
    errors, codes = nets.looked_at(seen.x[numbers])
    at = np.searchsorted(numbers, seen.numbers)
    new = nets.errors(unseen[0].values()[0]) if unseen else None
    reasons = []
    if judged or new is not None:
        smaller = layers(nets.architecture.net)
        reasons = verdicts.errors(errors[at], new, nets.constant, len(seen), smaller)
    scores = -errors[np.searchsorted(numbers, every.numbers)]
    return lowest(scores, every.shares, contamination), reasons + verdicts.dead(codes[at])


def _spaced(rows: Subset, most: int) -> Subset:
    """At most so many of the rows, evenly spaced."""
    return rows.only(rows.numbers[:: max(1, -(-len(rows) // most))])


def lowest(scores: Floats, weights: Floats | None, share: float) -> float:
    """The number below which lie the lowest scores that weigh at most `share` of all: halfway to
    the next score where they weigh just that."""
    order = np.argsort(scores, kind="stable")
    s = scores[order]
    total = np.cumsum(np.ones(len(s)) if weights is None else weights[order])
    total /= total[-1]
    first = int(np.searchsorted(total, share + 1e-12, side="right"))
    at_end = first > 0 and total[first - 1] > share - 1e-12
    return float((s[first - 1] + s[first]) / 2 if at_end else s[first])


def _solved(asked: Any) -> bool:
    """Whether the closed form is the optimum of what is asked for."""
    squared = asked.loss in ("auto", "squared")
    plain = asked.noise is None and asked.augment is None and asked.weight_decay == 0
    return bool(asked.kind == "linear" and squared and plain)


def _ends(codec: Codec | ImageCodec, compared: Reconstruction, seen: Subset) -> Floats:
    """(2, F) the least and greatest value of each feature."""
    values = compared.values
    ends = np.repeat([[0.0], [1.0]], values.features, axis=1)
    if isinstance(codec, ImageCodec):
        if values.shift:
            ends[:] = values.enter(np.array(codec.pixels.ends))[:, None]
    elif values.numbers:
        x = seen.values()[0][:, : values.numbers]
        ends[:, : values.numbers] = x.min(0), x.max(0)
    return ends
