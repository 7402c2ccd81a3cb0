"""What a fitted mixture answers: components of rows, criteria, conditionals, marginals, gaps."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ...conditioned import Conditioned
from ...data import Codec, Encoded
from ...family_density import Density, cell_average
from ...rows import Rows
from ...scoring import placed
from . import conditional
from .parameters import CovarianceType, Floats, Mixture
from .selection import Criteria, criteria
from .weighted_rows import WeightedRows, score


class MixtureQueries(Conditioned):
    """What is asked of a mixture once there is one; `GaussianMixture` fits it."""

    codec_: Codec
    mixture_: Mixture
    covariance_type: CovarianceType

    @abstractmethod
    def _predictive(self) -> Mixture:
        """The mixture of predictions."""

    @abstractmethod
    def _n_draws(self) -> int:
        """How many draws of a posterior that is the mean over, 0 for none."""

    @abstractmethod
    def _set(self, mixture: Mixture) -> None:
        """Take a mixture as the fitted one."""

    # Components

    def predict_proba(self, X: Any) -> Floats:
        """(n, k) probability of each component for each row."""
        return self._posterior(X)[0]

    def predict(self, X: Any) -> NDArray[np.intp]:
        """(n,) likeliest component of each row."""
        return np.asarray(self.predict_proba(X).argmax(axis=1), dtype=np.intp)

    def bic(self, X: Any) -> float:
        """Bayesian information criterion on rows, in the units of the data; lower is better."""
        return self._criteria(X).bic

    def icl(self, X: Any) -> float:
        """Integrated completed likelihood, as a criterion in the units of the data; lower is
        better."""
        return self._criteria(X).icl

    def aic(self, X: Any) -> float:
        """Akaike information criterion on rows, in the units of the data; lower is better."""
        criteria = self._criteria(X)
        return 2 * criteria.n_parameters - 2 * criteria.log_likelihood

    # Queries

    def _conditioned(self, row: Encoded, free: Sequence[str]) -> Self:
        known = np.asarray(row.x[0], dtype=np.float64), row.codes[0]
        return self._over(conditional.condition(self._predictive(), *known), free)

    def _marginal(self, columns: Sequence[str]) -> Self:
        x, codes = (
            np.array([j for j, column in enumerate(every) if column in columns], dtype=np.intp)
            for every in (self.codec_.continuous_names, self.codec_.discrete_names)
        )
        return self._over(conditional.marginal(self._predictive(), x, codes), columns)

    def _filled(self, rows: Rows, rng: np.random.Generator | None, **how: Any) -> Encoded:
        x = np.asarray(rows.data.x, dtype=np.float64)
        filled = conditional.impute(self._predictive(), x, rows.data.codes, rng)
        return Encoded(*filled, rows.data.log_det)

    def _over(self, mixture: Mixture, names: Sequence[str]) -> Self:
        """This estimator over some of its columns, with a mixture of them."""
        out = self._selected(names)
        out.posterior_, out.sample_stats_, out._draws = None, {}, self._n_draws()
        out.covariance_type = mixture.covariance_type
        out._set(mixture)
        return out

    def _fixed(self, given: Mapping[str, Any]) -> Encoded:
        row = super()._fixed(given)
        far = conditional.far_out(self._predictive(), row.x[0], row.codes[0])
        if far is not None:
            fixed = self.schema_.named(given)
            names = self.codec_.continuous_names
            values = ", ".join(f"{name}={fixed[name]!r}" for name in names if name in fixed)
            warnings.warn(
                f"given {values}, which is {far:.1f} standard deviations from the nearest "
                "component: few rows lie there, and what follows rests on the model's tails.",
                UserWarning,
                stacklevel=4,
            )
        return row

    def _criteria(self, X: Any) -> Criteria:
        check_is_fitted(self)
        data = self._dataset(X, reset=False)
        middle = self._encode(data, draw=None)
        whole = criteria(
            WeightedRows(middle.x, middle.codes, self.codec_.n_levels, None), self.mixture_
        )
        at = placed(self, data)
        parts = [
            Density(score(self.mixture_, place.x, place.codes)[1] + place.log_det)
            for place in at.places
        ]
        return whole.at(float(cell_average(parts).without(at.impossible).values.sum()))

    def _posterior(self, X: Any) -> tuple[Floats, Floats]:
        check_is_fitted(self)
        rows = self._encode(self._dataset(X, reset=False), draw=None)
        return score(self.mixture_, rows.x, rows.codes)
