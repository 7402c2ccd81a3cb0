"""The contract of every family that has a density.

`DensityEstimator` does what is the same for all of them. A family writes `_log_prob` on encoded
arrays. With x the row as given and z = encode(x),

    log p(x) = log p_z(z) + log |det dz/dx|,

and where columns are rounded or discrete values are filled with noise, the average over the row's
cell is bounded from below (see `cell_average`). The noise is a pure function of the row, so a row's
score never depends on its neighbours.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import DensityMixin
from sklearn.utils.validation import check_is_fitted

from .data import Encoded
from .density import LogDensity
from .family_density import Density, cell_average
from .rows import Rows
from .sampler import Sampler
from .scoring import log_density


class DensityEstimator(DensityMixin, Sampler):  # type: ignore[misc]
    """A model of rows: fit, how likely, more like these."""

    # What a family writes

    @abstractmethod
    def _log_prob(self, rows: Rows, **how: Any) -> Density:
        """The log densities of encoded rows, without `rows.data.log_det`; where they are estimates,
        quick ones, by which a fit is judged."""

    def _averaged(self, rows: Rows, places: Sequence[Encoded], **how: Any) -> Density:
        """The log densities of rows, averaged over places of their cells.

        Written by a family whose estimates need all places at once.

        Args:
            rows: n rows in the middle of their cells.
            places: the same rows at one or more places, each with its `log_det`.
            how: options of scoring, those that `capabilities.scoring` declares.
        """
        parts = []
        for place in places:
            density = self._log_prob(replace(rows, data=place), **how)
            parts.append(replace(density, values=density.values + place.log_det))
        return cell_average(parts)

    def _diagnosed(self, density: Density, **how: Any) -> Mapping[str, Any]:
        """What `LogDensity.diagnostics` says of rows that were scored: of each, and of all."""
        return density.diagnostics

    def _draw_seed(self) -> int | None:
        """The seed of what scoring draws for each row; None where it draws nothing."""
        return None

    # What users call

    def log_density(self, X: Any, y: Any = None, **how: Any) -> LogDensity:
        """How likely each row is, in nats and in the units of the data, with what that number
        claims.

        Args:
            X: rows as in `fit`.
            y: for a conditional fit, what to condition on, one a row; None averages over the `y`
                that were fitted.
            how: options of how it is estimated, named in the family's docstring, where it has any.

        Raises:
            InputError: if the rows are not those of the fit, y is given to a fit of X alone, or an
                option is not one of the family's.
        """
        check_is_fitted(self)
        scoring = self.capabilities.scoring
        scoring.check_names(f"{type(self).__name__}.log_density", how, "option")
        scoring.check(how)
        data = self._dataset(X, reset=False)
        return log_density(self, data, self._encoded_y(y, len(data)), **how)

    def score_samples(self, X: Any, y: Any = None) -> NDArray[np.float64]:
        """(n,) log densities in nats; `log_density` says in addition what they claim."""
        return np.asarray(self.log_density(X, y).values, dtype=np.float64)

    def score(self, X: Any, y: Any = None) -> float:
        """Mean log density a row, in nats.

        As scikit-learn hands labels to every score, `y` is ignored where the fit is of X alone.
        """
        check_is_fitted(self)
        return float(np.mean(self.score_samples(X, None if self.context_ is None else y)))
