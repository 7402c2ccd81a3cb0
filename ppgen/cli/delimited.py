"""Columns as delimited text: the shortest that reads back the same, or written as the text was that
they are like."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data.notation import Notation
    from ..data.reading import Reading

Columns = Mapping[str, Any]

_DELIMITERS = (";", "|")  # of a file that ends in .csv, besides commas
_BLOCK = 1 << 14


def write_text(
    columns: Columns, stream: TextIO, delimiter: str, like: Reading | None = None
) -> None:
    """Write a text; without a delimiter its fields are parted as in the text that it is like."""
    if like is not None:
        columns = {name: _noted(values, like.notation(name)) for name, values in columns.items()}
        delimiter = delimiter or (like.delimiter if like.delimiter in _DELIMITERS else "")
    writer = csv.writer(stream, delimiter=delimiter or ",", lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(text_rows(columns))


def _noted(values: Any, notation: Notation) -> Any:
    """A column, numbers as text in a notation other than that of programs."""
    import numpy as np

    array = np.asarray(values)
    if notation.plain or array.dtype.kind not in "iuf":
        return values
    return np.array(notation.write(array.tolist()), object)


def text_rows(columns: Columns) -> Iterator[tuple[str, ...]]:
    """Each row as text; many are turned at once."""
    import numpy as np

    arrays = [_wholes(np.asarray(v)) for v in columns.values()]
    for start in range(0, len(arrays[0]) if arrays else 0, _BLOCK):
        yield from zip(*(texts(a[start : start + _BLOCK]) for a in arrays), strict=True)


def _wholes(values: NDArray[Any]) -> NDArray[Any]:
    """Numbers as whole ones, None where missing, if all of them are whole: gaps make floats of
    them in most containers."""
    import numpy as np

    if values.dtype.kind != "f":
        return values
    gaps = np.isnan(values)
    with np.errstate(invalid="ignore"):
        if (gaps | ((values == np.rint(values)) & (np.abs(values) < 2**53))).all():
            whole = np.where(gaps, 0, values).astype(np.int64)
            if not gaps.any():
                return whole
            cells = whole.astype(object)
            cells[gaps] = None
            return cells
    return values


def texts(values: NDArray[Any]) -> list[str]:
    """Values as text: the shortest that reads back the same, nothing where missing."""
    if values.dtype.kind == "f":
        return ["" if text == "nan" else text for text in values.astype(str).tolist()]
    if values.dtype.kind in "mM":
        values = values.astype(f"{values.dtype.kind}8[us]")  # finer ones are numbers to Python
    return ["" if v is None or v != v else str(v) for v in values.tolist()]
