"""What a study found: the table, the comparison, each fit, figures and the report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from .. import html
from ..analysis.compare import Comparison
from ..analysis.quality_ranking import QualityRanking
from ..data import Dataset
from ..datatree import to_datatree
from ..errors import InputError, did_you_mean
from ..estimator import Estimator
from ..models import registry
from ..text_table import filled, terminal_width
from .cell_results import CellResult, comparisons_of, finding_of, rankings_of, read_cell
from .cells import parts
from .legend import legend
from .quality_table import ranking_text
from .run_cell import read_samples
from .store import REPORT, Store
from .stored_rows import load_dataset
from .table import Table, table_of


@dataclass(frozen=True)
class StudyResult:
    """A finished study.

    Attributes:
        folder: where it is kept.
        table: a line for each data set and model, best first; `print(result)` shows it.
        cells: every cell: its state, verdict, held-out log densities and sample scores.
        comparisons: the comparison of each data set's models by density.
        rankings: that of its models by their samples, where any were judged.
    """

    folder: Path
    table: Table
    cells: tuple[CellResult, ...]
    comparisons: Mapping[str, Comparison]
    rankings: Mapping[str, QualityRanking] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> StudyResult:
        """The result of a study from its folder, as far as it is done.

        Raises:
            InputError: if there is no study.
        """
        store = Store(folder)
        cells = tuple(read_cell(store, cell) for cell in store.cells())
        comparisons, rankings = comparisons_of(cells), rankings_of(cells)
        table = table_of(cells, comparisons, rankings)
        return cls(store.folder, table, cells, comparisons, rankings)

    @property
    def report_path(self) -> Path:
        """The HTML report."""
        return self.folder / REPORT

    @property
    def figures(self) -> dict[str, Path]:
        """PNG figures by name."""
        return {file.stem: file for file in sorted((self.folder / "figures").glob("*.png"))}

    @property
    def finding(self) -> str:
        """What was found, a sentence for each data set."""
        findings = self._findings()
        if len(findings) == 1:
            return next(iter(findings.values()))
        return " ".join(f"{name}: {finding}" for name, finding in findings.items())

    def _findings(self) -> dict[str, str]:
        """What was found on each data set."""
        return {
            name: finding_of(name, c, self.rankings.get(name), self.cells)
            for name, c in self.comparisons.items()
        }

    def cell(self, model: str, seed: int | None = None, data: str | None = None) -> CellResult:
        """One cell, the first that fits.

        Raises:
            InputError: if there is none.
        """
        for c in self.cells:
            named = c.cell.label == model and data in (None, c.cell.data)
            if named and seed in (None, c.cell.seed):
                return c
        labels = list(dict.fromkeys(c.cell.label for c in self.cells))
        raise InputError(
            f"the study has no cell of {model!r}, seed {seed}, data {data!r}; its models are "
            f"{', '.join(labels)}.{did_you_mean(model, labels)}"
        )

    def model(self, cell: CellResult | str, seed: int | None = None) -> Estimator:
        """The fitted estimator of a cell."""
        return registry.load(self._store.cell(self._done(cell, seed).cell) / "run")

    def samples(self, cell: CellResult | str, seed: int | None = None) -> Dataset:
        """The samples of a cell.

        Raises:
            InputError: if there are none, because the family draws none.
        """
        done = self._done(cell, seed)
        samples = read_samples(self._store.cell(done.cell), self._data(done))
        if samples is None:
            raise InputError(f"{done.cell} has no samples: {done.cell.model} draws none.")
        return samples

    def datatree(self, cell: CellResult | str, seed: int | None = None) -> Any:
        """An ArviZ DataTree of a cell's fit and its held-out rows."""
        done = self._done(cell, seed)
        data = self._data(done)
        rows = parts(data, done.cell.seed)[2] if done.rows is None else done.rows
        return to_datatree(self.model(done), data.take(rows))

    def __str__(self) -> str:
        several, width = len(self.comparisons) > 1, terminal_width()
        ranked = [
            ranking_text(ranking, f"{name}, by samples" if several else "By samples", width)
            for name, ranking in self.rankings.items()
        ]
        words = [filled(line, width) for line in dict.fromkeys(legend(self.table))]
        parts = [self.table.text(width), *ranked, filled(self.finding, width), "\n".join(words)]
        return "\n\n".join(part for part in parts if part)

    def _repr_html_(self) -> str:
        parts = []
        for (name, compared), finding in zip(
            self.comparisons.items(), self._findings().values(), strict=True
        ):
            said = f"{name}: {finding}" if len(self.comparisons) > 1 else finding
            parts += [html.line(said, strong=True), compared.html_table() if len(compared) else ""]
        tables = html.folded("all figures", f"<pre>{escape(self.table.text())}</pre>")
        return html.block(*parts, tables, html.line(f"report: {self.report_path}"))

    @property
    def _store(self) -> Store:
        return Store(self.folder)

    def _done(self, cell: CellResult | str, seed: int | None) -> CellResult:
        result = self.cell(cell, seed) if isinstance(cell, str) else cell
        if result.state != "done":
            raise InputError(f"{result.cell} has no fit: {result.state}, {result.reason}.")
        return result

    def _data(self, result: CellResult) -> Dataset:
        return load_dataset(self._store.data(result.cell.fingerprint))
