"""Starts of EM that the user gave: a mean, a weight or a precision of each component, or which rows
each has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...covariance import correlations
from ...errors import InputError
from .initialise import best_start, from_labels, from_responsibilities, nearest
from .parameters import CovarianceType, Floats, Mixture
from .search import SAMPLE, Search
from .settings import MixtureSettings
from .weighted_rows import WeightedRows

NAMES = ("weights_init", "means_init", "precisions_init", "responsibilities_init")


def is_given(settings: MixtureSettings) -> bool:
    """Whether there is a start of the user's own."""
    return any(getattr(settings, name) is not None for name in NAMES)


def given_start(rows: WeightedRows, search: Search, rng: np.random.Generator) -> Mixture:
    """The start that the user gave. What is not given comes from the rows of each component, or
    else from those nearest to each mean, or else from the best of the starts that are tried."""
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

    if settings.responsibilities_init is not None:
        r = _responsibilities(settings.responsibilities_init, k)
        if len(r) != rows.n_given:
            raise InputError(
                f"responsibilities_init is of {len(r)} rows, and {rows.n_given} were given; give "
                "one line or label a row."
            )
        return given(from_responsibilities(rows, r[rows.given], search, correlated=True))
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
        if value is None or (name == "precisions_init" and tied):
            continue
        shape = np.shape(value)
        if name != "responsibilities_init":
            sizes[name] = shape[0] if shape else 1
        elif len(shape) == 2:
            sizes[name] = shape[1]
        elif not sizes:  # labels say only how many there are at least
            sizes[name] = int(_whole(value).max(initial=0)) + 1
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


def _whole(labels: Any) -> NDArray[np.intp]:
    """Labels (n,) as whole numbers from -1."""
    numbers = np.asarray(labels)
    if numbers.dtype.kind not in "iuf" or not (numbers == np.floor(numbers)).all():
        raise InputError(
            "responsibilities_init holds labels that are no whole numbers; give (n,) labels from "
            "0, or (n, k) responsibilities."
        )
    if len(numbers) and numbers.min() < -1:
        raise InputError(
            f"responsibilities_init has the label {numbers.min():g}; expected -1 or more."
        )
    return numbers.astype(np.intp)


def _responsibilities(value: Any, k: int) -> Floats:
    """(n, k) shares of each row in the components: of labels, or as given."""
    if np.ndim(value) == 1:
        labels = _whole(value)
        if labels.max(initial=-1) >= k:
            raise InputError(
                f"responsibilities_init has the label {labels.max()}; with {k} components they are "
                f"0 to {k - 1}."
            )
        return np.vstack([np.eye(k), np.zeros((1, k))])[labels]
    r = np.asarray(value, dtype=np.float64)
    if r.ndim != 2:
        raise InputError(
            f"responsibilities_init has shape {r.shape}; expected (n, {k}), or (n,) labels."
        )
    if not np.isfinite(r).all() or (r < 0).any():
        raise InputError("responsibilities_init holds negative or missing values; give shares.")
    total = r.sum(axis=1, keepdims=True)
    if (np.abs(total - 1) > 1e-3)[total > 0].any():
        far = total[np.where(total > 0, np.abs(total - 1), 0).argmax(), 0]
        raise InputError(
            f"responsibilities_init has a row that sums to {far:g}; expected 1, or 0 for a row "
            "that has none."
        )
    return r / np.where(total > 0, total, 1.0)


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
