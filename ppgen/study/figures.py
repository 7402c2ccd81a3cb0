"""The figures of a study, drawn from its stored cells: PNG files, and markup for the report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analysis.compare import Comparison
from ..artifact import read_run, write_bytes
from ..data import Dataset
from ..plotting import samples, style
from ..plotting.axis import column_axes
from ..plotting.curves import training_curves
from ..plotting.ranking import plot_ranking
from .gather import CellResult
from .rows import load_dataset
from .store import Store
from .work import parts, read_samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MANY_POINTS = 3
_MAX_MARGINALS = 12


@dataclass(frozen=True)
class Drawn:
    """A figure of the report: its markup, what it shows, and the words under it."""

    svg: str
    title: str
    caption: str = ""


@dataclass(frozen=True)
class Figures:
    """The figures of one data set's part of a report."""

    ranking: Drawn | None
    pairs: Sequence[tuple[str, Sequence[Drawn]]]
    marginals: Sequence[Drawn]
    best: str
    curves: Sequence[Drawn]


class Artist:
    """Draws the figures of one data set and keeps the PNG files."""

    def __init__(self, store: Store, name: str, comparison: Comparison) -> None:
        self.store = store
        self.name = name
        self.comparison = comparison

    def draw(self, cells: Sequence[CellResult], order: Sequence[str]) -> Figures:
        """All figures, models in the given order."""
        done = [c for c in cells if c.state == "done"]
        shown: dict[str, CellResult] = {}
        for label in order:
            of_model = [c for c in done if c.cell.label == label]
            if of_model:
                shown[label] = of_model[0]
        pairs, marginals, best = self._samples(shown)
        return Figures(self._ranking(), pairs, marginals, best, self._curves(done, list(shown)))

    def _ranking(self) -> Drawn | None:
        if not any(m.rank is not None for m in self.comparison):
            return None
        return self._keep(
            "ranking", plot_ranking(self.comparison), "Paired differences to the best"
        )

    def _samples(
        self, shown: Mapping[str, CellResult]
    ) -> tuple[list[tuple[str, list[Drawn]]], list[Drawn], str]:
        if not shown:
            return [], [], ""
        first = next(iter(shown.values())).cell
        data = load_dataset(self.store.folder / "data" / first.fingerprint[:20])
        real = data.take(parts(data, first.seed)[0])
        drawn = {label: read_samples(self.store.cell(c.cell), data) for label, c in shown.items()}
        if data.images is not None or not data.schema.columns:
            return [], [], ""
        found = []
        chosen = samples.dependent_pairs(real)
        for k, pair in enumerate(chosen):
            panels = [self._panel(real, None, pair, "real rows", k)]
            panels += [self._panel(real, rows, pair, label, k) for label, rows in drawn.items()]
            found.append((f"{pair[0]} × {pair[1]}", panels))
        if chosen:
            self._png("samples", samples.sample_pairs(real, drawn, pairs=chosen))
        best, rows = next(iter(drawn.items()))
        names = list(column_axes(real))[:_MAX_MARGINALS]
        self._png(f"marginals-{best}", samples.marginals(real, rows, names))
        each = []
        for k, column in enumerate(names):
            made = samples.marginals(real, rows, [column])
            title = f"{column}: real rows and {best}"
            each.append(Drawn(style.svg(made, f"{self.name}-marginal{k}", title), title))
        return found, each, best

    def _panel(
        self, real: Dataset, rows: Dataset | None, pair: tuple[str, str], label: str, k: int
    ) -> Drawn:
        made = samples.pair_panel(real, rows, pair, title=label)
        title = f"{pair[0]} against {pair[1]}: {label}"
        return Drawn(style.svg(made, f"{self.name}-pair{k}-{label}", title), title)

    def _curves(self, done: Sequence[CellResult], order: Sequence[str]) -> list[Drawn]:
        found = []
        for label in order:
            runs = [self.store.cell(c.cell) / "run" for c in done if c.cell.label == label]
            traces = [read_run(run).trace for run in runs]
            traces = [t for t in traces if len(t) >= _MANY_POINTS]
            if traces:
                made = training_curves(traces, title=label)
                found.append(self._keep(f"training-{label}", made, f"Training of {label}"))
        return found

    def _keep(self, what: str, made: Figure, title: str) -> Drawn:
        self._png(what, made)
        return Drawn(style.svg(made, f"{self.name}-{what}", title), title)

    def _png(self, what: str, made: Figure) -> None:
        folder = self.store.folder / "figures"
        folder.mkdir(exist_ok=True)
        write_bytes(folder / f"{plain(f'{self.name}-{what}')}.png", style.png(made))


def plain(name: str) -> str:
    """The name as a file can bear it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "figure"
