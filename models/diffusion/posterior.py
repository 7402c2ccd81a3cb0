"""Draws from a posterior whose prior is a trained net."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...arrays import Floats
from ...errors import InputError
from ...inference.diffusion.observation import LinearMap, LogLikelihood, Observation
from .conditionals import Answers, Asked, answered
from .linear_units import LinearUnits
from .trained import TrainedDiffusion


def observation(measured: Any, units: LinearUnits, nets: TrainedDiffusion) -> Observation:
    """What was measured of one row, as a statement on its features.

    Args:
        measured: a log likelihood of rows (n, D) in the units of the data, (n,), of torch; or
            (A, y, sigma) with y = A x + sigma eps, A (m, D) or a linear function of rows (n, D).

    Raises:
        InputError: if it is neither.
    """
    offset, slope = nets.tensor(units.offset), nets.tensor(units.slope)
    if callable(measured):
        return LogLikelihood(lambda f: measured(offset + slope * f))
    if not isinstance(measured, tuple) or len(measured) != 3:
        raise InputError(
            f"{type(measured).__name__} given as what was measured; expected a log likelihood, "
            "which is a function of rows (n, D), or a tuple (A, y, sigma)."
        )
    matrix = _matrix(measured[0], len(units.slope))
    y, sigma = np.asarray(measured[1], np.float64).reshape(-1), float(measured[2])
    if y.shape != (len(matrix),) or not sigma > 0:
        raise InputError(
            f"y of {y.size} numbers and sigma {sigma:g} given with A of shape {matrix.shape}; "
            f"expected {len(matrix)} numbers and a sigma above 0."
        )
    mapped = nets.tensor(matrix * units.slope)
    return LinearMap(mapped, nets.tensor(y - matrix @ units.offset)[None], sigma)


def posterior(
    nets: TrainedDiffusion,
    observed: Observation,
    context: Floats | None,
    asked: Asked,
    n: int,
    seed: int,
) -> Answers:
    """n draws of one row's features given what was measured of it."""
    row = np.zeros(1, np.int64)
    return answered(nets, lambda _: observed, row, context, asked, seed=seed, draws=n)


def _matrix(given: Any, size: int) -> Floats:
    if callable(given):
        forward: Callable[[Tensor], Tensor] = given
        zero, each = forward(torch.zeros(1, size)), forward(torch.eye(size))
        if float(zero.abs().max()) > 1e-6 * float(each.abs().max()):
            raise InputError(
                "A is a function that is not 0 at 0, so that it is not linear. Take the constant "
                "off y."
            )
        given = each.T.detach().numpy()
    matrix = np.asarray(given, np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != size:
        raise InputError(
            f"A of shape {matrix.shape} given, and rows have {size} values; expected (m, {size})."
        )
    return matrix
