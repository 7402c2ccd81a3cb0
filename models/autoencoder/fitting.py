"""How `Autoencoder` is fitted: solved where it is linear, and otherwise trained."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...data import Encoded, ImageCodec
from ...fitting import Fit
from ...inference.gradient import finish, train
from ...inference.learner import Outcome
from ...verdict import Reason
from ..course import held_out
from ..nets.batches import Batches
from ..nets.machine import device_of, shrinking
from . import verdicts
from .backend import TorchAutoencoder, augmented
from .layout import Layout, of_images, of_table
from .nets import Architecture
from .plan import Plan, plan
from .settings import check_rows

if TYPE_CHECKING:
    from .estimator import Autoencoder

Array = NDArray[Any]
Floats = NDArray[np.float64]
_START = 4096  # rows that nets start from
_SOME = 2000  # rows that are looked at once the nets are trained
_PROBE, _PROBED = 200, 1 << 20  # rows that are timed, and values of them
_LEAST, _SHARE = 8, 0.15  # rows looked at at least, and share of a budget that it takes at most
_OFFSET = 10_000  # rows that outliers are told from


def fit_nets(of: Autoencoder, data: Encoded, weights: Floats | None, fit: Fit) -> list[Reason]:
    """Set the fitted attributes; say what was found."""
    n = len(data)
    kept = np.ones(n, dtype=bool) if weights is None else weights > 0
    # The seeds of what is drawn below stay the same whether a fit is resumed or not.
    rng = fit.rng()
    exact = _solved(of)
    held = np.zeros(n, dtype=bool)
    if fit.validation is None and not exact:
        held = held_out(fit.units(), fit.rng()) & kept
    rows = np.flatnonzero(kept & ~held)
    layout = layout_of(of, data, rows)
    x = layout.stored(data)
    chosen = plan(
        len(rows),
        layout.free,
        layout.shape,
        kind=of.kind,
        latent_dim=of.latent_dim,
        hidden=of.hidden,
        channels=of.channels,
        batch_size=of.batch_size,
        learning_rate=of.learning_rate,
        max_epochs=of.max_epochs,
        timed=fit.deadline() is not None,
    )
    check_rows(of, chosen.kind, layout.shape, layout.free)
    of.layout_, of.latent_dim_ = layout, chosen.latent
    of.architecture_ = Architecture(
        chosen.kind,
        chosen.latent,
        chosen.hidden,
        chosen.channels,
        of.activation,
        double=exact or not layout.shape,
    )
    begin = x[np.sort(rng.choice(rows, min(_START, len(rows)), replace=False))]
    ends = _ends(of, layout, x[rows] if not layout.shape else x)

    def nets() -> TorchAutoencoder:
        made = TorchAutoencoder(of.architecture_, layout, fit.seed, device_of(of.device))
        made.begin(begin, ends)
        return made

    most: int | None = None
    reasons: list[Reason] = []
    unseen = x[_some(np.flatnonzero(held), rng)]
    if fit.validation is not None:
        unseen = layout.stored(fit.validation.data)
        unseen = unseen[_some(np.arange(len(unseen)), rng)]
    if exact:
        of.nets_, of.batch_size_, of.n_steps_, of.n_epochs_ = nets(), 0, 0, 0.0
        of.nets_.solve(x, weights, fit.seed)
    else:
        held_rows: tuple[Array, Array | None, Array | None] | None = None
        if fit.validation is not None:
            held_rows = (layout.stored(fit.validation.data), None, None)
        elif held.any():
            held_rows = (x, weights, np.flatnonzero(held))
        reasons, most = _trained(of, nets, (x, weights, rows), held_rows, chosen, fit)
    if any(reason.status == "failed" for reason in reasons):
        return reasons
    seen, every = _some(rows, rng), np.flatnonzero(kept)
    if len(every) > _OFFSET:
        every = np.sort(rng.choice(every, _OFFSET, replace=False))
    if most is not None and most < len(seen) + len(unseen) + len(every):
        told = f"the budget leaves time to look at about {most} of {len(every)} rows once trained."
        reasons.append(Reason("ok", told))
        seen, every = _thinned(seen, most // 3), _thinned(every, most // 3)
        unseen = unseen[_thinned(np.arange(len(unseen)), most // 3)]
    looked = np.union1d(seen, every)
    errors, codes = of.nets_.looked_at(x[looked])
    if len(unseen) or not exact:
        known = errors[np.searchsorted(looked, seen)]
        new = of.nets_.errors(unseen) if len(unseen) else None
        reasons += verdicts.errors(known, new, of.nets_.constant, len(rows))
    reasons += verdicts.dead(codes[np.searchsorted(looked, seen)])
    of.offset_ = lowest(
        -errors[np.searchsorted(looked, every)],
        None if weights is None else weights[every],
        of.contamination,
    )
    return reasons


def _trained(
    of: Autoencoder,
    nets: Any,
    rows: tuple[Array, Array | None, Array],
    held: tuple[Array, Array | None, Array | None] | None,
    chosen: Plan,
    fit: Fit,
) -> tuple[list[Reason], int | None]:
    """Train; rows and held are arrays, weights, and which of the rows are meant. Returns what was
    found, and how many rows there is time to look at (see `_afterwards`)."""
    x, weights, which = rows
    if weights is not None:
        weights = weights / weights[which].mean()
    augment = None if of.augment is None else augmented(of.augment, of.layout_)
    noise = None if of.noise is None else (of.noise, float(of.noise_level))

    def work(size: int) -> tuple[Outcome, int | None]:
        made = nets()
        most, after = _afterwards(made, x, which, fit)

        def left() -> float | None:
            seconds = fit.deadline()
            return None if seconds is None else seconds - after

        learner = made.learner(
            Batches(x, None, weights, made.device, which),
            None if held is None else Batches(held[0], None, None, made.device, held[2]),
            noise=noise,
            weight_decay=float(of.weight_decay),
            augment=augment,
            block=min(1024, 8 * size),
            seed=fit.seed,
        )
        share: Any = 1.0
        every = held is None or held[2] is None
        if held is not None and held[1] is not None and held[2] is not None:
            share = held[1][held[2]] / held[1][held[2]].mean()
        loop = train(
            learner,
            len(which),
            replace(chosen.settings, batch_size=size),
            seed=fit.seed,
            validation=None if held is None else (lambda: learner.evaluate() * share),
            units=None if held is None else fit.held_units(slice(None) if every else held[2]),
            checkpoints=fit.checkpoints,
            deadline=left,
        )
        outcome = finish(loop, fit.report)
        made.keep(learner)
        of.nets_ = made
        return outcome, most

    wanted = min(chosen.settings.batch_size, len(which))
    (outcome, most), of.batch_size_ = shrinking(work, wanted, "training")
    of.n_steps_, of.n_epochs_ = outcome.steps, outcome.epochs
    found = verdicts.progress(outcome, chosen.settings)
    if of.batch_size_ < wanted:
        what = f"a batch of {wanted} rows did not fit in memory; one of {of.batch_size_} did."
        found.append(Reason("warn", what, f"Set batch_size={of.batch_size_}, or smaller nets."))
    return found, most


def _afterwards(
    nets: TorchAutoencoder, x: Array, rows: Array, fit: Fit
) -> tuple[int | None, float]:
    """How many rows are looked at once the nets are trained (None: all that are wanted), and the
    seconds that it takes: of a budget at most `_SHARE`."""
    if fit.clock.budget is None:
        return None, 0.0
    probe = x[rows[: max(_LEAST, min(_PROBE, _PROBED // x.shape[1]))]]
    began = time.perf_counter()
    nets.errors(probe)
    each = max(time.perf_counter() - began, 1e-9) / len(probe)
    wanted = min(len(rows), _OFFSET) + 2 * min(len(rows), _SOME)
    most = max(3 * _LEAST, int(_SHARE * fit.clock.budget / each))
    return most, each * min(wanted, most)


def _thinned(rows: Array, most: int) -> Array:
    """At most so many rows, evenly spaced."""
    return rows[:: max(1, -(-len(rows) // most))]


def layout_of(of: Autoencoder, data: Encoded, rows: NDArray[np.int64]) -> Layout:
    """How rows are compared under the settings."""
    loss = "squared" if of.kind == "linear" and of.loss == "auto" else of.loss
    if isinstance(of.codec_, ImageCodec):
        return of_images(of.codec_, loss, data.x, rows)
    return of_table(of.codec_, loss)


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


def _solved(of: Autoencoder) -> bool:
    """Whether the closed form is the optimum of what is asked for."""
    squared = of.loss in ("auto", "squared")
    plain = of.noise is None and of.augment is None and of.weight_decay == 0
    return of.kind == "linear" and squared and plain


def _ends(of: Autoencoder, layout: Layout, x: Array) -> Floats:
    """(2, features) the least and greatest value of each, as the net sees them."""
    ends = np.repeat([[0.0], [1.0]], layout.features, axis=1)
    if layout.shape:
        assert isinstance(of.codec_, ImageCodec)
        pixels = of.codec_.pixels
        if layout.shift:
            for i, end in enumerate(pixels.ends):
                ends[i] = (end - layout.shift) / layout.scale
    elif layout.numbers:
        ends[0, : layout.numbers] = x[:, : layout.numbers].min(0)
        ends[1, : layout.numbers] = x[:, : layout.numbers].max(0)
    return ends


def _some(rows: Array, rng: np.random.Generator) -> Array:
    """Some of the rows, in order: enough to see by, few enough to cost nothing."""
    if len(rows) <= _SOME:
        return rows
    return np.sort(rng.choice(rows, _SOME, replace=False))
