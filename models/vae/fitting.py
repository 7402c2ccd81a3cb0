"""How a variational autoencoder is fitted: what its nets are, which rows they see, and what is said
of their training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...arrays import Floats
from ...data import Codec, Encoded, ImageCodec
from ...data.augment import Augment
from ...errors import InputError
from ...fitting import Fit
from ...inference.local_objective import Objective
from ...inference.local_sites import values_of
from ...inference.local_sites_pyro import total
from ...inference.torch_state import seeded
from ...rows import Rows
from ...verdict import Reason
from ..nets.contest import Contender, Contest, worthwhile
from ..nets.device import Machine
from ..nets.halving import Round
from ..nets.held_out import Split, Subset
from ..nets.record import DataUnits
from ..nets.sizes import Defaults, Sizes, latents_for, layers, sizes_for, steps_of
from ..nets.trainer import Trainer, Training
from ..nets.values import Values
from ..nets.whitening import Whitening, chosen
from .bounds import collapse
from .build import Architecture
from .elbo_parts import kl_per_latent
from .importance_bounds import quick
from .parts import Part, parts_of
from .settings import check_rows, drawn_in_training
from .trained_nets import TrainedNets

Array = NDArray[Any]
_START = 5000  # rows from which centres and biases start
_HELD, _MANY = 2000, 1000  # held-out rows that are evaluated; from how many on two draws do
_ROUNDS = (Round(0.1, 1),)  # of kinds of noise
_WAKING = 150  # steps, a tenth of the schedule at most, over which beta rises beside "full" noise
_LOOKED, _DRAWS = 1000, 8  # rows on either side that a fit is judged by, and draws of each
_HURRIED = 100  # rows that are looked at after an interrupt


@dataclass(frozen=True)
class Fitted:
    """What a fit gives: the nets, their training, each latent's divergence, and what is said."""

    net: TrainedNets
    training: Training
    kl: Floats
    reasons: list[Reason]


