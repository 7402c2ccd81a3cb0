"""The figures of a study, drawn from its stored cells: PNG files, and markup for the report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..analysis.compare import Comparison
from ..artifact import read_run
from ..data import Dataset
from ..files import write_bytes
from ..plotting import samples, style
from ..plotting.axis import column_axes
from ..plotting.curves import training_curves
from ..plotting.images import image_rows
from ..plotting.ranking import plot_ranking
from .cell_results import CellResult
from .drawn import Drawn
from .latent_figures import Arrays, LatentFigures, black_and_white, draw_latents
from .run_cell import SAMPLES, parts, read_looks, read_samples
from .store import Store
from .stored_rows import load_dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MANY_POINTS = 3
_MAX_MARGINALS = 12
_MANY_IMAGES = 24


@dataclass(frozen=True)
class Figures:
    """The figures of one data set's part of a report."""

    ranking: Drawn | None
    pairs: Sequence[tuple[str, Sequence[Drawn]]]
    marginals: Sequence[Drawn]
    best: str
    images: Drawn | None
    latents: LatentFigures | None
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
        if not shown:
            return Figures(self._ranking(), [], [], "", None, None, [])
        first = next(iter(shown.values())).cell
        data = load_dataset(self.store.folder / "data" / first.fingerprint[:20])
        real = data.take(parts(data, first.seed)[0])
        looks = {label: read_looks(self.store.cell(c.cell)) for label, c in shown.items()}
        drawn = {
            label: read_samples(self.store.cell(c.cell), data)
            for label, c in shown.items()
            if (self.store.cell(c.cell) / SAMPLES).exists()
        }
        images: Drawn | None = None
        pairs: Sequence[tuple[str, Sequence[Drawn]]] = []
        marginals: Sequence[Drawn] = []
        best = ""
        if data.images is not None:
            images = self._images(real, drawn, looks)
        elif drawn:
            pairs, marginals, best = self._samples(real, drawn)
        latents = draw_latents(data, shown, looks, self._keep)
        curves = self._curves(done, list(shown))
        return Figures(self._ranking(), pairs, marginals, best, images, latents, curves)

    def _ranking(self) -> Drawn | None:
        if sum(m.rank is not None for m in self.comparison) < 2:
            return None
        return self._keep(
            "ranking", plot_ranking(self.comparison), "Paired differences to the best"
        )

    def _images(
        self, real: Dataset, drawn: Mapping[str, Dataset], looks: Mapping[str, Arrays]
    ) -> Drawn | None:
        """Real images, samples of each model and, of models with a prior, what it expects."""
        rng = np.random.default_rng(0)
        rows: dict[str, Any] = {"real": real.thinned(_MANY_IMAGES, rng).images}
        for label, arrays in looks.items():
            if "prior" in arrays:
                rows[f"{label}: expected"] = arrays["prior"]
            if label in drawn:
                rows[f"{label}: samples"] = drawn[label].images
        if len(rows) == 1:
            return None
        return self._keep(
            "samples", image_rows(rows, limits=black_and_white(real)), "Real images and samples"
        )

    def _samples(
        self, real: Dataset, drawn: Mapping[str, Dataset]
    ) -> tuple[list[tuple[str, list[Drawn]]], list[Drawn], str]:
        if not real.schema.columns:
            return [], [], ""
        panels_of = []
        chosen = samples.dependent_pairs(real)
        for k, pair in enumerate(chosen):
            panels = [self._panel(real, None, pair, "real rows", k)]
            panels += [self._panel(real, rows, pair, label, k) for label, rows in drawn.items()]
            panels_of.append((f"{pair[0]} × {pair[1]}", panels))
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
        return panels_of, each, best

    def _panel(
        self, real: Dataset, rows: Dataset | None, pair: tuple[str, str], label: str, k: int
    ) -> Drawn:
        made = samples.pair_panel(real, rows, pair, title=label)
        title = f"{pair[0]} against {pair[1]}: {label}"
        return Drawn(style.svg(made, f"{self.name}-pair{k}-{label}", title), title)

    def _curves(self, done: Sequence[CellResult], order: Sequence[str]) -> list[Drawn]:
        curves = []
        for label in order:
            here = [c for c in done if c.cell.label == label]
            runs = [self.store.cell(c.cell) / "run" for c in here]
            traces = [read_run(run).trace for run in runs]
            traces = [t for t in traces if len(t) >= _MANY_POINTS]
            if traces:
                unit = "minus the loss" if here[0].density is None else "nats a row"
                made = training_curves(traces, title=label, unit=unit)
                curves.append(self._keep(f"training-{label}", made, f"Training of {label}"))
        return curves

    def _keep(self, what: str, made: Figure, title: str, caption: str = "") -> Drawn:
        self._png(what, made)
        return Drawn(style.svg(made, f"{self.name}-{what}", title), title, caption)

    def _png(self, what: str, made: Figure) -> None:
        folder = self.store.folder / "figures"
        folder.mkdir(exist_ok=True)
        write_bytes(folder / f"{file_name(f'{self.name}-{what}')}.png", style.png(made))


def file_name(name: str) -> str:
    """The name as a file can bear it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "figure"
