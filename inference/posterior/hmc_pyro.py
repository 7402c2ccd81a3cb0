"""Hamiltonian Monte Carlo along paths of a fixed time of a Pyro pair; see `fixed_length`."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...fitting import EngineFit
from .pyro_chains import run_kernels
from .result import Posterior
from .target import Target


def run(target: Target, settings: Any, fit: EngineFit) -> Posterior:
    """Draw by HMC with the settings of `fixed_length.run`."""
    from pyro.infer.mcmc import HMC

    length = float(settings.path_length)
    return run_kernels(target, partial(HMC, trajectory_length=length), settings, fit)
