"""The No-U-Turn sampler of a Pyro pair, by Pyro's kernel; see `nuts`."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...fitting import EngineFit
from .pyro_chains import run_kernels
from .result import Posterior
from .target import Target


def run(target: Target, settings: Any, fit: EngineFit) -> Posterior:
    """Draw by NUTS with the settings of `nuts.run`, `adaptation` "diag" or "dense"."""
    from pyro.infer.mcmc import NUTS

    depth = settings.max_tree_depth
    return run_kernels(target, partial(NUTS, max_tree_depth=depth), settings, fit, depth)
