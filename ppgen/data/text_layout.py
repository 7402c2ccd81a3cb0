"""Where the table stands in a text: above it titles, comments and names, a line of units, below it
sums and sources.

What is left out is noted; a line in the midst of the table that does not fit is refused.
"""

from __future__ import annotations

import io
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from ..errors import InputError
from .text_header import are_names, are_units, is_numeric, is_rule, is_summary, is_text
from .text_rows import BLANKS, COMMENTS, Row, is_comment, n_comments, rows

_TOP, _LAST = 100, 10  # rows looked at for what stands above and below a table
_TITLES = 20  # lines within which titles end
_QUOTED = 3  # lines that a note quotes
_SHOWN = 40  # characters of a line that is left out


@dataclass
class Layout:
    """A text's table.

    Attributes:
        path: the file.
        text: what is in it.
        delimiter: what stands between fields.
        width: fields a row.
        names: of the columns; None where the text has none.
        top: the line above the first row of values, 0 for none.
        skipped: lines below it that are no rows.
        sample: the first rows of values.
        notes: what was left out.
    """

    path: Path
    text: str
    delimiter: str
    width: int
    names: list[str] | None = None
    top: int = 0
    skipped: set[int] = field(default_factory=set)
    sample: list[list[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, lines: Sequence[Row], what: str) -> None:
        """Leave rows out, and note it where there is something in them."""
        self.skipped |= {line for line, _ in lines}
        told = {line for line, fields in lines if _filled(fields)}
        if told:
            at = ", ".join(map(str, sorted(told)[:5])) + ", ..." * (len(told) > 5)
            s = "s" * (len(told) > 1)
            written = (line for i, line in enumerate(io.StringIO(self.text), 1) if i in told)
            ends = "" if self.delimiter == BLANKS else self.delimiter
            texts = [*dict.fromkeys(line.strip().rstrip(f"{ends} ")[:_SHOWN] for line in written)]
            shown = ", ".join(map(repr, texts[:_QUOTED])) + ", ..." * (len(texts) > _QUOTED)
            self.notes.append(f"line{s} {at} left out, {what}: {shown}.")

    def ragged(self, row: Row, like: int) -> InputError:
        """The error that a row has more or fewer fields than line `like`."""
        line, fields = row
        return InputError(
            f"{self.path}, line {line}: {len(fields)} field{'s' * (len(fields) != 1)}, expected "
            f"{self.width} as in line {like}. Correct that line."
        )


def lay_out(path: Path, text: str, delimiter: str) -> Layout:
    """Find the table.

    Raises:
        InputError: if a line in the midst of it has more or fewer fields than the others.
        csv.Error: if a quoted field does not end well.
    """
    stream = rows(text, delimiter)
    top = list(islice(stream, _TOP))
    comments = n_comments([fields for _, fields in top])
    widths = Counter(len(fields) for _, fields in top[comments:])
    layout = Layout(path, text, delimiter, widths.most_common(1)[0][0])
    like = next(line for line, fields in top[comments:] if len(fields) == layout.width)
    start = _header(layout, top, comments)
    layout.sample = [fields for _, fields in top[start:] if len(fields) == layout.width]
    for what, holds in (("of units", are_units), ("of dashes", _begins_with_rule)):
        none = layout.names is None or layout.sample[:1] == [layout.names]
        if not none and holds(layout.sample):
            layout.leave_out(top[start : start + 1], what)
            start, layout.sample = start + 1, layout.sample[1:]
    layout.top = top[start - 1][0] if start else 0
    odd, named, last = [], [], deque[Row](maxlen=_LAST)
    numbered = is_numeric([fields for fields in layout.sample if not is_comment(fields)], 0)
    for row in chain(top[start:], stream):
        last.append(row)
        fields = row[1]
        if len(fields) != layout.width or (numbered and is_comment(fields) and is_text(fields[0])):
            odd.append(row)
        elif fields == layout.names:
            named.append(row)
    layout.leave_out(named, "names again")
    _footer(layout, list(last))
    within = [row for row in odd if row[0] not in layout.skipped]
    said = [row for row in within if is_comment(row[1]) or is_rule(row[1])]
    layout.leave_out(said, "of comment")
    for row in within:
        if row[0] not in layout.skipped:
            raise layout.ragged(row, like)
    layout.skipped = {line for line in layout.skipped if line > layout.top}
    return layout


def _filled(fields: Sequence[str]) -> int:
    return sum(bool(field.strip()) for field in fields)


# Above


def _header(layout: Layout, top: list[Row], comments: int) -> int:
    """Find names, and leave out what stands above them; the place of the first row of values."""
    first = _first_row(layout, top, comments)
    rest = [fields for _, fields in top[first:] if len(fields) == layout.width]
    above, start = top[:first], first
    if are_names(rest[0], rest[1:]):
        layout.names, start = rest[0], first + 1
    elif above and (names := _names_above(above[-1][1], rest, commented=first <= comments)):
        layout.names = names
        above.pop()
    for row in above[comments:]:
        if layout.names is None and _filled(row[1]) > 1:  # names of too few columns, perhaps
            raise layout.ragged(row, top[first][0])
    layout.leave_out(above, "above the table")
    return start


def _first_row(layout: Layout, top: list[Row], comments: int) -> int:
    """The place of the first row of the table, names included: names over numbers, with a blank
    line or titles above, which are as wide as the table in a spreadsheet, but not as full."""
    wide = layout.width
    filled = [_filled(fields) if len(fields) == wide else 0 for _, fields in top]
    most = max(filled[comments:])
    if not most:
        raise InputError(f"{layout.path} holds separators and no values; expected a table.")
    full = [i for i in range(comments, len(top)) if filled[i] == most]

    def is_header(i: int) -> bool:
        below = [top[j][1] for j in full if j > i]
        said = [j for j, name in enumerate(top[i][1]) if name.strip()]
        named = all(is_text(top[i][1][j]) for j in said)
        return named and any(is_numeric(below, j) for j in said)

    for i in full:
        apart = i > comments and (not filled[i - 1] or top[i][0] - top[i - 1][0] > 1)
        if i < _TITLES and apart and is_header(i):
            return i
    first = next(i for i in range(comments, len(top)) if filled[i])
    sparse = filled[first] < most and bool(top[first][1][0].strip())
    below = [top[j][1] for j in full if j > first]
    if not (sparse and below):
        return first
    title = filled[first] == 1 and all(map(is_text, filter(str.strip, below[0])))
    over_text = title and are_names(below[0], below[1:])
    return full[0] if over_text or is_header(full[0]) else first


def _begins_with_rule(sample: list[list[str]]) -> bool:
    return len(sample) > 1 and is_rule(sample[0])


def _names_above(fields: list[str], rest: list[list[str]], *, commented: bool) -> list[str] | None:
    """Names in the line above the first row of values `rest`: in a comment, or a field short, where
    R wrote the names of rows or each row ends in a separator; else None."""
    wide = len(rest[0])
    if commented:
        bare = fields[0].lstrip("".join({*"".join(COMMENTS)}) + " ")
        fields = [bare, *fields[1:]] if bare else fields[1:]
        return fields if len(fields) == wide and all(map(is_text, fields)) else None
    if not all(map(is_text, filter(str.strip, fields))):
        return None
    if len(fields) == wide + 1 and not fields[-1].strip():
        return fields[:-1]
    if len(fields) != wide - 1:
        return None
    if not any(row[-1].strip() for row in rest):
        return [*fields, ""]
    labels = [row[0] for row in rest]
    numbered = labels == [str(i + 1) for i in range(len(labels))]
    if numbered or (len({*labels}) == len(labels) and all(map(is_text, labels))):
        return ["", *fields]
    return None


# Below


def _footer(layout: Layout, last: list[Row]) -> None:
    """Leave out the lines below the table: sums, sources, and empty ones."""
    footer: list[Row] = []
    for row in reversed(last[1:]):
        if not _is_footer(layout, row[1]):
            break
        footer.insert(0, row)
    layout.leave_out(footer, "below the table")


def _is_footer(layout: Layout, fields: list[str]) -> bool:
    filled = [field for field in fields if field.strip()]
    if not filled:
        return len(fields) > 1
    if not is_text(filled[0]):
        return False
    place = fields.index(filled[0])
    if len(fields) != layout.width:
        return len(fields) < layout.width and len(filled) <= max(1, layout.width // 2)
    above = [row[place] for row in layout.sample if row is not fields]
    if is_summary(filled[0]):
        return filled[0] not in above
    numbers = not any(map(is_text, filter(str.strip, above)))
    said = numbers or filled[0].lstrip().startswith(("*", "#")) or ":" in filled[0]
    return layout.width > 1 and len(filled) == 1 and said
