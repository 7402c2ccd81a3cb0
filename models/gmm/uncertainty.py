"""The density of a mixture that is the mean over posterior draws, as `predictive` estimates it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...family_density import Density
from ...verdict import Reason
from .. import predictive
from .parameters import Floats, Mixture
from .weighted_rows import score

_ROWS_JUDGED = 1000  # of the rows fitted


def mean_density(
    mixture: Mixture, draws: int, x: NDArray[Any], codes: NDArray[np.int32]
) -> Density:
    """Log densities under the mean of a posterior's draws (see `predictive.mean_density`).
    `mixture` has the components of all draws, those of a draw side by side; x (n, d) and codes
    (n, c) are encoded rows."""

    def shares(rows: slice) -> tuple[Floats, Floats]:
        r, values = score(mixture, x[rows], codes[rows])
        return np.asarray(r, dtype=np.float64).reshape(len(r), draws, -1).sum(axis=2), values

    before = mixture.weights.reshape(draws, -1).sum(axis=1)
    return predictive.mean_density(shares, before, len(x), mixture.n_components)


def of_rows_fitted(
    mixture: Mixture, draws: int, x: NDArray[Any], codes: NDArray[np.int32]
) -> list[Reason]:
    """A warning if some of the rows fitted, of `_ROWS_JUDGED` at most, have no standard error."""
    some = np.linspace(0, len(x) - 1, min(len(x), _ROWS_JUDGED)).round().astype(int)
    return predictive.few_draws(mean_density(mixture, draws, x[some], codes[some]).stderr, draws)
