"""The FactorVAE score: which latent stands still while one factor does.

A vote: choose a factor, render rows that share one value of it while the others are drawn freely,
encode them, and take the latent whose variance, over its variance among freely drawn rows, is
least. With V_jv the votes for latent j cast while factor v stood still, each latent is called by
the factor that voted for it most, and

    score = the share of further votes that are called right.

Chance is 1 / f. Constant latents do not stand for election, nor those whose variance among free
rows is not above `least_variance`; the paper leaves out those that collapsed to the prior, whose
mean codes have next to no variance.

Reference: Disentangling by factorising (Kim, Mnih, 2018) https://arxiv.org/abs/1802.05983
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import Floats, Ints
from ..errors import InputError

_TOGETHER = 1024
_CONSTANT = 1e-7


@dataclass(frozen=True, eq=False)
class FactorVaeScore:
    """The score.

    Attributes:
        value: accuracy of the votes that were kept apart.
        stderr: its binomial standard error.
        chance: 1 / f, what guessing reaches.
        votes: (k, f) counts of the votes learnt from.
        active: (k,) which latents stood for election.
    """

    value: float
    stderr: float
    chance: float
    votes: Ints
    active: NDArray[np.bool_]


@dataclass(frozen=True)
class Rendering:
    """How rows are made of factors for the FactorVAE score.

    Attributes:
        rows: factors (m, f) -> m rows.
        values: f arrays of values that the factors take; None takes those of the rows given.
        n_votes: how many votes are cast.
    """

    rows: Callable[[Floats], Any]
    values: Sequence[ArrayLike] | None = None
    n_votes: int = 800


def factor_vae_score(
    encode: Callable[[Any], ArrayLike],
    render: Callable[[Floats], Any],
    factor_values: Sequence[ArrayLike],
    *,
    seed: int = 0,
    n_votes: int = 800,
    batch: int = 64,
    least_variance: float = 0.0,
) -> FactorVaeScore:
    """The FactorVAE score of an encoder.

    Args:
        encode: rows -> (n, k) codes.
        render: factors (n, f) -> n rows.
        factor_values: the values each factor may take, f arrays; drawn from evenly.
        seed: of factors and votes.
        n_votes: votes, half to learn from and half to score on.
        batch: rows a vote.
        least_variance: in the codes' units squared; for codes on the scale of a standard normal
            prior, 0.01 leaves out what has collapsed.

    Raises:
        InputError: if there are no two factors with two values each, fewer than 20 votes, or fewer
            than 2 rows a vote; or if every latent is constant.
    """
    values = [np.unique(np.asarray(v, np.float64)) for v in factor_values]
    f = len(values)
    if f < 2 or any(len(v) < 2 for v in values):
        raise InputError(
            f"factors with {[len(v) for v in values]} values given; expected at least two factors "
            "of at least two values. Leave out those that never change."
        )
    if n_votes < 20 or batch < 2:
        raise InputError(
            f"n_votes={n_votes}, batch={batch}; expected at least 20 votes of at least 2 rows."
        )
    rng = np.random.default_rng([seed, 0xFE])
    free = np.asarray(encode(render(_drawn(values, max(1000, 4 * batch), rng))), np.float64)
    variance = free.var(axis=0)
    # Relative to the mean: what the rounding of a constant leaves is no variance.
    chosen = variance > np.maximum(least_variance, np.square(_CONSTANT * free.mean(axis=0)))
    if not chosen.any():
        raise InputError("every latent is constant over the factors; there is nothing to score.")

    def elect(fixed: Ints) -> Ints:
        """The winners of some votes, whose rows are rendered and encoded together."""
        rows = _drawn(values, len(fixed) * batch, rng).reshape(len(fixed), batch, f)
        for vote, j in enumerate(fixed):
            rows[vote, :, j] = rng.choice(values[j])
        codes = np.asarray(encode(render(rows.reshape(-1, f))), np.float64)
        within = codes.reshape(len(fixed), batch, -1).var(axis=1)
        shares = np.divide(within, variance, out=np.full_like(within, np.inf), where=chosen)
        return np.asarray(shares.argmin(axis=1), np.intp)

    fixed = rng.permutation(np.arange(n_votes) % f)
    at_once = max(1, _TOGETHER // batch)
    starts = range(0, n_votes, at_once)
    winners = np.concatenate([elect(fixed[start : start + at_once]) for start in starts])
    half = n_votes // 2
    votes = np.zeros((free.shape[1], f), np.intp)
    np.add.at(votes, (winners[:half], fixed[:half]), 1)
    right = votes.argmax(axis=1)[winners[half:]] == fixed[half:]
    value = float(right.mean())
    stderr = float(np.sqrt(value * (1 - value) / len(right)))
    return FactorVaeScore(value, stderr, 1 / f, votes, chosen)


def _drawn(values: Sequence[Floats], n: int, rng: np.random.Generator) -> Floats:
    return np.column_stack([rng.choice(v, n) for v in values])
