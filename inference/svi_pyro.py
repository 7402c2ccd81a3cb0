"""The Pyro learner of `inference.svi`: parameters in modules, in `pyro.param` sites, or both."""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyro
import torch
from numpy.typing import NDArray
from pyro.infer import Trace_ELBO

from .torch_learner import TorchLearner

Array = NDArray[Any]
Data = Sequence[torch.Tensor | None]


def empty_guide(*args: Any, **kwargs: Any) -> None:
    """The guide of a model without latents."""


class PyroLearner(TorchLearner):
    """Gradient steps on the ELBO of a pair in Pyro.

    Args:
        model, guide: called with a batch of `data` and `n_total`; functions, modules or autoguides.
        data: tensors (n, ...) with the same rows, or None in their place.
        module: owns parameters that neither `pyro.param` sites nor a model or guide that is a
            module own.
        n_total: N, if it is not the number of rows.
        log_density: per-row log density (m,) of a block of `validation`; what `evaluate` gives.
            Takes no `n_total`.
        validation: held-out tensors, as `data`.
        loss: an ELBO of `pyro.infer`; `TraceEnum_ELBO` sums out enumerated sites.
        optimiser: makes a torch optimiser from a list of parameters; its learning rate is set at
            each step.
        clip: largest norm of the gradient.
        redraw: gives the data anew for an epoch, or None to keep them.
        seed: of the guide's draws and of any randomness in the pair.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        guide: Callable[..., Any],
        data: Data,
        *,
        module: torch.nn.Module | None = None,
        n_total: int | None = None,
        log_density: Callable[..., torch.Tensor] | None = None,
        validation: Data = (),
        loss: Any = None,
        optimiser: Callable[[list[torch.Tensor]], torch.optim.Optimizer] | None = None,
        clip: float = 5.0,
        redraw: Callable[[int], Data | None] | None = None,
        seed: int = 0,
        block: int = 8192,
    ) -> None:
        self.model, self.guide, self.data, self.validation = (
            model,
            guide,
            tuple(data),
            tuple(validation),
        )
        self.n_total = _rows(data) if n_total is None else n_total
        self.row_density, self.renew, self.block = log_density, redraw, block
        self.elbo = Trace_ELBO() if loss is None else loss
        self._store: Any = {"params": {}, "constraints": {}}
        modules = [m for m in (module, model, guide) if isinstance(m, torch.nn.Module)]
        density = None if log_density is None else self._densities
        super().__init__({}, self._loss, modules=modules, log_density=density, seed=seed, clip=clip)
        with self.inside(), torch.no_grad():
            # One pass makes what is made lazily: autoguides, `pyro.param` sites.
            first = self._batch(torch.arange(min(2, _rows(data))))
            self.elbo.loss(model, guide, *first, n_total=self.n_total)
        owners = {"module": module, "model": model, "guide": guide}
        named: dict[int, tuple[str, torch.Tensor]] = {}
        for owner, part in owners.items():
            if isinstance(part, torch.nn.Module):
                for name, p in part.named_parameters():
                    named.setdefault(id(p), (f"{owner}.{name}", p))
        for name, p in self._store["params"].items():
            named.setdefault(id(p), (f"param.{name}", p))
        self.own(dict(named.values()), optimiser)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        # Own parameter store, own random state, no validation: all put back at the end.
        with (
            pyro.get_param_store().scope(self._store),
            pyro.validation_enabled(False),
            warnings.catch_warnings(),
            super().inside(),
        ):
            warnings.filterwarnings("ignore", "Encountered NaN")  # `train` sees it in the loss
            yield

    def _batch(self, rows: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return tuple(None if a is None else a[rows] for a in self.data)

    def _loss(self, rows: torch.Tensor, step: int) -> torch.Tensor:
        batch = self._batch(rows)
        bound = self.elbo.differentiable_loss(self.model, self.guide, *batch, n_total=self.n_total)
        return bound / self.n_total  # type: ignore[no-any-return]

    def begin_epoch(self, epoch: int) -> None:
        data = None if self.renew is None else self.renew(epoch)
        if data is not None:
            self.data = tuple(data)

    def _densities(self) -> Array:
        assert self.row_density is not None
        parts = []
        for start in range(0, _rows(self.validation), self.block):
            block = slice(start, start + self.block)
            values = [None if a is None else a[block] for a in self.validation]
            parts.append(self.row_density(*values).numpy())
        return np.concatenate(parts)

    def constrained(self, *, averaged: bool = False) -> dict[str, Array]:
        """Values of the `pyro.param` sites, as the model sees them."""
        of = self.averaged() if averaged else contextlib.nullcontext()
        with of, self.inside(), torch.no_grad():
            return {k: v.detach().numpy().copy() for k, v in pyro.get_param_store().items()}


def _rows(data: Data) -> int:
    return next(len(a) for a in data if a is not None)
