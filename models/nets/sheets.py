"""What a fit shows of its training: the same few rows as they were made at some evaluations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ...arrays import Array

_PREFIX = "sheets/"


@dataclass(frozen=True, eq=False)
class Sheets:
    """Rows by evaluation.

    Attributes:
        steps: (k,) optimiser steps at each evaluation that is kept.
        rows: what the rows are -> (k, n, ...).
    """

    steps: Array
    rows: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[tuple[int, dict[str, Array]]]:
        """Each step with its rows by name."""
        for i, step in enumerate(self.steps.tolist()):
            yield step, {name: kept[i] for name, kept in self.rows.items()}

    def arrays(self) -> dict[str, Array]:
        """All of it as arrays by name, for saved runs."""
        rows = {f"{_PREFIX}rows/{name}": kept for name, kept in self.rows.items()}
        return {f"{_PREFIX}steps": self.steps, **rows}

    @classmethod
    def of(cls, arrays: Mapping[str, Array]) -> Sheets:
        """What `arrays` gave, among other arrays; empty where there is none of it."""
        named = f"{_PREFIX}rows/"
        rows = {k.removeprefix(named): v for k, v in arrays.items() if k.startswith(named)}
        return cls(arrays.get(f"{_PREFIX}steps", np.empty(0, np.int64)), rows)
