"""K-fold cross-validation: every row is held out once, and models are compared on all of them.

Rows are parted into K folds by their units (copies and named groups stay together), and each model
is fitted K times to the rows of the other folds. Row i of fold f has the score
log p(x_i | rows without f), and models are compared by paired differences over all rows, as by
`ppgen.compare`.

The standard error takes the units' scores for independent. They are not quite: the folds' fits
share (K - 2) / (K - 1) of their rows, and a row that is scored in one fold is fitted to in the
others. No unbiased estimate of this variance exists (Bengio and Grandvalet). The error tends to be
too small where fits differ by what they learnt from few rows: of two linear models of five inputs
each in five folds of 60 rows it is, in truth, 1.17 times as large, and 7 % of tables of the two
have a false alarm (`benchmarks/calibrate_decided.py`). The mean is that of fits to a share
(K - 1) / K of the rows, which are a little worse than a fit to all.

References:
    No unbiased estimator of the variance of K-fold cross-validation (Bengio, Grandvalet, 2004)
    https://www.jmlr.org/papers/v5/grandvalet04a.html
    Cross-validatory choice and assessment of statistical predictions (Stone, 1974)
    https://doi.org/10.1111/j.2517-6161.1974.tb00994.x
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from ..data import Dataset, as_dataset
from ..data.units import split_units
from ..density import LogDensity
from ..errors import InputError
from ..estimator import Estimator
from ..models import registry
from ..settings import integer
from .compare import Comparison, compare
from .finding import scope_of_folds
from .paired import Scored, weakest


def cross_validate(
    models: Any,
    data: Any,
    *,
    folds: int = 5,
    seed: int = 0,
    groups: Any = None,
    y: ArrayLike | None = None,
    budget: str | float | None = None,
) -> Comparison:
    """Compare models by K-fold cross-validation.

    Args:
        models: estimators that have a density, or names such as "gmm" (see `ppgen models`): a
            mapping from names to them, several, or one. They are copied, not fitted; where one has
            no random_state, its fits take `seed`.
        data: rows, as `fit` takes them, or a `Dataset`.
        folds: K, from 2 to the number of units.
        seed: of the folds.
        groups: a column's name or (n,) labels: rows of one label are in one fold and count once in
            standard errors.
        y: (n,) what conditional models condition on; the others model the rows alone.
        budget: of each fit, such as "60s".

    Returns:
        The comparison, in nats a row, of these rows as a sample of the population.

    Raises:
        InputError: if there are too few units, or a model has no density.
        FitError: if a fit failed.
    """
    made = _estimators(models)
    rows = as_dataset(data)
    if groups is not None:
        rows = rows.grouped(groups)
    parts = _folds(rows, folds, seed)
    of_y = None if y is None else np.asarray(y)
    if of_y is not None and len(of_y) != len(rows):
        raise InputError(f"y has {len(of_y)} values for {len(rows)} rows; give one a row.")
    if of_y is not None and not any(model.capabilities.conditional for model in made.values()):
        raise InputError("y is given, but none of the models conditions on one; leave it out.")
    compared = compare(
        Scored(name, _held_out(model, rows, of_y, parts, seed, budget), 0, rows.units)
        for name, model in made.items()
    )
    return replace(compared, scope=scope_of_folds(compared.models, folds))


def _folds(rows: Dataset, folds: int, seed: int) -> list[NDArray[np.intp]]:
    integer(2).check("folds", folds)
    units = len(np.unique(rows.units))
    if units < folds:
        raise InputError(
            f"{units} units (rows, or groups and copies that stay together) are too few for "
            f"{folds} folds; give more rows or take fewer folds."
        )
    return split_units(rows, [1 / int(folds)] * int(folds), seed)


def _estimators(models: Any) -> dict[str, Any]:
    if isinstance(models, Mapping):
        named = list(models.items())
    else:
        one = isinstance(models, str) or not isinstance(models, Iterable)
        named = [(_name(model), model) for model in ([models] if one else models)]
    if not named:
        raise InputError("no models are given; give one or more, such as ppgen.GaussianMixture().")
    made: dict[str, Any] = {}
    for name, model in named:
        estimator = registry.get(model)() if isinstance(model, str) else model
        if isinstance(estimator, type):
            raise InputError(f"{name} is a class; give an estimator, {estimator.__name__}().")
        if not (isinstance(estimator, Estimator) and estimator.capabilities.density is not None):
            raise InputError(
                f"{name} is {type(estimator).__name__}, which has no log density to compare; give "
                "estimators such as ppgen.GaussianMixture()."
            )
        if name in made:
            raise InputError(
                f"two models are called {name}; name them, as in {{'small': ..., 'large': ...}}."
            )
        made[str(name)] = estimator
    return made


def _name(model: Any) -> str:
    if isinstance(model, str):
        return model
    return model.name if isinstance(model, Estimator) else type(model).__name__


def _held_out(
    model: Any,
    rows: Dataset,
    y: NDArray[Any] | None,
    parts: Sequence[NDArray[np.intp]],
    seed: int,
    budget: str | float | None,
) -> LogDensity:
    """(n,) log densities of all rows, each by the fit that did not see its fold."""
    densities, numbers = [], np.arange(len(rows))
    for part in parts:
        train = np.setdiff1d(numbers, part)
        fit = clone(model)
        if fit.get_params().get("random_state", 0) is None:
            fit.set_params(random_state=seed)
        given = y if fit.capabilities.conditional else None
        seen, held = (None, None) if given is None else (given[train], given[part])
        fit.fit(rows.take(train), seen, budget=budget)._whole()
        densities.append(fit.log_density(rows.take(part), held))
    order = np.argsort(np.concatenate(parts))
    first = weakest(densities)
    errors = [np.zeros(len(d)) if d.stderr is None else d.stderr for d in densities]
    estimated = any(d.stderr is not None for d in densities)
    return LogDensity(
        np.concatenate([d.values for d in densities])[order],
        first.kind,
        f"{first.method}, {len(parts)} folds",
        measure=first.measure,
        dequantised=tuple(dict.fromkeys(c for d in densities for c in d.dequantised)),
        gap=tuple(dict.fromkeys(g for d in densities for g in d.gap)),
        stderr=np.concatenate(errors)[order] if estimated else None,
    )
