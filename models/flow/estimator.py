"""`NormalizingFlow`: the class users meet, which binds a pair, the training loop and a codec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...artifact import Arrays
from ...capabilities import REACH, TRAINED, Capabilities
from ...data import Codec, Encoded
from ...density_estimator import DensityEstimator
from ...family_density import Density
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason
from ..nets.trained import Trained
from .architecture import Architecture
from .settings import SETTINGS, FlowSettings


class NormalizingFlow(FlowSettings, Trained, DensityEstimator):
    """A normalizing flow: an invertible net that carries rows to a standard normal; its density is
    exact.

    Of the rows a tenth is held out for early stopping, unless `fit` is given `validation`; equal
    rows are never split. What is None is chosen by the numbers of rows and columns (see `sizes`).
    """

    name: ClassVar[str] = "flow"
    settings = SETTINGS["flow"]
    codec_: Codec
    capabilities: ClassVar[Capabilities] = Capabilities(
        density="exact",
        method="change of variables",
        discrete="dequantised",
        scaling="standard",
        weights=True,
        conditional=True,
        conditions=False,
        distribution="differentiable",
        engines=("svi",),
        backends=("pyro", "numpyro"),
        uses=TRAINED,
        reach=REACH,
    )

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        from .fitting import fit_flow

        machine = None  # one would load torch, which takes long, and a fit on JAX needs none
        if self.backend == "pyro" or self.devices > 1 or self.device not in (None, "auto", "cpu"):
            machine = self._machine(self.backend)
        found = fit_flow(self._chosen(), rows, fit, machine)
        self.architecture_, self.flow_, self.flow_seed_ = found.architecture, found.flow, fit.seed
        self._keep(found.training)
        return found.reasons

    def _resolved(self) -> Mapping[str, Any]:
        return {**super()._resolved(), "whiten": self.architecture_.whitened}

    def _log_prob(self, rows: Rows, **how: Any) -> Density:
        x = rows.data.x
        return Density(self.flow_.log_prob(x, rows.context) if x.shape[1] else np.zeros(len(x)))

    def _sample(
        self,
        n: int,
        rng: np.random.Generator,
        given: Encoded | None,
        context: Floats | None,
        **how: Any,
    ) -> Encoded:
        d = len(self.codec_.continuous_names)
        seed = int(rng.integers(2**31 - 1))
        x = self.flow_.sample(n, seed, context) if d else np.empty((n, 0))
        return Encoded(x, np.empty((n, 0), dtype=np.int32), np.zeros(n))

    def _distribution(self, backend: Literal["numpyro", "pyro"], context: Floats | None) -> Any:
        from ..distributions.columns import Columns
        from .distribution import of_jax, of_torch

        columns = Columns.of(self.codec_, type(self).__name__)
        made = of_torch if self.backend == "pyro" else of_jax
        return made(self.flow_, context, columns, backend)

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        state = {"architecture": self.architecture_.to_json(), "seed": self.flow_seed_}
        return state | self._training_state(), self.flow_.arrays()

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        from .fitting import made

        self.architecture_ = Architecture.from_json(state["architecture"])
        self.flow_seed_ = int(state["seed"])
        self._restore_training(state)
        device = self._device() if self.backend == "pyro" else None
        self.flow_ = made(self.backend, self.architecture_, self.flow_seed_, device)
        self.flow_.load(arrays)
