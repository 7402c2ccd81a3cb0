"""Annealed importance sampling and BDMC of a Pyro pair, by `inference.ais` and `bdmc`. See
`annealed`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError
from ...fitting import EngineFit
from ...progress import Progress
from ..ais import AIS, Annealing, ais, sigmoidal
from ..bdmc import bdmc
from ..hmc import Start
from . import annealed
from .numeric import Numeric, numeric
from .result import Posterior, Why
from .simulate import from_prior
from .target import Target

_SPREAD = 200  # draws that tell the prior's scale


class _Ended(Exception):
    """The budget ended."""


def run(target: Target, settings: Any, fit: EngineFit) -> Posterior:
    """Bound the evidence of a pair's data by AIS, and the error of the bound by BDMC.

    Raises:
        InputError: if the prior is improper, or paths are to start elsewhere.
    """
    if settings.start == "laplace":
        raise InputError(
            'start="laplace" is for NumPyro pairs; leave start out, or write the pair in NumPyro.'
        )
    began, f = time.perf_counter(), numeric(target)
    target.check_proper()
    why_not = annealed.cannot_simulate(target, "prior")
    how = Annealing(
        schedule=sigmoidal(settings.num_temperatures),
        chains=settings.num_chains,
        n_leapfrog=settings.num_leapfrog,
    )
    one, two = annealed.seeds_of(fit, 2)
    with target.precision():
        start = _prior(f, one)
        generator = torch.Generator().manual_seed(one)
        found = ais(
            _batched(target.log_joint), start, how, generator=generator,
            progress=_watched(fit, 0), ended=lambda: fit.deadline() == 0.0,
        )  # fmt: skip
        cut = found.reached if found.reached < 1 else None
        gaps = (
            []
            if why_not or cut is not None
            else _gaps(target, start, how, settings.num_simulated, two, fit)
        )
    log_w = found.log_weights[:, 0].numpy()
    weights, chosen = annealed.weighed(log_w, 1, fit.rng())
    drawn = found.z[:, 0].numpy()[chosen[0]]
    whole = cut is None and (why_not or len(gaps) == settings.num_simulated)
    why: Why = "done" if whole else "budget"
    return Posterior(
        f.constrain(drawn[None]),
        {"lp": f.log_joint(drawn)[None]},
        annealed.bound(log_w),
        why,
        _taken(found, how) + f.gradients,
        time.perf_counter() - began,
        {"log_weights": log_w, "gaps": np.array([gap.value for gap in gaps])},
        annealed.reasons(weights, gaps, cut, why_not),
    )


def _prior(f: Numeric, seed: int) -> Start:
    """The prior, one row of it, its scale that of draws of their own."""
    scale = f.prior(_SPREAD, seed + 1).std(axis=0)

    def sample(chains: int, generator: torch.Generator) -> Tensor:
        drawn = [f.target.draw_prior(generator) for _ in range(chains)]
        return torch.stack(drawn)[:, None]

    return Start(_batched(f.target.log_prior), sample, torch.tensor(scale)[None])


def _batched(log_density: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Of z (chains, 1, p), all chains at once."""
    over_chains = torch.func.vmap(lambda z: log_density(z[0]))
    return lambda z: over_chains(z)[:, None]


def _gaps(
    target: Target, start: Start, how: Annealing, n: int, seed: int, fit: EngineFit
) -> list[annealed.Gap]:
    """Those of n simulated data sets, as many as the budget lets be."""
    found: list[annealed.Gap] = []
    if not n:
        return found
    simulated = from_prior(target, target.model, n, seed)
    try:
        for i in range(n):
            data = {k: torch.as_tensor(value[i]) for k, value in simulated.data.items()}
            truth = {k: torch.as_tensor(value[i]) for k, value in simulated.truth.items()}
            there = target.observing(data)
            both = bdmc(
                _batched(there.log_joint), start, there.unconstrain(truth)[None], how,
                generator=torch.Generator().manual_seed(seed + i), progress=_stopping(fit, i + 1),
            )  # fmt: skip
            found.append(annealed.Gap(float(both.gap[0]), float(both.gap_stderr[0])))
    except (_Ended, KeyboardInterrupt):
        return found
    return found


def _watched(fit: EngineFit, run: int) -> Callable[[int, int], None]:
    """Reports transitions."""

    def look(done: int, total: int) -> None:
        if done % 10 == 0:
            fit.report(Progress(run * total + done, 0.0, measures={"data_set": float(run)}))

    return look


def _stopping(fit: EngineFit, run: int) -> Callable[[int, int], None]:
    """Reports transitions, and ends where the budget does."""
    report = _watched(fit, run)

    def look(done: int, total: int) -> None:
        report(done, total)
        if fit.deadline() == 0.0:
            raise _Ended

    return look


def _taken(found: AIS, how: Annealing) -> int:
    """Gradients of the forward run."""
    return found.log_weights.numel() * len(found.acceptance) * how.n_leapfrog
