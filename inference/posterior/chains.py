"""NUTS on a pair's target, in blocks of draws."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from ...errors import InputError
from ...fitting import EngineFit
from ...progress import Progress
from ..mcmc import ChainSettings, nuts
from .result import Posterior
from .target import Target


def run(target: Target, settings: Any, fit: EngineFit) -> Posterior:
    """Draw from the posterior of a NumPyro pair."""
    if target.backend != "numpyro" or target.sites.discrete:
        raise InputError("NUTS runs on NumPyro pairs without discrete sites.")
    began = time.perf_counter()
    chains = ChainSettings(
        num_warmup=settings.num_warmup,
        num_samples=settings.num_samples,
        num_chains=settings.num_chains,
        target_accept=settings.target_accept,
        max_tree_depth=settings.max_tree_depth,
        chain_method=settings.chain_method,
    )
    run = nuts(
        partial(target.model, **target.kwargs), target.args, chains, seed=fit.seed,
        deadline=fit.deadline, report=lambda step, u: fit.report(Progress(step, u)),
    )  # fmt: skip
    return Posterior(
        {name: run.posterior[name] for name in target.sites.latents},
        run.stats,
        why=run.why,
        gradients=int(np.sum(run.stats["n_steps"])),
        seconds_to_first_draw=time.perf_counter() - began,
        reasons=run.reasons(),
    )
