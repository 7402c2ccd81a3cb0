"""The table of a study: a line for each data set and model, best first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ..analysis.compare import Comparison, Ranked
from ..analysis.finding import plus_minus
from ..analysis.quality import Score
from ..density import KIND_WORDS
from ..verdict import Verdict
from .gather import CellResult

Row = dict[str, Any]

_ORDER = ("ok", "warn", "failed")


class Table(list[Row]):
    """The lines as dicts. `str` renders them for a terminal; `to_native` makes a data frame.

    A line has: data, rank, model, log_density and stderr (mean a held-out row, nats), spread
    (standard deviation between seeds), kind, method, measure, difference and difference_stderr
    (paired, to the best, nats), decided (in words), c2st, coverage and their controls, seconds and
    memory (bytes) of a fit, verdict, seeds (done, of), zero_rows, state and reason. What is not
    known is None.
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
            blocks.append(head + _aligned([HEADER, *(rendered(row) for row in lines)]))
        return "\n\n".join(blocks)


HEADER = (
    "", "model", "log density", "known as", "to the best", "decided", "C2ST (real)",
    "coverage (real)", "fit", "memory", "verdict",
)  # fmt: skip


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


def _place(cells: Sequence[CellResult], label: str) -> tuple[int, float]:
    of_model = [c for c in cells if c.cell.label == label]
    states = ("done", "failed", "not applicable", "missing")
    best = min(states.index(c.state) for c in of_model)
    quality = [c.quality["c2st"].value for c in of_model if "c2st" in c.quality]
    return best, float(np.mean(quality)) if quality else math.inf


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
        "kind": line.kind if line else None,
        "method": line.method if line else None,
        "measure": line.measure if line else None,
        "difference": difference.mean if difference else None,
        "difference_stderr": difference.stderr if difference else None,
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
    found: dict[str, float | None] = {}
    for name in ("c2st", "coverage"):
        scores = [c.quality[name] for c in done if name in c.quality]
        found[name] = _mean([s.value for s in scores])
        found[f"{name}_control"] = _mean([s.control for s in scores])
    return found


def mean_scores(cells: Sequence[CellResult]) -> dict[str, Score]:
    """Each sample score averaged over the seeds that have it."""
    names = dict.fromkeys(name for c in cells for name in c.quality)
    found = {}
    for name in names:
        scores = [c.quality[name] for c in cells if name in c.quality]
        value, control = (
            float(np.mean([getattr(s, k) for s in scores])) for k in ("value", "control")
        )
        found[name] = Score(value, control, scores[0].better)
    return found


def worst(cells: Sequence[CellResult]) -> Verdict:
    """The findings of all seeds' fits, each once."""
    return Verdict.of(dict.fromkeys(r for c in cells for r in c.verdict.reasons))


def rendered(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A line's cells as text."""
    n, of = row["seeds"]
    if not n:
        note = f"{row['state']}: {row['reason']}"
        return ("", row["model"], note)
    known = KIND_WORDS.get(row["kind"] or "", "")
    verdict = row["verdict"] or ""
    if n < of:
        verdict += f" ({n} of {of} seeds)"
    return (
        str(row["rank"] or ""),
        row["model"],
        plus_minus(row["log_density"], row["stderr"]),
        f"{known} ({row['measure']})" if known else "no density",
        plus_minus(row["difference"], row["difference_stderr"], sign="+"),
        row["decided"] or "",
        beside(row["c2st"], row["c2st_control"]),
        beside(row["coverage"], row["coverage_control"]),
        duration_words(row["seconds"]),
        memory_words(row["memory"]),
        verdict,
    )


def beside(value: float | None, control: float | None) -> str:
    """A score with its control in brackets."""
    return "" if value is None or control is None else f"{value:.2f} ({control:.2f})"


def duration_words(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.{0 if seconds >= 10 else 1}f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def memory_words(size: int | None) -> str:
    if size is None:
        return ""
    return f"{size / 2**30:.1f} GB" if size >= 2**30 else f"{size / 2**20:.0f} MB"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns under each other; a line of fewer cells runs on freely after its last."""
    full = [line for line in lines if len(line) == len(lines[0])]
    widths = [max(len(line[i]) for line in full) for i in range(len(lines[0]))]
    names = max(len(line[1]) for line in lines)
    widths[1] = max(widths[1], names)
    text = []
    for line in lines:
        padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        text.append("  ".join(padded).rstrip())
    return "\n".join(text)
