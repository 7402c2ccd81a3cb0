"""The table of a study, a line for each data set and model, best first, and its cells as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from ..analysis.compare import Comparison
from ..analysis.finding import Ranked, deciding
from ..analysis.paired import Difference
from ..analysis.quality_ranking import QualityRanking
from ..analysis.quality_scores import on_scale
from ..analysis.reconstruction import worse_than_linear
from ..analysis.score import Score
from ..density import KIND_WORDS
from ..digits import plus_minus, with_error
from ..text_table import aligned, terminal_width
from ..verdict import ORDER, Verdict
from .cell_results import CellResult

Row = dict[str, Any]


class Column(NamedTuple):
    """A column of the ranking: its title in a terminal, its head in the report (None where it is no
    column there) and what stands beneath, whether it holds numbers, and the entry of a line without
    which it is empty."""

    title: str
    head: str | None = None
    beneath: str = ""
    number: bool = False
    needs: str | None = None


COLUMNS = {
    "rank": Column("", ""),
    "model": Column("model", "Model"),
    "density": Column("log density", "Log density", "nats a row", True, "log_density"),
    "bits": Column("bits/dim", needs="bits_per_dim"),
    "known": Column("known as", "Known as"),
    "difference": Column("to the best", "To the best", "paired, ± se", True, "difference"),
    "decided": Column("decided", "Decided"),
    "margin": Column("margin (80 % from)", needs="difference"),
    "khat": Column("bad k-hat", needs="bad_khat"),
    "c2st": Column("C2ST AUC (real)", "C2ST, AUC", "(real rows)", True, "c2st"),
    "coverage": Column("coverage (real)", "Coverage", "(real rows)", True, "coverage"),
    "lost": Column("lost (PCA)", "Lost", "(PCA)", True, "reconstruction"),
    "seconds": Column("fit", "Fit", number=True),
    "memory": Column("memory", "Memory", number=True),
    "verdict": Column("verdict", "Verdict"),
}


class Table(list[Row]):
    """The lines as dicts. `str` renders them, as wide as the terminal where they are printed on
    one; `text` in any width; `to_native` makes a data frame.

    A line has: data, rank, model, log_density and stderr (mean a held-out row, nats), spread
    (standard deviation between seeds), bits_per_dim (of images), kind, method, measure, bad_khat
    (share of rows whose importance samples cannot be trusted), difference and difference_stderr
    (paired, to the best, nats), margin (beyond which it is decided, at `level` for all models at
    once), detectable (the true difference decided with a chance of 80 %), decided (in words),
    to_decide (what would decide what is not); of the ranking by samples samples_by (which score),
    samples_rank, samples_score, samples_control (what real rows reach), and samples_stderr,
    samples_difference, ... as of the density; c2st, coverage, reconstruction (share of the variance
    lost) and their controls, seconds and memory (bytes) of a fit, verdict, seeds (done, of),
    zero_rows, state and reason. What is not known is None.
    """

    def to_native(self, backend: Literal["pandas", "polars", "pyarrow"] = "pandas") -> Any:
        """The lines as a data frame of pandas, Polars or PyArrow."""
        import narwhals as nw

        columns = {name: [row[name] for row in self] for name in self[0]}
        return nw.from_dict(columns, backend=backend).to_native()

    def __str__(self) -> str:
        return self.text(terminal_width())

    def text(self, width: int | None = None) -> str:
        """The lines in so many letters, those of columns that do not fit beneath the others; None:
        as wide as they are."""
        blocks = []
        for data in dict.fromkeys(row["data"] for row in self):
            lines = [row for row in self if row["data"] == data]
            head = f"{data}\n" if len({row["data"] for row in self}) > 1 else ""
            shown = columns_of(lines)
            block = [[column.title for column in shown.values()]]
            for row in lines:
                cells = rendered(row)
                note = ["", row["model"], f"{row['state']}: {row['reason']}"]
                block.append([_in_line(cells, name) for name in shown] if cells else note)
            blocks.append(head + aligned(block, width, keys=2))
        return "\n\n".join(blocks)


def _in_line(cells: Mapping[str, str], name: str) -> str:
    """A cell with what marks it."""
    marked = name == "lost" and cells["worse"]
    return f"{cells[name]}, {cells['worse']}" if marked else cells[name]


def table_of(
    cells: Sequence[CellResult],
    comparisons: Mapping[str, Comparison],
    rankings: Mapping[str, QualityRanking],
) -> Table:
    """The lines: models ranked by density, then models without, by their samples, then what could
    not be done."""
    rows = Table()
    for data, comparison in comparisons.items():
        models: dict[str, list[CellResult]] = {m.name: [] for m in comparison}
        for c in cells:
            if c.cell.data == data:
                models.setdefault(c.cell.label, []).append(c)
        ranked = list(models)[: len(comparison)]
        by_samples = [m.name for m in rankings[data].models] if data in rankings else []
        others = sorted(
            list(models)[len(comparison) :], key=lambda label: _place(models[label], by_samples)
        )
        for label in [*ranked, *others]:
            line = comparison[label] if label in ranked else None
            standing = _standing(rankings.get(data), label)
            rows.append(_row(data, label, models[label], line, standing))
    return rows


def _place(cells: Sequence[CellResult], by_samples: Sequence[str]) -> tuple[float, ...]:
    """The order of models without density: done before failed, then by samples, then by the
    variance lost in reconstructions."""
    states = ("done", "failed", "not applicable", "missing")
    best = min(states.index(c.state) for c in cells)
    label, lost = cells[0].cell.label, _scores(cells)["reconstruction"]
    place = by_samples.index(label) if label in by_samples else math.inf
    return best, place, math.inf if lost is None else lost


def _row(
    data: str, label: str, cells: Sequence[CellResult], line: Ranked | None, standing: Row
) -> Row:
    done = [c for c in cells if c.state == "done"]
    undone = next((c for c in cells if c.state != "done"), None)
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
        **_apart(line.difference if line else None),
        "decided": line.verdict if line else None,
        "to_decide": deciding(line) or None if line else None,
        **standing,
        **_scores(done),
        "seconds": _mean([c.seconds for c in done]),
        "memory": max((c.memory for c in done if c.memory is not None), default=None),
        "verdict": max(verdicts, key=ORDER.index, default=None),
        "seeds": (len(done), len(cells)),
        "zero_rows": line.zero_rows if line else None,
        "state": undone.state if undone else "done",
        "reason": undone.reason if undone else "",
    }


def _apart(difference: Difference | None) -> Row:
    """How far a model is from the best."""
    return {
        "difference": difference.mean if difference else None,
        "difference_stderr": difference.stderr if difference else None,
        "margin": difference.margin if difference else None,
        "detectable": difference.detectable if difference else None,
        "level": difference.level if difference else None,
    }


def _standing(ranking: QualityRanking | None, label: str) -> Row:
    """A model's line in the ranking by samples."""
    m = next((m for m in ranking.models if m.name == label), None) if ranking else None
    line = {
        "by": ranking.lead if ranking and m else None,
        "rank": m.rank if m else None,
        "score": m.mean if m else None,
        "stderr": m.stderr if m else None,
        "spread": m.spread if m else None,
        "control": m.control if m else None,
        **_apart(m.difference if m else None),
        "decided": m.verdict if m else None,
    }
    return {f"samples_{name}": value for name, value in line.items()}


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
        means[name] = Score(float(value), float(control), scores[0].better, *_interval(scores))
    if {"c2st", "c2st_score"} <= set(means):
        # Studies of earlier versions cut it off at 1.
        means["c2st_score"] = on_scale(means["c2st"])
    return means


