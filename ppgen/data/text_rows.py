"""Lines of delimited text, cut into fields."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence

BLANKS = r"\s+"
COMMENTS = ("#", "%", "//", "!")  # what a line of comment begins with

_DELIMITERS = ("\t", ";", "|", ",", BLANKS)  # the first that fits wins: a comma may be in the text
_WORDS = re.compile(r'"[^"]*"|\S+')
_SNIFFED = 100  # lines looked at to find the delimiter
_TWO_NUMBERS = re.compile(r"\s*[-+]?[\d.]+\s+[-+]?[\d.]+\s*")

Row = tuple[int, list[str]]


def rows(text: str, delimiter: str) -> Iterator[Row]:
    """The number of each row's last line, from 1, and its fields; empty lines are left out."""
    lines, quoted = io.StringIO(text), '"' in text
    if delimiter == BLANKS or not quoted:
        mark = None if delimiter == BLANKS else delimiter
        for number, line in enumerate(lines, 1):
            if line.strip():
                fields = _WORDS.findall(line) if quoted else line.rstrip("\n").split(mark)
                yield number, [field.strip('"') for field in fields]
        return
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    for fields in reader:
        if any(fields) or len(fields) > 1:
            yield reader.line_num, fields


def delimiter_of(text: str) -> str:
    """What cuts most of the first lines into one number of fields, more than one."""
    chosen, best, one = "", 0.5, ","
    for delimiter in _DELIMITERS:
        try:
            first = [fields for _, fields in itertools.islice(rows(text, delimiter), _SNIFFED)]
        except csv.Error:
            continue
        cut = first[n_comments(first) :]
        length, times = Counter(map(len, cut)).most_common(1)[0]
        share = times / len(cut)
        if delimiter == "," and _decimal_commas(cut):
            one = "\t"  # there is none where nothing else fits
        elif length > 1 and share > best:
            chosen, best = delimiter, share
    return chosen or one


def n_comments(first: Sequence[list[str]]) -> int:
    """How many lines of comment stand above the others; none where all begin as such do."""
    n = sum(1 for _ in itertools.takewhile(is_comment, first))
    return 0 if n == len(first) else n


def is_comment(fields: list[str]) -> bool:
    """Whether fields are those of a line of comment, unless it is one of the table."""
    return fields[0].lstrip().startswith(COMMENTS)


def _decimal_commas(cut: list[list[str]]) -> bool:
    """Whether commas cut decimals off, in numbers that blanks are between: "1,5 2,5"; or in a
    single column of them."""
    if all(len(fields) == 2 for fields in cut[1:]) and len(cut[0]) == 1 and len(cut) > 1:
        return all(part.strip().lstrip("+-").isdecimal() for fields in cut[1:] for part in fields)
    torn = [any(_TWO_NUMBERS.fullmatch(field) for field in fields) for fields in cut]
    return sum(torn) > len(torn) / 2
