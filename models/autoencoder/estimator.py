"""`Autoencoder`: the class users meet, which binds the nets, the training loop and a codec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from ...artifact import Arrays
from ...capabilities import TRAINED, Capabilities
from ...checks import seed_of
from ...conditioning import refuse_unused
from ...data import Dataset, Encoded, ImageCodec
from ...errors import InputError
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason
from ..latent import LatentEstimator
from .layout import Layout
from .settings import SETTINGS

if TYPE_CHECKING:
    from ...data.augment import Augment

Floats = NDArray[np.float64]


class Autoencoder(OutlierMixin, LatentEstimator):  # type: ignore[misc]
    """A net f that writes a row as k numbers, and a net g that reads them: g(f(x)) is near x.

    A scikit-learn transformer, whose codes feed other models, and an outlier detector: rows that it
    cannot reconstruct are unlike those it was fitted to. It has no density, and `y` is ignored.

    Of the rows a tenth is held out for early stopping, unless `fit` is given `validation`; equal
    rows are never split. What is None is chosen by the numbers of rows and values (see `plan`).
    Images are compared on [0, 1], table columns in standard deviations (see `layout`). In the
    trace, loss and minus validation are shares of the error of the best constant row.

    Attributes:
        latent_dim_: k.
        offset_: minus the reconstruction error from which on a row is an outlier.
        batch_size_: rows a step that fitted in memory; 0 where nothing was trained.
        n_steps_, n_epochs_: taken in training.
        architecture_: what the nets are made of.
        layout_: how rows are compared.
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
        images=True,
        uses=TRAINED,
    )

    def __init__(
        self,
        latent_dim: int | None = None,
        *,
        kind: Literal["auto", "mlp", "linear", "conv"] = "auto",
        hidden: Sequence[int] | None = None,
        channels: Sequence[int] | None = None,
        activation: str = "silu",
        noise: Literal["gaussian", "masking", "salt_and_pepper"] | None = None,
        noise_level: float = 0.3,
        loss: Literal["auto", "squared", "cross_entropy"] = "auto",
        weight_decay: float = 0.0,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        max_epochs: int | None = None,
        augment: Augment | Mapping[str, Any] | None = None,
        contamination: float = 0.01,
        device: str | None = None,
        random_state: Any = None,
    ) -> None:
        self.latent_dim = latent_dim
        self.kind = kind
        self.hidden = hidden
        self.channels = channels
        self.activation = activation
        self.noise = noise
        self.noise_level = noise_level
        self.loss = loss
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.augment = augment
        self.contamination = contamination
        self.device = device
        self.random_state = random_state

    # Using

    def reconstruction_error(self, X: Any, y: Any = None) -> Floats:
        """(n,) how far each row is from its reconstruction: the mean over its values of the squared
        difference or the cross-entropy, in the model's units (see `layout`).

        Args:
            X: rows as in `fit`.
            y: None; the codes are of X alone.
        """
        check_is_fitted(self)
        refuse_unused(self, y)
        data = self._middle(self._dataset(X, reset=False))
        errors: Floats = self.nets_.errors(self.layout_.stored(data))
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
        """(n,) -1 for outliers, 1 for the rest."""
        return np.where(self.decision_function(X) < 0, -1, 1)

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
        seed = seed_of(self.random_state if random_state is None else random_state)
        of = (self.noise, float(self.noise_level))
        stored = self.layout_.stored(self._middle(data))
        return self._returned(data, self.layout_.encoded(self.nets_.corrupt(stored, of, seed)))

    # What a family writes

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        from .fitting import fit_nets

        return fit_nets(self, rows.data, rows.weights, fit)

    def _encode(self, data: Dataset, **noise: Any) -> Encoded:
        # Cells are not filled in: there is no density that could rise without end.
        return super()._encode(data, **noise | {"draw": None})

    def _codes(self, data: Encoded, context: Floats | None) -> Floats:
        return self.nets_.encode(self.layout_.stored(data))

    def _rows(self, z: Floats, context: Floats | None) -> Encoded:
        rows = self.layout_.encoded(self.nets_.decode(z))
        return self.codec_.expected(rows) if isinstance(self.codec_, ImageCodec) else rows

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        state = {
            "architecture": self.architecture_.to_json(),
            "layout": self.layout_.to_json(),
            "offset": self.offset_,
            "batch_size": self.batch_size_,
            "n_steps": self.n_steps_,
            "n_epochs": self.n_epochs_,
        }
        return state, self.nets_.arrays()

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        from ..nets.machine import device_of
        from .backend import TorchAutoencoder
        from .nets import Architecture

        self.architecture_ = Architecture.from_json(state["architecture"])
        self.layout_ = Layout.from_json(state["layout"])
        self.latent_dim_ = self.architecture_.latent
        self.offset_, self.batch_size_ = float(state["offset"]), int(state["batch_size"])
        self.n_steps_, self.n_epochs_ = state["n_steps"], state["n_epochs"]
        try:
            device = device_of(self.device)
        except InputError:  # fitted on another machine
            device = device_of(None)
        self.nets_ = TorchAutoencoder(self.architecture_, self.layout_, 0, device)
        self.nets_.load(arrays)
