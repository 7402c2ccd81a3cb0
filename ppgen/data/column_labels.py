"""What the columns of a container are called.

Within ppgen a column's name is text. A container may call it otherwise: by a number, a date, None,
or a tuple where columns have several levels. Such a label is kept beside the name, written as JSON
so that it survives in saved runs, and rows that come out have it again.

| label | written |
|---|---|
| text | as JSON, where it is not the name itself |
| number, truth value, None | as JSON; NaN as `NaN` |
| tuple | as a JSON list |
| date or time | {"date": ...}, {"datetime": ...}, {"Timestamp": ...}, in ISO 8601 |
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from ..errors import InputError


def plain(label: Any) -> Any:
    """A label without NumPy's scalars: 1 for np.int64(1); InputError for what is neither text,
    number, date nor a tuple of these."""
    if isinstance(label, tuple):
        return tuple(map(plain, label))
    if isinstance(label, np.generic) and label.dtype.kind in "biufU":
        return label.item()
    known = label is None or isinstance(label, str | bool | int | float | datetime.date)
    if known and (label == label or isinstance(label, float)):  # all but pandas' missing time
        return label
    raise InputError(
        f"a column is labelled {label!r}, of type {type(label).__name__}; expected text, numbers, "
        "dates, or tuples of these. Rename it, such as by df.columns = df.columns.astype(str)."
    )


def written(label: Any, name: str) -> str:
    """A label as JSON; "" where it is the name itself."""
    return "" if isinstance(label, str) and label == name else json.dumps(_to_json(label))


def read(text: str, name: str) -> Any:
    """The label that `written` wrote."""
    return _from_json(json.loads(text)) if text else name


def same(label: Any, key: Any) -> bool:
    """Whether a key means a label; text is never a number, and NaN is NaN."""
    if isinstance(label, str) != isinstance(key, str) or not isinstance(key, Hashable):
        return False
    if isinstance(label, tuple) and isinstance(key, tuple):
        return len(label) == len(key) and all(same(a, b) for a, b in zip(label, key, strict=True))
    return bool(label == key) or (label != label and key != key)


def write_axis(names: Iterable[Any]) -> str:
    """The names of the levels that labels have, as JSON; "" for one level without a name."""
    labels = [_to_json(plain(name)) for name in names]
    return "" if labels == [None] else json.dumps(labels)


def read_axis(text: str) -> tuple[Any, ...]:
    """The names that `write_axis` wrote."""
    return tuple(map(_from_json, json.loads(text))) if text else (None,)


def _to_json(label: Any) -> Any:
    if isinstance(label, tuple):
        return list(map(_to_json, label))
    if isinstance(label, datetime.date):
        return {type(label).__name__: label.isoformat()}
    return label


def _from_json(body: Any) -> Any:
    if isinstance(body, list):
        return tuple(map(_from_json, body))
    if not isinstance(body, dict):
        return body
    ((kind, text),) = body.items()
    dates = {"date": datetime.date, "datetime": datetime.datetime}
    if kind in dates:
        return dates[kind].fromisoformat(text)
    import pandas as pd

    return pd.Timestamp(text)
