"""The No-U-Turn sampler for a NumPyro model, in blocks of draws, with diagnostics.

With U(z) = -log p(theta(z), data) - log |d theta / d z| for parameters theta mapped to z in R^p,
NUTS draws from exp(-U) by following Hamilton's equations until the path turns back. The step size
and a diagonal mass matrix are adapted during the warm-up. Chains run in blocks of compiled draws,
so that between blocks a fit can report, stop at its deadline, or be interrupted.

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

from ..arrays import Array
from ..errors import InputError
from ..settings import integer
from ..verdict import Reason
from .diagnostics import convergence


@dataclass(frozen=True)
class ChainSettings:
    """How chains are run.

    Attributes:
        num_warmup, num_samples: draws a chain to adapt with, and to keep.
        num_chains: chains.
        target_accept, max_tree_depth: as in `numpyro.infer.NUTS`.
        chain_method: "sequential", one chain after the other within a block; or "vectorized", all
            at once, where each waits for the one with the longest path.
        jitter: standard deviation, on the unconstrained scale, of what is added to `init` for each
            chain.
        block: draws a chain between two looks at the clock.
    """

    num_warmup: int = 500
    num_samples: int = 500
    num_chains: int = 4
    target_accept: float = 0.8
    max_tree_depth: int = 10
    chain_method: Literal["vectorized", "sequential"] = "sequential"
    jitter: float = 0.1
    block: int = 25

    def __post_init__(self) -> None:
        for name in ("num_warmup", "num_samples", "num_chains"):
            integer(1).check(name, getattr(self, name))


@dataclass(frozen=True)
class Draws:
    """The result of NUTS.

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
        """Warnings about the draws, each with advice."""
        if self.why == "done":
            return convergence(self.posterior, self.stats)
        what = f"the budget ended after {self.stats['lp'].shape[1]} draws a chain"
        if self.why == "warm-up":
            what += f", and cut the warm-up to {self.num_warmup}"
        short = Reason("warn", f"{what}.", "Give a larger budget, or fewer draws.")
        return [short, *convergence(self.posterior, self.stats)]


def nuts(
    model: Callable[..., Any],
    args: Sequence[Any] = (),
    settings: ChainSettings | None = None,
    *,
    seed: int,
    init: Mapping[str, Any] | None = None,
    deadline: Callable[[], float | None] | None = None,
    report: Callable[[int, float], None] | None = None,
) -> Draws:
    """Draw from the posterior of a NumPyro model, in double precision.

    Args:
        model: its continuous latent sites are drawn; discrete ones must be summed out in it.
        args: what it is called with.
        settings: of the chains.
        seed: the only source of randomness.
        init: a value of each site where the chains start; None starts at random.
        deadline: gives the seconds left, or None. Half of them at most go to the warm-up.
        report: called after each block with the draws a chain so far and their mean U.

    Raises:
        InputError: if the model has no finite density where the chains start.
    """
    from numpyro.infer import NUTS
    from numpyro.infer.util import constrain_fn, potential_energy

    chains = settings or ChainSettings()
    clock = deadline or (lambda: None)
    allowed = clock()
    with jax.enable_x64(True):
        args = jax.tree.map(jnp.asarray, tuple(args))
        kernel = NUTS(
            potential_fn=partial(potential_energy, model, args, {}),
            target_accept_prob=chains.target_accept,
            max_tree_depth=chains.max_tree_depth,
        )

        def begin(key: jax.Array) -> Any:
            place, path = jax.random.split(key)
            z = _start(model, args, init, chains.jitter, place)
            return kernel.init(path, chains.num_warmup, z, (), {})

        keys = jax.random.split(jax.random.key(seed), chains.num_chains)
        states = jax.jit(jax.vmap(begin))(keys)
        if not np.isfinite(states.potential_energy).all():
            raise InputError(
                "the model's density is not finite where the chains start; give other values in "
                "init, or less jitter."
            )
        at_once = chains.chain_method == "vectorized"
        over_chains = jax.vmap if at_once else partial(partial, jax.lax.map)
        advance = jax.jit(over_chains(partial(_advance, kernel, chains.block)))

        taken: list[Any] = []
        num_warmup, why = chains.num_warmup, "done"
        done, total = 0, num_warmup + chains.num_samples
        while done < total:
            states, out = advance(states)
            taken.append(jax.tree.map(np.asarray, out))
            done += chains.block
            if report is not None:
                report(min(done, total), float(taken[-1][1]["potential"].mean()))
            left = clock()
            if left is None or allowed is None:
                continue
            if done < num_warmup and left < allowed / 2:
                states, why = _end_warmup(states, num_warmup), "warm-up"
                num_warmup, total = done, done + chains.num_samples
            elif left <= 0 and done > num_warmup:
                why = "budget" if why == "done" else why
                break
        kept = slice(num_warmup, total)
        z, stats = jax.tree.map(lambda *parts: np.concatenate(parts, axis=1)[:, kept], *taken)
        constrain = jax.jit(jax.vmap(jax.vmap(partial(constrain_fn, model, args, {}))))
        posterior = {site: np.asarray(value) for site, value in constrain(z).items()}
    return Draws(posterior, _named(stats, chains.max_tree_depth), num_warmup, why)  # type: ignore[arg-type]


def _start(
    model: Any, args: Any, init: Mapping[str, Any] | None, jitter: float, key: jax.Array
) -> dict[str, jax.Array]:
    """Where one chain starts, on the unconstrained scale: around `init`, or uniform in [-2, 2]."""
    from numpyro import handlers
    from numpyro.distributions import biject_to

    values = {name: jnp.asarray(value) for name, value in (init or {}).items()}

    def place(key: jax.Array) -> dict[str, jax.Array]:
        placed = handlers.seed(handlers.substitute(model, data=values), key)
        sites = handlers.trace(placed).get_trace(*args).items()
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
    named = {"lp": -stats["potential"], **stats}
    del named["potential"]
    named["tree_depth"] = np.floor(np.log2(np.maximum(stats["n_steps"], 1))).astype(np.int64) + 1
    named["reached_max_treedepth"] = stats["n_steps"] >= 2**max_tree_depth - 1
    return named
