"""How `DebiasingVAE` is fitted, and what the verdict says."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...data import Encoded, ImageCodec
from ...errors import InputError
from ...fitting import Fit
from ...inference.gradient import finish, train
from ...inference.learner import Outcome
from ...rows import Rows as GivenRows
from ...verdict import Reason
from ..autoencoder.backend import augmented
from ..autoencoder.layout import Layout, of_images, of_table
from ..autoencoder.plan import Plan, plan
from ..course import course, held_out
from ..nets.batches import Batches
from ..nets.machine import device_of, shrinking
from . import verdicts
from .backend import TorchDebias
from .labels import Labels, place, shown
from .nets import Architecture, Weights
from .resampling import effective_share
from .sampling_weights import Weighing
from .settings import check_rows

if TYPE_CHECKING:
    from .estimator import DebiasingVAE

Array = NDArray[Any]
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Rows = tuple[Array, Indices, Indices]  # stored rows, which of them are meant, and their classes
_START = 4096  # rows that nets start from
_SOME = 2000  # rows that are looked at once the nets are trained
_PROBE = 200


def fit_debias(of: DebiasingVAE, given: GivenRows, fit: Fit) -> list[Reason]:
    """Set the fitted attributes; return what was found."""
    data, weights = given.data, given.weights
    assert given.labels is not None
    labels = Labels(of.classes_, np.searchsorted(of.classes_, given.labels))
    kept = np.ones(len(data), dtype=bool) if weights is None else weights > 0
    _check_classes(labels, kept)
    modelled = _modelled(of, labels)
    held = _held(labels, kept, fit)
    rows = np.flatnonzero(kept & ~held)
    layout = _layout(of, data, rows)
    x = layout.stored(data)
    chosen = _plan(of, layout, len(rows), fit)
    check_rows(of, chosen.kind, layout.shape, layout.free)
    of.layout_, of.latent_dim_ = layout, chosen.latent
    of.architecture_ = Architecture(
        chosen.kind,
        len(labels.classes),
        chosen.latent,
        chosen.hidden,
        chosen.channels,
        of.activation,
        float(of.dropout),
    )
    seen: Rows = x, rows, labels.codes[rows]
    some = None if weights is None else weights[rows]
    shares = _shares(of, labels.codes[rows], len(labels.classes), some)
    weighing = Weighing(of, labels.codes[rows], shares, modelled, some)
    unseen: Rows | None = None
    other = None
    if fit.validation is not None:
        assert fit.validation.labels is not None
        held_labels = np.searchsorted(of.classes_, fit.validation.labels)
        unseen = layout.stored(fit.validation.data), np.arange(len(held_labels)), held_labels
    elif held.any():
        unseen = x, np.flatnonzero(held), labels.codes[held]
        other = None if weights is None else weights[held]
    if unseen is not None:
        weighing.unseen = Weighing(of, unseen[2], shares, modelled, other)
    reasons = _trained(of, seen, unseen, weighing, modelled, chosen, fit)
    if any(reason.status == "failed" for reason in reasons):
        return reasons
    # Rows held out are weighed too.
    means, variances = of.nets_.latents(x)
    of.histograms_ = weighing.histograms(means[rows], variances[rows])
    every = Weighing(of, labels.codes, shares, modelled, weights)
    of.sampling_weights_ = every.given(of.histograms_, means)
    of.effective_share_ = effective_share(weighing.given(of.histograms_, means[rows]))
    return reasons + _looked_at(of, seen, unseen, modelled, fit)


def _check_classes(labels: Labels, kept: NDArray[np.bool_]) -> None:
    for c, name in enumerate(labels.classes.tolist()):
        if not kept[labels.codes == c].any():
            raise InputError(
                f"all rows of class {name!r} have the weight 0; leave them out, or give some of "
                "them weight."
            )


def _modelled(of: DebiasingVAE, labels: Labels) -> int | None:
    if of.modelled is None:
        return None
    found = place(of.modelled, labels.classes)
    if found < 0:
        raise InputError(
            f"modelled is {of.modelled!r}, which is no label of y; expected one of "
            f"{shown(labels.classes)}, or None for all."
        )
    return found


def _layout(of: DebiasingVAE, data: Encoded, rows: Indices) -> Layout:
    if isinstance(of.codec_, ImageCodec):
        return of_images(of.codec_, "auto", data.x, rows)
    return of_table(of.codec_, "auto")


def _held(labels: Labels, kept: NDArray[np.bool_], fit: Fit) -> NDArray[np.bool_]:
    """(n,) which rows are held out: none of a class of which no row were left to train on."""
    if fit.validation is not None:
        return np.zeros(len(kept), dtype=bool)
    held: NDArray[np.bool_] = held_out(fit.units(), fit.rng()) & kept
    for c in range(len(labels.classes)):
        if not (kept & ~held & (labels.codes == c)).any():
            held &= labels.codes != c
    return held


def _plan(of: DebiasingVAE, layout: Layout, n: int, fit: Fit) -> Plan:
    made = plan(
        n,
        layout.free,
        layout.shape,
        kind=of.net,
        latent_dim=of.latent_dim or (min(16, layout.free) if layout.shape else None),
        hidden=of.hidden,
        channels=of.channels,
        batch_size=of.batch_size,
        learning_rate=of.learning_rate,
        max_epochs=of.max_epochs,
        timed=fit.deadline() is not None,
    )
    # Nats a row: the classification's, beside which the reconstruction is a share.
    return replace(made, settings=replace(made.settings, min_delta=1e-3))


def _shares(of: DebiasingVAE, codes: Indices, count: int, weights: Floats | None) -> Floats:
    """(C,) of the draws."""
    if of.class_shares == "equal":
        return np.full(count, 1 / count)
    found = np.bincount(codes, weights, minlength=count)
    return np.asarray(found / found.sum())


def _trained(
    of: DebiasingVAE,
    seen: Rows,
    unseen: Rows | None,
    weighing: Weighing,
    modelled: int | None,
    chosen: Plan,
    fit: Fit,
) -> list[Reason]:
    x, rows, codes = seen
    augment = None if of.augment is None else augmented(of.augment, of.layout_)
    order = fit.rng().permutation(len(rows))
    reconstructed = order if modelled is None else order[codes[order] == modelled]
    some, start = (x[np.sort(rows[which[:_START]])] for which in (order, reconstructed))
    weight = float(of.reconstruction_weight)
    kl = weight / of.layout_.values if of.kl_weight is None else float(of.kl_weight)
    plain = not of.resample and weighing.weights is None and of.class_shares == "data"

    def work(size: int) -> Outcome:
        made = TorchDebias(of.architecture_, of.layout_, fit.seed, device_of(of.device))
        constant = made.begin(some, start)
        after = 0.0 if fit.deadline() is None else _afterwards(made, x)

        def left() -> float | None:
            seconds = fit.deadline()
            return None if seconds is None else seconds - after

        held = None
        if unseen is not None:
            held = Batches(unseen[0], device=made.device, rows=unseen[1]), unseen[2]
        learner = made.learner(
            Batches(x, device=made.device, rows=rows),
            codes,
            held,
            Weights(weight, kl, constant, modelled),
            None if plain else weighing,
            weight_decay=float(of.weight_decay),
            augment=augment,
            block=min(1024, 8 * size),
            seed=fit.seed,
        )
        loop = train(
            learner,
            len(rows),
            replace(chosen.settings, batch_size=size),
            seed=fit.seed,
            validation=None if held is None else learner.evaluate,
            units=None if unseen is None else fit.held_units(unseen[1]),
            checkpoints=fit.checkpoints,
            deadline=left,
        )
        outcome = finish(loop, fit.report)
        made.keep(learner)
        of.nets_ = made
        return outcome

    wanted = min(chosen.settings.batch_size, len(rows))
    outcome, of.batch_size_ = shrinking(work, wanted, "training")
    of.n_steps_, of.n_epochs_ = outcome.steps, outcome.epochs
    found = course(outcome, chosen.settings)
    if of.batch_size_ < wanted:
        what = f"a batch of {wanted} rows did not fit in memory; one of {of.batch_size_} did."
        found.append(Reason("warn", what, f"Set batch_size={of.batch_size_}, or smaller nets."))
    return found


def _afterwards(nets: TorchDebias, x: Array) -> float:
    """Seconds that weighing all rows will take, once the nets are trained."""
    began = time.perf_counter()
    nets.latents(x[:_PROBE])
    return (time.perf_counter() - began) / min(len(x), _PROBE) * len(x)


def _looked_at(
    of: DebiasingVAE, seen: Rows, unseen: Rows | None, modelled: int | None, fit: Fit
) -> list[Reason]:
    def right(of_rows: Rows) -> NDArray[np.bool_]:
        x, rows, codes = of_rows
        some = fit.rng().permutation(len(rows))[:_SOME]
        found = of.nets_.log_probabilities(x[rows[some]]).argmax(1)
        return np.asarray(found == codes[some])

    known, new = right(seen), None if unseen is None else right(unseen)
    found = verdicts.overfitting(known, new, len(seen[1]))
    if of.resample:
        found += verdicts.rests_on(of.effective_share_, of.alpha)
    x, rows, codes = seen
    reconstructed = rows if modelled is None else rows[codes == modelled]
    return found + verdicts.collapsed(of.nets_.kl(x[reconstructed[:_SOME]]))
