"""`NormalizingFlow`: the class users meet, which binds a pair, the training loop and a codec."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ...artifact import Arrays
from ...capabilities import Capabilities
from ...data import Encoded
from ...errors import InputError, did_you_mean
from ...estimator import DensityEstimator
from ...fitting import Fit
from ...verdict import Reason
from .plan import Plan, plan

KINDS = ("nsf-ar", "nsf", "maf", "realnvp")
BACKENDS = ("pyro", "numpyro")
_FEW = 20  # rows below which none are held out
_SOME = 2000  # rows that overfitting is looked for on

Floats = NDArray[np.float64]


class NormalizingFlow(DensityEstimator):
    """A normalizing flow: an invertible net that carries rows to a standard normal; its density is exact.

    Of the rows a tenth is held out for early stopping, unless `fit` is given `validation`; equal rows are
    never split. What is None is chosen by the numbers of rows and columns (see `plan`).

    Args:
        kind: "nsf-ar" neural spline, autoregressive; "nsf" neural spline, coupling: faster to sample from in many
            columns; "maf" affine autoregressive; "realnvp" affine coupling.
        n_transforms: layers.
        hidden: sizes of the hidden layers in each layer's net, such as (64, 64).
        bins: of the splines.
        tail_bound: in standard deviations; the splines are the identity beyond.
        lu: whether LU linear maps stand between the layers; without, the order of the columns alternates.
        batch_size: rows a step.
        learning_rate: the highest; it falls to 0 as a cosine over `max_epochs` or the budget.
        max_epochs: passes over the rows at most.
        backend: "pyro" (zuko, torch) or "numpyro" (FlowJAX, JAX).
        random_state: seed of initial weights, held-out rows, batches and what is drawn.
    """

    name: ClassVar[str] = "flow"
    capabilities: ClassVar[Capabilities] = Capabilities(
        density="exact",
        discrete="dequantised",
        scaling="standard",
        weights=True,
        conditional=True,
        conditions=False,
        engines=("svi",),
        backends=BACKENDS,
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

    def _fit(
        self, data: Encoded, weights: Floats | None, context: Floats | None, fit: Fit
    ) -> Iterable[Reason]:
        from ...inference.gradient import finish, train

        self._check()
        x, d = data.x, data.x.shape[1]
        kept = np.ones(len(x), dtype=bool) if weights is None else weights > 0
        if fit.validation is not None:
            held = np.zeros(len(x), dtype=bool)
        else:
            held = held_out(x, fit.rng()) & kept
        rows = np.flatnonzero(kept & ~held)
        chosen = self._plan(len(rows), d, fit)
        self.architecture_: dict[str, Any] = {
            "kind": self.kind,
            "features": d,
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
        if d == 0:
            return []

        def part(encoded: Encoded, which: Any) -> Any:
            c = None if context is None else context[which]
            w = None if weights is None else weights[which] / weights[rows].mean()
            return encoded.x[which], c, w

        redraw, evaluate = fit.redraw, None
        validation = part(data, held) if held.any() else None
        if fit.validation is not None:
            validation = (fit.validation.x, fit.validation_context, None)
        learner = self.flow_.learner(
            part(data, rows),
            validation,
            weight_decay=chosen.weight_decay,
            redraw=None if redraw is None else (lambda epoch: part(redraw(epoch), rows)),
            seed=fit.seed,
        )
        if validation is not None:
            share = 1.0 if validation[2] is None else validation[2] / validation[2].mean()

            def evaluate() -> Floats:
                return np.asarray(learner.evaluate() * share)

        loop = train(
            learner,
            len(rows),
            chosen.settings,
            seed=fit.seed,
            validation=evaluate,
            checkpoints=fit.checkpoints,
            deadline=fit.deadline,
        )
        outcome = finish(loop, fit.report)
        self.flow_.keep(learner)
        self.n_steps_, self.n_epochs_ = outcome.steps, outcome.epochs
        return [*_course(outcome, chosen), *self._overfit(part(data, rows), validation, fit)]

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
        d = self.architecture_["features"]
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

    def _check(self) -> None:
        for name, value, options in (
            ("kind", self.kind, KINDS),
            ("backend", self.backend, BACKENDS),
        ):
            if value not in options:
                raise InputError(
                    f"{name} is {value!r}; expected one of {', '.join(options)}."
                    + did_you_mean(str(value), options)
                )
        sizes = {
            "n_transforms": (self.n_transforms, 1),
            "bins": (self.bins, 2),
            "batch_size": (self.batch_size, 1),
            "max_epochs": (self.max_epochs, 1),
        }
        for name, (value, least) in sizes.items():
            if value is not None and (not isinstance(value, int | np.integer) or value < least):
                raise InputError(f"{name} is {value!r}; expected None or an integer >= {least}.")
        if self.hidden is not None and (not len(self.hidden) or min(self.hidden) < 1):
            raise InputError(f"hidden is {self.hidden!r}; expected sizes such as (64, 64).")
        for name, number in (
            ("tail_bound", self.tail_bound),
            ("learning_rate", self.learning_rate),
        ):
            if number is not None and not 0 < number < math.inf:
                raise InputError(f"{name} is {number!r}; expected a positive number.")

    def _overfit(self, rows: Any, validation: Any, fit: Fit) -> list[Reason]:
        if validation is None:
            return [
                Reason(
                    "warn",
                    f"{len(rows[0])} rows are too few to hold any out, so nothing stopped the net early.",
                    "Give validation rows, or use gaussian or kde.",
                )
            ]
        seen, unseen = (self._some(part, fit) for part in (rows, validation))
        gap = seen.mean() - unseen.mean()
        stderr = math.sqrt(seen.var() / len(seen) + unseen.var() / len(unseen))
        if gap < max(0.1 * rows[0].shape[1], 3 * stderr):
            return []
        return [
            Reason(
                "warn",
                f"rows trained on are {gap:.2g} nats likelier than held-out ones (± {stderr:.2g}).",
                "The net is too large for these rows: give more rows, or a smaller hidden or n_transforms.",
            )
        ]

    def _some(self, part: Any, fit: Fit) -> Floats:
        """Log densities of some rows: enough to see a gap, few enough to cost nothing."""
        x, context, _ = part
        some = fit.rng().choice(len(x), size=min(_SOME, len(x)), replace=False)
        values: Floats = self.flow_.log_prob(x[some], None if context is None else context[some])
        return values


def held_out(x: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which rows are held out: a tenth (a fifth of few rows, none of very few); equal rows go together."""
    n = len(x)
    if n < _FEW or x.shape[1] == 0:
        return np.zeros(n, dtype=bool)
    _, group = np.unique((x * rng.normal(size=x.shape[1])).sum(axis=1), return_inverse=True)
    groups = group.max() + 1
    wanted = min(max(n // 10, min(n // 5, 100)), 10_000) / n
    order = rng.permutation(groups)
    held: NDArray[np.bool_] = order[group] < round(wanted * groups)
    return held


def _course(outcome: Any, chosen: Plan) -> list[Reason]:
    if outcome.why == "diverged":
        return [
            Reason(
                "failed",
                f"the loss was not finite {outcome.rollbacks + 1} times, at half the rate each time.",
                f"Lower learning_rate (it was {chosen.settings.learning_rate:g}) or look for outliers.",
            )
        ]
    found = []
    gain, stderr = outcome.improvement, outcome.improvement_stderr
    if outcome.why in ("budget", "max_epochs") and gain - 2 * stderr > 0.01:
        limit = "the budget" if outcome.why == "budget" else "max_epochs"
        found.append(
            Reason(
                "warn",
                f"still improving when {limit} ended ({gain:.2g} nats over the last evaluations).",
                f"Raise {'budget' if outcome.why == 'budget' else limit}.",
            )
        )
    return found
