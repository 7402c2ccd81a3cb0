"""`ppgen inspect`: what DATA are taken for, before anything is fitted to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .options import Data, Out, spread
from .output import check_output, say, write_table
from .reading import DataOptions, read_data

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import Column, Dataset

_EXAMPLES = 3


@spread
def inspect(data: Data, reading: DataOptions, output: Out = None) -> None:
    """Show what the columns of DATA are taken for, and what would be left out of a fit.

    A line a column: its kind, how many values are missing and how many differ, the least and the
    greatest number, the first values, and what there is to say of it. `--column NAME=KIND` takes a
    column for something else, here and in `ppgen fit`.
    """
    check_output(output)
    rows = read_data(data, reading)
    s = "s" * (len(rows) != 1)
    if not rows.schema.columns:
        say(f"{len(rows)} row{s}: {rows.schema}.")
    else:
        columns = "column" + "s" * (len(rows.schema.columns) != 1)
        say(f"{len(rows)} row{s} of {len(rows.schema.columns)} {columns}.")
        write_table(described(rows), output, pretty=True)
    for line in _about(rows):
        say(line)


def described(rows: Dataset) -> dict[str, list[Any]]:
    """A table of the columns of rows, and of those that are left out."""
    copied = _copies(rows)
    lines = [
        _line(column, rows.values(column.name), copied.get(column.name, ""))
        for column in rows.schema.every
    ]
    table = {key: [line[key] for line in lines] for key in lines[0]}
    for name in rows.schema.reading.left_out:
        for key, cells in table.items():
            cells.append({"column": name, "kind": "left out"}.get(key, ""))
    return table


def _copies(rows: Dataset) -> dict[str, str]:
    """Columns that are copies of another, and which that is."""
    import numpy as np

    first: dict[bytes | tuple[Any, ...], str] = {}
    copies = {}
    for column in rows.schema.every:
        values = rows.values(column.name)
        if column.kind in ("constant", "empty"):
            continue
        held = (*values.tolist(),) if values.dtype == object else np.float64(values).tobytes()
        if (other := first.setdefault(held, column.name)) != column.name:
            copies[column.name] = other
    return copies


def _line(column: Column, values: NDArray[Any], copy_of: str) -> dict[str, Any]:
    import numpy as np

    from ..data.values import is_gap

    known = values[~is_gap(values)]
    numbers = known.dtype != object and len(known) > 0
    first = list(dict.fromkeys(known[:1000].tolist()))[:_EXAMPLES]
    return {
        "column": column.name,
        "kind": column.kind,
        "missing": len(values) - len(known),
        "distinct": len({*known.tolist()}) if known.dtype == object else len(np.unique(known)),
        "least": _shown(column, float(known.min())) if numbers else "",
        "greatest": _shown(column, float(known.max())) if numbers else "",
        "first": " ".join(_shown(column, v) if numbers else str(v)[:20] for v in first),
        "about": "; ".join(filter(None, (str(column), f"a copy of {copy_of!r}" * bool(copy_of)))),
    }


def _shown(column: Column, value: Any) -> str:
    """A value; whole numbers in full, so that ids differ where they are shown."""
    if column.clock or column.kind == "time" or abs(value) >= 2**53 or value != round(value):
        return column.shown(value)
    return column.shown(value) if isinstance(value, bool) else f"{value:.0f}"


def _about(rows: Dataset) -> list[str]:
    """What else there is to say of rows."""
    import numpy as np

    from ..data.column import LINEAR
    from ..extremes import extreme_reasons

    lines: list[str] = []
    target = rows.target
    for column in rows.schema.columns:
        if column.kind in (*LINEAR, "positive", "count") and rows.images is None:
            lines += map(str, extreme_reasons(column, rows.columns[column.name]))
    if target is not None:
        labels = np.asarray(target)
        shown = ""
        if labels.ndim == 1 and labels.dtype.names is None:
            distinct = list(dict.fromkeys(labels.tolist()))
            shown = f", {len(distinct)} distinct: {', '.join(map(str, distinct[:5]))}"
            shown += ", ..." * (len(distinct) > 5)
        lines.append(f"Labels come with the rows{shown}.")
    if rows.groups is not None:
        lines.append(f"The rows are of {len(np.unique(rows.groups.astype(str)))} groups.")
    if rows.parts is not None:
        counts = [len(np.arange(len(rows))[part]) for part in rows.parts]
        lines.append("Parts of their own: {} to fit, {} to tune on, {} held out.".format(*counts))
    return lines
