"""How a variational autoencoder is fitted: what its nets are, which rows they see, and what the
verdict says."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...data import ImageCodec
from ...data.encoded import Encoded
from ...errors import InputError
from ...fitting import Fit
from ...inference.gradient import finish, train
from ...inference.local_objective import Objective
from ...verdict import Reason
from ..course import course, held_out, overfit
from ..trace import DataUnits
from .build import Architecture
from .parts import Part
from .plan import Plan, plan
from .settings import check_rows
from .training import Rows
from .units import Units, of_images, of_table
from .verdicts import collapse

if TYPE_CHECKING:
    from .estimator import VAE

Floats = NDArray[np.float64]
_START = 5000  # rows from which centres and biases start
_HELD = 2000  # held-out rows that are evaluated
_LOOKED, _DRAWS = 1000, 8  # rows on either side that a fit is judged by, and draws of each
_PROBE, _PROBED = 50, 1 << 18  # rows that are timed, and values of them
_LEAST, _SHARE = 8, 0.15  # rows on either side at least, and share of a budget at most
_LARGE = 1 << 20  # values of a batch


def fit_vae(
    vae: VAE, data: Encoded, weights: Floats | None, context: Floats | None, fit: Fit
) -> list[Reason]:
    """Set the fitted attributes; return what was found."""
    x = vae._matrix(data)
    kept = np.ones(len(x), dtype=bool) if weights is None else weights > 0
    held = np.zeros(len(x), dtype=bool)
    if fit.validation is None:
        held = held_out(fit.units(), fit.rng()) & kept
        fit.held_out = held
    numbers = np.flatnonzero(kept & ~held)
    some = np.sort(fit.rng().choice(numbers, min(_START, len(numbers)), replace=False))
    parts, vae.units_ = _parts(vae, x[some])
    chosen = _plan(vae, len(numbers), x.shape[1], fit)
    check_rows(vae, chosen.net, chosen.latent[0], fit.schema.image_shape or (), parts)
    gaps = x.dtype.kind == "f" and bool(np.isnan(x[kept]).any())
    vae.architecture_ = _architecture(vae, chosen, parts, gaps, context)
    vae.latent_dim_ = chosen.latent[0]
    vae.net_seed_ = fit.seed
    vae.net_ = net = trained = vae._network(x[some], _device(vae))
    if vae.backend == "numpyro":
        trained = _jax(vae, x[some])
    rows = Rows(x, context, None if weights is None else weights / weights[numbers].mean(), numbers)
    unseen = _unseen(vae, rows, held, fit)
    objective = _objective(vae, chosen, len(numbers))
    units = DataUnits(fit, data, numbers, weights, vae.units_.log_det)
    more = {"augment": _augment(vae), "redraw": _redraw(vae, units)}
    learner = trained.learner(rows, unseen, objective, fit.seed, **more)
    settings = chosen.settings
    found: list[Reason] = []
    # On JAX a probe is compiled for itself: only where memory may be short.
    if vae.backend == "pyro" or settings.batch_size * x.shape[1] > _LARGE:
        settings, found = _fitting_batch(learner, settings, len(numbers))
    evaluate = None
    if unseen is not None:
        shares = None if unseen.weights is None else unseen.weights[unseen.numbers]
        share = 1.0 if shares is None else shares / shares.mean()
        held_rows = data if fit.validation is None else fit.validation.data
        units.held_out(held_rows.log_det[unseen.numbers], shares)

        def evaluate() -> Floats:
            terms = learner.evaluate()
            values, bounds = objective.judged(terms, trained.kl_sizes, shares)
            units.bound = float(np.mean(bounds * share))
            return np.asarray(values * share)

    looked, after = _afterwards(vae, rows, fit)

    def left() -> float | None:
        seconds = fit.deadline()
        return None if seconds is None else seconds - after

    loop = train(
        learner,
        len(numbers),
        settings,
        seed=fit.seed,
        validation=evaluate,
        units=None if unseen is None else fit.held_units(unseen.numbers),
        checkpoints=fit.checkpoints,
        deadline=left,
    )
    outcome = finish(loop, units.report)
    trained.keep(learner)
    if trained is not net:
        net.load(trained.arrays())
        few = numbers[:8]
        _check_twins(trained, net, x[few], None if context is None else context[few])
    vae.n_steps_, vae.n_epochs_ = outcome.steps, outcome.epochs
    found += course(outcome, settings)
    if outcome.why == "diverged":
        return found
    return found + _looked_at(vae, rows, unseen, fit, looked)


def _afterwards(vae: VAE, rows: Rows, fit: Fit) -> tuple[int, float]:
    """How many rows on either side the fit is judged by, once the nets are trained, and the seconds
    that it takes: of a budget at most `_SHARE`."""
    if fit.clock.budget is None:
        return _LOOKED, 0.0
    at = rows.numbers[: max(_LEAST, min(_PROBE, _PROBED // rows.x.shape[1]))]
    began = time.perf_counter()
    _quick(vae, rows.x[at], None if rows.context is None else rows.context[at])
    each = max(time.perf_counter() - began, 1e-9) / len(at)
    wanted = min(len(rows.numbers), 2 * _LOOKED)
    most = max(2 * _LEAST, int(_SHARE * fit.clock.budget / each))
    return min(_LOOKED, -(-most // 2)), each * min(wanted, most)


def _quick(vae: VAE, x: NDArray[Any], context: Floats | None) -> Floats:
    from .importance_bounds import quick

    return quick(vae.net_, x, context, _DRAWS)


def _parts(vae: VAE, x: NDArray[Any]) -> tuple[tuple[Part, ...], Units]:
    if isinstance(vae.codec_, ImageCodec):
        part, units = of_images(vae.codec_, vae.likelihood, x)
        return (part,), units
    parts = of_table(vae.codec_, vae.likelihood)
    if not parts:
        raise InputError("every column is constant or empty; there is nothing to model.")
    return parts, Units()


def _plan(vae: VAE, n: int, values: int, fit: Fit) -> Plan:
    shape = fit.schema.image_shape or ()
    return plan(
        n,
        values,
        shape,
        net=vae.net,
        latent_dim=vae.latent_dim,
        hidden=vae.hidden,
        channels=vae.channels,
        batch_size=vae.batch_size,
        learning_rate=vae.learning_rate,
        max_epochs=vae.max_epochs,
        timed=fit.deadline() is not None,
    )


def _architecture(
    vae: VAE, chosen: Plan, parts: tuple[Part, ...], gaps: bool, context: Floats | None
) -> Architecture:
    conv = chosen.net == "conv"
    return Architecture(
        net=chosen.net,
        parts=parts,
        latent=chosen.latent,
        shape=vae.schema_.image_shape or (),
        context=0 if context is None else context.shape[1],
        hidden=chosen.hidden,
        channels=chosen.channels,
        activation=vae.activation or ("silu" if conv else "relu"),
        dropout=float(vae.dropout),
        noise=vae.noise if isinstance(vae.noise, str) else float(vae.noise),
        missing=gaps and not conv,
        prior=vae.prior,
        posterior=vae.posterior,
        flow_layers=int(vae.flow_layers),
        components=int(vae.components),
    )


def _jax(vae: VAE, some: NDArray[Any]) -> Any:
    """The nets on JAX, to be trained; the same numbers then serve on torch."""
    from .jax_training import JaxNets

    return JaxNets(vae.architecture_, vae.units_, vae.net_seed_, some)


def _check_twins(trained: Any, net: Any, x: NDArray[Any], context: Floats | None) -> None:
    """Raise InputError if the pairs on JAX and torch differ: one is trained, the other scores."""
    from ...inference.local_pyro import total, values_of
    from ...inference.seeding import seeded

    with seeded(0), torch.no_grad():
        y, c = net.rows(x), net.context(context)
        q = net.guided(y, c, 2)
        values = values_of(q)
        found = (total(net.modelled(y, c, values)) - total(q)).double().numpy()
    z = {name: value.numpy() for name, value in values.items()}
    expected = trained.log_w(y.numpy(), None if c is None else c.numpy(), z)
    if not np.allclose(found, expected, rtol=1e-3, atol=0.1, equal_nan=True):
        raise InputError(
            "the pairs in models/vae/pyro.py and models/vae/numpyro.py give the same rows and "
            "latents different log densities; what one has trained, the other scores. Make the "
            "same change in both."
        )


def _device(vae: VAE) -> Any:
    if vae.devices > 1:
        raise InputError("a VAE is trained on one device; leave devices out.")
    if vae.backend != "pyro":
        return "cpu"
    from ..nets.device import device_for

    return device_for(vae.device)


def _objective(vae: VAE, chosen: Plan, n: int) -> Objective:
    steps = max(1, n // min(chosen.settings.batch_size, n))
    default = 1 if vae.objective == "elbo" else 8
    return Objective(
        vae.objective,
        default if vae.n_samples is None else int(vae.n_samples),
        float(vae.beta),
        round(vae.warm_up * steps),
        float(vae.free_bits),
    )


def _augment(vae: VAE) -> Callable[..., Any] | None:
    if not vae.augment:
        return None
    assert isinstance(vae.codec_, ImageCodec)
    from ...data.augment import Augment

    pixels = vae.codec_.pixels
    change = (
        vae.augment
        if isinstance(vae.augment, Augment)
        else Augment(**{"low": pixels.ends[0], "high": pixels.ends[1], **vae.augment})
    )
    if pixels.kind == "real":
        return change
    return lambda images, generator: change(images, generator).round()


def _unseen(vae: VAE, rows: Rows, held: NDArray[np.bool_], fit: Fit) -> Rows | None:
    """Held-out rows: the caller's or ours; the first few thousand of a random order."""
    if fit.validation is not None:
        x = vae._matrix(fit.validation.data)
        rows, numbers = Rows(x, fit.validation.context, None, rows.numbers), np.arange(len(x))
    else:
        numbers = np.flatnonzero(held)
    if (
        rows.x.dtype.kind == "f" and not vae.architecture_.missing
    ):  # gaps that no row trained on has
        numbers = numbers[~np.isnan(rows.x[numbers]).any(axis=1)]
    if not len(numbers):
        return None
    if len(numbers) > _HELD:
        numbers = np.sort(fit.rng().choice(numbers, _HELD, replace=False))
    return rows._replace(numbers=numbers)


