"""What a study's words claim: models that learnt nothing, and words explained where they stand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from ppgen.analysis.compare import compare
from ppgen.density import LogDensity
from ppgen.study.cell_results import CellResult, finding_of, headline_of
from ppgen.study.legend import legend
from ppgen.study.table import number_text, table_of, worse_words
from ppgen.verdict import Verdict, nothing_learnt

NOISE = np.random.default_rng(0).normal(size=100)


def _cell(label: str, mean: float, *, learnt: bool = True, **claim: Any) -> CellResult:
    cell: Any = SimpleNamespace(data="d", label=label, seed=0, model=label)
    density = LogDensity(mean + NOISE, claim.pop("kind", "exact"), "test", **claim)
    verdict = Verdict(() if learnt else tuple(nothing_learnt("nothing was learnt.", "More.")))
    return CellResult(cell, "done", seconds=1.0, verdict=verdict, density=density)


def _compared(*cells: CellResult) -> Any:
    return compare((c.cell.label, c.density) for c in cells)


def test_a_model_alone_that_learnt_nothing_reaches_nothing() -> None:
    cell = _cell("vae", -1023.1, learnt=False)
    found = finding_of("d", _compared(cell), None, [cell])
    assert found == "vae learnt nothing, as its verdict says: −1023.019 ± 0.097 nats a row."
    assert headline_of("d", _compared(cell), None, [cell]) == "vae learnt nothing"


def test_among_others_it_is_named() -> None:
    cells = [_cell("vae", 1.0, learnt=False), _cell("gmm", 0.0)]
    found = finding_of("d", _compared(*cells), None, cells)
    assert found.endswith(" vae learnt nothing, as its verdict says.")
    assert headline_of("d", _compared(*cells), None, cells) == "vae is best"


def test_the_words_of_a_table_are_explained_and_no_others() -> None:
    cells = [_cell("gmm", 1.0), _cell("vae", 0.0, kind="lower_bound", measure="density")]
    lines = table_of(cells, {"d": _compared(*cells)}, {})
    words = "\n".join(legend(lines))
    assert "lower bound: the model's log density is at least this" in words
    assert "vae, undecided: bound: one side is a lower bound" in words
    assert "margin: " in words
    assert "C2ST" not in words
    assert "lost" not in words
    assert "mixed" not in words
    assert [number_text(v, 3) for v in (-0.0001, -0.12, None)] == ["0.000", "−0.120", ""]
    assert worse_words(0.31, 0.3) == "worse than PCA"
    assert worse_words(0.302, 0.3) == worse_words(None, 0.3) == ""
    line = {"kind": "exact", "measure": "mixed", "c2st": 0.5, "reconstruction": 0.2}
    assert [text.split(":")[0] for text in legend([line])] == ["mixed", "C2ST AUC", "lost"]