def _interval(scores: Sequence[Score]) -> tuple[float | None, float | None]:
    """The interval of a mean over seeds: as wide as that of one seed on average, as seeds may hold
    out the same rows."""
    ends = [(s.low, s.high) for s in scores if s.low is not None and s.high is not None]
    if len(ends) < len(scores):
        return None, None
    low, high = np.mean(ends, axis=0)
    return float(low), float(high)


def worst(cells: Sequence[CellResult]) -> Verdict:
    """The findings of all seeds' fits, each once."""
    return Verdict(tuple(dict.fromkeys(r for c in cells for r in c.verdict.reasons)))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """The columns that these lines have something in."""
    shown = {
        name: column
        for name, column in COLUMNS.items()
        if column.needs is None or any(row[column.needs] is not None for row in rows)
    }
    if all(row["decided"] in (None, "best") for row in rows):
        del shown["decided"]
    return shown


def rendered(row: Mapping[str, Any]) -> dict[str, str]:
    """A line's cells as text; none where there is no fit."""
    done, asked = row["seeds"]
    if not done:
        return {}
    known = KIND_WORDS.get(row["kind"] or "", "")
    few = f" ({done} of {asked} seeds)" if done < asked else ""
    khat = row["bad_khat"]
    return {
        "rank": str(row["rank"] or ""),
        "model": row["model"],
        "density": plus_minus(row["log_density"], row["stderr"]),
        "bits": _bits(row),
        "known": f"{known} ({row['measure']})" if known else "no density",
        "khat": "" if khat is None else f"{khat:.0%} of rows",
        "difference": plus_minus(row["difference"], row["difference_stderr"], sign="+"),
        "margin": margin_text(row["margin"], row["detectable"]),
        "decided": row["decided"] or "",
        "c2st": beside(row["c2st"], row["c2st_control"]),
        "coverage": beside(row["coverage"], row["coverage_control"]),
        "lost": beside(row["reconstruction"], row["reconstruction_control"], digits=3),
        "worse": worse_words(row["reconstruction"], row["reconstruction_control"]),
        "seconds": duration_words(row["seconds"]),
        "memory": memory_words(row["memory"]),
        "verdict": f"{row['verdict'] or ''}{few}",
    }


