"""Tables as text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from textwrap import wrap

_LEAST = 12  # letters below which no column is folded


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns under each other; a line of fewer cells runs on freely after its last."""
    full = [line for line in lines if len(line) == len(lines[0])]
    widths = [max(map(len, cells)) for cells in zip(*full, strict=True)]
    widths[1] = max(len(line[1]) for line in lines)
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=False)).rstrip() for line in lines
    )


def folded(lines: Sequence[Sequence[str]], width: int) -> str:
    """Columns under each other in so many letters: where they are wider, the widest are folded
    between words."""
    columns = list(zip(*lines, strict=True))
    whole = [max(map(len, cells)) for cells in columns]
    words = [max(len(word) for cell in cells for word in cell.split() or [""]) for cells in columns]
    room = width - 2 * (len(columns) - 1)

    def within(most: int) -> list[int]:
        return [max(min(w, most), word) for w, word in zip(whole, words, strict=True)]

    caps = range(max(whole), _LEAST, -1)
    widths = within(next((most for most in caps if sum(within(most)) <= room), _LEAST))
    shown = []
    for line in lines:
        each = [wrap(cell, w or 1) for cell, w in zip(line, widths, strict=True)]
        for cells in zip_longest(*each, fillvalue="") if any(each) else [("",)]:
            placed = (cell.ljust(w) for cell, w in zip(cells, widths, strict=False))
            shown.append("  ".join(placed).rstrip())
    return "\n".join(shown)
