"""Starts of EM that the user gave: a mean, a weight or a precision of each component."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...covariance import correlations
from ...errors import InputError
from .initialise import best_start, from_labels, nearest
from .parameters import CovarianceType, Floats, Mixture
from .search import SAMPLE, Search
from .settings import MixtureSettings
from .weighted_rows import WeightedRows

NAMES = ("weights_init", "means_init", "precisions_init")


def is_given(settings: MixtureSettings) -> bool:
    """Whether there is a start of the user's own."""
    return any(getattr(settings, name) is not None for name in NAMES)


def given_start(rows: WeightedRows, search: Search, rng: np.random.Generator) -> Mixture:
    """The start that the user gave. What is not given comes from the rows nearest to each mean, or,
    without means, from the best of the starts that are tried."""
    settings = search.settings
    k, d, kind = _components(settings), rows.x.shape[1], settings.covariance_type
    shape = {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}[kind]
    means = _numbers(settings, "means_init", (k, d), "one number a column")
    weights = _numbers(settings, "weights_init", (k,), "one number a component")
    precisions = _numbers(settings, "precisions_init", shape, kind)
    if weights is not None and (weights <= 0).any():
        raise InputError(f"weights_init has {weights.min():g}; expected positive numbers.")
    parts = {
        "weights": None if weights is None else weights / weights.sum(),
        "means": means,
        "covariances": None if precisions is None else _inverted(precisions, kind),
    }
    own: dict[str, Any] = {name: part for name, part in parts.items() if part is not None}

    def given(start: Mixture) -> Mixture:
        return replace(start, **own)

    if means is None:
        return best_start(rows, k, search, rng, given)
    # What is not given is estimated from a sample: it is only where EM starts.
    sample = rows.thinned(SAMPLE, rng)
    return given(from_labels(sample, nearest(sample, means), k, search))


def _components(settings: MixtureSettings) -> int:
    """How many components the start has, on which all that is given agrees."""
    asked, tied = settings.n_components, settings.covariance_type == "tied"
    sizes = {} if isinstance(asked, str) else {"n_components": int(asked)}
    for name in NAMES:
        value = getattr(settings, name)
        if value is not None and not (name == "precisions_init" and tied):
            shape = np.shape(value)
            sizes[name] = shape[0] if shape else 1
    if not sizes:
        raise InputError(
            "precisions_init of a tied covariance does not say how many components there are; give "
            "n_components as a number."
        )
    if len(set(sizes.values())) > 1:
        each = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        raise InputError(f"the start is not of one number of components: {each}.")
    return next(iter(sizes.values()))


def _numbers(
    settings: MixtureSettings, name: str, shape: tuple[int, ...], what: str
) -> Floats | None:
    value = getattr(settings, name)
    if value is None:
        return None
    numbers = np.asarray(value, dtype=np.float64)
    if numbers.shape != shape:
        raise InputError(f"{name} has shape {numbers.shape}; expected {shape}, {what}.")
    if not np.isfinite(numbers).all():
        raise InputError(f"{name} holds NaN or infinite values; give numbers.")
    return numbers


def _inverted(precisions: Floats, kind: CovarianceType) -> Floats:
    """Covariances of precisions, which are positive (definite)."""
    if kind in ("diag", "spherical"):
        if (precisions <= 0).any():
            raise InputError(
                f"precisions_init has {precisions.min():g}; expected positive numbers."
            )
        return np.asarray(1 / precisions)
    wrong = InputError(
        "precisions_init is not symmetric and positive definite; give the inverses of covariances."
    )
    if (np.diagonal(precisions, axis1=-2, axis2=-1) <= 0).any():
        raise wrong
    unitless, spread = correlations(precisions)
    if not np.allclose(unitless, np.swapaxes(unitless, -1, -2), rtol=0, atol=1e-6):
        raise wrong
    try:
        np.linalg.cholesky(unitless)
    except np.linalg.LinAlgError:
        raise wrong from None
    return np.asarray(np.linalg.inv(unitless) / spread[..., :, None] / spread[..., None, :])