def _bits(row: Mapping[str, Any]) -> str:
    """Bits a value, to the digits of their error: that of the log density in these units."""
    bits, mean, stderr = row["bits_per_dim"], row["log_density"], row["stderr"]
    if not bits or not mean or stderr is None or not math.isfinite(mean):
        return number_text(bits, 3)
    return with_error(bits, abs(bits * stderr / mean))[0]


def margin_text(margin: float | None, detectable: float | None) -> str:
    """Beyond what a difference is decided, and from where on it is so 80 % of the time."""
    if margin is None or not math.isfinite(margin):
        return ""
    digits = 3 if margin <= 0 else min(4, max(0, 1 - math.floor(math.log10(margin))))
    return beside(margin, detectable, digits)


def beside(value: float | None, control: float | None, digits: int = 2) -> str:
    """A score with its control in brackets."""
    if value is None or control is None:
        return ""
    return f"{value:.{digits}f} ({control:.{digits}f})"


def worse_words(lost: float | None, linear: float | None) -> str:
    """The mark of a code that loses more than as many principal components."""
    if lost is None or linear is None or not worse_than_linear(lost, linear):
        return ""
    return "worse than PCA"


def number_text(value: float | None, digits: int = 2) -> str:
    """A number with a proper minus, none before a zero; nothing where there is none."""
    if value is None:
        return ""
    return f"{round(value, digits) or 0.0:.{digits}f}".replace("-", "−")


def rounded(value: float | None, stderr: float | None) -> str:
    """A score with its standard error, and without it where both are exact to three digits."""
    if stderr is not None and stderr < 5e-4:
        return number_text(value, 3)
    return plus_minus(value, stderr)


def duration_words(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.{0 if seconds >= 10 else 1}f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def memory_words(size: int | None) -> str:
    if size is None:
        return ""
    if size < 2**20:
        return "< 1 MB"
    return f"{size / 2**30:.1f} GB" if size >= 2**30 else f"{size / 2**20:.0f} MB"
