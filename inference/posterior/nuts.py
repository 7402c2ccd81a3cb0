"""The No-U-Turn sampler: its transition by NumPyro, with a metric adapted to the draws.

With U(z) = -log p(z, data) for z in R^p, it draws from exp(-U) by following Hamilton's equations
with momentum r ~ Normal(0, M),

    dz/dt = M^-1 r,        dr/dt = -grad U(z),

in leapfrog steps of size e until the path turns back. Warm-up adapts e by dual averaging to a share
of proposals that are accepted, and M^-1 to the variances ("diag") or the covariance ("dense") of
the draws; "low_rank" adapts it to draws and gradients (`low_rank`).

Reference: Hoffman and Gelman, "The No-U-Turn sampler: adaptively setting path lengths in
Hamiltonian Monte Carlo", 2014, https://jmlr.org/papers/v15/hoffman14a.html.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from ...fitting import EngineFit
from .chains import run_chains
from .compiled import LogJoint, Sampler
from .low_rank import low_rank_sampler
from .result import Posterior
from .target import Target


def run(target: Target, settings: Any, fit: EngineFit, starts: Any = None) -> Posterior:
    """Draw by NUTS.

    Args:
        settings: has num_warmup, num_samples, num_chains, chain_method, target_accept,
            max_tree_depth, adaptation ("diag", "dense", "low_rank") and max_rank.
        starts: (chain, p) places to start from; None draws them.

    Raises:
        InputError: if the log joint is not finite where chains start.
    """
    make = low_rank_sampler if settings.adaptation == "low_rank" else nuts_sampler
    return run_chains(target, make(target.log_joint, settings), settings, fit, starts)


def nuts_sampler(log_joint: LogJoint, settings: Any) -> Sampler:
    """NUTS with the metric "diag" or "dense"."""
    from numpyro.infer import NUTS

    kernel = NUTS(
        potential_fn=lambda z: -log_joint(z),
        dense_mass=settings.adaptation == "dense",
        target_accept_prob=settings.target_accept,
        max_tree_depth=settings.max_tree_depth,
    )
    return sampler_of(kernel, settings.num_warmup, settings.max_tree_depth)


def sampler_of(kernel: Any, num_warmup: int, max_tree_depth: int = 0) -> Sampler:
    """The sampler of a kernel of NumPyro's, on flat z."""

    def begin(key: Any, z: Any) -> Any:
        return kernel.init(key, num_warmup, z, (), {})

    def step(i: Any, state: Any) -> Any:
        state = kernel.sample(state._replace(i=jnp.asarray(i, state.i.dtype)), (), {})
        return state, {
            "z": state.z, "lp": -state.potential_energy, "energy": state.energy,
            "acceptance_rate": state.accept_prob, "step_size": state.adapt_state.step_size,
            "n_steps": state.num_steps, "diverging": state.diverging,
        }  # fmt: skip

    def end_warmup(state: Any) -> Any:
        adapted = state.adapt_state
        average = jnp.exp(adapted.ss_state[1])  # what dual averaging has reached
        return state._replace(adapt_state=adapted._replace(step_size=average))

    return Sampler(
        begin, step, end_warmup, lambda state: -state.potential_energy, num_warmup, max_tree_depth
    )
