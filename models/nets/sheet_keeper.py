"""Keeps rows of some evaluations of a training, as `sheets` has them.

Every s-th evaluation is kept, at most `MOST` of them, and the last; where there would be more,
every second one goes and s doubles. So what is kept is evenly spaced over the training, and a
function of the evaluations alone: a fit that was killed and goes on keeps the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from .sheets import Sheets

MOST = 6


class SheetKeeper:
    """Keeps rows of some evaluations.

    Args:
        shapes: what the rows are -> (n, ...), their shape at each evaluation.

    Attributes:
        tensors: all that is kept, by name; changed in place, so that a learner can hold it with its
            state (`AdversarialLearner.kept`).
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        rows = {name: torch.zeros(MOST + 1, *shape) for name, shape in shapes.items()}
        self._steps = torch.full((MOST + 1,), -1)
        self._counts = torch.tensor([0, 0, 1])  # evaluations kept, evaluations seen, s
        self._rows = rows
        self._latest: Sheets | None = None
        self.tensors: dict[str, Tensor] = {
            "sheets/steps": self._steps,
            "sheets/counts": self._counts,
            **{f"sheets/{name}": kept for name, kept in rows.items()},
        }

    def size(self, name: str) -> int:
        """How many rows are kept at each evaluation."""
        return len(self._rows[name][0])

    def add(self, step: int, rows: Mapping[str, Tensor]) -> None:
        """Keep the rows of an evaluation."""
        kept, seen, stride = self._counts.tolist()
        if kept and (seen - 1) % stride:  # the last, which was no s-th
            kept -= 1
        self._steps[kept] = step
        for name, values in rows.items():
            self._rows[name][kept] = values.detach()
        kept += 1
        if kept > MOST and seen % stride == 0:
            kept = -(-kept // 2)
            stride *= 2
            for tensor in (self._steps, *self._rows.values()):
                tensor[:kept] = tensor[::2].clone()
        self._counts.copy_(torch.tensor([kept, seen + 1, stride]))
        self._latest = self._kept()

    def sheets(self) -> Sheets:
        """What was kept at the last evaluation, even where the learner has gone back to the state
        of an earlier one."""
        return self._latest or self._kept()

    def _kept(self) -> Sheets:
        kept = int(self._counts[0])
        rows = {name: values[:kept].numpy().copy() for name, values in self._rows.items()}
        return Sheets(self._steps[:kept].numpy().copy(), rows)
