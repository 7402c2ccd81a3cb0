"""Figures of a report: their markup, and the PNG files that are kept beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import write_bytes
from ..plotting import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDE = 560  # pixels


@dataclass(frozen=True)
class Drawn:
    """A figure of the report: its markup, and what it shows."""

    svg: str
    title: str

    @property
    def width(self) -> int:
        """In pixels of a page, as it was drawn."""
        found = re.match(r'<svg width="(\d+)"', self.svg)
        return int(found[1]) if found else 0

    @property
    def wide(self) -> bool:
        """Whether it is too wide for the page of a telephone, and scrolls there."""
        return self.width > _WIDE


@dataclass(frozen=True)
class Part:
    """Figures under a heading, with a line on what they show."""

    title: str
    figures: Sequence[Drawn]
    note: str = ""


@dataclass(frozen=True)
class Gallery:
    """Where the figures of a data set are kept; its name keeps theirs apart from others'."""

    folder: Path
    name: str

    def draw(self, what: str, made: Figure, title: str) -> Drawn:
        """The figure as markup."""
        return Drawn(style.svg(made, f"{self.name}-{what}", title), title)

    def save(self, what: str, made: Figure) -> None:
        """Keep the figure as a PNG file."""
        self.folder.mkdir(exist_ok=True)
        name = re.sub(r"[^a-z0-9]+", "-", f"{self.name}-{what}".lower()).strip("-") or "figure"
        write_bytes(self.folder / f"{name}.png", style.png(made))

    def keep(self, what: str, made: Figure, title: str) -> Drawn:
        """Keep the figure as a PNG file, and give its markup."""
        self.save(what, made)
        return self.draw(what, made, title)
