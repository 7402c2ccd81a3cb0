"""The report of a study: one HTML file that stands alone, made from the stored cells."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..analysis.compare import Comparison
from ..analysis.quality_ranking import QualityRanking
from ..data import Schema
from ..files import write_bytes
from ..verdict import ORDER, Reason
from .cell_results import CellResult, finding_of, headline_of, unlearnt
from .figures import draw_figures
from .latent_looks import WALKED
from .legend import legend
from .network_figures import MOST_EDGES
from .page import render
from .quality_table import BETTER_WORDS, SCORE_WORDS, ranking_cells
from .result import StudyResult
from .store import Store
from .table import (
    columns_of,
    mean_scores,
    rendered,
    table_of,
    worst,
)

_MAX_COLUMNS = 60
_MAX_TITLED = 3


def report(study: str | os.PathLike[str]) -> Path:
    """Write the report and the figures of a study from its folder alone, as far as it is done.

    Args:
        study: the study's folder.

    Returns:
        The path of the HTML file.

    Raises:
        InputError: if there is no study.
    """
    result = StudyResult.load(study)
    cells, comparisons, rankings = result.cells, result.comparisons, result.rankings
    store = Store(result.folder)
    body = store.study()
    sections = [
        _section(store, name, body["data"][name], [c for c in cells if c.cell.data == name], found)
        for name, found in ((n, (c, rankings.get(n))) for n, c in comparisons.items())
    ]
    if len(sections) == 1:
        title = sections[0]["finding"]
    elif len(sections) <= _MAX_TITLED:
        headlines = {
            name: headline_of(name, c, rankings.get(name), cells) for name, c in comparisons.items()
        }
        title = "; ".join(f"{headline} on {name}" for name, headline in headlines.items())
    else:
        title = f"A study of {len(sections)} data sets"
    page = {
        "title": title,
        "kicker": "Density study" if any(map(len, comparisons.values())) else "Study of samples",
        "sections": sections,
        "several": len(sections) > 1,
        "seeds": sorted({c.cell.seed for c in cells}),
        "budget": cells[0].cell.budget,
        "versions": body["versions"],
        "hardware": body["hardware"],
        "across": _across,
        "walked": WALKED,
        "score_words": SCORE_WORDS,
        "better_words": BETTER_WORDS,
        "max_columns": _MAX_COLUMNS,
        "max_edges": MOST_EDGES,
    }
    write_bytes(result.report_path, render("report.html.j2", page))
    return result.report_path


def _section(
    store: Store,
    name: str,
    data: Mapping[str, Any],
    cells: Sequence[CellResult],
    found: tuple[Comparison, QualityRanking | None],
) -> dict[str, Any]:
    comparison, ranking = found
    rows = table_of(cells, {name: comparison}, {} if ranking is None else {name: ranking})
    models = {row["model"]: [c for c in cells if c.cell.label == row["model"]] for row in rows}
    done = {label: [c for c in own if c.state == "done"] for label, own in models.items()}
    fits = [c for own in done.values() for c in own]
    shared = _shared([own for own in done.values() if own])
    # A minus before a number that stands by itself.
    finding = re.sub(r"(?<= )-(?=\d)", "−", finding_of(name, comparison, ranking, cells))
    scores = {label: mean_scores(own) for label, own in done.items()}
    # How many held-out rows were scored, where these are not all.
    few = [len(c.rows) for c in fits if c.rows is not None and len(c.rows) < c.body["n_rows"][2]]
    # The first seed's fit, whose figures are shown.
    first = {c.cell.label: c for c in reversed(fits) if c.latents}
    return {
        "name": name,
        "data": data,
        "comparison": comparison,
        "ranking": ranking,
        "ranked": [(m, ranking_cells(m)) for m in ranking.models] if ranking else [],
        "finding": finding,
        "heads": {k: c for k, c in columns_of(rows).items() if c.head is not None},
        "rows": [(row, rendered(row)) for row in rows],
        "legend": legend(rows),
        "idle": unlearnt(name, cells),
        "spread": any(math.isfinite(m.spread) for m in comparison),
        "khat": {label: [c.khat for c in own if c.khat] for label, own in done.items()},
        "importance": any(c.khat is not None for c in fits),
        "scores": {label: of_model for label, of_model in scores.items() if of_model},
        "shared": shared,
        "verdicts": [_verdict(label, own, shared) for label, own in models.items()],
        "settings": {label: _settings(own[0]) for label, own in models.items()},
        "latents": [first[label] for label in done if label in first],
        "n_scored": few[0] if few else None,
        "figures": draw_figures(store, name, comparison, done),
        "split": fits[0].body["n_rows"] if fits else None,
        "schema": Schema.from_json(data["schema"]),
    }


def _settings(cell: CellResult) -> Mapping[str, Any]:
    """Settings by where they come from; of what was not fitted those given."""
    return cell.body.get("settings") or {"given": cell.cell.settings}


def _across(n: int) -> int:
    """Panels side by side: three to six, in lines of like length."""
    return max(3, math.ceil(n / max(1, math.ceil(n / 6))))


def _shared(models: Sequence[Sequence[CellResult]]) -> list[Reason]:
    """What was found with every model and so is about the data, the worst first."""
    if len(models) < 2:
        return []
    first, *others = (worst(cells).reasons for cells in models)
    shared = [r for r in first if all(r in reasons for reasons in others)]
    return sorted(shared, key=lambda r: -ORDER.index(r.status))


def _verdict(label: str, cells: Sequence[CellResult], shared: Sequence[Reason]) -> dict[str, Any]:
    undone = [c for c in cells if c.state != "done"]
    verdict = worst(cells)
    status = "failed" if any(c.state == "failed" for c in undone) else "skipped"
    alike = len({c.reason for c in undone}) == 1 and len(undone) == len(cells)
    return {
        "name": label,
        "status": verdict.status if len(undone) < len(cells) else status,
        "reasons": [r for r in verdict.reasons if r not in shared],
        "undone": undone[:1] if alike else undone,
        "alike": alike,
        "warnings": list(dict.fromkeys(w for c in cells for w in c.body.get("warnings", ())))[:6],
    }
