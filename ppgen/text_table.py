"""Tables as text."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns under each other; a line of fewer cells runs on freely after its last."""
    full = [line for line in lines if len(line) == len(lines[0])]
    widths = [max(map(len, cells)) for cells in zip(*full, strict=True)]
    widths[1] = max(len(line[1]) for line in lines)
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=False)).rstrip() for line in lines
    )
