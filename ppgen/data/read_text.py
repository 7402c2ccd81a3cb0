"""Delimited text: what separates fields, whether names stand on top, whether lines are as long."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .dataset import Dataset, as_dataset
from .memory_limit import check_memory

MISSING = ("", "NA", "NaN", "nan", "null", "?", "None")
BLANKS = r"\s+"

_DELIMITERS = ("\t", ";", ",", BLANKS)  # the first that fits wins: a comma may be in the text
_WORDS = re.compile(r'"[^"]*"|\S+')
_SNIFFED = 50  # lines looked at to find the delimiter
_CHUNK = 1 << 24
GZIP = b"\x1f\x8b"  # what gzipped files begin with


def read_text(path: Path) -> Dataset:
    """Read a table of delimited text, gzipped or not.

    Fields are separated by commas, semicolons, tabs or blanks. The first line holds names unless
    there is a number in it; columns are then named c0, c1, ... Empty fields, NA, NaN, null, None
    and ? are missing.

    Raises:
        InputError: if the file is empty, is no text, or is ragged (naming the line).
    """
    text = _decode(path)
    delimiter = _delimiter(text)
    try:
        rows = _rows(text, delimiter)
        line, first = next(rows)
        for number, fields in rows:
            if len(fields) != len(first):
                raise InputError(
                    f"{path}, line {number}: {len(fields)} field{'s' * (len(fields) != 1)}, "
                    f"expected {len(first)} as in line {line}. Correct that line."
                )
    except csv.Error as error:
        raise InputError(f"{path} has a quoted field that does not end well: {error}.") from None
    first = [field.strip() for field in first]
    named = not any(_is_number(field) for field in first)
    names = [field or f"c{j}" for j, field in enumerate(first)] if named else None
    frame = _parse(text, delimiter, len(first), skip=line if named else 0)
    if not len(frame):
        raise InputError(f"{path} holds names and no rows; expected at least one row.")
    frame.columns = names or [f"c{j}" for j in range(len(first))]
    return as_dataset(frame)


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


def _decode(path: Path) -> str:
    content = read_bytes(path, scale=4)
    if b"\0" in content[:4096]:
        raise InputError(f"{path} is not text; expected a table such as CSV.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise InputError(f"{path} is empty; expected a table.")
    return text


def _delimiter(text: str) -> str:
    """What cuts most of the first lines into one number of fields, more than one."""
    chosen, best = ",", 0.5
    for delimiter in _DELIMITERS:
        try:
            rows = itertools.islice(_rows(text, delimiter), _SNIFFED)
            lengths = Counter(len(fields) for _, fields in rows)
        except csv.Error:
            continue
        length, times = lengths.most_common(1)[0]
        share = times / sum(lengths.values())
        if length > 1 and share > best:
            chosen, best = delimiter, share
    return chosen


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The number of each row's last line, from 1, and its fields; empty lines are left out."""
    lines, quoted = io.StringIO(text), '"' in text
    if delimiter == BLANKS or not quoted:
        mark = None if delimiter == BLANKS else delimiter
        for number, line in enumerate(lines, 1):
            if line.strip():
                fields = _WORDS.findall(line) if quoted else line.split(mark)
                yield number, [field.strip('"') for field in fields]
        return
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    for fields in reader:
        if any(fields) or len(fields) > 1:
            yield reader.line_num, fields


def _is_number(field: str) -> bool:
    try:
        return math.isfinite(float(field))
    except ValueError:
        return False


def _parse(text: str, delimiter: str, width: int, skip: int) -> Any:
    """The rows as a pandas frame of numbers and text."""
    import pandas as pd

    # Since version 3 numbers are parsed exactly, and asking for it is deprecated.
    old = int(pd.__version__.split(".")[0]) < 3
    exact = {"float_precision": "round_trip"} if old else {}

    def load(**options: Any) -> Any:
        return pd.read_csv(
            io.StringIO(text),
            sep=delimiter,
            header=None,
            names=range(width),
            index_col=False,
            skiprows=skip,
            skipinitialspace=True,
            na_values=list(MISSING),
            keep_default_na=False,
            low_memory=False,
            **exact,
            **options,
        )

    frame = load()
    maybe = [j for j in range(width) if frame[j].dtype.kind in "bO"]
    truths = [j for j in maybe if any(isinstance(v, bool | np.bool_) for v in frame[j].unique())]
    if truths:  # "TRUE" stays the text that it is
        frame[truths] = load(usecols=truths, dtype=str)
    return pd.DataFrame({j: _cleaned(frame[j]) for j in range(width)})


def _cleaned(series: Any) -> Any:
    """Text without blanks around it, its gaps found, as numbers if nothing else is left."""
    import pandas as pd

    if series.dtype.kind in "fiu" or series.isna().all():
        return series.astype(np.float64) if series.isna().all() else series
    text = series.tolist()
    stripped = {v: v.strip() for v in set(text) if isinstance(v, str)}
    clean = {v: None if new in MISSING else new for v, new in stripped.items()}
    text = [clean.get(v) for v in text]  # what is no text is missing
    if any(old != new for old, new in clean.items()):
        try:
            return pd.to_numeric(pd.Series(text))
        except (ValueError, TypeError):
            pass
    return pd.Series(text)
