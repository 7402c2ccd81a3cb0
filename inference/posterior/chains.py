"""What engines of Markov chains share: from a target to the draws of its sites."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from ...arrays import Array
from ...errors import InputError
from ...fitting import EngineFit
from ...progress import Progress
from ...verdict import Reason
from .blocks import Advance, Records, Run, run_blocks
from .broken_gradient import broken_gradient
from .improper import improper_chains
from .numeric import numeric
from .result import Posterior
from .target import Target

_STATS = ("lp", "energy", "acceptance_rate", "step_size", "n_steps", "diverging")


def run_chains(
    target: Target, sampler: Any, settings: Any, fit: EngineFit, starts: Any = None
) -> Posterior:
    """Draw from a target by a `compiled.Sampler`.

    Args:
        settings: has num_samples, num_chains and chain_method.
        starts: (chain, p) places to start from; None draws them.

    Raises:
        InputError: if the log joint is not finite where chains start.
    """
    import jax

    from .compiled import compiled

    began = time.perf_counter()
    with target.precision():
        places, paths = jax.random.split(jax.random.key(fit.seed))
        if starts is None:
            starts = draw_starts(target, places, settings.num_chains)
        keys = jax.random.split(paths, settings.num_chains)
        states = jax.jit(jax.vmap(sampler.begin))(keys, jax.numpy.asarray(starts))
        if not np.isfinite(sampler.lp(states)).all():
            raise InputError(
                "the log joint is not finite where the chains start; give other places, or less "
                "jitter around them."
            )
        advance = compiled(sampler, settings.chain_method, settings.num_chains)
        found = draw(advance, states, settings.num_samples, fit, began)
        return finished(target, found, advance, sampler.max_tree_depth)


def finished(
    target: Target, run: Run, advance: Advance, max_tree_depth: int, gradients: int = 0
) -> Posterior:
    """The posterior of a run on a NumPyro target; `gradients` were taken before it."""
    import jax

    values = jax.jit(jax.vmap(jax.vmap(target.constrain)))(run.records["z"])
    run = replace(run, gradients=run.gradients + gradients)
    return posterior(target, values, run, advance, max_tree_depth)


def draw_starts(target: Target, key: Any, num_chains: int) -> Any:
    """(chain, p) places where the log joint is finite."""
    import jax

    return np.stack([target.start(one) for one in jax.random.split(key, num_chains)])


def draw(advance: Advance, states: Any, num_samples: int, fit: EngineFit, began: float) -> Run:
    """Run chains within the budget of a fit, and report to it."""

    def report(step: int, records: Records) -> None:
        measures = {"divergences": float(records["diverging"].sum())}
        loss, seconds = -float(records["lp"].mean()), time.perf_counter() - began
        fit.report(Progress(step, loss, seconds=seconds, measures=measures))

    return run_blocks(
        advance, states, num_samples, deadline=fit.deadline, report=report, began=began
    )


def posterior(
    target: Target, values: dict[str, Any], run: Run, advance: Advance, max_tree_depth: int
) -> Posterior:
    """The posterior of the values of sites, name -> (chain, draw, ...), and their records."""
    stats: dict[str, Array] = {name: run.records[name] for name in _STATS}
    if max_tree_depth:
        stats["tree_depth"] = np.floor(np.log2(np.maximum(stats["n_steps"], 1))).astype(int) + 1
        stats["reached_max_treedepth"] = stats["n_steps"] >= 2**max_tree_depth - 1
    return Posterior(
        {site: np.asarray(value) for site, value in values.items()}, stats,
        why=run.why, gradients=run.gradients, seconds_to_first_draw=run.seconds_to_first_draw,
        reasons=[
            Reason("ok", f"chains: {advance.method}."),
            *_early_end(run),
            *_faults(target, run.records),
        ],
    )  # fmt: skip


def _faults(target: Target, records: Records) -> list[Reason]:
    """What is wrong with the log joint, as far as chains and their divergences show it."""
    f, z = numeric(target), records["z"]
    broken = broken_gradient(f, z, records["lp"], records["diverging"])
    return [*improper_chains(f, z), *broken]


def _early_end(run: Run) -> list[Reason]:
    """What an end before all draws were made means."""
    kept = run.records["lp"].shape[1]
    if run.why == "interrupted":
        what = f"interrupted after {kept} draws a chain."
        return [Reason("warn", what, "Fit again for all of them, or ask for fewer.")]
    if run.why == "done":
        return []
    what = f"the budget ended after {kept} draws a chain"
    if run.why == "warm-up":
        what += f", and cut the warm-up to {run.num_warmup}"
    return [Reason("warn", f"{what}.", "Give a larger budget, or fewer draws.")]
