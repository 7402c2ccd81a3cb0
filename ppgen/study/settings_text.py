"""Settings of a fit as text: what was given, what the fit chose, and what stayed at its default."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..plain_json import plain

_MOST = 60  # characters of a value
ORIGINS = {"given": "Given", "chosen": "Chosen by the fit", "default": "Defaults"}


def setting_texts(origins: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What stands under each heading of `ORIGINS`: settings as "name = value", comma between."""
    return {
        heading: ", ".join(f"{k} = {value_text(v)}" for k, v in origins.get(origin, {}).items())
        for origin, heading in ORIGINS.items()
    }


def value_text(value: Any) -> str:
    """A value as JSON has it, numbers to four digits; "none" where there is none, and long ones cut
    short."""
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    if np.size(value) > _MOST:
        return "array of " + " × ".join(map(str, np.shape(value)))
    text = json.dumps(plain(value), ensure_ascii=False, default=str)
    return textwrap.shorten(text, _MOST, placeholder=" …")
