"""Tables as text, as wide as the terminal that they are shown on."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from itertools import zip_longest
from textwrap import wrap

_LEAST = 12  # letters below which no column is folded
_GAP = 2  # blanks between columns
_BLANK = "\N{NO-BREAK SPACE}"
_WITHIN = re.compile(r"(?<=\d) (?=±|%|\(\d)|(?<=±) (?=\d)")  # blanks that are no end of a line


def terminal_width() -> int | None:
    """Letters in a line of the terminal, 80 where it does not say; None where standard output is
    none, such as a file or a pipe, which have whole lines."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    return shutil.get_terminal_size().columns


def aligned(lines: Sequence[Sequence[str]], width: int | None = None, keys: int = 1) -> str:
    """Columns under each other.

    Args:
        lines: cells, those of the head first. A line of fewer runs on freely in its last.
        width: letters in a line. Where columns are wider, the widest are folded between words; what
            does not fit then stands beneath, as a table of its own. None: as wide as they are.
        keys: how many columns are the names of lines, with which each table begins.
    """
    full = [line for line in lines if len(line) == len(lines[0])]
    named = [line[:-1] for line in lines if len(line) < len(lines[0])]
    columns = [[line[i] for line in [*full, *named] if i < len(line)] for i in range(len(lines[0]))]
    whole = [max(map(len, cells)) for cells in columns]
    if width is None:
        return _table(lines, range(len(whole)), whole, None)
    words = [max(len(word) for cell in cells for word in _words(cell)) for cells in columns]

    def within(most: int, block: Sequence[int]) -> list[int]:
        return [max(min(whole[i], most), words[i]) for i in block]

    tables: list[str] = []
    for block in _blocks(within(_LEAST, range(len(whole))), width, keys):
        room = width - _GAP * (len(block) - 1)
        caps = range(max(whole), _LEAST, -1)
        most = next((cap for cap in caps if sum(within(cap, block)) <= room), _LEAST)
        tables.append(_table(full if tables else lines, block, within(most, block), width))
    return "\n\n".join(tables)


def filled(text: str, width: int | None) -> str:
    """Prose in lines of so many letters, broken between words; None: as it is."""
    if width is None:
        return text
    return "\n".join("\n".join(_wrapped(line, width)) for line in text.split("\n"))


def _blocks(least: Sequence[int], width: int, keys: int) -> list[list[int]]:
    """Columns by number, in as few tables as there is room for, of about the same width."""
    few = len(_filled_up(least, width, keys))
    tried = (_filled_up(least, narrower, keys) for narrower in range(width + 1))
    return next(blocks for blocks in tried if len(blocks) == few)


def _filled_up(least: Sequence[int], width: int, keys: int) -> list[list[int]]:
    """As many columns in each table as there is room for beside the names."""
    names = list(range(keys))
    blocks, room = [names], 0
    for i in range(keys, len(least)):
        room -= least[i] + _GAP
        if room < 0:
            room = width - sum(least[j] + _GAP for j in names) - least[i]
            blocks.append(names)
        blocks[-1] = [*blocks[-1], i]
    return blocks[1:] or blocks


def _table(
    lines: Sequence[Sequence[str]], block: Sequence[int], widths: Sequence[int], width: int | None
) -> str:
    """These columns in so many letters each."""
    whole_line = len(lines[0])
    shown = []
    for line in lines:
        cells, each = [line[i] for i in block if i < len(line)], list(widths)
        if len(line) < whole_line:
            last = min(len(line), len(block)) - 1
            cells = [*line[:last], " ".join(line[last:])]
            room = len(cells[-1]) if width is None else width - sum(w + _GAP for w in each[:last])
            each = [*each[:last], max(room, _LEAST)]
        folded = [_wrapped(cell, w) for cell, w in zip(cells, each, strict=True)]
        for pieces in zip_longest(*folded, fillvalue=""):
            placed = (piece.ljust(w) for piece, w in zip(pieces, each, strict=True))
            shown.append((" " * _GAP).join(placed).rstrip())
    return "\n".join(shown)


def _wrapped(cell: str, width: int) -> list[str]:
    """The cell in lines of so many letters, at least one."""
    if len(cell) <= width:
        return [cell]
    lines = wrap(_glued(cell), width or 1, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_BLANK, " ") for line in lines or [""]]


def _words(cell: str) -> list[str]:
    """What is never broken."""
    return _glued(cell).split(" ")


def _glued(cell: str) -> str:
    """Numbers as one word with the errors and numbers in brackets that belong to them."""
    return _WITHIN.sub(_BLANK, cell)
