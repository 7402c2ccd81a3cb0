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
from ..nets.held_out import Split, Subset
from ..nets.record import DataUnits
from ..nets.trainer import COMPARED, Trained, Trainer
from .architecture import Architecture
from .settings import SETTINGS, FlowSettings
from .sizes import sizes_for


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
        split = Split(rows, fit)
        d = rows.data.x.shape[1]
        sizes = sizes_for(len(split.numbers), d, self._chosen(), timed=fit.deadline() is not None)
        self.architecture_ = Architecture(
            self.kind,
            max(d, 1),
            0 if rows.context is None else rows.context.shape[1],
            sizes.n_transforms,
            sizes.hidden,
            sizes.bins,
            float(self.tail_bound),
            bool(self.lu),
            sizes.dropout,
        )
        self.flow_seed_ = fit.seed
        machine = self._machine(self.backend)
        self.flow_ = self._flow(machine.device)
        if d == 0:  # constants only
            self._keep(None)
            return []
        seen, unseen = split.subsets(_columns)
        trainer = Trainer(fit, seen, unseen, sizes.training, machine=machine)

        def log_prob(some: Subset) -> Floats:
            return np.asarray(self.flow_.log_prob(*some.values()))

        evaluated = trainer.evaluating(log_prob)
        looked, trainer.after = trainer.looking(log_prob, 2 * COMPARED)
        trainer.record = record = DataUnits(fit, seen, evaluated)
        learner = self.flow_.learner(
            seen,
            evaluated,
            weight_decay=sizes.weight_decay,
            redraw=record.redraw(_columns),
            seed=fit.seed,
        )
        training = trainer.train(learner)
        self.flow_.keep(learner)
        self._keep(training)
        smaller = "a smaller hidden, or fewer n_transforms"
        return trainer.judge_density(training, self.flow_.log_prob, smaller, -(-looked // 2))

    def _flow(self, device: Any) -> Any:
        if self.backend == "pyro":
            from .backend_torch import TorchFlow

            return TorchFlow(self.architecture_, self.flow_seed_, device)
        from .backend_jax import JaxFlow

        return JaxFlow(self.architecture_, self.flow_seed_)

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
        self.architecture_ = Architecture.from_json(state["architecture"])
        self.flow_seed_ = int(state["seed"])
        self._restore_training(state)
        self.flow_ = self._flow(self._device())
        self.flow_.load(arrays)


def _columns(data: Encoded) -> Floats:
    return np.asarray(data.x)
