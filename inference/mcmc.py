"""The No-U-Turn sampler on a NumPyro model, in blocks, with its diagnostics.

With U(z) = -log p(theta(z), data) - log |d theta / d z| for parameters theta mapped to z in R^p,
NUTS draws from exp(-U) by following Hamilton's equations until the path turns back. Step size and a
diagonal mass matrix adapt during the warm-up. Chains run in blocks of compiled draws, so that
between blocks a fit can report, stop at its deadline, or be interrupted.

Reference: Hoffman and Gelman, "The No-U-Turn sampler: adaptively setting path lengths in
Hamiltonian Monte Carlo", 2014, https://jmlr.org/papers/v15/hoffman14a.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..verdict import Reason
from .diagnostics import convergence

Array = NDArray[Any]


@dataclass(frozen=True)
class Draws:
    """What a run of NUTS gave.

    Attributes:
        posterior: site -> (chain, draw, ...), in the support of the site.
        stats: (chain, draw) arrays under ArviZ's names: lp, energy, acceptance_rate, step_size,
            n_steps, tree_depth, reached_max_treedepth, diverging.
        num_warmup: draws spent on adaptation.
        why: "done"; "budget" where time ended the draws; "warm-up" where it cut the adaptation too.
    """

    posterior: dict[str, Array]
    stats: dict[str, Array]
    num_warmup: int
    why: Literal["done", "budget", "warm-up"] = "done"

    def reasons(self) -> list[Reason]:
        """What there is to say against the draws, each with what to do."""
        found = []
        if self.why != "done":
            what = f"the budget ended after {self.stats['lp'].shape[1]} draws a chain"
            if self.why == "warm-up":
                what += f", and cut the warm-up to {self.num_warmup}"
            found = [Reason("warn", f"{what}.", "Give a larger budget, or fewer draws.")]
        return found + convergence(self.posterior, self.stats)


def nuts(
    model: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    seed: int,
    num_warmup: int = 500,
    num_samples: int = 500,
    num_chains: int = 4,
    init: Mapping[str, Any] | None = None,
    jitter: float = 0.1,
    target_accept: float = 0.8,
    max_tree_depth: int = 10,
    dense_mass: bool = False,
    chain_method: Literal["vectorized", "sequential"] = "sequential",
    block: int = 25,
    deadline: Callable[[], float | None] | None = None,
    report: Callable[[int, float], None] | None = None,
) -> Draws:
    """Draw from the posterior of a NumPyro model, in double precision.

    Args:
        model: its continuous latent sites are drawn; discrete ones must be summed out in it.
        args, kwargs: what it is called with.
        seed: the only source of randomness.
        num_warmup, num_samples, num_chains: draws a chain to adapt with and to keep, and chains.
        init: a value of each site where the chains start; None starts at random.
        jitter: standard deviation of what is added to it, a chain, on the unconstrained scale.
        target_accept, max_tree_depth, dense_mass: as in `numpyro.infer.NUTS`.
        chain_method: "sequential", one chain after the other within a block; or "vectorized", all
            at once, where each waits for the one with the longest path.
        block: draws a chain between two looks at the clock.
        deadline: gives the seconds left, or None. Half of them at most go to the warm-up.
        report: called after each block with the draws a chain so far and their mean U.

    Raises:
        InputError: if the numbers of draws or chains are not positive, or the model has no finite
            density where the chains start.
    """
    counts = {"num_warmup": num_warmup, "num_samples": num_samples, "num_chains": num_chains}
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"{name} is {count}; expected a positive number.")
    from numpyro.infer import NUTS
    from numpyro.infer.util import constrain_fn, potential_energy

    clock = deadline or (lambda: None)
    allowed = clock()
    with jax.enable_x64(True):
        given, options = jax.tree.map(jnp.asarray, tuple(args)), dict(kwargs or {})
        kernel = NUTS(
            potential_fn=partial(potential_energy, model, given, options),
            target_accept_prob=target_accept,
            max_tree_depth=max_tree_depth,
            dense_mass=dense_mass,
        )

        def begin(key: jax.Array) -> Any:
            place, path = jax.random.split(key)
            z = _start(model, given, options, init, jitter, place)
            return kernel.init(path, num_warmup, z, (), {})

        states = jax.jit(jax.vmap(begin))(jax.random.split(jax.random.key(seed), num_chains))
        if not np.isfinite(states.potential_energy).all():
            raise InputError(
                "the model's density is not finite where the chains start; give other values in "
                "init, or less jitter."
            )
        over_chains = jax.vmap if chain_method == "vectorized" else partial(partial, jax.lax.map)
        advance = jax.jit(over_chains(partial(_advance, kernel, block)))

        taken: list[Any] = []
        done, total, why = 0, num_warmup + num_samples, "done"
        while done < total:
            states, out = advance(states)
            taken.append(jax.tree.map(np.asarray, out))
            done += block
            if report is not None:
                report(min(done, total), float(taken[-1][1]["potential"].mean()))
            left = clock()
            if left is None or allowed is None:
                continue
            if done < num_warmup and left < allowed / 2:
                states, why = _end_warmup(states, num_warmup), "warm-up"
                num_warmup, total = done, done + num_samples
            elif left <= 0 and done > num_warmup:
                why = "budget" if why == "done" else why
                break
        z, stats = jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *taken)
        kept = slice(num_warmup, total)
        z, stats = jax.tree.map(lambda a: a[:, kept], (z, stats))
        constrain = jax.jit(jax.vmap(jax.vmap(partial(constrain_fn, model, given, options))))
        posterior = {site: np.asarray(value) for site, value in constrain(z).items()}
    return Draws(posterior, _named(stats, max_tree_depth), num_warmup, why)  # type: ignore[arg-type]


def _start(
    model: Any,
    args: Any,
    kwargs: Any,
    init: Mapping[str, Any] | None,
    jitter: float,
    key: jax.Array,
) -> dict[str, jax.Array]:
    """Where one chain starts, on the unconstrained scale: around `init`, or uniform in [-2, 2]."""
    from numpyro import handlers
    from numpyro.distributions import biject_to

    values = {name: jnp.asarray(value) for name, value in (init or {}).items()}

    def place(key: jax.Array) -> dict[str, jax.Array]:
        placed = handlers.seed(handlers.substitute(model, data=values), key)
        sites = handlers.trace(placed).get_trace(*args, **kwargs).items()
        return {
            name: biject_to(site["fn"].support).inv(site["value"])
            for name, site in sites
            if site["type"] == "sample" and not site["is_observed"]
        }

    shapes = jax.eval_shape(place, key)
    keys = dict(zip(shapes, jax.random.split(key, len(shapes)), strict=True))
    if init is None:
        return {
            n: jax.random.uniform(keys[n], z.shape, z.dtype, -2.0, 2.0) for n, z in shapes.items()
        }
    return {n: z + jitter * jax.random.normal(keys[n], z.shape) for n, z in place(key).items()}


def _advance(kernel: Any, block: int, state: Any) -> Any:
    """`block` draws of one chain."""

    def one(state: Any, _: None) -> Any:
        state = kernel.sample(state, (), {})
        return state, (state.z, {
            "potential": state.potential_energy, "energy": state.energy,
            "acceptance_rate": state.accept_prob, "step_size": state.adapt_state.step_size,
            "n_steps": state.num_steps, "diverging": state.diverging,
        })  # fmt: skip

    return jax.lax.scan(one, state, None, length=block)


def _end_warmup(states: Any, num_warmup: int) -> Any:
    """Adaptation ends here: the step size becomes the average that dual averaging has reached."""
    adapted = states.adapt_state
    adapted = adapted._replace(step_size=jnp.exp(adapted.ss_state[1]))
    return states._replace(i=jnp.full_like(states.i, num_warmup), adapt_state=adapted)


def _named(stats: Mapping[str, Array], max_tree_depth: int) -> dict[str, Array]:
    out = {name: value for name, value in stats.items() if name != "potential"}
    depth = np.floor(np.log2(np.maximum(out["n_steps"], 1))).astype(np.int64) + 1
    return {
        "lp": -stats["potential"],
        **out,
        "tree_depth": depth,
        "reached_max_treedepth": out["n_steps"] >= 2**max_tree_depth - 1,
    }
