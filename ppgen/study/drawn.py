"""A figure of a report, and what keeps one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawn:
    """A figure of the report: its markup, what it shows, and the words under it."""

    svg: str
    title: str
    caption: str = ""


class Keep(Protocol):
    """Keeps a figure as a PNG file and gives its markup."""

    def __call__(self, what: str, made: Figure, title: str, caption: str = "") -> Drawn: ...
