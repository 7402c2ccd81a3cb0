"""The mean-field posterior of a pair's parameters, fitted by SVI in Pyro or NumPyro, and how far
off it is.

The guide q takes the parameters as independent, so it understates how uncertain and how correlated
they are. How far off it is is measured by the weights p(theta, rows) / q(theta) of draws from q: if
their Pareto k-hat is above 0.7, q misses the posterior. As both twins are one model, draws from a
guide that was fitted in Pyro are made with NumPyro's.

References: Kucukelbir, Tran, Ranganath, Gelman and Blei, "Automatic differentiation variational
inference", 2017, https://arxiv.org/abs/1603.00788; Yao, Vehtari, Simpson and Gelman, "Yes, but did
it work?: Evaluating variational inference", 2018, https://arxiv.org/abs/1802.02538.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from ..arrays import Floats
from ..fitting import Fit
from ..inference.gradient import Schedule, finish, train
from ..inference.posterior.approximation import of_log_weights
from ..inference.posterior.settled import settled
from ..progress import Progress
from ..verdict import Reason
from .problem import Problem

_GUIDE = "the mean-field guide"
_ADVICE = "Its spread is too narrow: use engine='nuts' where the posterior itself matters."


def svi(
    problem: Problem,
    backend: str,
    options: Mapping[str, Any],
    fit: Fit,
    report: Callable[[Progress], None],
) -> tuple[dict[str, Floats], dict[str, Floats], list[Reason]]:
    """Fit the guide, and draw from it; `options` are those of `ENGINE_SETTINGS`, and `report` is
    called with each record.

    Returns:
        Draws name -> (1, draw, ...), their log densities (1, draw) `lp` (joint) and `log_q`, and
        warnings.
    """
    n = len(problem.rows[0])
    epochs = math.ceil(options["num_steps"] / max(1, n // min(options["batch_size"], n)))
    settings = Schedule(
        batch_size=options["batch_size"],
        learning_rate=options["learning_rate"],
        max_epochs=epochs,
        evaluate_every=max(1, epochs // 40),
    )
    records: list[Progress] = []

    def keep(record: Progress) -> None:
        records.append(record)
        report(record)

    learner = _learner(problem, backend, fit.seed)
    loop = train(
        learner, n, settings, seed=fit.seed, checkpoints=fit.checkpoints, deadline=fit.deadline
    )
    outcome = finish(loop, keep)
    fit.interrupted |= outcome.why == "interrupted"
    draws, stats = _draw(problem, learner.params(), fit.seed, int(options["num_draws"]))
    log_weights = (stats["lp"] - stats["log_q"]).reshape(-1)
    reasons = settled(outcome.why, outcome.steps, [r.loss for r in records[1:]], n)
    return draws, stats, reasons + of_log_weights(log_weights, _GUIDE, _ADVICE)


def _learner(problem: Problem, backend: str, seed: int) -> Any:
    """The learner of the pair."""
    if backend == "numpyro":
        from ..inference.svi_numpyro import NumpyroLearner

        problem = problem.on(_jax)
        return NumpyroLearner(*problem.pair(backend), problem.rows, seed=seed)
    import torch

    from ..inference.svi_pyro import PyroLearner

    problem = problem.on(torch.tensor)
    return PyroLearner(*problem.pair(backend), problem.rows, seed=seed)


def _jax(value: Any) -> Any:
    import jax

    with jax.enable_x64(True):
        return jax.numpy.asarray(value)


def _draw(
    problem: Problem, params: Mapping[str, Any], seed: int, num_draws: int
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    import jax
    from numpyro import handlers
    from numpyro.infer.util import log_density

    problem = problem.on(_jax)
    model, guide = problem.pair("numpyro")
    with jax.enable_x64(True):
        values = {name: _jax(value) for name, value in params.items()}
        fitted = handlers.substitute(partial(guide, None, None), data=values)

        def one(key: jax.Array) -> Any:
            trace = handlers.trace(handlers.seed(fitted, key)).get_trace()
            theta = {name: s["value"] for name, s in trace.items() if s["type"] == "sample"}
            log_q, _ = log_density(fitted, (), {}, theta)
            lp, _ = log_density(model, problem.rows, {}, theta)
            return theta, {"lp": lp, "log_q": log_q}

        draws, stats = jax.jit(lambda keys: jax.lax.map(one, keys))(
            jax.random.split(jax.random.key(seed), num_draws)
        )
        return jax.tree.map(lambda a: np.asarray(a)[None], (draws, stats))  # type: ignore[no-any-return]
