"""The NumPyro learner of `inference.svi`: parameters in `numpyro.param` sites."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import optax
from numpy.typing import NDArray
from numpyro.infer import SVI, Trace_ELBO

from .jax_learner import JaxLearner, arrays

Array = NDArray[Any]


class NumpyroLearner(JaxLearner):
    """Gradient steps on the ELBO of a pair in NumPyro.

    Args:
        model, guide: called with a batch of `data` and `n_total`; functions or autoguides.
        data: arrays (n, ...) with the same rows, or None in their place.
        n_total: N, if it is not the number of rows.
        log_density: `log_density(params, *block)` -> (m,) of a block of `validation`; what
            `evaluate` gives. `params` are the values of the `numpyro.param` sites by name.
        validation: held-out arrays, as `data`.
        loss: an ELBO of `numpyro.infer`; `TraceEnum_ELBO` sums out enumerated sites.
        optimiser: of optax, for a learning rate of one: what it gives is multiplied by the rate of
            the step and added.
        clip: largest norm of the gradient.
        redraw: gives the data anew for an epoch, or None to keep them.
        seed: of the guide's draws and the initial values.
        x64: compute in double precision, whatever the process does elsewhere.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        guide: Callable[..., Any],
        data: Sequence[Any],
        *,
        n_total: int | None = None,
        log_density: Callable[..., jax.Array] | None = None,
        validation: Sequence[Any] = (),
        loss: Any = None,
        optimiser: optax.GradientTransformation | None = None,
        clip: float = 5.0,
        redraw: Callable[[int], Sequence[Any] | None] | None = None,
        seed: int = 0,
        x64: bool = False,
        block: int = 8192,
    ) -> None:
        self.model, self.guide = model, guide
        self.n_total = next(len(a) for a in data if a is not None) if n_total is None else n_total
        self.elbo = Trace_ELBO() if loss is None else loss
        with jax.enable_x64(True) if x64 else contextlib.nullcontext():
            _, start = jax.random.split(jax.random.key(seed))
            svi = SVI(model, guide, optax.identity(), self.elbo)
            first = arrays([None if a is None else a[: min(2, len(a))] for a in data])
            state = svi.init(start, *first, n_total=self.n_total)
            params = svi.optim.get_params(state.optim_state)
        self.constrain = svi.constrain_fn

        def density(params: Any, key: jax.Array, *rows: Any) -> jax.Array:
            assert log_density is not None
            return log_density(self.constrain(params), *rows)

        super().__init__(
            params,
            self._loss,
            data,
            log_density=None if log_density is None else density,
            validation=validation,
            optimiser=optimiser,
            clip=clip,
            redraw=redraw,
            seed=seed,
            x64=x64,
            block=block,
        )

    def _loss(self, params: Any, key: jax.Array, batch: list[Any], step: jax.Array) -> jax.Array:
        of = self.constrain(params)
        bound: jax.Array = self.elbo.loss(
            key, of, self.model, self.guide, *batch, n_total=self.n_total
        )
        return bound / self.n_total

    def params(self) -> dict[str, Any]:
        """Averaged values of the `numpyro.param` sites, as the model sees them."""
        with self._precision():
            found: dict[str, Any] = self.constrain(self.averaged())
            return found
