"""`DebiasingVAE`: the class users meet, which binds the nets, the resampling and a codec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ...arrays import Array, Floats
from ...artifact import Arrays
from ...capabilities import REACH, TRAINED, Capabilities
from ...data import Dataset
from ...errors import InputError
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason
from ..classifier import Classifier, numbers
from ..nets.coded import CodedEstimator
from .group_comparison import Comparison, compare
from .resampling import Histograms, RareRegions, Resampling
from .settings import SETTINGS, DebiasingSettings

_HISTOGRAM = ("edges", "counts", "density")


class DebiasingVAE(DebiasingSettings, Classifier, CodedEstimator):
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
        predicts="class",
        images=True,
        engines=("gradient",),
        uses=TRAINED,
        reach=REACH,
    )

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
            codes = numbers(labels, self.classes_, len(means))
            shares = np.bincount(codes, minlength=len(self.classes_)) / len(codes)
            weights = Resampling(self, shares).probabilities(self.histograms_, means, codes)
        elif y is not None:
            raise InputError("y is given without X; give the rows that the labels are of.")
        order = np.argsort(-weights, kind="stable").astype(np.int64)
        each = list(self.histograms_.values())
        return RareRegions(
            classes=self.classes_[list(self.histograms_)],
            **{name: np.stack([getattr(h, name) for h in each]) for name in _HISTOGRAM},
            rows=order,
            weights=weights[order],
        )

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

    def _log_probabilities(self, data: Dataset) -> Floats:
        log_p: Floats = self.nets_.log_probabilities(self._values.stored(self._middle(data)))
        return log_p

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        from .fitting import fit_debias

        fitted = fit_debias(self._chosen(), self.codec_, rows, fit, self._machine())
        self.histograms_ = fitted.histograms
        self.sampling_weights_ = fitted.sampling_weights
        self.effective_share_ = fitted.effective_share
        self._keep_nets(fitted.nets, fitted.training)
        return fitted.reasons

    def _resolved(self) -> Mapping[str, Any]:
        weight = float(self.reconstruction_weight) / self._values.size
        return {**super()._resolved(), "kl_weight": weight}

    @staticmethod
    def _nets(architecture: Any, reconstruction: Any, device: Any) -> Any:
        from .backend import TorchDebias

        return TorchDebias(architecture, reconstruction, 0, device)

    def _codes(self, rows: Rows) -> Floats:
        codes: Floats = self.nets_.latents(self._values.stored(rows.data))[0]
        return codes

    def _state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        state = self._nets_state() | {
            "classes": self.classes_.tolist(),
            "classes_dtype": self.classes_.dtype.str,
            "histograms": list(self.histograms_),
            "effective_share": self.effective_share_,
        }
        arrays = {f"nets.{name}": array for name, array in self.nets_.arrays().items()}
        for c, histogram in self.histograms_.items():
            arrays |= {f"{c}.{name}": getattr(histogram, name) for name in _HISTOGRAM}
        return state, arrays | {"sampling_weights": self.sampling_weights_}

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        self.classes_ = np.array(state["classes"], dtype=state["classes_dtype"])
        self.effective_share_ = float(state["effective_share"])
        self.sampling_weights_ = np.array(arrays["sampling_weights"])
        self.histograms_ = {
            int(c): Histograms(*(np.array(arrays[f"{c}.{name}"]) for name in _HISTOGRAM))
            for c in state["histograms"]
        }
        nets = {k.removeprefix("nets."): v for k, v in arrays.items() if k.startswith("nets.")}
        self._restore_nets(state, nets)
