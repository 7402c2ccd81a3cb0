"""What the cells of a study came to, read from its folder."""

from __future__ import annotations

import math
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
from .held_out_scores import read_density
from .run_cell import read_quality
from .store import Store


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
        units: what each of them belongs to, the same in every seed: copies of a row and rows of a
            named group are one draw.
        quality: sample scores by name.
        latents: what was seen of the latents, None for a family without.
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
    units: NDArray[np.int64] | None = None
    quality: Mapping[str, Score] = field(default_factory=dict)
    latents: Mapping[str, Any] | None = None
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bits_per_dim(self) -> float | None:
        """Minus the mean log density of images in bits a value; None for tables."""
        dimension = (self.body.get("density") or {}).get("dimension")
        if self.density is None or dimension is None:
            return None
        return -self.density.mean() / (float(dimension) * math.log(2))

    @property
    def bad_khat(self) -> tuple[int, float] | None:
        """How many rows have a Pareto k-hat that is too large, and from where on it is; None where
        the density is not by importance samples."""
        diagnostics = {} if self.density is None else self.density.diagnostics
        if "khat" not in diagnostics:
            return None
        good = float(diagnostics["good_khat"])
        return int((np.nan_to_num(diagnostics["khat"], nan=np.inf, neginf=-1.0) > good).sum()), good


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
        units=scored[2] if scored else None,
        quality=read_quality(body),
        latents=body.get("latents"),
        body=body,
    )


def finding_of(data: str, comparison: Comparison, cells: Sequence[CellResult]) -> str:
    """What was found on a data set, in a sentence: the comparison's, or what models without density
    lose of rows."""
    if len(comparison):
        return comparison.finding
    lost: dict[str, list[tuple[float, float]]] = {}
    for c in cells:
        score = (c.latents or {}).get("reconstruction")
        if c.cell.data == data and c.state == "done" and score:
            lost.setdefault(c.cell.label, []).append((score["value"], score["control"]))
    if not lost:
        return comparison.finding
    mean = {label: np.mean(scores, axis=0) for label, scores in lost.items()}
    best = min(mean, key=lambda label: float(mean[label][0]))
    least = " least" if len(mean) > 1 else ""
    value, control = mean[best]
    return (
        f"No model here has a density. {best} loses{least}: {value:.1%} of the variance of "
        f"held-out rows, where as many principal components lose {control:.1%}."
    )


def comparisons_of(cells: Sequence[CellResult]) -> dict[str, Comparison]:
    """The models of each data set, compared."""
    comparisons = {}
    for data in dict.fromkeys(c.cell.data for c in cells):
        scored = [
            Scored(c.cell.label, c.density, c.cell.seed, c.units)
            for c in cells
            if c.cell.data == data and c.density is not None
        ]
        comparisons[data] = compare(scored)
    return comparisons
