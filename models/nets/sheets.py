"""What a fit shows of its training: the same few rows as they were made at some evaluations.

Every s-th evaluation is kept, at most `MOST` of them, and the last; where there would be more,
every second one goes and s doubles. So what is kept is evenly spaced over the training, and a
function of the evaluations alone: a fit that was killed and goes on keeps the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from ...arrays import Array

MOST = 6
_PREFIX = "sheets/"


@dataclass
class Sheets:
    """Rows by evaluation.

    Attributes:
        steps: optimiser steps at each evaluation that is kept.
        rows: what the rows are -> one array (n, ...) an evaluation that is kept.
        seen: how many evaluations there were.
        stride: s.
    """

    steps: list[int] = field(default_factory=list)
    rows: dict[str, list[Array]] = field(default_factory=dict)
    seen: int = 0
    stride: int = 1

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[tuple[int, dict[str, Array]]]:
        """Each step with its rows by name."""
        for i, step in enumerate(self.steps):
            yield step, {name: kept[i] for name, kept in self.rows.items()}

    def add(self, step: int, rows: Mapping[str, Array]) -> None:
        """Keep the rows of an evaluation, which all have the same names and shapes."""
        if self.steps and (self.seen - 1) % self.stride:  # the last, which was on no s-th place
            self._keep(slice(len(self) - 1))
        self.steps.append(step)
        for name, values in rows.items():
            self.rows.setdefault(name, []).append(np.asarray(values, np.float32))
        self.seen += 1
        if len(self) > MOST and (self.seen - 1) % self.stride == 0:
            self._keep(slice(None, None, 2))
            self.stride *= 2

    def _keep(self, places: slice) -> None:
        self.steps = self.steps[places]
        self.rows = {name: kept[places] for name, kept in self.rows.items()}

    def arrays(self) -> dict[str, Array]:
        """All of it as arrays by name, for checkpoints and saved runs."""
        kept = {f"{_PREFIX}rows/{name}": np.stack(some) for name, some in self.rows.items()}
        counts = np.array([self.seen, self.stride])
        return {f"{_PREFIX}steps": np.array(self.steps), f"{_PREFIX}counts": counts, **kept}

    @classmethod
    def of(cls, arrays: Mapping[str, Array]) -> Sheets:
        """What `arrays` gave, among other arrays; empty where there is none of it."""
        if f"{_PREFIX}steps" not in arrays:
            return cls()
        named = f"{_PREFIX}rows/"
        rows = {k.removeprefix(named): [*v] for k, v in arrays.items() if k.startswith(named)}
        seen, stride = arrays[f"{_PREFIX}counts"].tolist()
        return cls(arrays[f"{_PREFIX}steps"].tolist(), rows, seen, stride)
