"""What a debiased classifier answers: labels, rare regions, accuracy by group."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ..latent import LatentEstimator
from .group_comparison import Comparison, compare
from .groups import GroupAccuracy, group_accuracy
from .labels import known
from .regions import RareRegions, rare_regions

if TYPE_CHECKING:
    from .estimator import DebiasingVAE

Floats = NDArray[np.float64]


class DebiasedClassifier(ClassifierMixin, LatentEstimator):  # type: ignore[misc]
    """A fitted encoder, decoder and classifier in use.

    Attributes:
        classes_: (C,) the labels, ascending.
    """

    classes_: NDArray[Any]

    def predict_log_proba(self, X: Any) -> Floats:
        """(n, C) log probabilities of the classes, in the order of `classes_`."""
        check_is_fitted(self)
        data = self._middle(self._dataset(X, reset=False))
        return np.asarray(self.nets_.log_probabilities(self.layout_.stored(data)))

    def predict_proba(self, X: Any) -> Floats:
        """(n, C) probabilities of the classes, in the order of `classes_`."""
        found: Floats = np.exp(self.predict_log_proba(X))
        return np.asarray(found / found.sum(1, keepdims=True))

    def predict(self, X: Any) -> NDArray[Any]:
        """(n,) the likeliest label of each row."""
        chosen = self.predict_log_proba(X).argmax(1)
        return np.asarray(self.classes_[chosen])

    def rare_regions(self, X: Any = None, y: Any = None) -> RareRegions:
        """Which regions of the latents are rare, and which rows lie there.

        Args:
            X: rows as in `fit`; None is those fitted, with their `sampling_weights_`.
            y: their labels; None takes the predicted ones.

        Raises:
            InputError: if y is given without X, or a label was not fitted.
        """
        check_is_fitted(self)
        return rare_regions(cast("DebiasingVAE", self), X, y)

    def worst_group(self, X: Any, y: Any, groups: Any) -> GroupAccuracy:
        """The accuracy of each group with its standard error; `.worst` is the worst.

        Args:
            X: rows as in `fit`.
            y: (n,) their labels.
            groups: (n,) values, or (n, m) for groups of rows that agree in all m.

        Raises:
            InputError: if labels or groups are not one a row.
        """
        check_is_fitted(self)
        found = self.predict(X)
        return group_accuracy(found == self.classes_[known(y, self.classes_, len(found))], groups)

    def compare(
        self, rows: Any, held: Any, seeds: Iterable[int] = range(5), **fit: Any
    ) -> Comparison:
        """Worst-group accuracy beside plain training and group balancing, over seeds.

        Three fits a seed under these settings; this estimator itself stays as it is.

        Args:
            rows: (X, y, groups) to fit to; only the balanced fits are told the groups.
            held: (X, y, groups) of other rows, of which the accuracies are.
            seeds: of the fits.
            fit: what else `fit` is given, such as a budget.

        Raises:
            InputError: if labels or groups are not one a row.
        """
        return compare(cast("DebiasingVAE", self), rows, held, tuple(seeds), **fit)