def fit_nets(
    settings: Mapping[str, Any], codec: Codec | ImageCodec, rows: Rows, fit: Fit, machine: Machine
) -> Fitted:
    """Fit a variational autoencoder of these settings."""
    asked = SimpleNamespace(**settings)
    split, plain = Split(rows, fit), Values.of(codec)
    seen, unseen = split.subsets(lambda data: stored(plain, data))
    start = seen.thinned(_START, fit.rng()).values()[0]
    parts, values = parts_of(codec, asked.likelihood, start)
    if not parts:
        raise InputError("every column is constant or empty; there is nothing to model.")
    sizes = _sizes(settings, len(seen), values, timed=fit.deadline() is not None)
    check_rows(asked, sizes.net, sizes.latent[0], values.shape, parts)
    unseen = _evaluated(unseen, _missing(seen, sizes), fit)
    trainer = Trainer(fit, seen, unseen, sizes.training, machine=machine)
    whitening = _whitening(asked.noise, parts, values, trainer)
    noises = _noises(asked, whitening, trainer)

    def built(noise: Any) -> tuple[TrainedNets, Any]:
        """The nets that score, and those that are trained."""
        architecture = _architecture(asked, noise, sizes, parts, values, seen)
        known = whitening if noise == "full" else None
        net = TrainedNets(architecture, values, fit.seed, machine.device, start, known)
        if asked.backend == "pyro":
            return net, net
        from .jax_training import JaxNets

        return net, JaxNets(architecture, values, fit.seed, start, known)

    first = built(noises[0])

    def look(some: Subset) -> Floats:
        return quick(first[0], *some.values(), _DRAWS)

    evaluated = trainer.evaluating(look)
    trainer.record = record = DataUnits(fit, seen, evaluated, values.log_det)
    many = evaluated is not None and len(evaluated) >= _MANY
    objective = _objective(asked, sizes, len(seen), steady=2 if many else 4)
    wanted = min(len(seen), _LOOKED) + (0 if unseen is None else min(len(unseen), _LOOKED))
    most, trainer.after = trainer.looking(look, wanted)
    shares = None if evaluated is None else evaluated.shares

    def contender(noise: Any) -> Contender:
        made_of = first if noise == noises[0] else built(noise)
        trained_by = _waking(objective, sizes, len(seen)) if noise == "full" else objective
        learner = made_of[1].learner(
            seen,
            evaluated,
            trained_by,
            fit.seed,
            augment=_change(asked.augment, codec),
            redraw=record.redraw(lambda data: stored(values, data)),
        )

        def judge(terms: Array) -> tuple[Floats, Floats]:
            return objective.judged(terms, made_of[1].kl_sizes, shares)

        return Contender(f'noise "{noise}"', sizes.training, learner, made_of, judge)

    contest, said = Contest(trainer, _ROUNDS), list[Reason]()
    if len(noises) > 1:
        found, reason = contest.best([partial(contender, noise) for noise in noises])
        said.append(reason)
    else:
        found = contender(noises[0])
    training = contest.finished(found)
    net, trained = found.made_of

    def log_prob(x: Array, context: Floats | None) -> Floats:
        return quick(net, x, context, _DRAWS)

    trained.keep(found.learner)
    if training.failed:
        return Fitted(net, training, np.zeros(0), training.reasons)
    if trained is not net:
        net.load(trained.arrays())
        _check_twins(trained, net, seen.only(seen.numbers[:8]))
    looked = -(-most // 2)
    smaller = f"{layers(sizes.net)}, or dropout"
    reasons = trainer.judge_density(training, log_prob, smaller, looked)
    looked = min(looked, _HURRIED) if fit.interrupted else looked
    kl = kl_per_latent(net, *(unseen or seen).thinned(looked, fit.rng()).values())
    return Fitted(net, training, kl, [*said, *reasons, *collapse(kl, asked.objective, asked.beta)])


def stored(values: Values, data: Encoded) -> Array:
    """(n, D) rows as the nets take them: levels that the fit never saw as the first."""
    return values.stored(data, unseen=0)


def _sizes(settings: Mapping[str, Any], n: int, values: Values, *, timed: bool) -> Sizes:
    latent = settings["latent_dim"] or latents_for(values.size)
    defaults = Defaults(
        width=300,
        mlp=(20_000, 1e-3 if values.shape else 3e-3),
        conv=(10_000, 2e-3),
        min_delta=2e-3 * float(np.sqrt(values.size)),
    )
    return sizes_for(n, values, {**settings, "latent_dim": latent}, defaults, timed=timed)


def _architecture(
    asked: Any, noise: Any, sizes: Sizes, parts: tuple[Part, ...], values: Values, seen: Subset
) -> Architecture:
    conv = sizes.net == "conv"
    return Architecture(
        net=sizes.net,
        parts=parts,
        latent=sizes.latent,
        shape=values.shape,
        context=0 if seen.context is None else seen.context.shape[1],
        hidden=sizes.hidden,
        channels=sizes.channels,
        activation=asked.activation or ("silu" if conv else "relu"),
        dropout=float(asked.dropout),
        noise=noise if isinstance(noise, str) else float(noise),
        missing=_missing(seen, sizes),
        prior=asked.prior,
        posterior=asked.posterior,
        flow_layers=int(asked.flow_layers),
        components=int(asked.components),
    )


def _missing(seen: Subset, sizes: Sizes) -> bool:
    """Whether the encoder is told of gaps."""
    floats = seen.x.dtype.kind == "f"
    return floats and sizes.net != "conv" and bool(np.isnan(seen.x[seen.numbers]).any())


def _whitening(
    noise: Any, parts: tuple[Part, ...], values: Values, trainer: Trainer
) -> Whitening | None:
    """That of a table's numbers, where their noise may be correlated."""
    if noise not in ("auto", "full") or values.shape or parts[0].kind != "gaussian":
        return None
    rows = (trainer.seen, trainer.unseen, parts[0].stop, trainer.fit.rng())
    found = chosen(*rows, always=noise == "full")
    if found is None and noise == "full":
        raise InputError(
            'noise is "full", which goes by the covariance of two columns of numbers or more '
            'without gaps; the rows have fewer, or gaps. Take noise="column".'
        )
    return found


def _noises(asked: Any, whitening: Whitening | None, trainer: Trainer) -> list[Any]:
    """What "auto" stands for, in order of preference: latents are to say what columns have in
    common, unless noise that is correlated makes rows likelier."""
    if asked.noise != "auto":
        return [asked.noise]
    bent = asked.beta != 1 or asked.free_bits or asked.warm_up
    alone = whitening is None or bent or asked.backend != "pyro" or not worthwhile(trainer)
    return ["column"] if alone else ["column", "full"]


def _evaluated(unseen: Subset | None, missing: bool, fit: Fit) -> Subset | None:
    """Some of the held-out rows; without those that have gaps, where no row trained on has."""
    if unseen is None:
        return None
    if unseen.x.dtype.kind == "f" and not missing:
        whole = ~np.isnan(unseen.x[unseen.numbers]).any(axis=1)
        unseen = unseen.only(unseen.numbers[whole])
    return unseen.thinned(_HELD, fit.rng()) if len(unseen) else None


def _objective(asked: Any, sizes: Sizes, n: int, *, steady: int) -> Objective:
    samples = drawn_in_training(asked)
    warm_up = round(asked.warm_up * steps_of(n, sizes.training.batch_size))
    bend = (float(asked.beta), warm_up, float(asked.free_bits))
    return Objective(asked.objective, int(samples), *bend, steady)


def _waking(objective: Objective, sizes: Sizes, n: int) -> Objective:
    """The objective of latents beside correlated noise: with the whole divergence from the first
    step on they would be given up before they say anything, as noise says what is linear."""
    if objective.name != "elbo" or objective.warm_up:
        return objective
    steps = sizes.training.max_epochs * steps_of(n, sizes.training.batch_size)
    return replace(objective, warm_up=min(_WAKING, steps // 10))


def _change(augment: Any, codec: Codec | ImageCodec) -> Callable[..., Any] | None:
    """What changes batches of stored images; whole numbers stay whole."""
    if not augment or not isinstance(codec, ImageCodec):
        return None
    low, high = codec.pixels.ends
    change = (
        Augment(**{"low": low, "high": high, **augment})
        if isinstance(augment, Mapping)
        else augment
    )
    if codec.pixels.kind == "real":
        return change
    return lambda images, generator: change(images, generator).round()


@torch.no_grad()
def _check_twins(trained: Any, net: TrainedNets, rows: Subset) -> None:
    """Raise InputError if the pairs on JAX and torch differ: one is trained, the other scores."""
    x, context = rows.values()
    y, c = net.rows(x), net.context(context)
    with seeded(0):
        q = net.guided(y, c, 2)
    values = values_of(q)
    log_w = (total(net.modelled(y, c, values)) - total(q)).numpy()
    z = {name: value.numpy() for name, value in values.items()}
    expected = trained.log_w(y.numpy(), None if c is None else c.numpy(), z)
    if not np.allclose(log_w, expected, rtol=1e-3, atol=0.1, equal_nan=True):
        raise InputError(
            "the pairs in models/vae/pyro.py and models/vae/numpyro.py give the same rows and "
            "latents different log densities; what one has trained, the other scores. Make the "
            "same change in both."
        )
