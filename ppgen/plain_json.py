"""Values as JSON has them, and dataclasses that are written and read field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Self

import numpy as np


def plain(value: Any) -> Any:
    """A value as JSON has it: dataclasses as objects, arrays and tuples as lists, scalars of NumPy
    as numbers. Anything else is given back as it is."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


class PlainFields:
    """A dataclass of numbers, text, and tuples and arrays of these."""

    def to_json(self) -> dict[str, Any]:
        """A dict of plain values."""
        body: dict[str, Any] = plain(self)
        return body

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """What `to_json` wrote; lists become tuples."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in body.items()})
