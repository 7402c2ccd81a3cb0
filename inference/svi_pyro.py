"""The Pyro learner of `inference.svi`: parameters in modules, in `pyro.param` sites, or both."""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyro
import torch
from numpy.typing import NDArray
from pyro.infer import Trace_ELBO

Array = NDArray[Any]
Data = Sequence[torch.Tensor | None]


def empty_guide(*args: Any, **kwargs: Any) -> None:
    """The guide of a model without latents."""


class PyroLearner:
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
        self.log_density, self.redraw, self.clip, self.block, self.seed = (
            log_density,
            redraw,
            clip,
            block,
            seed,
        )
        self.loss = Trace_ELBO() if loss is None else loss
        self._modules = [m for m in (module, model, guide) if isinstance(m, torch.nn.Module)]
        self._store: Any = {"params": {}, "constraints": {}}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._rng = torch.get_rng_state()
        with self._inside(), torch.no_grad():
            # One pass makes what is made lazily: autoguides, `pyro.param` sites.
            first = self._batch(torch.arange(min(2, _rows(data))))
            self.loss.loss(model, guide, *first, n_total=self.n_total)
        owners = {"module": module, "model": model, "guide": guide}
        named: dict[int, tuple[str, torch.Tensor]] = {}
        for owner, part in owners.items():
            if isinstance(part, torch.nn.Module):
                for name, p in part.named_parameters():
                    named.setdefault(id(p), (f"{owner}.{name}", p))
        for name, p in self._store["params"].items():
            named.setdefault(id(p), (f"param.{name}", p))
        self.parameters = {name: p for name, p in named.values() if p.requires_grad}
        self._list = list(self.parameters.values())
        make = optimiser or (lambda ps: torch.optim.Adam(ps, fused=True))
        self.optimiser = make(self._list)
        self.averages = [p.detach().clone() for p in self._list]

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        # Own parameter store, own random state, no validation: all put back at the end.
        with (
            pyro.get_param_store().scope(self._store),
            pyro.validation_enabled(False),
            torch.random.fork_rng(devices=[]),
            warnings.catch_warnings(),
        ):
            warnings.filterwarnings("ignore", "Encountered NaN")  # `train` sees it in the loss
            torch.set_rng_state(self._rng)
            yield
            self._rng = torch.get_rng_state()

    @contextlib.contextmanager
    def _mode(self, *, training: bool) -> Iterator[None]:
        # Dropout and the like are on in steps only.
        for m in self._modules:
            m.train(training)
        yield
        for m in self._modules:
            m.eval()

    def _batch(self, rows: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return tuple(None if a is None else a[rows] for a in self.data)

    def begin_epoch(self, epoch: int) -> None:
        data = None if self.redraw is None else self.redraw(epoch)
        if data is not None:
            self.data = tuple(data)

    def run(self, batches: NDArray[np.int64], rates: NDArray[np.float64]) -> Array:
        losses: list[float] = []
        with self._inside(), self._mode(training=True):
            for rows, rate in zip(torch.from_numpy(batches), rates.tolist(), strict=True):
                for group in self.optimiser.param_groups:
                    group["lr"] = rate
                self.optimiser.zero_grad(set_to_none=True)
                elbo = self.loss.differentiable_loss(
                    self.model, self.guide, *self._batch(rows), n_total=self.n_total
                )
                loss = elbo / self.n_total
                losses.append(loss.item())
                if not np.isfinite(losses[-1]):
                    break
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self._list, self.clip)
                self.optimiser.step()
        return np.asarray(losses)

    def average(self, decay: float) -> None:
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, [p.detach() for p in self._list], 1 - decay)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Within it, the parameters are their averages."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for i, p in enumerate(self._list):
            p.data, self.averages[i] = self.averages[i], p.data

    def keep_average(self) -> None:
        """Leave the parameters at their averages: what the fit gives."""
        with torch.no_grad():
            torch._foreach_copy_(self._list, self.averages)

    def evaluate(self) -> Array:
        """Log density (m,) of each held-out row under the averaged weights; the same draws each
        time."""
        if self.log_density is None:
            raise ValueError("log_density is None; give it to evaluate on held-out rows.")
        saved = self._rng
        try:
            with torch.random.fork_rng(devices=[]):
                self._rng = torch.manual_seed(self.seed).get_state()
            with self.averaged(), self._inside(), self._mode(training=False), torch.no_grad():
                parts = []
                for start in range(0, _rows(self.validation), self.block):
                    block = slice(start, start + self.block)
                    values = [None if a is None else a[block] for a in self.validation]
                    parts.append(self.log_density(*values).numpy())
        finally:
            self._rng = saved
        return np.concatenate(parts).astype(np.float64)

    def constrained(self, *, averaged: bool = False) -> dict[str, Array]:
        """Values of the `pyro.param` sites, as the model sees them."""
        of = self.averaged() if averaged else contextlib.nullcontext()
        with of, self._inside(), torch.no_grad():
            return {k: v.detach().numpy().copy() for k, v in pyro.get_param_store().items()}

    def state(self) -> dict[str, Array]:
        out: dict[str, Array] = {"rng": self._rng.numpy().copy()}
        for (name, p), mean in zip(self.parameters.items(), self.averages, strict=True):
            out[f"weight/{name}"] = p.detach().numpy().copy()
            out[f"average/{name}"] = mean.numpy().copy()
            for key, value in self.optimiser.state.get(p, {}).items():
                out[f"optimiser/{key}/{name}"] = value.numpy().copy()
        return out

    def load(self, state: Mapping[str, Array]) -> None:
        self._rng = torch.from_numpy(state["rng"].copy())
        self.optimiser.state.clear()
        with torch.no_grad():
            for (name, p), mean in zip(self.parameters.items(), self.averages, strict=True):
                p.copy_(torch.from_numpy(state[f"weight/{name}"]))
                mean.copy_(torch.from_numpy(state[f"average/{name}"]))
        for key, value in state.items():
            kind, _, rest = key.partition("/")
            if kind == "optimiser":
                field, _, name = rest.partition("/")
                slot = self.optimiser.state[self.parameters[name]]
                slot[field] = torch.from_numpy(np.array(value))


def _rows(data: Data) -> int:
    return next(len(a) for a in data if a is not None)
