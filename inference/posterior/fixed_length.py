"""Hamiltonian Monte Carlo along paths of a fixed time, by NumPyro's transition.

As `nuts`, but each path takes the time T, `path_length`, in as many leapfrog steps as bring them
nearest to e; its end is accepted with probability min(1, exp(H_start - H_end)). In coordinates
where the posterior is a standard normal, T = pi / 2 leads to a draw that is independent of the
last, and T = 2 pi back to where the path began.

Reference: Neal, "MCMC using Hamiltonian dynamics", 2011, https://arxiv.org/abs/1206.1901.
"""

from __future__ import annotations

from typing import Any

from ...fitting import EngineFit
from .chains import run_chains
from .compiled import LogJoint, Sampler
from .nuts import sampler_of
from .result import Posterior
from .target import Target


def run(target: Target, settings: Any, fit: EngineFit, starts: Any = None) -> Posterior:
    """Draw by HMC with a `path_length`; otherwise as `nuts.run`, "diag" or "dense"."""
    sampler = hmc_sampler(target.log_joint, settings)
    return run_chains(target, sampler, settings, fit, starts)


def hmc_sampler(log_joint: LogJoint, settings: Any) -> Sampler:
    """HMC with the metric "diag" or "dense"."""
    from numpyro.infer import HMC

    kernel = HMC(
        potential_fn=lambda z: -log_joint(z),
        dense_mass=settings.adaptation == "dense",
        target_accept_prob=settings.target_accept,
        trajectory_length=float(settings.path_length),
    )
    return sampler_of(kernel, settings.num_warmup)
