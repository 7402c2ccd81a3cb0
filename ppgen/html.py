"""HTML for notebooks: what a notebook shows of data, densities, verdicts and studies.

Each piece stands alone, takes the colours of the page around it, and scrolls where it is wide.
"""

from __future__ import annotations

import re
import struct
import zlib
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

_COLOURS = {"ok": "#2f855a", "warn": "#b7791f", "failed": "#c53030", "not checked": "#718096"}
_CELL = "padding:2px 12px 2px 0;text-align:left;vertical-align:top"
_NUMBER = "padding:2px 12px 2px 0;text-align:right;vertical-align:top;white-space:nowrap"
_WIDTH, _HEIGHT = 240, 40  # pixels of a histogram
_MOST_BARS = 40
_SHOWN = 64  # pixels that a small picture is high


def block(*parts: str) -> str:
    """Pieces of HTML under each other."""
    return '<div style="overflow-x:auto;max-width:100%">' + "".join(parts) + "</div>"


def line(text: str, *, strong: bool = False) -> str:
    """A paragraph of plain text."""
    tag = "strong" if strong else "span"
    return f'<p style="margin:2px 0"><{tag}>{escape(text)}</{tag}></p>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of plain texts; cells that are None are empty, and columns of numbers end alike."""
    texts = [["" if value is None else str(value) for value in row] for row in rows]
    numbers = [all(map(_is_number, column)) for column in zip(*texts, strict=True)]
    styles = [_NUMBER if of_numbers else _CELL for of_numbers in numbers or [False] * len(head)]

    def cells(tag: str, values: Iterable[str]) -> str:
        each = zip(values, styles, strict=True)
        return "".join(f'<{tag} style="{style}">{escape(text)}</{tag}>' for text, style in each)

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in texts)
    return (
        '<table style="border-collapse:collapse;margin:4px 0;font-size:inherit;'
        'font-variant-numeric:tabular-nums">'
        f"<thead><tr>{cells('th', head)}</tr></thead><tbody>{body}</tbody></table>"
    )


def _is_number(text: str) -> bool:
    return re.fullmatch(r"|[-−+]?(\d[\d.,e+-]*|∞)( ± .*)?", text) is not None


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


def pictures(images: ArrayLike, low: float, high: float) -> str:
    """Images (n, C, H, W) side by side, of one channel grey, of more the first three in colour,
    black at `low` and white at `high`."""
    x = np.asarray(images, dtype=np.float64)
    x = np.repeat(x, 3, axis=1) if x.shape[1] < 3 else x[:, :3]
    shown = np.nan_to_num((x - low) / ((high - low) or 1.0)).clip(0, 1)
    rows = np.moveaxis(255 * shown, 1, -1).round().astype(np.uint8)
    height = max(_SHOWN, rows.shape[1])
    how = f"height:{height}px;margin:2px 2px 2px 0;image-rendering:pixelated"
    return "".join(
        f'<img style="{how}" alt="" src="data:image/png;base64,{b64encode(_png(row)).decode()}">'
        for row in rows
    )


def _png(picture: NDArray[np.uint8]) -> bytes:
    """(H, W, 3) as a PNG file: a header, the rows, each after a 0 that says that it is no
    difference, and an end, each part with its length and checksum."""

    def part(name: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + checksum

    height, width, _ = picture.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    lines = np.pad(picture.reshape(height, -1), ((0, 0), (1, 0)))
    parts = part(b"IHDR", header) + part(b"IDAT", zlib.compress(lines.tobytes()))
    return b"\x89PNG\r\n\x1a\n" + parts + part(b"IEND", b"")
