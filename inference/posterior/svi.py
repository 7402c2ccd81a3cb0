"""Stochastic variational inference: a guide q_phi fitted to the posterior of a pair by gradients.

With latents z, N rows x and a batch B, steps raise an estimate from B's rows of one of

| objective | |
|---|---|
| elbo | E_q [ log p(x, z) - log q(z) ] |
| mean_field | the same, with closed forms of KL(q(z_s) || p(z_s)) where there are some |
| renyi | 1 / (1 - alpha) log E_q [ (p(x, z) / q(z))^(1 - alpha) ], by draws |
| iwae, dreg | sum_i log (1/K) sum_k p(x_i, z_ik) / q(z_ik), of latents local to rows |

Discrete sites are summed out, exactly. Training is `gradient.train`: the rate is constant until the
losses reach a plateau (`plateau`; it counts from step 700 on), then falls to 0 in twice as many
steps as were taken; weights are averaged over the last hundred steps or so. Kept are the latest
whose recent mean loss is not above the best by more than a standard error. Where the loss is not
finite, training goes back to the last good weights, and on at half the rate.

The draws of q come with `lp`, the log joint, and `log_q`, both on the unconstrained scale; how far
off q is, `approximation` tells, and whether it has draws of all modes, `modes`. The mean of
lp - log_q is the ELBO, a lower bound of the log evidence.

References: Hoffman, Blei, Wang and Paisley, "Stochastic variational inference", 2013,
https://jmlr.org/papers/v14/hoffman13a.html; Li and Turner, "Rényi divergence variational
inference", 2016, https://arxiv.org/abs/1602.02311; Burda, Grosse and Salakhutdinov, "Importance
weighted autoencoders", 2016, https://arxiv.org/abs/1509.00519; Tucker, Lawson, Gu and Maddison,
"Doubly reparameterized gradient estimators", 2019, https://arxiv.org/abs/1810.04152.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np

from ...arrays import Array
from ...errors import InputError
from ...fitting import EngineFit, Running
from ...progress import Clock, Progress
from ...verdict import Reason
from ..gradient import Outcome, Schedule, finish, train
from ..plateau import Plateau
from .approximation import by_row, judged, of_log_weights
from .guides import DENSE, POINTS, build, check_guide, check_name, chosen, learning_rate
from .minibatch import Call, call_of, check_local, check_weights, with_whole
from .modes import SEARCHES, Mode, others, starting_modes
from .numeric import numeric
from .result import Evidence, Posterior
from .settled import settled
from .target import Target

CHUNK = 100  # steps that are compiled together; between two looks at the clock
_HOLD = 1 / 3  # of the schedule at the highest rate
_NUMBERS = 4e7  # of all draws: 0.3 GB
_LEAST = 0.01  # nats of the ELBO in a block of steps that count as an improvement
_FIRST = 27  # blocks of steps before a plateau counts, so that 2,000 steps are taken
_OF_ROW = 200  # draws of each row by which k-hat is told where latents are local to rows
_OBSERVED = 1e6  # values of which modes are looked for
_STEPS, _SHARE = 300, 0.25  # of a search for one, and share of the time left that all take
_LOCAL = ("iwae", "dreg")


def run(
    target: Target, guide: Callable[..., Any] | str | None, settings: Any, fit: Any
) -> Posterior:
    """Fit a guide, and draw from it.

    Args:
        guide: a callable, the name of one of `guides.NAMES`, or None.
        settings: `models.pair.settings.SVI`.
        fit: has the seed, the deadline, the checkpoints and `report`.

    Raises:
        InputError: if the guide does not fit the model, or the rows of a batch would not be
            weighted as all rows.
    """
    backend: Any = import_module(f".variational_{target.backend}", __package__)
    call = call_of(target, settings.batch_size)
    with backend.precision(not call.single):
        return _fitted(target, guide, settings, fit, call, backend)


def _fitted(
    target: Target, guide: Any, settings: Any, fit: Any, call: Call, backend: Any
) -> Posterior:
    began = time.perf_counter()
    reasons: list[Reason] = []
    _check(target, call, settings)
    if not call.whole:
        call = with_whole(call, lambda tried: backend.batch_sites(target, tried)[0])
        sites, scales = backend.batch_sites(target, call)
        _, of_all = backend.batch_sites(target, replace(call, batch_size=call.n_rows))
        grown = {name: scales[name] / (of_all.get(name) or 1.0) for name in scales}
        check_weights(target.sites, sites, grown, call, target.backend)
    if guide is None:
        guide, why = chosen(target, settings.objective)
        reasons.append(Reason("ok", f"guide {guide!r} was taken, as {why}."))
    name = guide if isinstance(guide, str) else ""
    if isinstance(guide, str):
        check_name(guide, target, settings.objective)
        if not call.whole:
            check_local(sites, guide)
    else:
        check_guide(target, backend.drawn_sites(target, guide, call), _words(name))
    modes = [] if name in POINTS else _modes(target, fit)
    if isinstance(guide, str):
        guide = build(guide, target, fit.seed, modes)
        check_guide(target, backend.drawn_sites(target, guide, call), _words(name))
    learner = backend.make_learner(target, guide, call, settings, fit.seed)
    rate = settings.learning_rate or learning_rate(name)
    outcome, why, losses = _train(learner, call, replace(settings, learning_rate=rate), fit)
    fitted = backend.FittedGuide(target, guide, learner)
    first = time.perf_counter() - began
    draws, stats, few = _draws(target, fitted, settings, fit.seed)
    reasons += [*_ended(outcome, losses, call), *few]
    reasons += _judged(target, fitted, draws, stats, modes, name, fit)
    return Posterior(
        draws,
        stats,
        log_evidence=_bound(stats),
        why=why,
        gradients=outcome.steps * (settings.num_particles or 1),
        seconds_to_first_draw=first,
        guide=fitted.arrays(),
        reasons=reasons,
    )


def _check(target: Target, call: Call, settings: Any) -> None:
    objective = settings.objective
    if objective in ("renyi", *_LOCAL) and target.sites.discrete:
        raise InputError(
            f'objective "{objective}" knows no discrete sites, and the model draws '
            f'{", ".join(target.sites.discrete)}. Take objective="elbo", which sums them out.'
        )
    if objective == "renyi" and (target.sites.subsampled or not call.whole):
        raise InputError(
            'objective "renyi" of a part of the rows is not that of all: its logarithm of a mean '
            'is biased. Leave batch_size and subsample_size out, or take "elbo"; for latents '
            'local to rows "iwae" or "dreg".'
        )
    if objective in _LOCAL and target.sites.subsampled:
        plate = next(iter(target.sites.subsampled.values()))
        raise InputError(
            f'objective "{objective}" weights each row by itself, and plate {plate.name!r} takes '
            f"{plate.subsample} of {plate.size} rows in the model. Give the plate its size by an "
            "argument n_total of the model, and batch_size to the fit."
        )


def _train(learner: Any, call: Call, settings: Any, fit: Any) -> tuple[Outcome, Any, list[float]]:
    """How training ended, why the fit did, and the loss of each record."""
    steps = min(CHUNK, settings.num_steps)
    schedule = Schedule(
        batch_size=call.batch_size if not call.whole else 1,
        learning_rate=settings.learning_rate,
        max_epochs=math.ceil(settings.num_steps / steps),
        ema=settings.ema,
        chunk=steps,
        hold=_HOLD,
        epoch_steps=steps,
    )
    losses: list[float] = []

    def keep(record: Progress) -> None:
        if math.isfinite(record.loss):
            losses.append(record.loss)
            fit.report(record)

    watch = Plateau(_LEAST / call.n_rows, _FIRST) if settings.early_stopping else None
    loop = train(
        learner,
        1 if call.whole else call.n_rows,
        schedule,
        seed=fit.seed,
        validation=watch,
        checkpoints=fit.checkpoints,
        deadline=fit.deadline,
    )
    outcome = finish(loop, keep)
    return outcome, outcome.why if outcome.why in ("budget", "interrupted") else "done", losses


def _draws(
    target: Target, fitted: Any, settings: Any, seed: int
) -> tuple[dict[str, Array], dict[str, Array], list[Reason]]:
    """Draws (1, draw, ...) and their statistics; fewer than asked for where memory says so."""
    each = sum(math.prod(site.shape) for site in target.sites.latents.values())
    most = max(1, int(_NUMBERS / max(each, 1)))
    n = min(settings.num_draws, most)
    values, stats = fitted.draw(n, seed)
    what = f"{n} of {settings.num_draws} draws were kept: each has {each:,} numbers."
    few = [] if n == settings.num_draws else [Reason("ok", what)]
    return *({k: a[None] for k, a in part.items()} for part in (values, stats)), few  # type: ignore[return-value]


def _ended(outcome: Outcome, losses: list[float], call: Call) -> list[Reason]:
    """What is said of training."""
    reasons = []
    if outcome.rollbacks:
        what = f"the loss was not finite {outcome.rollbacks} times; training went back and on at a "
        reasons.append(Reason("ok", what + "lower rate."))
    if outcome.why == "diverged":
        what = (
            f"the loss is not finite after {outcome.steps} steps; the draws are of the last good "
        )
        return [*reasons, Reason("warn", what + "weights.", "Lower learning_rate.")]
    if outcome.why == "stopped":
        what = f"the losses reached a plateau at step {outcome.plateau_step} of {outcome.steps}."
        return [*reasons, Reason("ok", what)]
    return [*reasons, *settled(outcome.why, outcome.steps, losses, call.n_rows)]


def _modes(target: Target, fit: Running) -> list[Mode]:
    """Modes of the posterior, where all of it is known and it is small."""
    observed = sum(math.prod(site.shape) for site in target.sites.observed.values())
    some = target.sites.subsampled or target.sites.of("param")
    if some or target.size > DENSE or observed > _OBSERVED:
        return []
    left = fit.deadline()
    clock = Clock(None if left is None else max(1e-9, _SHARE * left))
    try:
        return starting_modes(numeric(target), SEARCHES, EngineFit(fit.seed, clock), _STEPS)
    except InputError:  # there is no place to start a search at
        return []


def _judged(
    target: Target,
    fitted: Any,
    draws: dict[str, Array],
    stats: dict[str, Array],
    modes: list[Mode],
    name: str,
    fit: Running,
) -> list[Reason]:
    """How far off the guide is."""
    if not fitted.density:
        what = f"{_words(name)} is a point: it says nothing of how uncertain the latents are."
        return [Reason("warn", what, 'Take guide="multivariate_normal", or method="nuts".')]
    if not {"lp", "log_q"} <= stats.keys():
        what = "how far off the guide is is not known, as the model looks at a part of its rows."
        return [Reason("warn", what, "Give it all rows, and batch_size to the fit, to know.")]
    each = fitted.by_row(_OF_ROW, fit.seed)
    if each is not None:
        return by_row(each, _words(name), "Give the guide more freedom, or take iwae.")
    log_weights = (stats["lp"] - stats["log_q"])[0]
    advice = 'Take guide="flow", or method="nuts" where the posterior itself matters.'
    if target.sites.of("param"):  # optimised: what is drawn has no posterior apart from them
        return of_log_weights(log_weights, _words(name), advice)
    f = numeric(target)
    z = f.unconstrain({site: value[0] for site, value in draws.items()})
    return [*judged(f, z, log_weights, _words(name), advice, fit), *others(modes, z)]


def _words(name: str) -> str:
    """A guide as messages call it; one of the user's has no name."""
    return f"guide {name!r}" if name else "the guide"


def _bound(stats: dict[str, Array]) -> Evidence | None:
    """The ELBO of the draws."""
    if not {"lp", "log_q"} <= stats.keys():
        return None
    gains = (stats["lp"] - stats["log_q"]).reshape(-1)
    stderr = float(np.std(gains, ddof=1) / math.sqrt(gains.size)) if gains.size > 1 else math.nan
    return Evidence(float(gains.mean()), stderr, "lower_bound")
