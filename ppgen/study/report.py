"""The report of a study: one HTML file that stands alone, made from the stored cells.

Nothing in it refers to anything outside it. Whatever came with the data (names of columns and
levels) is escaped.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..analysis.compare import Comparison
from ..data import Schema
from ..density import KIND_WORDS
from ..files import write_bytes
from ..verdict import Reason
from .cell_results import CellResult, comparisons_of, finding_of, read_cell
from .figures import Artist
from .latent_looks import WALKED
from .latent_words import latent_line, seen
from .rendering import HEADS, columns_of, line
from .store import REPORT, Store
from .table import mean_scores, table_of, worst

_TEMPLATES = Path(__file__).with_name("templates")
_MAX_COLUMNS = 60
_MAX_TITLED = 3

SCORES = {
    "c2st": ("C2ST, AUC", "boosted trees telling samples from real rows; 0.5: they cannot"),
    "c2st_acc": ("C2ST, accuracy", "their accuracy"),
    "coverage": ("coverage", "share of real rows with a sample among their neighbours"),
    "precision": ("precision", "share of samples near a real row"),
    "density": ("k-NN density", "how many real neighbourhoods a sample lies in"),
    "energy": ("energy distance", "0: the same distribution"),
    "dependence": ("dependence error", "mean error of the associations between columns"),
    "copies": ("copies", "share of samples nearer to a training row than real rows usually are"),
}


def report(study: str | os.PathLike[str]) -> Path:
    """Write the report and the figures of a study from its folder alone, as far as it is done.

    Args:
        study: the study's folder.

    Returns:
        The path of the HTML file.

    Raises:
        InputError: if there is no study.
    """
    store = Store(study)
    body = store.study()
    cells = [read_cell(store, cell) for cell in store.cells()]
    comparisons = comparisons_of(cells)
    sections = [
        _section(store, name, body["data"][name], cells, c) for name, c in comparisons.items()
    ]
    page = {
        "title": _title(comparisons, cells),
        "sections": sections,
        "several": len(sections) > 1,
        "seeds": sorted({c.cell.seed for c in cells}),
        "budget": cells[0].cell.budget,
        "versions": body["versions"],
        "hardware": body["hardware"],
        "across": _across,
        "walked": WALKED,
        "css": (_TEMPLATES / "report.css").read_text(encoding="utf-8"),
    }
    file = store.folder / REPORT
    write_bytes(file, _render(page).encode())
    return file


def _render(page: Mapping[str, Any]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(page)


def _title(comparisons: Mapping[str, Comparison], cells: Sequence[CellResult]) -> str:
    if len(comparisons) == 1:
        return _typeset(finding_of(*next(iter(comparisons.items())), cells))
    if len(comparisons) <= _MAX_TITLED:
        headlines = [f"{c.headline} on {name}" for name, c in comparisons.items()]
        return "; ".join(headlines)
    return f"A study of {len(comparisons)} data sets"


def _typeset(text: str) -> str:
    """With a minus before a number that stands by itself."""
    return re.sub(r"(?<= )-(?=\d)", "−", text)


def _section(
    store: Store,
    name: str,
    data: Mapping[str, Any],
    cells: Sequence[CellResult],
    ranking: Comparison,
) -> dict[str, Any]:
    here = [c for c in cells if c.cell.data == name]
    rows = table_of(here, {name: ranking})
    order = [row["model"] for row in rows]
    by_label = {label: [c for c in here if c.cell.label == label] for label in order}
    schema = Schema.from_json(data["schema"])
    done = [c for c in here if c.state == "done"]
    heads = {name: HEADS[name] for name in columns_of(rows) if name in HEADS}
    shared = _shared([c for c in by_label.values() if any(x.state == "done" for x in c)])
    return {
        "name": name,
        "scope": ranking.scope,
        "finding": _typeset(finding_of(name, ranking, cells)),
        "heads": heads,
        "rows": [line(row, list(heads)) for row in rows],
        "known": [_known(m, by_label[m.name]) for m in ranking],
        "against": any(m.difference is not None for m in ranking),
        "spread": any(math.isfinite(m.spread) for m in ranking),
        "rounding": any(m.dequantised for m in ranking),
        "importance": any(c.bad_khat is not None for c in done),
        "scores": _scores(by_label),
        "score_words": SCORES,
        "shared": shared,
        "verdicts": [_verdict(label, of, shared) for label, of in by_label.items()],
        "settings": {label: _settings(of) for label, of in by_label.items()},
        "latents": [latent_line(label, of) for label, of in by_label.items() if seen(of)],
        "n_scored": _scored(done),
        "figures": Artist(store, name, ranking).draw(here, order),
        "n_rows": data["rows"],
        "split": done[0].body["n_rows"] if done else None,
        "own_split": data["own_split"],
        "n_draws": data["draws"],
        "grouped": data["grouped"],
        "schema": schema,
        "columns": schema.columns[:_MAX_COLUMNS],
        "n_more": max(0, len(schema.columns) - _MAX_COLUMNS),
    }


def _across(n: int) -> int:
    """Panels side by side: four to six, in lines of like length."""
    lines = -(-n // 6)
    return max(4, -(-n // max(1, lines)))


def _known(model: Any, cells: Sequence[CellResult]) -> dict[str, Any]:
    khat = [c.bad_khat for c in cells if c.bad_khat is not None]
    words = ""
    if khat:
        words = f"{sum(bad for bad, _ in khat)} of {model.n_rows} above {khat[0][1]:.2f}"
    note = model.difference.note if model.difference is not None else ""
    return {
        "name": model.name,
        "kind": KIND_WORDS[model.kind],
        "method": model.method,
        "measure": model.measure,
        "dequantised": model.dequantised,
        "zero_rows": model.zero_rows,
        "nan_rows": model.nan_rows,
        "n_rows": model.n_rows,
        "spread": model.spread,
        "difference": model.difference,
        "note": note,
        "khat": words,
    }


def _scored(done: Sequence[CellResult]) -> int | None:
    """How many held-out rows were scored, where these are not all."""
    for c in done:
        if c.rows is not None and len(c.rows) < c.body["n_rows"][2]:
            return len(c.rows)
    return None


def _scores(by_label: Mapping[str, Sequence[CellResult]]) -> dict[str, Any]:
    scores_of = {
        label: mean_scores([c for c in of if c.state == "done"]) for label, of in by_label.items()
    }
    scores_of = {label: scores for label, scores in scores_of.items() if scores}
    names = [name for name in SCORES if any(name in scores for scores in scores_of.values())]
    return {"names": names, "models": scores_of}


def _shared(models: Sequence[Sequence[CellResult]]) -> list[Reason]:
    """What was found with every model and so is about the data, the worst first."""
    if len(models) < 2:
        return []
    reasons = [worst(cells).reasons for cells in models]
    shared = [r for r in reasons[0] if all(r in other for other in reasons)]
    return sorted(shared, key=lambda r: ("failed", "warn", "ok").index(r.status))


def _verdict(label: str, cells: Sequence[CellResult], shared: Sequence[Reason]) -> dict[str, Any]:
    states = {c.state for c in cells}
    done = [c for c in cells if c.state == "done"]
    undone = [
        {"seed": c.cell.seed, "state": c.state, "reason": c.reason}
        for c in cells
        if c.state != "done"
    ]
    verdict = worst(done)
    alike = len({u["reason"] for u in undone}) == 1 and len(undone) == len(cells)
    return {
        "name": label,
        "status": verdict.status if done else "failed" if "failed" in states else "skipped",
        "reasons": [r for r in verdict.reasons if r not in shared],
        "undone": undone[:1] if alike else undone,
        "alike": alike,
        "warnings": list(dict.fromkeys(w for c in cells for w in c.body.get("warnings", ())))[:6],
    }


def _settings(cells: Sequence[CellResult]) -> str:
    own = cells[0].cell.settings
    return ", ".join(f"{k} = {json.dumps(v)}" for k, v in own.items()) or "defaults"
