"""Independent draws of all variables from p(x | e), exact.

All variables are summed out, and then drawn in the reverse order, each from its conditional given
those that were drawn (`buckets`): no weights, and no chain that must converge.

Reference: Dawid, "Applications of a general propagation algorithm for probabilistic expert
systems", 1992, https://doi.org/10.1007/BF01890546.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, Floats, Ints
from ..settings import integer
from .buckets import Buckets, blocks, log
from .categorical import drawn
from .evidence import Evidence, Reduced
from .exact import Exact

_NUMBERS = 1 << 22  # of weights that draws made at once have


@dataclass(frozen=True)
class PosteriorDraws:
    """Draws from p(x | e).

    Attributes:
        states: (draws, V) or (n, draws, V) of all variables, those observed included; -1 in rows
            where the evidence has probability zero.
        log_z: () or (n,) natural logarithm of the probability of the evidence.
    """

    states: NDArray[np.int32]
    log_z: Floats


def sample_posterior(
    exact: Exact,
    tables: Sequence[Array],
    evidence: Evidence | None = None,
    n_draws: int = 1,
    *,
    seed: int,
) -> PosteriorDraws:
    """Independent draws of all variables given the evidence.

    Args:
        exact: the model's sizes and scopes, and the memory that may be taken.
        tables: of entries at least 0.
        evidence: variable -> hard or virtual evidence, as `Exact` takes it.
        n_draws: of each row of evidence.
        seed: the only source of randomness. Where all rows observe the same variables, the draws
            of a row depend on it and on the row's number, on no other row.

    Raises:
        InputError: if it takes more memory than it may, or evidence does not fit.
    """
    integer(1).check("n_draws", n_draws)

    def stages(problem: Reduced) -> list[Buckets]:
        order = [v for v in exact.plan(problem.scopes).order if v != problem.batch]
        return [Buckets(exact.sizes, problem.scopes, order, problem.batch)]

    states, logs = [], []
    for block in blocks(exact, tables, evidence or {}, stages):
        (buckets,) = block.stages
        factors, log_scale = buckets.sums(block.problem.tables)
        log_z = log_scale + sum((log(factors[f]) for f in buckets.rest), np.zeros(block.n))
        drawn_here = np.full((block.n, n_draws, len(exact.sizes)), -1, np.int32)
        possible = np.flatnonzero(log_z > -np.inf)
        step = max(1, _NUMBERS // (n_draws * max(*exact.sizes, len(exact.sizes))))
        for start in range(0, len(possible), step):
            rows = possible[start : start + step]
            rngs = [np.random.default_rng((seed, block.rows.start + row)) for row in rows]
            u = np.stack([rng.random((len(buckets.steps), n_draws)) for rng in rngs], axis=1)
            drawn_here[rows] = _draw(block.problem, buckets, factors, rows, u)
        states.append(drawn_here)
        logs.append(log_z)
    whole, log_z = np.concatenate(states), np.concatenate(logs)
    if block.problem.n is None:
        return PosteriorDraws(whole[0], log_z[0])
    return PosteriorDraws(whole, log_z)


def _draw(
    problem: Reduced, buckets: Buckets, factors: Sequence[Array], rows: Ints, u: Floats
) -> Ints:
    """(rows, draws, V) states by uniform numbers u (variables, rows, draws)."""
    shape = u.shape[1:]
    states = {problem.batch: np.broadcast_to(rows[:, None], shape)}
    for _ in drawn_back(buckets, factors, states, u):
        pass
    for v, state in problem.fixed.items():
        at = state[rows][:, None] if np.ndim(state) else state
        states[v] = np.broadcast_to(at, shape)
    return np.stack([states[v] for v in range(len(states) - 1)], axis=-1)


def drawn_back(
    buckets: Buckets, factors: Sequence[Array], states: dict[int, Ints], u: Floats
) -> Iterator[tuple[int, Floats]]:
    """Draw the variables of the buckets in the reverse order.

    Args:
        buckets: how they were eliminated.
        factors: as `Buckets.sums` gives them.
        states: the rows of `Buckets.batch`; the states drawn are added.
        u: (variables, ...) uniform numbers, the rest of the shape that of the rows.

    Yields:
        each variable when it is drawn, and what its probabilities, given those drawn before, are
        proportional to, (..., k).
    """
    for step, numbers in zip(reversed(buckets.steps), u, strict=True):
        weights = np.moveaxis(reduce(np.multiply, buckets.at(step, factors, states)), 0, -1)
        states[step.variable] = drawn(weights, numbers)
        yield step.variable, weights
