"""HMC whose path length maximises ChEES, for many chains at once.

With positions z before and z' after a path of time T, the change in the estimator of the expected
square,

    ChEES(T) = 1/4 E[ ( |z' - E z'|^2 - |z - E z|^2 )^2 ],

is largest where squared distances from the mean are as little correlated as they can be. All chains
share one step size and one T, which rise along its gradient during the warm-up, whose estimates
come from all chains; each path takes a share of T by a Halton sequence. The metric is a diagonal of
variances over chains and draws (blackjax).

Reference: Hoffman, Radul and Sountsov, "An adaptive-MCMC scheme for setting trajectory lengths in
Hamiltonian Monte Carlo", 2021, https://proceedings.mlr.press/v130/hoffman21a.html.
"""

from __future__ import annotations

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ...fitting import EngineFit
from .chains import draw, draw_starts, finished
from .compiled import Sampler, compiled
from .result import Posterior
from .target import Target

_LEARNING_RATE = 0.02  # of log T, with Adam's second moment at 0.95: as in the reference
_FIRST_STEP = 0.1


def run(target: Target, settings: Any, fit: EngineFit) -> Posterior:
    """Draw by ChEES-HMC.

    The warm-up is one program: it is not cut by a budget, nor interrupted.

    Args:
        settings: has num_warmup, num_samples, num_chains, target_accept and max_steps.

    Raises:
        InputError: if the log joint is not finite at any start.
    """
    began = time.perf_counter()
    with target.precision():
        places, adapting, paths = jax.random.split(jax.random.key(fit.seed), 3)
        starts = jnp.asarray(draw_starts(target, places, settings.num_chains))
        states, parameters, gradients = _warm_up(target.log_joint, settings, adapting, starts)
        keys = jax.random.split(paths, settings.num_chains)
        sampler = sampler_of(target.log_joint, parameters)
        advance = compiled(sampler, "vectorized", settings.num_chains)
        found = draw(advance, (keys, states), settings.num_samples, fit, began)
        return finished(target, found, advance, 0, gradients)


def _warm_up(
    log_joint: Any, settings: Any, key: Any, starts: Any
) -> tuple[Any, dict[str, Any], int]:
    """The chains' states, what was adapted, and the gradients that it took."""
    from blackjax import chees_adaptation

    adaptation = chees_adaptation(
        log_joint,
        settings.num_chains,
        target_acceptance_rate=settings.target_accept,
        max_leapfrog_steps=settings.max_steps,
        mass_matrix_estimation="diagonal",
        adaptation_info_fn=lambda state, info, adapted: info.num_integration_steps,
    )
    optimiser = optax.adam(_LEARNING_RATE, b1=0.0, b2=0.95)
    functions: dict[str, Any] = {}

    def warm_up(key: Any, starts: Any) -> Any:
        (states, parameters), steps = adaptation.run(
            key, starts, _FIRST_STEP, optimiser, settings.num_warmup,
            max_sampling_steps=settings.num_samples,
        )  # fmt: skip
        functions.update({k: v for k, v in parameters.items() if callable(v)})
        return states, {k: v for k, v in parameters.items() if not callable(v)}, steps.sum()

    states, numbers, gradients = jax.jit(warm_up)(key, starts)
    return states, {**numbers, **functions}, int(gradients)


def sampler_of(log_joint: Any, parameters: dict[str, Any]) -> Sampler:
    """Transitions after the warm-up; a chain's state is its key and that of blackjax."""
    from blackjax.mcmc import dynamic_hmc

    kernel = dynamic_hmc.build_kernel(
        next_random_arg_fn=parameters["next_random_arg_fn"],
        integration_steps_fn=parameters["integration_steps_fn"],
    )
    size, metric = parameters["step_size"], parameters["inverse_mass_matrix"]
    length = parameters["integration_steps_params"]

    def step(i: Any, state: Any) -> Any:
        key, now = jax.random.split(state[0])
        place, info = kernel(now, state[1], log_joint, size, metric, length)
        refused = 0.5 * (metric * info.momentum**2).sum() - state[1].logdensity
        energy = jnp.where(info.is_accepted, info.energy, refused)  # info has the proposal's
        return (key, place), {
            "z": place.position, "lp": place.logdensity, "energy": energy,
            "acceptance_rate": info.acceptance_rate, "step_size": size,
            "n_steps": info.num_integration_steps, "diverging": info.is_divergent,
        }  # fmt: skip

    def begin(key: Any, z: Any) -> Any:
        return key, dynamic_hmc.init(z, log_joint, np.int64(0))

    return Sampler(begin, step, lambda state: state, lambda state: state[1].logdensity, 0)
