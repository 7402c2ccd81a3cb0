"""HTML for notebooks: what a notebook shows of data, densities, verdicts and studies.

Each piece stands alone, takes the colours of the page around it, and scrolls where it is wide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from numpy.typing import ArrayLike

_COLOURS = {"ok": "#2f855a", "warn": "#b7791f", "failed": "#c53030", "not checked": "#718096"}
_CELL = "padding:2px 10px 2px 0;text-align:left;vertical-align:top"
_WIDTH, _HEIGHT = 240, 40  # pixels of a histogram
_MOST_BARS = 40


def block(*parts: str) -> str:
    """Pieces of HTML under each other."""
    return '<div style="overflow-x:auto;max-width:100%">' + "".join(parts) + "</div>"


def line(text: str, *, strong: bool = False) -> str:
    """A paragraph of plain text."""
    tag = "strong" if strong else "span"
    return f'<p style="margin:2px 0"><{tag}>{escape(text)}</{tag}></p>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of plain texts; cells that are None are empty."""

    def cells(tag: str, values: Iterable[object]) -> str:
        texts = ["" if value is None else escape(str(value)) for value in values]
        return "".join(f'<{tag} style="{_CELL}">{text}</{tag}>' for text in texts)

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return (
        '<table style="border-collapse:collapse;margin:4px 0">'
        f"<thead><tr>{cells('th', head)}</tr></thead><tbody>{body}</tbody></table>"
    )


def folded(title: str, *parts: str) -> str:
    """Pieces that are shown when their title is clicked."""
    return f"<details><summary>{escape(title)}</summary>{''.join(parts)}</details>"


def marked(status: str, text: str) -> str:
    """A line that begins with a status in its colour."""
    colour = _COLOURS[status]
    return (
        f'<p style="margin:2px 0"><strong style="color:{colour}">{escape(status)}</strong> '
        f"{escape(text)}</p>"
    )


def bars(heights: ArrayLike, caption: str) -> str:
    """Bars from zero as a drawing, with what they are under it."""
    h = np.asarray(heights, dtype=np.float64)[:_MOST_BARS]
    top = float(h.max(initial=0.0)) or 1.0
    wide = _WIDTH / max(len(h), 1)
    drawn = "".join(
        f'<rect x="{i * wide:.1f}" y="{_HEIGHT * (1 - value / top):.1f}" '
        f'width="{max(wide - 1, 0.5):.1f}" height="{_HEIGHT * value / top:.1f}" />'
        for i, value in enumerate(h.clip(min=0).tolist())
    )
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{escape(caption)}" '
        f'fill="currentColor" fill-opacity="0.6">{drawn}</svg>{line(caption)}'
    )
