"""Whether draws of a latent space decode to rows that the data accept.

    completeness   the share of decoded draws whose distance to the k-th nearest training row is at
                   most the (1 - alpha) quantile of that distance among held-out real rows. The
                   control is the same share for held-out rows, half of them judged by the other.

The distance is that of `Features.space`; this judge knows nothing of the model. It sees what is
unlike the data, not what is left out of it: a decoder that always gives one likely row has
completeness 1, which `spread` tells apart; `sample_quality` has the coverage. Decoded rows are
expectations, without the noise of p(x | z), so they may be accepted more often than real rows are;
`draws="sampled"` judges `model.sample` instead.

Reference: From variational to deterministic autoencoders (Ghosh, Sajjadi, Vergari, Black,
Schölkopf, 2020) https://arxiv.org/abs/1903.12436 (a Gaussian fitted to the codes where there is no
prior)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..arrays import Floats
from ..coded import made_rows
from ..data import as_dataset
from ..digits import plus_minus
from ..errors import InputError
from ..plain_json import PlainFields
from .codes import N_DRAWS, Draws, decoded, latent_draws, latent_model, source_of
from .features import MAX_TRAIN, Features
from .spread import blank_words, spread

_BOOTSTRAP = 200


@dataclass(frozen=True)
class Acceptance:
    """When a row is accepted as one of the data.

    Attributes:
        alpha: share of real rows turned away.
        neighbours: k: the distance is that to the k-th nearest training row.
    """

    alpha: float = 0.05
    neighbours: int = 5


@dataclass(frozen=True)
class Completeness(PlainFields):
    """Whether draws decode to rows like the data.

    Attributes:
        value, stderr: share of draws accepted; its standard error, over draws and held-out rows.
        control, control_stderr: the same of held-out real rows, near 1 - alpha.
        threshold: the largest distance accepted.
        alpha, neighbours: see `Acceptance`.
        draws: where the codes were drawn from; "sampled" where `model.sample` drew rows.
        n, n_held_out: how many draws and held-out rows.
        spread: of the draws beside real rows (see `spread`); near 0 the decoder is blank, and
            completeness says nothing.
    """

    value: float
    stderr: float
    control: float
    control_stderr: float
    threshold: float
    alpha: float
    neighbours: int
    draws: Draws | Literal["sampled"]
    n: int
    n_held_out: int
    spread: float = math.nan

    def __str__(self) -> str:
        if blank := blank_words(self.spread):
            return f"completeness says nothing; {blank}"
        return (
            f"completeness {plus_minus(self.value, self.stderr)} "
            f"(real rows {plus_minus(self.control, self.control_stderr)})"
        )


def completeness(
    model: Any,
    train: Any,
    held_out: Any,
    y: Any = None,
    *,
    n: int = N_DRAWS,
    draws: Draws | Literal["sampled"] | None = None,
    accept: Acceptance = Acceptance(),
    seed: int = 0,
) -> Completeness:
    """The share of draws whose rows the data accept, beside the share of real rows.

    Args:
        model: fitted, with `encode` and `decode`.
        train: real rows to be near to.
        held_out: other real rows, which set the threshold. The model should not have seen them.
        y: what to condition on, where the fit is conditional: one value for all. Give then rows of
            that value only.
        n: draws.
        draws: "prior", "gaussian" (fitted to the codes of `train`) or "codes" (of `train`, which
            only tests reconstruction), to be decoded; by default the prior, and a Gaussian where
            there is none. "sampled" for rows that `model.sample` gives.
        accept: when a row is accepted.
        seed: of draws, halves and resamples.

    Raises:
        InputError: for too few rows or draws, or alpha outside (0, 1/2].
    """
    real, other = as_dataset(train, model.schema_), as_dataset(held_out, model.schema_)
    alpha, neighbours = accept.alpha, accept.neighbours
    if not 0 < alpha <= 0.5:
        raise InputError(f"alpha is {alpha}; expected a share above 0 and at most 0.5.")
    least = int(np.ceil(2 / alpha))
    if len(real) <= neighbours or len(other) < least or n < 10 or neighbours < 1:
        raise InputError(
            f"{len(real)} training rows, {len(other)} held-out rows and {n} draws given; the "
            f"{neighbours}-th neighbour and alpha={alpha:g} need more than {max(neighbours, 1)}, "
            f"at least {least} and at least 10. Give more rows, or a larger alpha."
        )
    rng = np.random.default_rng([seed, 0xC1])
    source: Draws | Literal["sampled"] = "sampled"
    if draws == "sampled":
        if not latent_model(model).samples:
            raise InputError(f"{type(model).__name__} has no `sample`; leave draws out.")
        rows = model.sample(n, y=y, random_state=int(rng.integers(2**31 - 1)))
        drawn = made_rows(model, rows)
    else:
        source = source_of(model, draws, "gaussian")
        drawn = decoded(model, latent_draws(model, n, source, X=train, y=y, rng=rng), y)
    real = real.thinned(MAX_TRAIN, rng)
    features = Features.fit(real)
    pool = features.space(real)
    made = features.space(drawn)
    of_draws = neighbour_distance(pool, made, neighbours)
    of_real = rng.permutation(neighbour_distance(pool, features.space(other), neighbours))
    value, control, threshold = _accepted(of_draws, of_real, alpha)
    again = [
        _accepted(rng.choice(of_draws, n), _resampled(of_real, rng), alpha)[:2]
        for _ in range(_BOOTSTRAP)
    ]
    errors = np.std(again, axis=0, ddof=1)
    scores = (value, float(errors[0]), control, float(errors[1]), threshold)
    apart = spread(made, pool)
    return Completeness(*scores, alpha, neighbours, source, n, len(other), apart)


def neighbour_distance(pool: Floats, rows: Floats, k: int) -> Floats:
    """(n,) the distance to the k-th nearest row of the pool."""
    from sklearn.neighbors import NearestNeighbors

    distances, _ = NearestNeighbors(n_neighbors=k).fit(pool).kneighbors(rows)
    return np.asarray(distances[:, -1], np.float64)


def _accepted(of_draws: Floats, of_real: Floats, alpha: float) -> tuple[float, float, float]:
    """The share of draws, the cross-fitted share of real rows, and the threshold."""
    threshold = _quantile(of_real, alpha)
    a, b = of_real[::2], of_real[1::2]
    control = np.concatenate([a <= _quantile(b, alpha), b <= _quantile(a, alpha)])
    return float((of_draws <= threshold).mean()), float(control.mean()), threshold


def _quantile(distances: Floats, alpha: float) -> float:
    """The ceil((1 - alpha)(m + 1))-th smallest: above it lie at most alpha of further rows."""
    place = int(np.ceil((1 - alpha) * (len(distances) + 1))) - 1
    return float(np.sort(distances)[min(place, len(distances) - 1)])


def _resampled(of_real: Floats, rng: np.random.Generator) -> Floats:
    """A bootstrap of each half by itself, so that no row lands in both."""
    again = of_real.copy()
    for half in (again[::2], again[1::2]):
        half[:] = rng.choice(half, len(half))
    return again
