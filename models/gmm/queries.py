"""What a fitted mixture answers: components of rows, criteria, conditionals, marginals, gaps."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ...data import Codec, Encoded
from ...density_estimator import DensityEstimator
from ...errors import InputError
from ...family_density import Density, cell_average
from ...scoring import placed
from . import conditional
from .parameters import CovarianceType, Floats, Mixture
from .selection import Criteria, criteria
from .weighted_rows import WeightedRows, score


class MixtureQueries(DensityEstimator):
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

    def condition(self, given: Mapping[Any, Any]) -> Self:
        """p(the other columns | these values), a mixture of this class again.

        A rounded column is conditioned on at the middle of its cell.

        Args:
            given: column name or label -> value.

        Raises:
            InputError: for an unknown column, a value that the fit never saw, or no column left
                free.
        """
        check_is_fitted(self)
        row = self._fixed(given)
        fixed = self.schema_.named(given)
        free = [name for name in self.schema_.names if name not in fixed]
        known = np.asarray(row.x[0], dtype=np.float64), row.codes[0]
        return self._over(conditional.condition(self._predictive(), *known), free)

    def marginal(self, columns: Iterable[Any]) -> Self:
        """p(some columns), a mixture of this class again."""
        check_is_fitted(self)
        names = [self.schema_[name].name for name in columns]
        free = [name for name in self.schema_.names if name in names]
        x, codes = (
            np.array([j for j, column in enumerate(every) if column in free], dtype=np.intp)
            for every in (self.codec_.continuous_names, self.codec_.discrete_names)
        )
        return self._over(conditional.marginal(self._predictive(), x, codes), free)

    def impute(self, X: Any, *, draw: bool = False, random_state: Any = None) -> Any:
        """Rows with their gaps filled, in the container they came in.

        Args:
            X: rows.
            draw: fill each gap with a draw given the rest of its row; otherwise with the
                conditional mean (of the logarithm for positive columns, which makes it a
                median-like value there) or the likeliest level.
            random_state: seed of the draws; None takes the estimator's own.
        """
        from ...checks import seed_of

        check_is_fitted(self)
        data = self._dataset(X, reset=False)
        encoded = self.codec_.encode(data)
        rng = (
            np.random.default_rng(
                seed_of(self.random_state if random_state is None else random_state)
            )
            if draw
            else None
        )
        x, codes = conditional.impute(
            self._predictive(), np.asarray(encoded.x, dtype=np.float64), encoded.codes, rng
        )
        return data.filled(self.codec_.decode(Encoded(x, codes, encoded.log_det)))

    def _over(self, mixture: Mixture, names: list[str]) -> Self:
        """This estimator over some of its columns, with a mixture of them."""
        if not names:
            raise InputError(
                "all columns are given, so none is left to say anything about; leave one free."
            )
        out = copy(self)
        out.schema_, out.codec_ = self.schema_.select(names), self.codec_.select(names)
        out.posterior_, out.sample_stats_, out._draws = None, {}, self._n_draws()
        out.covariance_type = mixture.covariance_type
        out.n_features_in_ = len(names)
        if hasattr(self, "feature_names_in_"):
            out.feature_names_in_ = np.array(names, dtype=object)
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
