"""The contract of every family that has a density.

`DensityEstimator` does what is the same for all of them. A family writes, besides what `Estimator`
asks for, `_log_prob` and `_sample`, on encoded arrays. With x the row as given and z = encode(x),

    log p(x) = log p_z(z) + log |det dz/dx|,

and where columns are rounded or discrete values are filled with noise, the average over the row's
cell is bounded from below (see `cell_average`). The noise is a pure function of the row, so a row's
score never depends on its neighbours.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import DensityMixin
from sklearn.utils.validation import check_is_fitted

from .checks import given_row, seed_of
from .conditioning import refuse_unused
from .data import Codec, Dataset, Encoded, ImageCodec, as_dataset
from .data.rebuild import row_labels
from .density import LogDensity
from .errors import InputError
from .estimator import Estimator
from .fitting import Fit
from .goodness_of_fit import goodness_reasons
from .rows import Rows
from .scoring import score_rows
from .verdict import Reason

_REDRAWS = 4  # times that samples beyond the whole numbers seen are drawn again


class DensityEstimator(DensityMixin, Estimator):  # type: ignore[misc]
    """A model of rows: fit, how likely, more like these."""

    # What a family writes

    @abstractmethod
    def _log_prob(self, data: Encoded, context: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """(n,) log densities of encoded rows, without `data.log_det`."""

    @abstractmethod
    def _sample(
        self,
        n: int,
        rng: np.random.Generator,
        given: Encoded | None,
        context: NDArray[np.float64] | None,
    ) -> Encoded:
        """n encoded rows; `given` is one row with NaN and -1 where it is free."""

    def _refitted(self, rows: Rows, fit: Fit) -> Self | None:
        """The same model fitted cheaply to these rows, fewer than those of the fit, which is left
        as it is; None where that is not cheap. The verdict judges it by the rows left out."""
        return None

    def _filled(self, data: Encoded, rng: np.random.Generator) -> Encoded | None:
        """Encoded rows with their gaps filled by draws given the rest of the row; None where the
        family cannot draw them."""
        return None

    def _quick_log_prob(
        self, data: Encoded, context: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        """(n,) `_log_prob`, or what stands in for it where that takes long."""
        return self._log_prob(data, context)

    def _method(self) -> str:
        """How `_log_prob` is computed, in words."""
        return "closed form"

    # What users call

    def log_density(self, X: Any, y: Any = None) -> LogDensity:
        """How likely each row is, in nats and in the units of the data, with what that number
        claims.

        Args:
            X: rows as in `fit`.
            y: for a conditional fit, what to condition on, one a row; None averages over the `y`
                that were fitted.

        Raises:
            InputError: if the rows are not those of the fit, or y is given to a fit of X alone.
        """
        check_is_fitted(self)
        return self._score_rows(self._dataset(X, reset=False), y)

    def score_samples(self, X: Any, y: Any = None) -> NDArray[np.float64]:
        """(n,) log densities in nats; `log_density` says in addition what they claim."""
        return np.asarray(self.log_density(X, y).values, dtype=np.float64)

    def score(self, X: Any, y: Any = None) -> float:
        """Mean log density a row, in nats.

        As scikit-learn hands labels to every score, `y` is ignored where the fit is of X alone.
        """
        conditional = getattr(self, "context_", None) is not None
        return float(np.mean(self.score_samples(X, y if conditional else None)))

    def sample(
        self,
        n: int = 1,
        given: Mapping[Any, Any] | None = None,
        *,
        y: Any = None,
        random_state: Any = None,
    ) -> Any:
        """Rows like those fitted: in the container that was fitted, its columns written as they
        were, images in their layout.

        Whole numbers stay within those that were seen: a row that goes beyond is drawn again, up to
        four times, and then brought to the nearest. So where a column of whole numbers ends
        abruptly, samples are those of the density given that they are within.

        Args:
            n: how many.
            given: column values to hold fixed, where the family can (`capabilities.conditions`).
            y: for a conditional fit, what to condition on: one row for all, or n; None draws from
                the fitted `y`. Samples for the n rows of a pandas frame or series bear its labels.
            random_state: seed; None takes the estimator's own.
        """
        check_is_fitted(self)
        encoded = self._draw(n, given, y, random_state)
        return self._decoded(encoded, given, row_labels(y, len(encoded)))

    # Shared plumbing

    def _goodness(self, rows: Rows, fit: Fit, reasons: Iterable[Reason]) -> list[Reason]:
        if any(reason.status == "failed" for reason in reasons):
            return []
        return goodness_reasons(self, rows, fit)

    def _score_rows(self, data: Dataset, y: Any) -> LogDensity:
        return score_rows(self, data, y)

    def _unbounded(
        self, n: int, given: Mapping[Any, Any] | None, y: Any, random_state: Any
    ) -> Dataset:
        """n rows as the density has them: whole numbers may go beyond those seen."""
        rows = self._draw(n, given, y, random_state, within=False)
        if isinstance(self.codec_, ImageCodec):
            return as_dataset(self._decoded(rows), self.schema_)
        columns = self.codec_.decode(rows, within=False)
        return as_dataset({name: columns[name] for name in self.schema_.names}, self.schema_)

    def _draw(
        self,
        n: int,
        given: Mapping[Any, Any] | None,
        y: Any,
        random_state: Any,
        *,
        within: bool = True,
    ) -> Encoded:
        """n encoded rows; if `within`, with whole numbers that are, but for few, among those
        seen."""
        if not isinstance(n, int | np.integer) or n < 1:
            raise InputError(f"n is {n!r}; expected a positive number of rows.")
        rng = np.random.default_rng(
            seed_of(self.random_state if random_state is None else random_state)
        )
        fixed = None if given is None else self._fixed(given)
        refuse_unused(self, y)
        context = None if self.context_ is None else self.context_.draw(n, y, rng)
        rows = self._sample(int(n), rng, fixed, context)
        if isinstance(self.codec_, ImageCodec) or not within:
            return rows
        held = () if given is None else tuple(self.schema_.named(given))
        for _ in range(_REDRAWS):
            beyond = np.flatnonzero(self.codec_.beyond(rows, held))
            if not len(beyond):
                break
            of = None if context is None else context[beyond]
            rows = rows.put(beyond, self._sample(len(beyond), rng, fixed, of))
        return rows

    def _fixed(self, given: Mapping[str, Any]) -> Encoded:
        """One encoded row that holds the given values, NaN and -1 elsewhere."""
        if not self.capabilities.conditions:
            raise InputError(
                f"{type(self).__name__} cannot hold columns fixed; ppgen.GaussianMixture can."
            )
        assert isinstance(self.codec_, Codec)  # nothing that conditions models images
        return given_row(self.schema_, self.codec_, given)
