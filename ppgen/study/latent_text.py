"""Scores of latents as text: what a blank decoder reaches is no score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..analysis.spread import blank_words
from .table import number_text, rounded


def unless_blank(score: Mapping[str, Any] | None, name: str) -> str:
    """A number of a score, as JSON, with its standard error; "blank" where the decoder gives one
    row for all codes."""
    if score is None:
        return ""
    if blank_words(_spread(score)):
        return "blank"
    error = "stderr" if name == "value" else f"{name}_stderr"
    return rounded(score[name], score[error])


def spread_text(score: Mapping[str, Any] | None) -> str:
    """The spread of decoded draws; nothing where a study of an earlier version has none."""
    known = math.nan if score is None else _spread(score)
    return "" if math.isnan(known) else number_text(known, 3)


def _spread(score: Mapping[str, Any]) -> float:
    known = score.get("spread")
    return math.nan if known is None else float(known)
