"""`DebiasingVAE`: the class users meet, which binds the nets, the resampling and a codec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ...artifact import Arrays
from ...capabilities import TRAINED, Capabilities
from ...data import Dataset, Encoded, ImageCodec
from ...errors import InputError
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason
from .answers import DebiasedClassifier
from .labels import Labels, known
from .settings import SETTINGS

if TYPE_CHECKING:
    from ...data.augment import Augment

Floats = NDArray[np.float64]


class DebiasingVAE(DebiasedClassifier):
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
        architecture_, layout_: of the nets, and of how rows are compared.
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

    def __init__(
        self,
        latent_dim: int | None = None,
        *,
        net: Literal["auto", "mlp", "conv"] = "auto",
        hidden: Sequence[int] | None = None,
        channels: Sequence[int] | None = None,
        activation: str = "silu",
        dropout: float = 0.0,
        alpha: float = 0.1,
        combine: Literal["product", "max"] = "product",
        bins: int = 50,
        smoothing: float = 1.0,
        modelled: Any = None,
        class_shares: Literal["data", "equal"] = "data",
        resample: bool = True,
        reconstruction_weight: float = 1.0,
        kl_weight: float | None = None,
        weight_decay: float = 0.0,
        augment: Augment | Mapping[str, Any] | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        max_epochs: int | None = None,
        device: str | None = None,
        random_state: Any = None,
    ) -> None:
        self.latent_dim = latent_dim
        self.net = net
        self.hidden = hidden
        self.channels = channels
        self.activation = activation
        self.dropout = dropout
        self.alpha = alpha
        self.combine = combine
        self.bins = bins
        self.smoothing = smoothing
        self.modelled = modelled
        self.class_shares = class_shares
        self.resample = resample
        self.reconstruction_weight = reconstruction_weight
        self.kl_weight = kl_weight
        self.weight_decay = weight_decay
        self.augment = augment
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.device = device
        self.random_state = random_state

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

        return fit_debias(self, rows, fit)

    def _encode(self, data: Dataset, **noise: Any) -> Encoded:
        # Cells are not filled in: there is no density that could rise without end.
        return super()._encode(data, **noise | {"draw": None})

    def _codes(self, data: Encoded, context: Floats | None) -> Floats:
        return np.asarray(self.nets_.latents(self.layout_.stored(data))[0])

    def _rows(self, z: Floats, context: Floats | None) -> Encoded:
        rows: Encoded = self.layout_.encoded(self.nets_.decode(z))
        return self.codec_.expected(rows) if isinstance(self.codec_, ImageCodec) else rows

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        from .sampling_weights import state_of

        return state_of(self)

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        from .sampling_weights import restore

        restore(self, state, arrays)
