"""A page of HTML that stands alone, from a template: nothing in it refers to anything outside it,
and whatever came with the data (names of columns and levels) is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..density import KIND_MEANING, KIND_WORDS
from ..digits import plus_minus, with_error
from .latent_text import spread_text, unless_blank
from .settings_text import setting_texts
from .table import beside, duration_words, number_text, rounded, worse_words

_TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, page: Mapping[str, Any]) -> bytes:
    """The page that a template makes of these names."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number_text,
        "rounded": rounded,
        "beside": beside,
        "worse_words": worse_words,
        "plus_minus": plus_minus,
        "to_error": lambda value, stderr: with_error(value, stderr)[0],
        "unless_blank": unless_blank,
        "spread_text": spread_text,
        "duration": duration_words,
        "kind_meaning": lambda kind: KIND_MEANING.get(kind, ""),
        "kind": KIND_WORDS.__getitem__,
        "setting_texts": setting_texts,
    }
    css = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    return environment.get_template(template).render({"css": css, **page}).encode()
