"""Whether neighbours in a latent space decode to neighbours.

With z, z' draws of the prior, s their standard deviations, g the decoder, d the distance between
rows (every column in robust standard deviations; images through their principal components), and a
neighbour n(z) = z + step * s * u with |u|^2 = k in a random direction:

    continuity     P( d(g(z), g(n(z))) < d(g(z), g(z')) ), ties counting half: the share of random
                   pairs that a pair of neighbours is nearer than. 1: neighbours always decode to
                   neighbours; 1/2, the chance level: being near in the latent space says nothing
                   (also where the decoder is constant; where it is all but constant, `spread` says
                   so, whatever the continuity).
    jump           along straight paths between draws, cut into T steps, the longest step of the
                   decoded path over its mean step: 1 for even motion, T for one jump.

Reference: A class of statistics with asymptotically normal distribution (Hoeffding, 1948)
https://doi.org/10.1214/aoms/1177730196 (the standard error of a mean over pairs)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Floats
from ..data import as_dataset
from ..density import mean_stderr
from ..digits import plus_minus
from ..errors import InputError
from ..plain_json import PlainFields
from .codes import N_DRAWS, Draws, decoded, latent_draws, source_of
from .features import Features
from .spread import blank_words, spread


@dataclass(frozen=True)
class Continuity(PlainFields):
    """Whether neighbours decode to neighbours.

    Attributes:
        value, stderr: continuity in [0, 1], and its standard error over draws; `chance` is what a
            decoder without any reaches.
        jump, jump_stderr: mean over paths of the longest step over the mean step, in
            [1, path_steps], and its standard error; largest_jump: the largest of them.
        path_steps: T, what one jump would give.
        step: of the neighbours, in standard deviations of each latent.
        draws: where the codes were drawn from.
        n: how many.
        spread: of the decoded draws beside real rows (see `spread`); near 0 the decoder is blank,
            and continuity says nothing.
    """

    value: float
    stderr: float
    jump: float
    jump_stderr: float
    largest_jump: float
    path_steps: int
    step: float
    draws: Draws
    n: int
    chance: float = 0.5
    spread: float = math.nan

    def __str__(self) -> str:
        if blank := blank_words(self.spread):
            return f"continuity says nothing; {blank}"
        return (
            f"continuity {plus_minus(self.value, self.stderr)} (chance {self.chance:g}), longest "
            f"step {plus_minus(self.jump, self.jump_stderr)} times the mean one "
            f"(at worst {self.largest_jump:.1f} of {self.path_steps})"
        )


def continuity(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    n: int = N_DRAWS,
    step: float = 0.1,
    paths: tuple[int, int] = (50, 32),
    draws: Draws | None = None,
    seed: int = 0,
) -> Continuity:
    """How far neighbours in the latent space decode to neighbours.

    Args:
        model: fitted, with `encode` and `decode`.
        X: real rows; they scale the distance, and give codes where there is no prior.
        y: what to condition on, where the fit is conditional: one value for all.
        n: draws.
        step: from a draw to its neighbour, in standard deviations of each latent. Two draws are on
            average sqrt(2) apart in this unit.
        paths: how many paths between draws, and into how many steps each is cut.
        draws: "prior", "gaussian" (fitted to the codes of X) or "codes" (of X); by default the
            prior, and the codes where the model has none.
        seed: of draws and directions.

    Raises:
        InputError: for fewer than 10 draws, a step that is not positive, or no path.
    """
    n_paths, path_steps = paths
    if n < 10 or n_paths < 1 or path_steps < 2 or not step > 0:
        raise InputError(
            f"n={n}, paths={paths}, step={step} given; expected at least 10 draws, 1 path of 2 "
            "steps, and a positive step."
        )
    source = source_of(model, draws, "codes")
    rng = np.random.default_rng([seed, 0xC0])
    z = latent_draws(model, n, source, X=X, y=y, rng=rng)
    real = as_dataset(X, model.schema_)
    features = Features.fit(real)
    u = rng.normal(size=z.shape)
    u *= np.sqrt(z.shape[1]) / np.linalg.norm(u, axis=1, keepdims=True)
    near = _space(model, features, z + step * z.std(axis=0) * u, y)
    here = _space(model, features, z, y)
    value, stderr = nearer_than_random(here, near)
    pairs = np.array([rng.choice(n, 2, replace=False) for _ in range(n_paths)])
    t = np.linspace(0, 1, path_steps + 1)[None, :, None]
    walks = (1 - t) * z[pairs[:, 0], None] + t * z[pairs[:, 1], None]
    walked = _space(model, features, walks.reshape(-1, z.shape[1]), y)
    ratios = jump_ratios(walked.reshape(n_paths, path_steps + 1, -1))
    return Continuity(
        value,
        stderr,
        jump=float(ratios.mean()),
        jump_stderr=mean_stderr(ratios),
        largest_jump=float(ratios.max()),
        path_steps=path_steps,
        step=step,
        draws=source,
        n=n,
        spread=spread(here, features.space(real)),
    )


def nearer_than_random(here: Floats, near: Floats) -> tuple[float, float]:
    """Continuity of decoded draws (n, d) and decoded neighbours (n, d), and its standard error.

    The mean of h(i, j) = [d(i, near i) < d(i, j)] over i != j; its error is that of the
    first-order projection, which counts draw i both as i and as j.
    """
    from scipy.spatial.distance import cdist

    n = len(here)
    own = np.linalg.norm(here - near, axis=1)[:, None]
    among = cdist(here, here)
    wins = (own < among) + 0.5 * (own == among)
    np.fill_diagonal(wins, 0.0)
    value = float(wins.sum() / (n * (n - 1)))
    influence = (wins.sum(axis=1) + wins.sum(axis=0)) / (n - 1) - 2 * value
    return value, mean_stderr(influence)


def jump_ratios(paths: Floats) -> Floats:
    """(p,) the longest step over the mean step of decoded paths (p, T + 1, d); 1 at rest."""
    steps = np.linalg.norm(np.diff(paths, axis=1), axis=2)
    mean = steps.mean(axis=1)
    return np.where(mean > 0, steps.max(axis=1) / np.where(mean > 0, mean, 1.0), 1.0)


def _space(model: Any, features: Features, z: Floats, y: Any) -> Floats:
    return features.space(decoded(model, z, y))
