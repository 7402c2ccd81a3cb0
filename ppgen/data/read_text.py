"""Delimited text: what it is encoded in, where the table stands in it, and its columns."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .dataset import Dataset
from .memory_limit import check_memory
from .number_text import MISSING, decimal_of
from .reading import Reading
from .text_columns import table_of
from .text_layout import Layout, lay_out
from .text_rows import delimiter_of, rows

# What digits begin with that a number loses: zeros, the sign of a telephone's number, or too many.
_DIGITS = re.compile(r"(?<![\d.:/])(?:\+?0\d+|\+\d{7,}|[+-]?\d{16,})")
_CHUNK = 1 << 24
GZIP = b"\x1f\x8b"  # what gzipped files begin with
UTF16 = (b"\xff\xfe", b"\xfe\xff")  # what files of two bytes a letter begin with
_SEP = re.compile(r"\s*\"?sep=(.)\"?[^\n]*\n", re.IGNORECASE)


def read_text(path: Path, said: Reading | None = None) -> Dataset:
    """Read a table of delimited text, gzipped or not.

    Fields are separated by tabs, semicolons, bars, commas or blanks, or by what a first line
    `sep=` says. Titles, comments, a line of units and a footer are left out, and that is noted.
    The first line of the table holds names unless there is a number in it, over columns that are
    no numbers; columns are then named c0, c1, ... Numbers may have decimal commas, thousands
    separators, and signs of percent and currencies. Where something keeps a column from being
    numbers, its note says what.

    Args:
        path: the file.
        said: the markers of missing values and the decimal mark.

    Raises:
        InputError: if the file is empty, is no text, or is ragged (naming the line).
    """
    return table_of_text(path, decoded(path), Reading() if said is None else said)


def table_of_text(path: Path, text: str, said: Reading, delimiter: str = "") -> Dataset:
    """The table of a text that a file holds; InputError as `read_text`."""
    if found := _SEP.match(text):
        delimiter, text = found[1], "\n" + text[found.end() :]  # lines keep their numbers
    try:
        layout = lay_out(path, text, delimiter or delimiter_of(text))
    except csv.Error as error:
        raise InputError(f"{path} has a quoted field that does not end well: {error}.") from None
    fields = (field.strip() for row in layout.sample for field in row)
    decimal = decimal_of(fields, comma=layout.delimiter == ";")
    if said.decimal and (layout.delimiter != "," or '"' in text):
        decimal = said.decimal
    frame = _parse(_body(text, layout), layout, decimal)
    if not len(frame):
        raise InputError(f"{path} holds names and no rows; expected at least one row.")
    names = [name.strip() for name in layout.names or [""] * layout.width]
    empty = [j for j, name in enumerate(names) if layout.names and not name and _empty(frame[j])]
    frame = frame.drop(columns=empty)
    called = {j: names[j] or f"c{j}" for j in frame.columns}
    frame.columns = [*called.values()]
    said = replace(said, decimal=decimal)
    sample = {name: [row[j].strip() for row in layout.sample] for j, name in called.items()}
    data = table_of(frame, said, lambda row: f"line {_line(text, layout, row)}", sample)
    parted = "" if layout.delimiter == "," else layout.delimiter
    reading = replace(data.schema.reading, delimiter=parted)
    schema = replace(data.schema, reading=reading)
    return replace(data, schema=schema, notes=(*layout.notes, *data.notes))


def read_bytes(path: Path, scale: int = 1) -> bytes:
    """A file's content, unzipped; InputError if it is damaged, or `scale` times of it does not
    fit in memory."""
    with path.open("rb") as file:
        zipped = file.read(2) == GZIP
    check_memory(path, scale * path.stat().st_size)
    if not zipped:
        return path.read_bytes()
    chunks, size = [], 0
    try:
        with gzip.open(path) as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                check_memory(path, scale * size)
                chunks.append(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is damaged ({error}). Get it again.") from None
    return b"".join(chunks)


def decoded(path: Path) -> str:
    """A file's text, its lines ended by newlines; InputError if it is none."""
    content = read_bytes(path, scale=4)
    if content.startswith(UTF16):
        text = content.decode("utf-16", errors="replace")
    elif b"\0" in content[:4096]:
        raise InputError(f"{path} is not text; expected a table such as CSV.")
    else:
        text = _of_bytes(content)
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\x1a")  # DOS ends texts so
    if not text.strip():
        raise InputError(f"{path} is empty; expected a table.")
    return text


def _of_bytes(content: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _body(text: str, layout: Layout) -> str:
    """The lines of the values."""
    start = 0
    for _ in range(layout.top):
        start = text.find("\n", start) + 1 or len(text)
    if not layout.skipped:
        return text[start:]
    lines = text[start:].split("\n")
    return "\n".join(v for i, v in enumerate(lines, layout.top + 1) if i not in layout.skipped)


def _empty(series: Any) -> bool:
    return bool(series.isna().all())


def _parse(text: str, layout: Layout, decimal: str) -> Any:
    """The rows as a pandas frame of numbers and text."""
    import pandas as pd

    # Since version 3 numbers are parsed exactly, and asking for it is deprecated.
    old = int(pd.__version__.split(".")[0]) < 3
    exact = {"float_precision": "round_trip"} if old else {}

    def load(**options: Any) -> Any:
        return pd.read_csv(
            io.StringIO(text),
            sep=layout.delimiter,
            decimal=decimal,
            header=None,
            names=range(layout.width),
            index_col=False,
            skipinitialspace=True,
            na_values=list(MISSING),
            keep_default_na=False,
            low_memory=False,
            **exact,
            **options,
        )

    frame = load()
    maybe = [j for j in range(layout.width) if frame[j].dtype.kind in "bO"]
    truths = [j for j in maybe if any(isinstance(v, bool | np.bool_) for v in frame[j].unique())]
    if truths:  # "TRUE" stays the text that it is
        frame[truths] = load(usecols=truths, dtype=str)
    numbers = [j for j in range(layout.width) if frame[j].dtype.kind in "iuf"]
    if numbers and _DIGITS.search(text):  # which numbers may lose
        held = load(usecols=numbers, dtype=str)
        for j in numbers:
            texts = (v.strip() for v in held[j].unique() if isinstance(v, str))
            if any(map(_DIGITS.fullmatch, texts)):
                frame[j] = held[j]
    return frame


def _line(text: str, layout: Layout, row: int) -> int:
    """The line of a row of values, both counted in the file: rows from 0, lines from 1."""
    stream = rows(text, layout.delimiter)
    left = (n for n, _ in stream if n > layout.top and n not in layout.skipped)
    return next(islice(left, row, None))
