"""Importance sampling: draws from a proposal, weighed and drawn anew.

Draws z_k ~ q have the weights w_k = p(theta(z_k), y) |d theta / d z| / q(z_k), smoothed by `psis`.
The mean of the weights is an unbiased estimate of the evidence. The proposal q is

    prior     the prior; w_k is the likelihood
    laplace   multivariate t at the mode, its scale that of Laplace's approximation: Student's
              tails are heavier than those of posteriors mostly are, so that weights stay bounded
    guide     the user's guide, as it is

Reference: Geweke, "Bayesian inference in econometric models using Monte Carlo integration", 1989,
https://doi.org/10.2307/1913710.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np

from ...arrays import Array
from ...errors import InputError
from ...fitting import EngineFit
from ...progress import Progress
from ...verdict import Reason
from ..importance import MIN_SAMPLES
from .approximation import judged
from .modes import required_mode
from .numeric import Numeric, numeric
from .psis import smooth
from .result import Posterior, Why
from .target import Target

_BLOCK = 1000  # draws between two looks at the clock
Proposal = Callable[[int, int], tuple[Array, Array]]  # (n, seed) -> z (n, p), log weights (n,)


def run(target: Target, guide: Any, settings: Any, fit: EngineFit) -> Posterior:
    """Draw from a pair's posterior by importance sampling.

    Raises:
        InputError: if the proposal cannot be had, or no draw has a finite weight.
    """
    began, f = time.perf_counter(), numeric(target)
    kind = settings.proposal or ("laplace" if guide is None else "guide")
    proposal, said = _proposal(kind, f, guide, settings.df, fit)
    places, log_weights = [], []
    why: Why = "done"
    try:
        for n, seed in _blocks(settings.num_proposals, fit.seed):
            z, log_w = proposal(n, seed)
            places.append(z)
            log_weights.append(log_w)
            done = sum(map(len, places))
            fit.report(Progress(done, -float(np.logaddexp.reduce(log_w) - np.log(n))))
            if fit.deadline() == 0.0 and done < settings.num_proposals:
                why = "budget"
                break
    except KeyboardInterrupt:
        if not log_weights:
            raise
        why = "interrupted"
    log_w = np.concatenate(log_weights)
    weights = smooth(log_w)
    chosen = weights.resample(settings.num_draws, fit.rng())
    z = np.concatenate(places)[chosen]
    name = f"a sample weighed from the {kind}"
    advice = 'Raise num_proposals, take another proposal, or method="smc" or "nuts".'
    return Posterior(
        f.constrain(z[None]),
        {"lp": f.log_joint(z)[None]},
        weights.evidence,
        why,
        f.gradients,
        time.perf_counter() - began,
        {},
        [*judged(f, z, log_w, name, advice, fit, resampled=True), *said],
    )


def _blocks(total: int, seed: int) -> Iterator[tuple[int, int]]:
    """Sizes of blocks of draws, each with a seed."""
    seeds = np.random.default_rng(seed)
    for start in range(0, total, _BLOCK):
        n = min(_BLOCK, total - start)
        if n >= MIN_SAMPLES or start == 0:
            yield n, int(seeds.integers(2**31))


def _proposal(
    kind: str, f: Numeric, guide: Any, df: float, fit: EngineFit
) -> tuple[Proposal, list[Reason]]:
    """What draws come from, and what is to be said of it."""
    if kind == "prior":
        f.target.check_proper()

        def from_prior(n: int, seed: int) -> tuple[Array, Array]:
            z = f.prior(n, seed)
            return z, f.log_parts(z)[1]

        return from_prior, []
    if kind == "laplace":
        mode, said = required_mode(f, fit)

        def from_t(n: int, seed: int) -> tuple[Array, Array]:
            z, log_q = mode.draw_t(n, df, np.random.default_rng(seed))
            return z, f.log_joint(z) - log_q

        return from_t, said
    if not callable(guide):
        raise InputError(
            f'proposal is "guide", and the pair\'s guide is {guide!r}; expected a function. The '
            'weights of a guide that is fitted stand in the verdict of method="svi".'
        )
    found = import_module(f".guided_{f.target.backend}", __package__).weighed
    return lambda n, seed: found(f.target, guide, n, seed), []
