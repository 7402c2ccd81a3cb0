"""The torch learner of `gradient.train`: gradient steps on any loss of modules.

It owns what a step depends on: weights, their running averages, the optimiser's state, the random
state, and the number of steps taken. All of it is in `state`, so that a fit that was killed goes on
bit for bit. Torch's global random state is left as it was.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .adam import Adam
from .learner import Array, Learner
from .torch_state import as_found, from_state, random_state, seeded, within_cores

Loss = Callable[[Tensor, int], Tensor]
Optimiser = Callable[[list[Tensor]], torch.optim.Optimizer | Adam]


class Processes(Protocol):
    """Processes that train together, each on its part of a batch."""

    rank: int

    def part(self, rows: Tensor) -> Tensor:
        """The rows of a batch that are this process's."""

    def sum_gradients(self, parameters: Sequence[Tensor], loss: Tensor) -> float:
        """Sum the gradients of all processes, and give the sum of their losses."""


class TorchLearner(Learner):
    """Gradient steps on `loss(rows, step)`, in nats a row.

    Args:
        parameters: name -> tensor to train, all on one device, where the learner's draws are made.
        loss: the mean loss of the rows numbered, at this step (counted from 0).
        modules: set to training mode in steps only.
        log_density: per-row (m,) log density of the held-out rows; what `evaluate` gives.
        optimiser: makes an optimiser, as of torch, from a list of parameters; its learning rate is
            set at each step.
        clip: largest norm of the gradient.
        redraw: called with the number of each epoch before its first step.
        seed: of all that `loss` draws.

    Attributes:
        processes: that train together; None is this one alone.
    """

    compiled = False
    processes: Processes | None = None

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        loss: Loss,
        *,
        modules: Sequence[nn.Module] = (),
        log_density: Callable[[], Array] | None = None,
        optimiser: Optimiser | None = None,
        clip: float = 5.0,
        redraw: Callable[[int], Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.loss, self.modules, self.clip = loss, list(modules), clip
        self.redraw, self.seed, self.log_density = redraw, seed, log_density
        self.step = 0
        self.device = next(iter(parameters.values())).device
        self._rng = self._seeded(seed)
        self.parameters = {name: p for name, p in parameters.items() if p.requires_grad}
        self._list = list(self.parameters.values())
        make = optimiser or Adam
        with as_found():
            self.optimiser = make(self._list)
        self.averages = [p.detach().clone() for p in self._list]

    @property
    def together(self) -> bool:  # type: ignore[override]
        return self.processes is not None

    # Randomness and modes

    def _seeded(self, seed: int) -> list[Tensor]:
        with seeded(seed, self.device):
            return random_state(self.device)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Within it, torch draws from the learner's own random state, on the cores there are."""
        with as_found(), from_state(self._rng, self.device), within_cores():
            try:
                yield
            finally:
                self._rng = random_state(self.device)

    @contextlib.contextmanager
    def _mode(self, *, training: bool) -> Iterator[None]:
        # Dropout and the like are on in steps only.
        for m in self.modules:
            m.train(training)
        try:
            yield
        finally:
            for m in self.modules:
                m.eval()

    # What `gradient.train` asks for

    def begin_epoch(self, epoch: int) -> None:
        if self.redraw is not None:
            self.redraw(epoch)

    def run(self, batches: NDArray[np.int64], rates: NDArray[np.float64]) -> Array:
        losses: list[float] = []
        with self.inside(), self._mode(training=True):
            for rows, rate in zip(torch.from_numpy(batches), rates.tolist(), strict=True):
                losses.append(self._take_step(rows, rate))
                if not np.isfinite(losses[-1]):
                    break
                self.step += 1
        return np.asarray(losses)

    def _take_step(self, rows: Tensor, rate: float) -> float:
        return self._descend(self._list, self.loss, rows, rate)[0]

    def _descend(
        self, parameters: list[Tensor], loss: Loss, rows: Tensor, rate: float
    ) -> tuple[float, Tensor | None]:
        """Move these parameters, and no others, down the gradient of a loss: its value, and the
        norm of its gradient; where it is not finite, nothing moves."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        for p in self._list:
            p.grad = None
        value = self._backward(parameters, loss, rows)
        if not np.isfinite(value):
            return value, None
        norm = self._clip(parameters)
        self.optimiser.step()
        return value, norm

    def _backward(self, parameters: list[Tensor], loss: Loss, rows: Tensor) -> float:
        """Give these parameters the gradient of the loss of these rows; return the loss."""
        if self.processes is None:
            mean = loss(rows, self.step)
            value = mean.item()
            if np.isfinite(value):
                mean.backward(inputs=parameters)
            return value
        part = self.processes.part(rows)
        mean = torch.zeros((), device=self.device)
        seed = int(torch.randint(2**62, ()))  # the same in each process
        if len(part):
            with seeded(seed + self.processes.rank, self.device):
                mean = len(part) / len(rows) * loss(part, self.step)
                mean.backward(inputs=parameters)
        return self.processes.sum_gradients(parameters, mean)

    def _clip(self, parameters: list[Tensor]) -> Tensor:
        """Scale gradients down to the norm `clip`, and give the norm that they had; unlike torch's
        own, only those above it."""
        grads = [p.grad for p in parameters if p.grad is not None]
        norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))
        if norm > self.clip:
            torch._foreach_mul_(grads, self.clip / (norm + 1e-6))
        return norm

    def probe(self, rows: NDArray[np.int64]) -> None:
        """One step forward and back that changes nothing: whether it fits in memory."""
        saved = self._rng
        try:
            with self.inside(), self._mode(training=True):
                own = torch.from_numpy(rows)
                self._try_step(own if self.processes is None else self.processes.part(own))
        finally:
            self._rng = saved
            self.optimiser.zero_grad(set_to_none=True)

    def _try_step(self, rows: Tensor) -> None:
        if len(rows):
            self.loss(rows, self.step).backward()

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
            raise ValueError("there are no held-out rows to evaluate; give `log_density`.")
        saved = self._rng
        try:
            self._rng = self._seeded(self.seed)
            with self.averaged(), self.inside(), self._mode(training=False), torch.no_grad():
                values = self.log_density()
        finally:
            self._rng = saved
        return np.asarray(values, dtype=np.float64)

    def state(self) -> dict[str, Array]:
        out: dict[str, Array] = {"step": np.array(self.step)}
        out |= {f"rng/{i}": s.cpu().numpy().copy() for i, s in enumerate(self._rng)}
        for (name, p), mean in zip(self.parameters.items(), self.averages, strict=True):
            out[f"weight/{name}"] = _array(p)
            out[f"average/{name}"] = _array(mean)
            for key, value in self.optimiser.state.get(p, {}).items():
                out[f"optimiser/{key}/{name}"] = _array(value)
        return out

    def load(self, state: Mapping[str, Array]) -> None:
        self.step = int(state["step"])
        self._rng = [torch.from_numpy(state[f"rng/{i}"].copy()) for i in range(len(self._rng))]
        self.optimiser.state.clear()
        with torch.no_grad():
            for (name, p), mean in zip(self.parameters.items(), self.averages, strict=True):
                p.copy_(torch.from_numpy(np.array(state[f"weight/{name}"])))
                mean.copy_(torch.from_numpy(np.array(state[f"average/{name}"])))
        for key, value in state.items():
            kind, _, rest = key.partition("/")
            if kind == "optimiser":
                field, _, name = rest.partition("/")
                p = self.parameters[name]
                slot = torch.from_numpy(np.array(value)).to(p.device)
                if slot.shape == p.shape:  # channels-last weights have channels-last moments
                    slot = torch.empty_like(p).copy_(slot)
                self.optimiser.state.setdefault(p, {})[field] = slot


def _array(value: Tensor) -> Array:
    return value.detach().cpu().contiguous().numpy().copy()
