"""`NormalizingFlow`: the class users meet, which binds a pair, the training loop and a codec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ...artifact import Arrays
from ...capabilities import REACH, TRAINED, Capabilities
from ...data import Codec, Encoded
from ...density_estimator import DensityEstimator
from ...fitting import Fit
from ...rows import Rows
from ...verdict import Reason
from ..course import course, held_out, overfit
from ..trace import DataUnits
from .plan import Plan, plan
from .settings import BACKENDS, SETTINGS

Floats = NDArray[np.float64]


class NormalizingFlow(DensityEstimator):
    """A normalizing flow: an invertible net that carries rows to a standard normal; its density is
    exact.

    Of the rows a tenth is held out for early stopping, unless `fit` is given `validation`; equal
    rows are never split. What is None is chosen by the numbers of rows and columns (see `plan`).
    """

    name: ClassVar[str] = "flow"
    settings = SETTINGS["flow"]
    codec_: Codec
    capabilities: ClassVar[Capabilities] = Capabilities(
        density="exact",
        discrete="dequantised",
        scaling="standard",
        weights=True,
        conditional=True,
        conditions=False,
        engines=("svi",),
        backends=BACKENDS,
        uses=TRAINED,
        reach=REACH,
    )

    def __init__(
        self,
        *,
        kind: Literal["nsf-ar", "nsf", "maf", "realnvp"] = "nsf-ar",
        n_transforms: int | None = None,
        hidden: Sequence[int] | None = None,
        bins: int | None = None,
        tail_bound: float = 5.0,
        lu: bool = True,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        max_epochs: int | None = None,
        backend: Literal["pyro", "numpyro"] = "pyro",
        random_state: Any = None,
    ) -> None:
        self.kind = kind
        self.n_transforms = n_transforms
        self.hidden = hidden
        self.bins = bins
        self.tail_bound = tail_bound
        self.lu = lu
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.backend = backend
        self.random_state = random_state

    def _fit(self, rows: Rows, fit: Fit) -> Iterable[Reason]:
        from ...inference.gradient import finish, train

        data, weights, context = rows.data, rows.weights, rows.context
        x, d = data.x, data.x.shape[1]
        kept = np.ones(len(x), dtype=bool) if weights is None else weights > 0
        if fit.validation is not None:
            held = np.zeros(len(x), dtype=bool)
        else:
            held = held_out(fit.units(), fit.rng()) & kept
            fit.held_out = held
        trained = np.flatnonzero(kept & ~held)
        chosen = self._plan(len(trained), d, fit)
        self.architecture_: dict[str, Any] = {
            "kind": self.kind,
            "features": max(d, 1),
            "context": 0 if context is None else context.shape[1],
            "n_transforms": chosen.n_transforms,
            "hidden": list(chosen.hidden),
            "bins": chosen.bins,
            "tail_bound": float(self.tail_bound),
            "lu": bool(self.lu),
            "dropout": chosen.dropout,
        }
        self.flow_seed_ = fit.seed
        self.flow_ = self._flow()
        self.n_steps_, self.n_epochs_ = 0, 0.0
        if d == 0:  # constants only
            return []

        def part(encoded: Encoded, which: Any) -> Any:
            c = None if context is None else context[which]
            w = None if weights is None else weights[which] / weights[trained].mean()
            return encoded.x[which], c, w

        units, evaluate, of_held = DataUnits(fit, data, trained, weights), None, None
        validation = part(data, held) if held.any() else None
        if fit.validation is not None:
            validation = (fit.validation.data.x, fit.validation.context, None)
        learner = self.flow_.learner(
            part(data, trained),
            validation,
            weight_decay=chosen.weight_decay,
            redraw=None
            if fit.redraw is None
            else (lambda epoch: part(units.redraw(epoch), trained)),
            seed=fit.seed,
        )
        if validation is not None:
            share = 1.0 if validation[2] is None else validation[2] / validation[2].mean()
            unseen = data.log_det[held] if fit.validation is None else fit.validation.data.log_det
            units.held_out(unseen, validation[2])
            of_held = fit.held_units(held if fit.validation is None else slice(None))

            def evaluate() -> Floats:
                return np.asarray(learner.evaluate() * share)

        loop = train(
            learner,
            len(trained),
            chosen.settings,
            seed=fit.seed,
            validation=evaluate,
            units=of_held,
            checkpoints=fit.checkpoints,
            deadline=fit.deadline,
        )
        outcome = finish(loop, units.report)
        self.flow_.keep(learner)
        self.n_steps_, self.n_epochs_ = outcome.steps, outcome.epochs
        found = overfit(
            self.flow_.log_prob,
            part(data, trained)[:2],
            None if validation is None else validation[:2],
            fit.rng(),
            "hidden or n_transforms",
            None if of_held is None else (fit.units()[trained], of_held),
        )
        return [*course(outcome, chosen.settings), *found]

    def _plan(self, n: int, d: int, fit: Fit) -> Plan:
        return plan(
            n,
            d,
            n_transforms=self.n_transforms,
            hidden=self.hidden,
            bins=self.bins,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            max_epochs=self.max_epochs,
            timed=fit.deadline() is not None,
        )

    def _flow(self) -> Any:
        if self.backend == "pyro":
            from .backend_torch import TorchFlow

            return TorchFlow(self.architecture_, self.flow_seed_)
        from .backend_jax import JaxFlow

        return JaxFlow(self.architecture_, self.flow_seed_)

    def _log_prob(self, data: Encoded, context: Floats | None) -> Floats:
        if data.x.shape[1] == 0:
            return np.zeros(len(data.x))
        values: Floats = self.flow_.log_prob(data.x, context)
        return values

    def _sample(
        self, n: int, rng: np.random.Generator, given: Encoded | None, context: Floats | None
    ) -> Encoded:
        d = len(self.codec_.continuous_names)
        seed = int(rng.integers(2**31 - 1))
        x = self.flow_.sample(n, seed, context) if d else np.empty((n, 0))
        return Encoded(x, np.empty((n, 0), dtype=np.int32), np.zeros(n))

    def _state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        state = {
            "architecture": self.architecture_,
            "seed": self.flow_seed_,
            "n_steps": self.n_steps_,
            "n_epochs": self.n_epochs_,
        }
        return state, self.flow_.arrays()

    def _restore(self, state: Mapping[str, Any], arrays: Arrays) -> None:
        self.architecture_ = dict(state["architecture"])
        self.flow_seed_ = int(state["seed"])
        self.n_steps_, self.n_epochs_ = state["n_steps"], state["n_epochs"]
        self.flow_ = self._flow()
        self.flow_.load(arrays)

    def _method(self) -> str:
        return "change of variables"
