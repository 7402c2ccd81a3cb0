"""A flow on torch: what `NormalizingFlow` needs of the Pyro pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...arrays import Floats
from ...inference.adam import Adam
from ...inference.learner import HeldOut
from ...inference.svi_pyro import PyroLearner
from ...inference.torch_state import seeded
from ..nets.batches import blockwise, floats
from ..nets.held_out import Subset
from ..nets.state import take
from ..nets.whitening import Whitening
from .architecture import Architecture
from .pyro import build, guide, model

Array = NDArray[Any]
_BLOCK = 8192


class TorchFlow:
    """A flow in single precision: training, density, draws, arrays."""

    def __init__(
        self,
        architecture: Architecture,
        seed: int,
        device: torch.device | str = "cpu",
        whitening: Whitening | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.flow = build(architecture, seed, whitening).to(self.device, torch.float32).eval()

    def learner(
        self,
        seen: Subset,
        unseen: Subset | None,
        *,
        weight_decay: float,
        redraw: Callable[[int], Array] | None,
        seed: int,
    ) -> PyroLearner:
        """The learner of the pair, on rows that are seen and held out (`unseen`); `redraw` gives
        those seen anew for an epoch. `keep` takes its averaged weights afterwards."""
        x, *rest = map(self._tensor, (*seen.values(), seen.shares))
        held = None
        if unseen is not None:
            values = tuple(map(self._tensor, unseen.values()))
            held = HeldOut(lambda x, c=None: self.flow(c).log_prob(x), values)
        return PyroLearner(
            partial(model, self.flow),
            guide,
            (x, *rest),
            held=held,
            optimiser=partial(Adam, weight_decay=weight_decay),
            redraw=redraw and (lambda epoch: (self._tensor(redraw(epoch)), *rest)),
            seed=seed,
        )

    def keep(self, learner: PyroLearner) -> None:
        """Take the averaged weights of a trained learner."""
        learner.keep_average()
        self.flow.eval()

    def log_prob(self, x: Array, context: Array | None) -> Floats:
        def log_prob(rows: slice) -> Tensor:
            given = self._tensor(None if context is None else context[rows])
            values: Tensor = self.flow(given).log_prob(self._tensor(x[rows]))
            return values

        return blockwise(log_prob, len(x), _BLOCK)

    def sample(self, n: int, seed: int, context: Array | None) -> Floats:
        parts = []
        with torch.no_grad(), seeded(seed, self.device):
            for start in range(0, n, _BLOCK):
                m = min(_BLOCK, n - start)
                if context is None:
                    drawn = self.flow().sample((m,))
                else:
                    drawn = self.flow(self._tensor(context[start : start + m])).sample()
                parts.append(drawn.cpu().numpy().astype(np.float64))
        return np.concatenate(parts)

    def arrays(self) -> dict[str, Array]:
        return {k: v.detach().cpu().numpy().copy() for k, v in self.flow.state_dict().items()}

    def load(self, arrays: Mapping[str, Array]) -> None:
        take(self.flow, arrays)

    def _tensor(self, a: Array | None) -> Tensor | None:
        return None if a is None else floats(a).to(self.device)
