"""The table of a study: a line for each data set and model, best first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ..analysis.compare import Comparison
from ..analysis.finding import Ranked
from ..analysis.quality import Score
from ..text_table import aligned
from ..verdict import Verdict
from .cell_results import CellResult
from .rendering import columns_of, rendered

Row = dict[str, Any]

_ORDER = ("ok", "warn", "failed")


class Table(list[Row]):
    """The lines as dicts. `str` renders them for a terminal; `to_native` makes a data frame.

    A line has: data, rank, model, log_density and stderr (mean a held-out row, nats), spread
    (standard deviation between seeds), bits_per_dim (of images), kind, method, measure, bad_khat
    (share of rows whose importance samples cannot be trusted), difference and difference_stderr
    (paired, to the best, nats), margin (beyond which it is decided, at `level` for all models at
    once), detectable (the true difference decided with a chance of 80 %), decided (in words), c2st,
    coverage, reconstruction (share of the variance lost) and their controls, seconds and memory
    (bytes) of a fit, verdict, seeds (done, of), zero_rows, state and reason. What is not known is
    None.
    """

    def to_native(self, backend: Literal["pandas", "polars", "pyarrow"] = "pandas") -> Any:
        """The lines as a data frame of pandas, Polars or PyArrow."""
        import narwhals as nw

        columns = {name: [row[name] for row in self] for name in self[0]}
        return nw.from_dict(columns, backend=backend).to_native()

    def __str__(self) -> str:
        blocks = []
        for data in dict.fromkeys(row["data"] for row in self):
            lines = [row for row in self if row["data"] == data]
            head = f"{data}\n" if len({row["data"] for row in self}) > 1 else ""
            shown = columns_of(lines)
            block = [[column.title for column in shown.values()]]
            for row in lines:
                cells = rendered(row)
                note = ["", row["model"], f"{row['state']}: {row['reason']}"]
                block.append([cells[name] for name in shown] if cells else note)
            blocks.append(head + aligned(block))
        return "\n\n".join(blocks)


def table_of(cells: Sequence[CellResult], comparisons: Mapping[str, Comparison]) -> Table:
    """The lines: ranked models, then models without density, then what could not be done."""
    rows = Table()
    for data, comparison in comparisons.items():
        models: dict[str, list[CellResult]] = {m.name: [] for m in comparison}
        for c in cells:
            if c.cell.data == data:
                models.setdefault(c.cell.label, []).append(c)
        ranked = list(models)[: len(comparison)]
        others = sorted(list(models)[len(comparison) :], key=lambda label: _place(models[label]))
        rows += [_row(data, label, models[label], comparison[label]) for label in ranked]
        rows += [_row(data, label, models[label], None) for label in others]
    return rows


def _place(cells: Sequence[CellResult]) -> tuple[float, ...]:
    """The order of models without density: done before failed, then by C2ST, then by the variance
    lost in reconstructions."""
    states = ("done", "failed", "not applicable", "missing")
    best = min(states.index(c.state) for c in cells)
    scores = _scores(cells)
    keys = [scores["c2st"], scores["reconstruction"]]
    return best, *(math.inf if score is None else score for score in keys)


def _row(data: str, label: str, cells: Sequence[CellResult], line: Ranked | None) -> Row:
    done = [c for c in cells if c.state == "done"]
    undone = next((c for c in cells if c.state != "done"), None)
    difference = line.difference if line is not None else None
    verdicts = [c.verdict.status for c in done]
    if not done and undone is not None and undone.state == "failed":
        verdicts = ["failed"]
    return {
        "data": data,
        "rank": line.rank if line else None,
        "model": label,
        "log_density": line.mean if line else None,
        "stderr": line.stderr if line else None,
        "spread": line.spread if line else None,
        "bits_per_dim": _mean([c.bits_per_dim for c in done]),
        "kind": line.kind if line else None,
        "method": line.method if line else None,
        "measure": line.measure if line else None,
        "bad_khat": _bad_khat(done),
        "difference": difference.mean if difference else None,
        "difference_stderr": difference.stderr if difference else None,
        "margin": difference.margin if difference else None,
        "detectable": difference.detectable if difference else None,
        "level": difference.level if difference else None,
        "decided": line.verdict if line else None,
        **_scores(done),
        "seconds": _mean([c.seconds for c in done]),
        "memory": max((c.memory for c in done if c.memory is not None), default=None),
        "verdict": max(verdicts, key=_ORDER.index, default=None),
        "seeds": (len(done), len(cells)),
        "zero_rows": line.zero_rows if line else None,
        "state": undone.state if undone else "done",
        "reason": undone.reason if undone else "",
    }


def _scores(cells: Sequence[CellResult]) -> dict[str, float | None]:
    quality = mean_scores(cells)
    lost = [c.latents["reconstruction"] for c in cells if c.latents]
    scores: dict[str, float | None] = {}
    for name in ("c2st", "coverage"):
        score = quality.get(name)
        scores[name] = score.value if score else None
        scores[f"{name}_control"] = score.control if score else None
    for name, key in (("reconstruction", "value"), ("reconstruction_control", "control")):
        scores[name] = _mean([score[key] for score in lost if score])
    return scores


def _bad_khat(done: Sequence[CellResult]) -> float | None:
    khat = [c.khat for c in done if c.khat is not None]
    return sum(k.bad for k in khat) / sum(len(k.values) for k in khat) if khat else None


def mean_scores(cells: Sequence[CellResult]) -> dict[str, Score]:
    """Each sample score averaged over the seeds that have it."""
    means = {}
    for name in dict.fromkeys(name for c in cells for name in c.quality):
        scores = [c.quality[name] for c in cells if name in c.quality]
        value, control = np.mean([(s.value, s.control) for s in scores], axis=0)
        means[name] = Score(float(value), float(control), scores[0].better)
    return means


def worst(cells: Sequence[CellResult]) -> Verdict:
    """The findings of all seeds' fits, each once."""
    return Verdict.of(dict.fromkeys(r for c in cells for r in c.verdict.reasons))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None
