"""What the cells of a study came to, read from its folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis.compare import Comparison, compare
from ..analysis.finding import join
from ..analysis.paired import Scored
from ..analysis.quality_ranking import QualityRanking, Sampled, rank_samples
from ..analysis.score import Score
from ..density import LogDensity
from ..digits import plus_minus
from ..verdict import Verdict
from .cells import Cell
from .held_out_scores import read_density
from .judged_samples import read_judged
from .store import Store


@dataclass(frozen=True)
class Khat:
    """Pareto k-hat of rows whose density is by importance samples, and the largest that is good."""

    values: NDArray[np.floating[Any]]
    good: float

    @property
    def bad(self) -> int:
        """How many rows' k-hat is too large, or unknown for want of samples."""
        return int((np.nan_to_num(self.values, nan=np.inf, neginf=-1.0) > self.good).sum())


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
        sampled: what the samples are ranked by; None of a family that draws none, and of studies
            of earlier versions.
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
    sampled: Sampled | None = None
    latents: Mapping[str, Any] | None = None
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bits_per_dim(self) -> float | None:
        """Minus the mean log density of images in bits a value; None for tables."""
        return None if self.density is None else self.in_bits(self.density.mean())

    def in_bits(self, nats: float | None) -> float | None:
        """A mean log density of images as bits a value; None for tables."""
        dimension = (self.body.get("density") or {}).get("dimension")
        return None if nats is None or dimension is None else -nats / (dimension * math.log(2))

    @property
    def khat(self) -> Khat | None:
        """What Pareto k-hat says of the rows; None where their density is not by importance
        samples."""
        known = {} if self.density is None else self.density.diagnostics
        return Khat(known["khat"], known["good_khat"]) if "khat" in known else None


def read_cell(store: Store, cell: Cell) -> CellResult:
    """A cell's result; "missing" where it was not finished."""
    body = store.result(cell)
    if body is None:
        how = store.damage(cell)
        return CellResult(
            cell, "missing", f"it is damaged: {how}" if how else "it was not finished"
        )
    if body["state"] != "done":
        return CellResult(cell, body["state"], body["reason"], body=body)
    quality = {name: Score.from_json(score) for name, score in (body.get("quality") or {}).items()}
    density, rows, units = read_density(store.cell(cell)) or (None, None, None)
    return CellResult(
        cell,
        "done",
        seconds=body["seconds"],
        memory=body["memory"],
        verdict=Verdict.from_json(body["verdict"]),
        density=density,
        rows=rows,
        units=units,
        quality=quality,
        sampled=read_judged(store.cell(cell), cell),
        latents=body.get("latents"),
        body=body,
    )


def finding_of(
    data: str,
    comparison: Comparison,
    ranking: QualityRanking | None,
    cells: Sequence[CellResult],
) -> str:
    """What was found on a data set, in a sentence: the comparison's; where no model has a density,
    how near samples come to real rows, or what models lose of rows. Models that learnt nothing are
    named: what they reach is no result."""
    idle = unlearnt(data, cells)
    if len(comparison) == 1 and comparison.models[0].name in idle:
        only = comparison.models[0]
        reached = plus_minus(only.mean, only.stderr)
        return f"{only.name} learnt nothing, as its verdict says: {reached} nats a row."
    if len(comparison):
        found = comparison.finding
    elif ranking is not None:
        found = f"No model here has a density. {ranking.finding}"
    else:
        found = _least_lost(data, cells) or comparison.finding
    if not idle:
        return found
    say = "its verdict says" if len(idle) == 1 else "their verdicts say"
    return f"{found} {join(idle)} learnt nothing, as {say}."


def unlearnt(data: str, cells: Sequence[CellResult]) -> list[str]:
    """The models all of whose fits learnt nothing."""
    done: dict[str, list[bool]] = {}
    for c in cells:
        if c.cell.data == data and c.state == "done":
            done.setdefault(c.cell.label, []).append(c.verdict.learnt)
    return [label for label, learnt in done.items() if not any(learnt)]


def _least_lost(data: str, cells: Sequence[CellResult]) -> str:
    """Which model loses least of rows that it encodes; "" where none does."""
    lost: dict[str, list[tuple[float, float]]] = {}
    for c in cells:
        score = (c.latents or {}).get("reconstruction")
        if c.cell.data == data and score:
            lost.setdefault(c.cell.label, []).append((score["value"], score["control"]))
    if not lost:
        return ""
    means = {label: np.mean(scores, axis=0) for label, scores in lost.items()}
    best, (value, control) = min(means.items(), key=lambda item: float(item[1][0]))
    least = " least" if len(means) > 1 else ""
    return (
        f"No model here has a density. {best} loses{least}: {value:.1%} of the variance of "
        f"held-out rows, where as many principal components lose {control:.1%}."
    )


def headline_of(
    data: str,
    comparison: Comparison,
    ranking: QualityRanking | None,
    cells: Sequence[CellResult],
) -> str:
    """What was found in a few words."""
    idle = unlearnt(data, cells)
    if idle and all(m.name in idle for m in comparison):
        return f"{join(idle)} learnt nothing"
    return ranking.headline if ranking and not len(comparison) else comparison.headline


def rankings_of(cells: Sequence[CellResult]) -> dict[str, QualityRanking]:
    """The models of each data set that sample, by the quality of their samples."""
    sampled: dict[str, list[Sampled]] = {c.cell.data: [] for c in cells}
    for c in cells:
        if c.sampled is not None:
            sampled[c.cell.data].append(c.sampled)
    ranked = {data: rank_samples(of_data) for data, of_data in sampled.items()}
    return {data: ranking for data, ranking in ranked.items() if ranking is not None}


def comparisons_of(cells: Sequence[CellResult]) -> dict[str, Comparison]:
    """The models of each data set, compared."""
    scored: dict[str, list[Scored]] = {c.cell.data: [] for c in cells}
    for c in cells:
        if c.density is not None:
            scored[c.cell.data].append(Scored(c.cell.label, c.density, c.cell.seed, c.units))
    return {data: compare(of_data) for data, of_data in scored.items()}
