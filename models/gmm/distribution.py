"""A fitted mixture as a distribution of NumPyro or Pyro."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ...covariance import correlations
from ..distributions.columns import Columns
from ..distributions.components import Components
from ..distributions.making import Backend, of_components
from .parameters import Mixture


def distribution(mixture: Mixture, columns: Columns, backend: Backend) -> Any:
    """The distribution of a mixture over the columns of a fit."""
    d = mixture.means.shape[1]
    made = Components(
        mixture.weights,
        columns.continuous,
        columns.discrete,
        mixture.means,
        tables=mixture.probs,
        dof=mixture.dof,
    )
    kind = mixture.covariance_type
    if kind in ("diag", "spherical") or not d:
        deviations = np.sqrt(mixture.covariances)
        deviations = deviations[:, None] if kind == "spherical" else deviations
        made = replace(made, scale=np.broadcast_to(deviations, mixture.means.shape) if d else None)
    else:
        unitless, spread = correlations(mixture.covariances)
        tril = spread[..., :, None] * np.linalg.cholesky(unitless)
        made = replace(made, tril=tril if kind == "full" else tril[None])
    return of_components([made], columns, backend)
