"""Chains of a Pyro target: NUTS and HMC by Pyro's kernels, one chain after the other in blocks.

Each chain draws by a random state of its own, so that draws do not depend on how they fall into
blocks, and all else is as before a run (`target.precision`). Gradients are counted by calls of the
potential, of which Pyro makes one for each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...arrays import Array
from ...errors import InputError
from ...fitting import EngineFit
from .blocks import Advance
from .chains import draw, posterior
from .result import Posterior
from .target import Target

_SITE = "z"
MakeKernel = Callable[..., Any]  # keywords of a kernel of Pyro's -> the kernel


def run_kernels(
    target: Target, make: MakeKernel, settings: Any, fit: EngineFit, max_tree_depth: int = 0
) -> Posterior:
    """Draw from a Pyro target.

    Args:
        make: a kernel, given its potential, `target_accept_prob` and `full_mass`.
        settings: has num_warmup, num_samples, num_chains, chain_method, target_accept and
            adaptation.

    Raises:
        InputError: if a setting is one that only NumPyro pairs have, or the log joint is not finite
            at any start.
    """
    check(settings)
    began = time.perf_counter()
    seeds = np.random.SeedSequence(fit.seed).spawn(settings.num_chains)
    with target.precision():
        chains = [_Chain(target, make, settings, int(seed.generate_state(1)[0])) for seed in seeds]
        advance = Advance(_advance, _end_warmup, settings.num_warmup, "sequential, in Pyro")
        found = draw(advance, chains, settings.num_samples, fit, began)
        z = torch.from_numpy(found.records["z"])
        with torch.no_grad():
            each = [[target.constrain(one) for one in chain] for chain in z]
    values = {
        site: np.stack([[one[site].numpy() for one in chain] for chain in each])
        for site in target.sites.latents
    }
    return posterior(target, values, found, advance, max_tree_depth)


def check(settings: Any) -> None:
    """Raise InputError if a setting is one that only NumPyro pairs have."""
    for name, able in (("chain_method", ("sequential",)), ("adaptation", ("diag", "dense"))):
        value = getattr(settings, name)
        if value not in able:
            raise InputError(
                f"{name} is {value!r}, which Pyro pairs do not have. Take "
                f"{' or '.join(map(repr, able))}, or write the pair in NumPyro."
            )


class _Chain:
    """One chain: a kernel of Pyro's with the random state that it draws by."""

    def __init__(self, target: Target, make: MakeKernel, settings: Any, seed: int) -> None:
        self.calls, self.kinetic = 0, 0.0
        self.num_warmup = settings.num_warmup

        def potential(params: dict[str, Tensor]) -> Tensor:
            self.calls += 1
            value: Tensor = -target.log_joint(params[_SITE])
            return value

        self.kernel = make(
            potential_fn=potential,
            target_accept_prob=settings.target_accept,
            full_mass=settings.adaptation == "dense",
        )
        draw_momentum = self.kernel._sample_r

        def watched(name: str) -> Any:
            r, unscaled = draw_momentum(name)
            if name.startswith("r_t="):  # others look for a step size
                self.kinetic = float(self.kernel._kinetic_energy(unscaled))
            return r, unscaled

        self.kernel._sample_r = watched
        torch.manual_seed(seed)
        start = target.start(torch.Generator().manual_seed(seed))
        self.kernel.initial_params = {_SITE: start.detach()}
        self.kernel.setup(self.num_warmup)
        self.z = self.kernel.initial_params
        self.state = torch.get_rng_state()

    def draw(self, n: int) -> dict[str, Array]:
        """The records of n transitions."""
        torch.set_rng_state(self.state)
        records = [self._one() for _ in range(n)]
        self.state = torch.get_rng_state()
        return {name: np.array([record[name] for record in records]) for name in records[0]}

    def _one(self) -> dict[str, Any]:
        kernel, calls = self.kernel, self.calls
        before, diverged = float(kernel._potential_energy_last), len(kernel._divergences)
        total, step_size = kernel._mean_accept_prob * self._seen(), kernel.step_size
        self.z = kernel.sample(self.z)
        return {
            "z": self.z[_SITE].numpy(), "lp": -float(kernel._potential_energy_last),
            "energy": before + self.kinetic, "step_size": float(step_size),
            "acceptance_rate": kernel._mean_accept_prob * self._seen() - total,
            "n_steps": self.calls - calls, "diverging": len(kernel._divergences) > diverged,
        }  # fmt: skip

    def _seen(self) -> int:
        """Transitions in the mean acceptance, which begins anew after the warm-up."""
        t: int = self.kernel._t
        return t if t < self.num_warmup else t - self.num_warmup

    def end_warmup(self) -> None:
        """Adaptation ends here."""
        self.kernel._adapter._end_adaptation()
        self.kernel._warmup_steps = self.num_warmup = self.kernel._t


def _advance(i: int, n: int, chains: list[_Chain]) -> tuple[list[_Chain], dict[str, Array]]:
    records = [chain.draw(n) for chain in chains]
    return chains, {name: np.stack([one[name] for one in records]) for name in records[0]}


def _end_warmup(chains: list[_Chain]) -> list[_Chain]:
    for chain in chains:
        chain.end_warmup()
    return chains
