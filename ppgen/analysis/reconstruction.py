"""How much of rows their reconstructions lose.

    lost = sum |x - g(f(x))|^2 / sum |x - mean|^2

over held-out rows x, with f and g the encoder and decoder and the mean that of the training rows: 0
where nothing is lost, 1 for a model that always gives the mean. The control is what as many
principal components of the training rows lose, the best linear code of that size. Images are
compared pixel by pixel, tables in the space of `Features`; gaps are left out.

Reference: Neural networks and principal component analysis (Baldi, Hornik, 1989)
https://doi.org/10.1016/0893-6080(89)90014-2 (the linear autoencoder is PCA)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import Floats
from ..coded import made_rows
from ..data import Dataset, as_dataset
from ..errors import InputError
from .features import Features
from .score import Score

_MAX_TRAIN = 5000
_WORSE = 1.01


def worse_than_linear(lost: float, linear: float) -> bool:
    """Whether a code loses more than as many principal components do, by more than a hundredth of
    what they lose."""
    return lost > _WORSE * linear


def reconstruction_error(model: Any, train: Any, held_out: Any, *, seed: int = 0) -> Score:
    """The share of the variance of held-out rows that their reconstructions lose, beside that of
    principal components.

    Args:
        model: fitted, with `encode` and `reconstruct`.
        train: real rows, which give the mean and the components.
        held_out: other real rows.
        seed: of the rows taken from very many, and of the components' solver.

    Raises:
        InputError: if all held-out rows are the mean of the training rows.
    """
    real, other = as_dataset(train, model.schema_), as_dataset(held_out, model.schema_)
    rng = np.random.default_rng([seed, 0xC2])
    real = real.thinned(_MAX_TRAIN, rng)
    features = None if real.images is not None else Features.fit(real)
    fitted, here = _values(features, real), _values(features, other)
    known = ~np.isnan(here)
    mean = np.nanmean(fitted, axis=0)
    whole = float(np.sum(np.square(here - mean)[known]))
    if whole == 0:
        raise InputError(
            "the held-out rows are all the mean of the training rows; there is nothing to lose. "
            "Give rows that differ."
        )
    made = _values(features, made_rows(model, model.reconstruct(other)))
    k = int(np.asarray(model.encode(other.take(slice(1)))).shape[1])
    linear = _principal(np.nan_to_num(fitted - mean), np.nan_to_num(here - mean), k, seed) + mean

    def lost(rows: Floats) -> float:
        return float(np.sum(np.square(rows - here)[known])) / whole

    return Score(lost(np.nan_to_num(made)), lost(linear), "low")


def _values(features: Features | None, data: Dataset) -> Floats:
    """(n, d) coordinates, NaN where there is a gap."""
    if features is None:
        return np.asarray(data.images, np.float64).reshape(len(data), -1)
    parts = []
    for f in features.columns:
        values = data.columns[f.name]
        coordinates = f.coordinates(values)
        coordinates = coordinates[:, :-1] if f.gaps else coordinates
        gap = np.isnan(f.codes(values))
        parts.append(np.where(gap[:, None], np.nan, coordinates))
    return np.column_stack(parts)


def _principal(fitted: Floats, here: Floats, k: int, seed: int) -> Floats:
    """Rows projected on the first k principal axes of others, both centred."""
    from sklearn.decomposition import PCA

    components = PCA(min(k, *fitted.shape), random_state=seed).fit(fitted)
    return np.asarray(components.inverse_transform(components.transform(here)), np.float64)
