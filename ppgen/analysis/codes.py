"""Codes of rows and draws of codes, with the checks that every look into latents needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..arrays import Floats
from ..capabilities import Capabilities
from ..coded import made_rows
from ..covariance import root
from ..data import Dataset, as_dataset
from ..data.stacking import is_one_image, nested_shape
from ..errors import InputError
from ..estimator import Estimator
from ..settings import choice, integer

Draws = Literal["prior", "gaussian", "codes"]

N_DRAWS = 500  # of codes, by default


def latent_model(model: Any) -> Capabilities:
    """What a fitted model can do; InputError if it has no latents."""
    if not (isinstance(model, Estimator) and model.capabilities.latents):
        name = type(model).__name__
        if isinstance(model, Estimator) and model.capabilities.decodes:
            raise InputError(
                f"{name} makes rows of codes and gives rows no codes; interpolate, arithmetic and "
                "traverse take codes with codes=True, such as sample_latents(2) draws them."
            )
        raise InputError(
            f"{name} has no latent space to look into; use an autoencoder or a variational one, "
            "which have `encode` and `decode`."
        )
    check_is_fitted(model)
    return model.capabilities


def decoding_model(model: Any) -> Capabilities:
    """What a fitted model can do; InputError if it makes no rows of codes."""
    if isinstance(model, Estimator) and model.capabilities.decodes:
        check_is_fitted(model)
        return model.capabilities
    return latent_model(model)


def as_rows(model: Any, X: Any) -> Any:
    """Rows as they are; one image (C, H, W) or (H, W), or one row (d,), as rows of one."""
    latent_model(model)
    if not isinstance(X, np.ndarray | list | tuple):
        return X
    shape, image = nested_shape(X), model.schema_.image_shape
    if image is None:
        single = len(shape) == 1 and shape[0] > 0
    else:
        single = is_one_image(shape, image)
    if not single:
        return X
    return X[None] if isinstance(X, np.ndarray) else [X]


def codes_of(model: Any, X: Any, y: Any = None, name: str = "X") -> Floats:
    """(n, k) codes of rows: what `model.encode` gives; `y` is one value, or one a row.

    Raises:
        InputError: if the model has no latents, or a code is not finite.
    """
    latent_model(model)
    if not isinstance(X, Dataset) and hasattr(X, "__len__") and len(X) == 0:
        raise InputError(f"{name} has no rows; give at least one.")
    if y is not None:
        y = labels(y, len(as_dataset(X, model.schema_)))
    codes = np.asarray(model.encode(X, y), np.float64)
    if codes.ndim != 2 or not np.isfinite(codes).all():
        raise InputError(
            f"the codes of {name} are not finite; the fit cannot be looked into. See its verdict_."
        )
    return codes


def code_of_row(model: Any, row: Any, y: Any = None, name: str = "row") -> Floats:
    """(k,) the code of one row, in any container; InputError if there are more."""
    codes = codes_of(model, as_rows(model, row), y, name)
    if len(codes) != 1:
        raise InputError(f"{name} has {len(codes)} rows; give one.")
    return np.asarray(codes[0])


def given_codes(codes: Any, name: str) -> Floats:
    """(n, k) codes as they were given; one code (k,) is one of them."""
    values = np.asarray(codes, np.float64)
    values = values[None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise InputError(
            f"{name} is codes of shape {values.shape}; expected (k,) finite numbers, one a latent, "
            "or (n, k) of several codes."
        )
    return values


def codes_by(
    model: Any,
    label: Callable[[Any], Any],
    *,
    n: int = N_DRAWS,
    y: Any = None,
    random_state: int = 0,
) -> dict[Any, Floats]:
    """Codes drawn from the prior, in groups by what is said of the rows that they decode to.

    The means of such groups are what `interpolate` and `arithmetic` take with codes=True, where
    rows have no codes of their own.

    Args:
        model: fitted, with `sample_latents` and `decode`.
        label: gives (n,) labels of n rows as `model.decode` gives them: a classifier's `predict`,
            or what a person says of them.
        n: how many codes are drawn.
        y: what to condition on, where the fit is conditional: one value.
        random_state: seed of the codes.

    Returns:
        (n_label, k) codes of each label, in the labels' order.

    Raises:
        InputError: if the model draws no codes, or there is not one label a row.
    """
    integer(1).check("n", n)
    if not drawn_codes(decoding_model(model)):
        raise InputError(
            f"{type(model).__name__} has no prior to draw codes from; use the codes that `encode` "
            "gives of rows."
        )
    codes = np.asarray(model.sample_latents(n, random_state=random_state), np.float64)
    found = np.asarray(label(model.decode(codes, None if y is None else labels(y, n))))
    if found.shape != (n,):
        raise InputError(f"label gave shape {found.shape} for {n} rows; expected one label a row.")
    return {value.item(): codes[found == value] for value in np.unique(found)}


def drawn_codes(can: Capabilities) -> bool:
    """Whether codes are drawn by `sample_latents`."""
    return can.prior or bool(can.decodes and not can.latents)


def n_latents(model: Any) -> int:
    """The number of latents of a model that draws codes."""
    return int(np.asarray(model.sample_latents(1, random_state=0)).shape[1])


def labels(y: Any, n: int) -> Any:
    """`y` for n rows: one value repeated, or n as they are; InputError if there are others."""
    if isinstance(y, Mapping) or hasattr(y, "columns"):
        return {name: labels(values, n) for name, values in as_dataset(y).columns.items()}
    values = np.atleast_1d(np.asarray(y))
    if len(values) not in (1, n):
        raise InputError(f"y has {len(values)} rows; expected one for all, or {n}, one a row.")
    return values if len(values) == n else np.repeat(values, n, axis=0)


def latent_draws(
    model: Any, n: int, draws: Draws, *, X: Any, y: Any = None, rng: np.random.Generator
) -> Floats:
    """(n, k) codes: of the prior, of a Gaussian fitted to the codes of X, or codes of X."""
    if draws == "prior":
        drawn = model.sample_latents(n, random_state=int(rng.integers(2**31 - 1)))
        return np.asarray(drawn, np.float64)
    codes = codes_of(model, X, y)
    if draws == "codes":
        return codes[rng.choice(len(codes), n, replace=len(codes) < n)]
    if len(codes) < 2:
        raise InputError(f"{len(codes)} row given; a Gaussian of codes needs at least 2.")
    factor = root(np.atleast_2d(np.cov(codes, rowvar=False)))
    noise = rng.standard_normal((n, codes.shape[1])) @ factor.T
    return np.asarray(codes.mean(axis=0) + noise)


def source_of(model: Any, draws: Draws | None, otherwise: Draws) -> Draws:
    """Where draws come from: as asked, else the prior, else `otherwise`.

    Raises:
        InputError: for another word, or a prior that the model lacks.
    """
    has_prior = latent_model(model).prior
    if draws is None:
        return "prior" if has_prior else otherwise
    choice(*get_args(Draws)).check("draws", draws)
    if draws == "prior" and not has_prior:
        raise InputError(f"{type(model).__name__} has no prior; draws='gaussian' or 'codes' do.")
    return draws


def decoded(model: Any, z: Floats, y: Any) -> Dataset:
    """Decoded rows of codes (n, k)."""
    return made_rows(model, model.decode(z, None if y is None else labels(y, len(z))))
