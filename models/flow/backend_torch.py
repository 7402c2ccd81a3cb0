"""A flow on torch: what `NormalizingFlow` needs of the Pyro pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...inference.learner import HeldOut
from ...inference.seeding import seeded
from ...inference.svi_pyro import PyroLearner
from .pyro import build, guide, model

Array = NDArray[Any]
Rows = tuple[Array, Array | None, Array | None]  # x, context, weights
_BLOCK = 8192


class TorchFlow:
    """A flow in single precision: training, density, draws, arrays."""

    def __init__(self, architecture: Mapping[str, Any], seed: int) -> None:
        self.flow = build(**architecture, seed=seed).to(torch.float32).eval()

    def learner(
        self,
        rows: Rows,
        held: Rows | None,
        *,
        weight_decay: float,
        redraw: Callable[[int], Rows] | None,
        seed: int,
    ) -> PyroLearner:
        """The learner of the pair; `keep` takes its averaged weights afterwards."""
        anew = None if redraw is None else (lambda epoch: _tensors(redraw(epoch)))
        return PyroLearner(
            partial(model, self.flow),
            guide,
            _tensors(rows),
            held=None
            if held is None
            else HeldOut(lambda x, c=None: self.flow(c).log_prob(x), _tensors(held)[:2]),
            optimiser=partial(torch.optim.AdamW, weight_decay=weight_decay, fused=True),
            redraw=anew,
            seed=seed,
        )

    def keep(self, learner: Any) -> None:
        """Take the averaged weights of a trained learner."""
        learner.keep_average()
        self.flow.eval()

    def log_prob(self, x: Array, context: Array | None) -> NDArray[np.float64]:
        out = np.empty(len(x))
        with torch.no_grad():
            for start in range(0, len(x), _BLOCK):
                rows = slice(start, start + _BLOCK)
                block, c, _ = _tensors((x[rows], None if context is None else context[rows], None))
                out[rows] = self.flow(c).log_prob(block).numpy()
        return out

    def sample(self, n: int, seed: int, context: Array | None) -> NDArray[np.float64]:
        parts = []
        with torch.no_grad(), seeded(seed):
            for start in range(0, n, _BLOCK):
                m = min(_BLOCK, n - start)
                if context is None:
                    drawn = self.flow().sample((m,))
                else:
                    c = torch.as_tensor(context[start : start + m], dtype=torch.float32)
                    drawn = self.flow(c).sample()
                parts.append(drawn.numpy().astype(np.float64))
        return np.concatenate(parts)

    def arrays(self) -> dict[str, Array]:
        return {k: v.detach().numpy().copy() for k, v in self.flow.state_dict().items()}

    def load(self, arrays: Mapping[str, Array]) -> None:
        self.flow.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})


def _tensors(rows: Rows) -> tuple[torch.Tensor | None, ...]:
    return tuple(None if a is None else torch.as_tensor(a, dtype=torch.float32) for a in rows)
