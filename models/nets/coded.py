"""What estimators do alike whose rows are coded and decoded by a `TorchCoder`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...arrays import Floats
from ...artifact import Arrays
from ...data import Codec, Dataset, Encoded, ImageCodec
from ..latent import LatentEstimator
from .reconstruction import Reconstruction
from .trained import Trained
from .trainer import Training
from .values import Values

if TYPE_CHECKING:
    from .coder import Architecture


class CodedEstimator(Trained, LatentEstimator):
    """An estimator with an encoder and a decoder of rows.

    Attributes:
        nets_: the trained nets.
        architecture_, reconstruction_: what they are made of, and how rows are compared.
    """

    codec_: Codec | ImageCodec
    nets_: Any
    architecture_: Architecture
    reconstruction_: Reconstruction

    @staticmethod
    @abstractmethod
    def _nets(architecture: Architecture, reconstruction: Reconstruction, device: Any) -> Any:
        """Nets whose weights are loaded next."""

    @property
    def _values(self) -> Values:
        return self.reconstruction_.values

    def _keep_nets(self, nets: Any, training: Training | None) -> None:
        self.nets_, self.architecture_ = nets, nets.architecture
        self.reconstruction_, self.latent_dim_ = nets.reconstruction, nets.architecture.latent
        self._keep(training)

    def _encode(self, data: Dataset, **noise: Any) -> Encoded:
        # Cells are not filled in: there is no density that could rise without end.
        return super()._encode(data, **noise | {"draw": None})

    def _rows(self, z: Floats, context: Floats | None) -> Encoded:
        rows = self._values.encoded(self.nets_.decode(z))
        return self.codec_.expected(rows) if isinstance(self.codec_, ImageCodec) else rows

    def _nets_state(self) -> dict[str, Any]:
        return {
            "architecture": self.architecture_.to_json(),
            "layout": self.reconstruction_.to_json(),
            **self._training_state(),
        }

    def _restore_nets(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        from .coder import Architecture

        self.architecture_ = Architecture.from_json(state["architecture"])
        self.reconstruction_ = Reconstruction.from_json(state["layout"])
        self.latent_dim_ = self.architecture_.latent
        self._restore_training(state)
        self.nets_ = self._nets(self.architecture_, self.reconstruction_, self._device())
        self.nets_.load(arrays)
