"""`Autoencoder`: the class users meet, which binds the nets, the training loop and a codec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from ...arrays import Array, Floats
from ...artifact import Arrays
from ...capabilities import REACH, TRAINED, Capabilities
from ...errors import InputError
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason
from ..nets.coded import CodedEstimator
from .settings import SETTINGS, AutoencoderSettings


class Autoencoder(AutoencoderSettings, OutlierMixin, CodedEstimator):  # type: ignore[misc]
    """A net f that writes a row as k numbers, and a net g that reads them: g(f(x)) is near x.

    A scikit-learn transformer, whose codes feed other models, and an outlier detector: rows that it
    cannot reconstruct are unlike those it was fitted to. It has no density, and `y` is ignored.

    Of the rows a tenth is held out for early stopping, unless `fit` is given `validation`; equal
    rows are never split. What is None is chosen by the numbers of rows and values (see `sizes`).
    Images are compared on [0, 1], table columns in standard deviations (see `reconstruction`). In
    the trace, loss and minus validation are shares of the error of the best constant row.

    Attributes:
        latent_dim_: k.
        offset_: minus the reconstruction error from which on a row is an outlier.
        batch_size_, n_steps_, n_epochs_: of the training.
        architecture_: what the nets are made of.
        reconstruction_: how rows are compared.
    """

    name: ClassVar[str] = "autoencoder"
    settings = SETTINGS["autoencoder"]
    capabilities: ClassVar[Capabilities] = Capabilities(
        density=None,
        discrete="native",
        scaling="standard",
        weights=True,
        latents=True,
        errors=True,
        predicts="inlier",
        images=True,
        uses=TRAINED,
        reach=REACH,
    )

    def reconstruction_error(self, X: Any, y: Any = None) -> Floats:
        """(n,) how far each row is from its reconstruction: the mean over its values of the squared
        difference or the cross-entropy, in the model's units (see `reconstruction`).

        Args:
            X: rows as in `fit`.
            y: None; the codes are of X alone.
        """
        check_is_fitted(self)
        self._refuse_unused(y)
        data = self._middle(self._dataset(X, reset=False))
        errors: Floats = self.nets_.errors(self._values.stored(data))
        return errors

    def score_samples(self, X: Any) -> Floats:
        """(n,) minus the reconstruction error: the higher, the more ordinary. No log density."""
        return -self.reconstruction_error(X)

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples`, for `cross_val_score` and `GridSearchCV`; y is ignored."""
        return float(np.mean(self.score_samples(X)))

    def decision_function(self, X: Any) -> Floats:
        """(n,) `score_samples` minus `offset_`; negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """(n,) -1 for outliers and rows whose error is beyond numbers, 1 for the rest."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def corrupt(self, X: Any, *, random_state: Any = None) -> Any:
        """Rows with the noise that this fit learnt to remove.

        Args:
            X: rows as in `fit`.
            random_state: seed of the noise; None takes the fit's.

        Returns:
            Rows as they were given, with None or NaN for a masked level; images in the type that
            was fitted, whole numbers rounded and kept to their range.

        Raises:
            InputError: if the fit has no noise.
        """
        check_is_fitted(self)
        if self.noise is None:
            raise InputError('the fit has no noise; set noise="gaussian" or another.')
        data = self._dataset(X, reset=False)
        seed = self._seed(random_state)
        noise = (self.noise, float(self.noise_level))
        stored = self._values.stored(self._middle(data))
        return self._returned(data, self._values.encoded(self.nets_.corrupt(stored, noise, seed)))

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        from .fitting import fit_nets

        fitted = fit_nets(self._chosen(), self.codec_, rows, fit, self._machine())
        self.offset_ = fitted.offset
        self._keep_nets(fitted.nets, fitted.training)
        return fitted.reasons

    def _resolved(self) -> Mapping[str, Any]:
        found = {"kind": self.architecture_.net, "loss": self.reconstruction_.loss}
        return {**super()._resolved(), **found}

    @staticmethod
    def _nets(architecture: Any, reconstruction: Any, device: Any) -> Any:
        from .backend import TorchAutoencoder

        return TorchAutoencoder(architecture, reconstruction, 0, device)

    def _codes(self, rows: Rows) -> Floats:
        codes: Floats = self.nets_.encode(self._values.stored(rows.data))
        return codes

    def _state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        return self._nets_state() | {"offset": self.offset_}, self.nets_.arrays()

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        self.offset_ = float(state["offset"])
        self._restore_nets(state, arrays)
