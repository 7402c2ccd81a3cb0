"""What an estimator with nets keeps of their training, and where it computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .settings import TrainingSettings

if TYPE_CHECKING:
    from .device import Machine
    from .trainer import Training


class Trained(TrainingSettings):
    """What an estimator with nets keeps of their training, and the device that it computes on.

    Attributes:
        n_steps_, n_epochs_: taken in training.
        batch_size_: rows a step that fitted in memory; 0 where nothing was trained.
        training_: settings of the training that were left open, as they were chosen.
    """

    n_steps_: int
    n_epochs_: float
    batch_size_: int
    training_: dict[str, Any]

    def _machine(self, backend: str = "pyro") -> Machine:
        """What a fit computes on."""
        from .device import Machine

        return Machine.of(self.device, self.devices, backend)

    def _device(self) -> Any:
        """Where a loaded fit computes."""
        from .device import device_to_load

        return device_to_load(self.device)

    def _keep(self, training: Training | None, **chosen: Any) -> None:
        """Keep a training, None where there was nothing to train, and what else was `chosen`."""
        self.n_steps_, self.n_epochs_, self.batch_size_, self.training_ = 0, 0.0, 0, chosen
        if training is not None:
            self.n_steps_, self.n_epochs_ = training.outcome.steps, training.outcome.epochs
            self.batch_size_ = training.batch_size
            self.training_ = {**training.chosen(), **chosen}

    def _architecture(self) -> Any:
        """What the nets are made of."""
        return self.architecture_  # type: ignore[attr-defined]

    def _resolved(self) -> Mapping[str, Any]:
        made = self._architecture().to_json()
        made["latent_dim"] = made.get("latent")
        return {k: v for k, v in made.items() if v or v is False} | self.training_

    def _training_state(self) -> dict[str, Any]:
        return {
            "n_steps": self.n_steps_,
            "n_epochs": self.n_epochs_,
            "batch_size": self.batch_size_,
            "chosen": self.training_,
        }

    def _restore_training(self, state: Mapping[str, Any]) -> None:
        self.n_steps_, self.n_epochs_ = state["n_steps"], state["n_epochs"]
        self.batch_size_ = int(state.get("batch_size", 0))
        self.training_ = dict(state.get("chosen", {}))
