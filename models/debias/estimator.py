"""`DebiasingVAE`: the class users meet, which binds the nets, the resampling and a codec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ...artifact import Arrays
from ...capabilities import TRAINED, Capabilities
from ...data import Dataset, Encoded, ImageCodec
from ...errors import InputError
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason
from ..latent import LatentEstimator
from ..nets.reconstruction import Reconstruction
from ..nets.trainer import Trained
from ..nets.values import Values
from .group_comparison import Comparison, compare
from .groups import GroupAccuracy, group_accuracy
from .labels import Labels, known
from .regions import RareRegions
from .resampling import Histograms, Resampling
from .settings import SETTINGS, DebiasingSettings

Floats = NDArray[np.float64]
_HISTOGRAM = ("edges", "counts", "density")


class DebiasingVAE(DebiasingSettings, Trained, ClassifierMixin, LatentEstimator):  # type: ignore[misc]
    """A classifier whose encoder also gives latents that rows are reconstructed from: rows that are
    rare in the latents are drawn more often while it trains. No groups are told to it.

    At the beginning of each epoch all rows trained on are encoded, and drawn by weights that are
    large where the histograms of the latents are low (see `resampling`); rows of each class are
    weighed against each other only. The loss is the classification's, of all rows, and the
    variational autoencoder's, of the rows of the class that is modelled (see `nets`).

    A tenth of the rows is held out for the choice of the epoch and for the verdict, unless `fit` is
    given `validation=(rows, labels)`; their losses are weighted as rows are drawn. What is None is
    chosen by the numbers of rows and values. Images are compared on [0, 1], table columns in
    standard deviations, as `Autoencoder` does.

    Attributes:
        classes_, latent_dim_: (C,) the labels, ascending; k.
        sampling_weights_: (n,) the share of the draws that each row given would have under the nets
            as fitted, with the sum 1; rows held out have theirs too.
        effective_share_: 1 / (m sum p^2) of the m rows trained on, in the last epoch.
        architecture_, reconstruction_: of the nets, and of how rows are compared.
        batch_size_, n_steps_, n_epochs_: of the training.
    """

    name: ClassVar[str] = "debias"
    settings = SETTINGS["debias"]
    capabilities: ClassVar[Capabilities] = Capabilities(
        density=None,
        discrete="native",
        scaling="standard",
        weights=True,
        supervised=True,
        latents=True,
        images=True,
        engines=("gradient",),
        uses=TRAINED,
    )

    # Using

    def predict_log_proba(self, X: Any) -> Floats:
        """(n, C) log probabilities of the classes, in the order of `classes_`."""
        check_is_fitted(self)
        data = self._middle(self._dataset(X, reset=False))
        return self.nets_.log_probabilities(self._values.stored(data))

    def predict_proba(self, X: Any) -> Floats:
        """(n, C) probabilities of the classes, in the order of `classes_`."""
        p: Floats = np.exp(self.predict_log_proba(X))
        return np.asarray(p / p.sum(1, keepdims=True))

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
        weights = self.sampling_weights_
        if X is not None:
            means, labels = self.encode(X), self.predict(X) if y is None else y
            codes = known(labels, self.classes_, len(means))
            shares = np.bincount(codes, minlength=len(self.classes_)) / len(codes)
            weights = Resampling(self, shares).probabilities(self.histograms_, means, codes)
        elif y is not None:
            raise InputError("y is given without X; give the rows that the labels are of.")
        order = np.argsort(-weights, kind="stable").astype(np.int64)
        each = list(self.histograms_.values())
        return RareRegions(
            classes=self.classes_[list(self.histograms_)],
            edges=np.stack([h.edges for h in each]),
            counts=np.stack([h.counts for h in each]),
            density=np.stack([h.density for h in each]),
            rows=order,
            weights=weights[order],
        )

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
        labels = self.predict(X)
        right = labels == self.classes_[known(y, self.classes_, len(labels))]
        return group_accuracy(right, groups)

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
        return compare(self, rows, held, tuple(seeds), **fit)

    # What the contract asks for

    def _given(
        self, data: Encoded, y: Any, weights: Floats | None = None, *, held_out: bool = False
    ) -> Rows:
        if not held_out:
            labels = Labels.of(y, type(self).__name__)
            labels.check(len(data), type(self).__name__)
            self.classes_ = labels.classes
            return Rows(data, weights, labels=labels.classes[labels.codes])
        if y is None:
            raise InputError("validation has no labels; give validation=(rows, labels).")
        return Rows(data, weights, labels=self.classes_[known(y, self.classes_, len(data))])

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        from .fitting import fit_debias

        fitted = fit_debias(self.get_params(), self.codec_, rows, fit, self._machine())
        self.nets_, self.histograms_ = fitted.nets, fitted.histograms
        self.architecture_ = fitted.nets.architecture
        self.reconstruction_ = fitted.nets.reconstruction
        self.latent_dim_ = self.architecture_.latent
        self.sampling_weights_ = fitted.sampling_weights
        self.effective_share_ = fitted.effective_share
        self._keep(fitted.training)
        return fitted.reasons

    @property
    def _values(self) -> Values:
        return self.reconstruction_.values

    def _encode(self, data: Dataset, **noise: Any) -> Encoded:
        # Cells are not filled in: there is no density that could rise without end.
        return super()._encode(data, **noise | {"draw": None})

    def _codes(self, rows: Rows) -> Floats:
        return self.nets_.latents(self._values.stored(rows.data))[0]

    def _rows(self, z: Floats, context: Floats | None) -> Encoded:
        rows = self._values.encoded(self.nets_.decode(z))
        return self.codec_.expected(rows) if isinstance(self.codec_, ImageCodec) else rows

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        state = {
            "architecture": self.architecture_.to_json(),
            "layout": self.reconstruction_.to_json(),
            "classes": self.classes_.tolist(),
            "classes_dtype": self.classes_.dtype.str,
            "histograms": list(self.histograms_),
            "effective_share": self.effective_share_,
            **self._training_state(),
        }
        arrays = {f"nets.{name}": array for name, array in self.nets_.arrays().items()}
        for c, histogram in self.histograms_.items():
            arrays |= {f"{c}.{name}": getattr(histogram, name) for name in _HISTOGRAM}
        return state, arrays | {"sampling_weights": self.sampling_weights_}

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        from ..nets.coder import Architecture
        from .backend import TorchDebias

        self.architecture_ = Architecture.from_json(state["architecture"])
        self.reconstruction_ = Reconstruction.from_json(state["layout"])
        self.latent_dim_ = self.architecture_.latent
        self.classes_ = np.array(state["classes"], dtype=state["classes_dtype"])
        self.effective_share_ = float(state["effective_share"])
        self._restore_training(state)
        self.sampling_weights_ = np.array(arrays["sampling_weights"])
        self.histograms_ = {
            int(c): Histograms(*(np.array(arrays[f"{c}.{name}"]) for name in _HISTOGRAM))
            for c in state["histograms"]
        }
        nets = {k.removeprefix("nets."): v for k, v in arrays.items() if k.startswith("nets.")}
        self.nets_ = TorchDebias(self.architecture_, self.reconstruction_, 0, self._device())
        self.nets_.load(nets)
