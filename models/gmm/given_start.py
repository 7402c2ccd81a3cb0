"""Starts of EM that the user gave: a mean, a weight or a precision of each component."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...covariance import correlations
from ...errors import InputError
from .initialise import SAMPLE, Search, best_start, from_labels, nearest
from .parameters import CovarianceType, Floats, Mixture
from .weighted_rows import WeightedRows

if TYPE_CHECKING:
    from .estimator import GaussianMixture

NAMES = ("weights_init", "means_init", "precisions_init")


def is_given(of: GaussianMixture) -> bool:
    """Whether there is a start of the user's own."""
    return any(getattr(of, name) is not None for name in NAMES)


def given_start(
    rows: WeightedRows, of: GaussianMixture, search: Search, rng: np.random.Generator
) -> Mixture:
    """The start that the user gave. What is not given comes from the rows nearest to each mean, or,
    without means, from the best of the starts that are tried."""
    k = _components(of)
    d = rows.x.shape[1]
    matrix = (d, d)
    shapes = {"full": (k, *matrix), "tied": matrix, "diag": (k, d), "spherical": (k,)}
    means = _numbers(of, "means_init", (k, d), "one number a column")
    weights = _numbers(of, "weights_init", (k,), "one number a component")
    precisions = _numbers(of, "precisions_init", shapes[of.covariance_type], of.covariance_type)
    if weights is not None and (weights <= 0).any():
        raise InputError(f"weights_init has {weights.min():g}; expected positive numbers.")
    covariances = None if precisions is None else _inverted(precisions, of.covariance_type)

    def given(start: Mixture) -> Mixture:
        return Mixture(
            start.weights if weights is None else weights / weights.sum(),
            start.means if means is None else means,
            start.covariances if covariances is None else covariances,
            of.covariance_type,
            start.probs,
        )

    if means is None:
        return best_start(rows, k, search, rng, given)
    # What is not given is estimated from a sample: it is only where EM starts.
    sample = rows.thinned(SAMPLE, rng)
    return given(from_labels(sample, nearest(sample, means), k, search))


def _components(of: GaussianMixture) -> int:
    """How many components the start has, on which all that is given agrees."""
    sizes = {} if isinstance(of.n_components, str) else {"n_components": int(of.n_components)}
    for name in NAMES:
        value = getattr(of, name)
        if value is not None and not (name == "precisions_init" and of.covariance_type == "tied"):
            shape = np.shape(value)
            sizes[name] = shape[0] if shape else 1
    if not sizes:
        raise InputError(
            "precisions_init of a tied covariance does not say how many components there are; give "
            "n_components as a number."
        )
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        raise InputError(f"the start is not of one number of components: {told}.")
    return next(iter(sizes.values()))


def _numbers(of: GaussianMixture, name: str, shape: tuple[int, ...], what: str) -> Floats | None:
    value: Any = getattr(of, name)
    if value is None:
        return None
    found = np.asarray(value, dtype=np.float64)
    if found.shape != shape:
        raise InputError(f"{name} has shape {found.shape}; expected {shape}, {what}.")
    if not np.isfinite(found).all():
        raise InputError(f"{name} holds NaN or infinite values; give numbers.")
    return found


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
