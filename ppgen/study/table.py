"""The table of a study: a line for each data set and model, best first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ..analysis.compare import Comparison
from ..analysis.quality import Score
from ..analysis.ranked import Ranked
from ..verdict import Verdict
from .cell_results import CellResult
from .rendering import aligned, columns_of, rendered

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

        names = list(dict.fromkeys(name for row in self for name in row))
        columns = {name: [row.get(name) for row in self] for name in names}
        return nw.from_dict(columns, backend=backend).to_native()

    def __str__(self) -> str:
        blocks = []
        for data in dict.fromkeys(row["data"] for row in self):
            lines = [row for row in self if row["data"] == data]
            head = f"{data}\n" if len({row["data"] for row in self}) > 1 else ""
            shown = columns_of(lines)
            rows = [rendered(row, shown) for row in lines]
            blocks.append(head + aligned([tuple(shown.values()), *rows]))
        return "\n\n".join(blocks)


def table_of(cells: Sequence[CellResult], comparisons: Mapping[str, Comparison]) -> Table:
    """The lines: ranked models, then models without density, then what could not be done."""
    rows = Table()
    for data in dict.fromkeys(c.cell.data for c in cells):
        here = [c for c in cells if c.cell.data == data]
        ranked = [m.name for m in comparisons[data]]
        others = dict.fromkeys(c.cell.label for c in here if c.cell.label not in ranked)
        for label in [*ranked, *sorted(others, key=lambda x: _place(here, x))]:
            of_model = [c for c in here if c.cell.label == label]
            line = comparisons[data][label] if label in ranked else None
            rows.append(_row(data, label, of_model, line))
    return rows


def _place(cells: Sequence[CellResult], label: str) -> tuple[float, ...]:
    """Done before failed; then by what tells samples from real rows, and by what is lost."""
    of_model = [c for c in cells if c.cell.label == label]
    states = ("done", "failed", "not applicable", "missing")
    best = min(states.index(c.state) for c in of_model)
    scores = _scores(of_model)
    losses = [scores["c2st"], scores["reconstruction"]]
    return best, *(math.inf if score is None else score for score in losses)


def _row(data: str, label: str, cells: Sequence[CellResult], line: Ranked | None) -> Row:
    done = [c for c in cells if c.state == "done"]
    undone = next((c for c in cells if c.state != "done"), None)
    difference = line.difference if line is not None else None
    verdicts = [c.verdict.status for c in done]
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
        "verdict": max(verdicts, key=_ORDER.index)
        if done
        else "failed"
        if undone and undone.state == "failed"
        else None,
        "seeds": (len(done), len(cells)),
        "zero_rows": line.zero_rows if line else None,
        "state": "done" if len(done) == len(cells) else undone.state if undone else "done",
        "reason": undone.reason if undone else "",
    }


def _scores(done: Sequence[CellResult]) -> dict[str, float | None]:
    means: dict[str, float | None] = {}
    for name in ("c2st", "coverage"):
        scores = [c.quality[name] for c in done if name in c.quality]
        means[name] = _mean([s.value for s in scores])
        means[f"{name}_control"] = _mean([s.control for s in scores])
    lost = [c.latents["reconstruction"] for c in done if c.latents]
    for key, of in (("reconstruction", "value"), ("reconstruction_control", "control")):
        means[key] = _mean([score[of] for score in lost if score])
    return means


def _bad_khat(done: Sequence[CellResult]) -> float | None:
    known = [c for c in done if c.bad_khat is not None and c.density is not None]
    if not known:
        return None
    bad = sum(c.bad_khat[0] for c in known if c.bad_khat is not None)
    return bad / sum(len(c.density) for c in known if c.density is not None)


def mean_scores(cells: Sequence[CellResult]) -> dict[str, Score]:
    """Each sample score averaged over the seeds that have it."""
    names = dict.fromkeys(name for c in cells for name in c.quality)
    means = {}
    for name in names:
        scores = [c.quality[name] for c in cells if name in c.quality]
        value, control = (
            float(np.mean([getattr(s, k) for s in scores])) for k in ("value", "control")
        )
        means[name] = Score(value, control, scores[0].better)
    return means


def worst(cells: Sequence[CellResult]) -> Verdict:
    """The findings of all seeds' fits, each once."""
    return Verdict.of(dict.fromkeys(r for c in cells for r in c.verdict.reasons))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None
