"""What a tree says of rows: their values, replicates, latents and log densities.

Columns are floats, text the number of its level; images are one variable.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import logsumexp

from .arrays import Array
from .coded import made_rows
from .data import Dataset
from .errors import InputError
from .saving import Saved
from .scoring import placed
from .tree import variables

MAX_VALUES = 50_000_000  # numbers in one group, above which draws are thinned
_ROWS = 4096


def expected(model: Any, data: Dataset, y: Any) -> dict[str, Array]:
    """One replicate: the rows' reconstructions."""
    made = values(made_rows(model, model.reconstruct(data, y)))
    return {name: v[None, None] for name, v in numbers(model, made)[0].items()}


def values(data: Dataset) -> dict[str, Array] | Array:
    """Columns by name, or images."""
    return dict(data.columns) if data.images is None else np.asarray(data.images)


def replicates(estimator: Any, n: int, count: int, y: Any, random_state: int) -> dict[str, Array]:
    """`count` times n rows drawn from a fit; given y (n,) where it is conditional."""

    def drawn(rows: int, seed: int) -> dict[str, Array]:
        encoded = estimator._draw(rows, None, y, seed)
        return numbers(estimator, estimator.codec_.decode(encoded))[0]

    if y is None:
        columns = drawn(n * count, random_state)
    else:
        each = [drawn(n, random_state + i) for i in range(count)]
        columns = {name: np.concatenate([one[name] for one in each]) for name in each[0]}
    return {name: v.reshape(1, count, n, *v.shape[1:]) for name, v in columns.items()}


def replicates_of_draws(
    estimator: Any, n: int, shape: tuple[int, ...], step: int, random_state: int
) -> dict[str, Array]:
    """n rows from each draw that is kept, with its chain and draw. Whole numbers may go beyond
    those seen, as the log densities have it."""
    kept = np.arange(math.prod(shape)).reshape(shape)[:, ::step]
    rng = np.random.default_rng(estimator._seed(random_state))
    encoded = estimator._sample_draws(kept.ravel(), n, rng)
    columns = numbers(estimator, estimator.codec_.decode(encoded, within=False))[0]
    return {name: v.reshape(*kept.shape, n) for name, v in columns.items()}


def numbers(
    estimator: Saved, columns: dict[str, Array] | Array
) -> tuple[dict[str, Array], dict[str, list[Any]]]:
    """Columns as floats, text as the number of its level; and the levels of those. Images are one
    variable."""
    if not isinstance(columns, dict):
        return {"image": columns}, {}
    out, levels, named = {}, {}, variables(columns)
    for column in estimator.schema_.columns:
        name, own = named[column.name], columns[column.name]
        if own.dtype.kind == "f":
            out[name] = own
            continue
        levels[name] = list(column.levels)
        code = {level: float(number) for number, level in enumerate(column.levels)}
        out[name] = np.array([code.get(value, math.nan) for value in own])
    return out, levels


def latents(
    model: Any, data: Dataset, y: Any, draws: int, random_state: int
) -> tuple[dict[str, Array], dict[str, str]]:
    """`z` (chain, draw, row, latent), and what it is."""
    codes = np.asarray(model.encode(data, y), np.float64)
    if not np.isfinite(codes).all():
        raise InputError("the codes of the rows are not finite; see the verdict_ of the fit.")
    draws = min(draws, MAX_VALUES // max(1, codes.size))
    if draws < 1 or not model.capabilities.prior:
        return {"z": codes[None, None]}, {"note": "one draw, the code of each row"}
    drawn = model.sample_posterior(data, y, n=draws, random_state=random_state)
    return {"z": np.asarray(drawn)[None]}, {"note": "draws of each row's latents by the encoder"}


def log_likelihood(estimator: Any, data: Dataset, shape: tuple[int, ...], step: int) -> Array:
    """(chain, draw / step, row); where columns are rounded, of the average over a row's cell."""
    chains, draws = shape
    out = np.empty((chains, len(range(0, draws, step)), len(data)))
    for start in range(0, len(data), _ROWS):
        at = placed(estimator, data.take(slice(start, start + _ROWS)))
        logs = []
        for place in at.places:
            values = estimator._log_prob_draws(place) + place.log_det
            logs.append(values.reshape(chains, draws, -1)[:, ::step])
        mean = logsumexp(logs, axis=0) - math.log(len(logs)) if len(logs) > 1 else logs[0]
        out[:, :, start : start + _ROWS] = np.where(at.impossible, -np.inf, mean)
    return out
