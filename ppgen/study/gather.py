"""What the cells of a study came to, read from its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.compare import Comparison, compare
from ..analysis.paired import Scored
from ..analysis.quality import Score
from ..density import LogDensity
from ..verdict import Verdict
from .cells import Cell
from .store import Store
from .work import read_density, read_quality


@dataclass(frozen=True)
class CellResult:
    """One cell: its state ("done", "failed", "not applicable" or "missing"), and what it came to.

    Attributes:
        reason: why there is no fit, where there is none.
        seconds: of the fit.
        memory: the most the fit took, in bytes, where it is known.
        verdict: of the fit.
        density: of the held-out rows, None for a family without density.
        rows: numbers of these rows in the data set.
        quality: sample scores by name.
        body: all that was recorded.
    """

    cell: Cell
    state: str
    reason: str = ""
    seconds: float | None = None
    memory: int | None = None
    verdict: Verdict = field(default_factory=Verdict)
    density: LogDensity | None = None
    rows: NDArray[np.int64] | None = None
    quality: Mapping[str, Score] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)


def read_cell(store: Store, cell: Cell) -> CellResult:
    """A cell's result; "missing" where it was not finished."""
    body = store.result(cell)
    if body is None:
        return CellResult(cell, "missing", "it was not finished")
    if body["state"] != "done":
        return CellResult(cell, body["state"], body["reason"], body=body)
    scored = read_density(store.cell(cell))
    return CellResult(
        cell,
        "done",
        seconds=body["seconds"],
        memory=body["memory"],
        verdict=Verdict.from_json(body["verdict"]),
        density=scored[0] if scored else None,
        rows=scored[1] if scored else None,
        quality=read_quality(body),
        body=body,
    )


def comparisons_of(cells: Sequence[CellResult]) -> dict[str, Comparison]:
    """The models of each data set, compared."""
    found = {}
    for data in dict.fromkeys(c.cell.data for c in cells):
        scored = [
            Scored(c.cell.label, c.density, c.cell.seed, c.rows)
            for c in cells
            if c.cell.data == data and c.density is not None
        ]
        found[data] = compare(scored)
    return found