def _redraw(vae: VAE, units: DataUnits) -> Callable[[int], NDArray[Any]] | None:
    if units.fit.redraw is None:
        return None
    return lambda epoch: vae._matrix(units.redraw(epoch))


def _fitting_batch(learner: Any, settings: Any, n: int) -> tuple[Any, list[Reason]]:
    from ..nets.out_of_memory import shrinking

    asked = min(settings.batch_size, n)
    _, size = shrinking(lambda k: learner.probe(np.arange(k)), asked, "training")
    if size == asked:
        return settings, []
    what = f"a batch of {asked} rows does not fit in memory; {size} do, and were taken."
    return replace(settings, batch_size=size), [
        Reason("warn", what, f"Set batch_size={size}, or make the nets smaller.")
    ]


def _looked_at(vae: VAE, rows: Rows, unseen: Rows | None, fit: Fit, looked: int) -> list[Reason]:
    def part(of: Rows) -> Any:
        at = np.sort(fit.rng().permutation(of.numbers)[:looked])
        return at, (of.x[at], None if of.context is None else of.context[at])

    at, seen = part(rows)
    new = units = None
    if unseen is not None:
        at_new, new = part(unseen)
        units = fit.units()[at], fit.held_units(at_new)
    quick = partial(_quick, vae)
    found = overfit(quick, seen, new, fit.rng(), "hidden, or dropout", units)
    x, context = seen if new is None else new
    from .elbo_parts import kl_per_latent

    vae.kl_per_latent_ = kl_per_latent(vae.net_, x, context)
    return [*found, *collapse(vae.kl_per_latent_)]
