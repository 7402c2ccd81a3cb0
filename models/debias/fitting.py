"""How `DebiasingVAE` is fitted, and what the verdict says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from ...arrays import Array, Floats, Mask
from ...checks import few_of_class
from ...data import Codec, ImageCodec
from ...errors import InputError
from ...fitting import Fit
from ...rows import Rows
from ...thinning import thinned
from ...verdict import Reason
from ..classifier import number, shown
from ..nets.coder import Architecture, augmented
from ..nets.device import Machine
from ..nets.held_out import Split, Subset
from ..nets.reconstruction import reconstruction
from ..nets.sizes import Defaults, layers, sizes_for
from ..nets.trainer import Trainer, Training
from ..nets.verdicts import progress_reasons
from .backend import TorchDebias
from .nets import Weights
from .resampling import Histograms, Resampling, effective_share
from .settings import check_rows
from .verdicts import by_chance, collapsed, overfitting, partly_looked_at, rests_on

# Nats a row: the classification's, beside which the reconstruction is a share.
DEFAULTS = Defaults(width=256, mlp=(10_000, 2e-3), conv=(5000, 2e-3), min_delta=1e-3)
_IMAGE_LATENTS = 16
_START = 4096  # rows that nets start from
_SOME = 2000  # rows on either side that are looked at once the nets are trained
_OF_CLASS = 100  # rows of a class that a short budget leaves, if there are
_FEW_HELD = 20  # rows below which an accuracy over them says little


@dataclass(frozen=True)
class Fitted:
    """What a fit gives; if the training failed, no histograms.

    Attributes:
        histograms: of each class that is resampled, under the nets as fitted.
        sampling_weights: (n,) of all rows, with the sum 1.
        effective_share: of the rows trained on.
    """

    nets: TorchDebias
    training: Training
    reasons: list[Reason]
    histograms: dict[int, Histograms]
    sampling_weights: Floats
    effective_share: float


def fit_debias(
    settings: Mapping[str, Any], codec: Codec | ImageCodec, rows: Rows, fit: Fit, machine: Machine
) -> Fitted:
    """Fit a debiasing classifier of these settings to rows with labels."""
    asked = SimpleNamespace(**settings)
    assert rows.labels is not None
    classes = np.unique(rows.labels)
    _check_classes(rows, classes)
    modelled = _modelled(asked.modelled, classes)
    split = Split(rows, fit)
    compared = reconstruction(codec, "auto", rows.data.x, split.numbers)
    values = compared.values
    latent = asked.latent_dim or (min(_IMAGE_LATENTS, values.free) if values.shape else None)
    sizes = sizes_for(
        len(split.numbers),
        values,
        {**settings, "latent_dim": latent},
        DEFAULTS,
        timed=fit.deadline() is not None,
    )
    check_rows(asked, sizes.net, values.shape, values.free)
    architecture = Architecture(
        sizes.net,
        sizes.latent[0],
        sizes.hidden,
        sizes.channels,
        asked.activation,
        float(asked.dropout),
        len(classes),
    )
    seen, unseen = (_numbered(part, classes) for part in split.subsets(values.stored))
    assert seen is not None
    resampling = _resampling(asked, seen, len(classes), modelled)
    nets = TorchDebias(architecture, compared, fit.seed, machine.device)
    order = seen.only(fit.rng().permutation(seen.numbers))
    decoded = order if modelled is None else order.only(order.numbers[order.classes == modelled])
    starts = (order,) if decoded is order else (order, decoded)
    nets.begin(*(part.only(np.sort(part.numbers[:_START])).values()[0] for part in starts))
    # Weights say how often rows are drawn; of the losses of a draw all count alike.
    held = None if unseen is None else replace(unseen, weights=None)
    trainer = Trainer(fit, seen, held, sizes.training, machine=machine, few=_FEW_HELD)

    def latents(some: Subset) -> Any:
        return nets.latents(some.values()[0])

    # All are weighed by their latents; some of either side are classified, some decoded.
    passes = 1 + 3 * min(len(rows), _SOME) / len(rows)
    looks, trainer.after = trainer.looking(latents, math.ceil(passes * len(rows)))
    most = trainer.settled("looked", lambda: max(1, int(looks / passes)))
    known = np.arange(len(rows))
    if most < len(rows):
        trainer.seen = seen = _some(seen, most, fit.rng())
        known = seen.numbers
    chosen = trainer.evaluating(latents)
    evaluated = None if chosen is None or unseen is None else unseen.only(chosen.numbers)
    weight = float(asked.reconstruction_weight)
    kl = weight / values.size if asked.kl_weight is None else float(asked.kl_weight)
    plain = not asked.resample and rows.weights is None and asked.class_shares == "data"
    learner = nets.learner(
        seen,
        evaluated,
        Weights(weight, kl, nets.constant, modelled),
        None if plain else resampling,
        weight_decay=float(asked.weight_decay),
        change=augmented(asked.augment, values),
        seed=fit.seed,
    )
    training = trainer.train(learner)
    nets.keep(learner)
    reasons = list(training.reasons)
    if training.failed:
        return Fitted(nets, training, reasons, {}, np.empty(0), 0.0)
    reasons += progress_reasons(training.outcome, sizes.training)
    # Rows held out are weighed too.
    means, variances = nets.latents(seen.x[known])
    numbers, labels, own = seen.numbers, seen.labels, rows.weights
    assert labels is not None
    weighing, at = None if own is None else own[numbers], np.searchsorted(known, numbers)
    histograms = resampling.histograms(means[at], variances[at], labels[numbers], weighing)
    drawn = resampling.probabilities(histograms, means[at], labels[numbers], weighing)
    share = effective_share(drawn)
    units = fit.units()
    rows_of = {c: len(np.unique(units[rows.labels == c])) for c in classes.tolist()}
    reasons += few_of_class(rows_of, "class")
    reasons += _looked_at(nets, seen, unseen, classes, fit)
    if asked.resample:
        reasons += rests_on(share, asked.alpha)
    x = decoded.only(decoded.numbers[:_SOME]).values()[0]
    reasons += collapsed(nets.kl(x))
    reasons += partly_looked_at(len(known), len(rows))
    weights = resampling.probabilities(histograms, means, labels, own, known)
    return Fitted(nets, training, reasons, histograms, weights, share)


def _check_classes(rows: Rows, classes: Array) -> None:
    for name in classes.tolist() if rows.weights is not None else ():
        assert rows.weights is not None
        if not (rows.weights[rows.labels == name] > 0).any():
            raise InputError(
                f"all rows of class {name!r} have the weight 0; leave them out, or give some of "
                "them weight."
            )


def _modelled(label: Any, classes: Array) -> int | None:
    """The number of the class that is modelled; None for all."""
    if label is None:
        return None
    at = number(label, classes)
    if at < 0:
        raise InputError(
            f"modelled is {label!r}, which is no label of y; expected one of {shown(classes)}, or "
            "None for all."
        )
    return at


def _numbered(rows: Subset | None, classes: Array) -> Subset | None:
    """Rows whose labels are numbers of classes."""
    if rows is None:
        return None
    return replace(rows, labels=np.searchsorted(classes, np.asarray(rows.labels)))


def _resampling(asked: Any, seen: Subset, count: int, modelled: int | None) -> Resampling:
    """How rows are drawn under the settings."""
    shares = np.full(count, 1 / count)
    if asked.class_shares == "data":
        shares = np.bincount(seen.classes, seen.shares, minlength=count)
    return Resampling(asked, shares / shares.sum(), modelled)


def _some(rows: Subset, most: int, rng: np.random.Generator) -> Subset:
    """So many of the rows, drawn from each class by its share, but not from few of a class."""
    share, kept = most / len(rows), []
    for c in np.unique(rows.classes):
        own = rows.numbers[rows.classes == c]
        kept.append(own[thinned(len(own), max(_OF_CLASS, int(share * len(own))), rng)])
    return rows.only(np.sort(np.concatenate(kept)))


def _looked_at(
    nets: TorchDebias, seen: Subset, unseen: Subset | None, classes: Array, fit: Fit
) -> list[Reason]:
    """What the accuracies say, of rows trained on and of held-out ones."""

    def right(rows: Subset) -> tuple[Mask, Array]:
        some = rows.thinned(_SOME, fit.rng())
        chosen = nets.log_probabilities(some.values()[0]).argmax(1)
        return np.asarray(chosen == some.classes), classes[some.classes]

    of_seen, smaller = right(seen)[0], layers(nets.architecture.net)
    if unseen is None:
        return overfitting(of_seen, None, len(seen), smaller)
    of_unseen, labels = right(unseen)
    reasons = by_chance(of_unseen, labels)
    return reasons + overfitting(of_seen, of_unseen, len(seen), smaller)
