"""Lines of a study's table as text, for a terminal and for the report."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..analysis.finding import plus_minus
from ..density import KIND_WORDS

COLUMNS = {
    "rank": "", "model": "model", "density": "log density", "bits": "bits/dim", "known": "known as",
    "khat": "bad k-hat", "difference": "to the best", "margin": "margin (80 % from)",
    "decided": "decided", "c2st": "C2ST (real)", "coverage": "coverage (real)",
    "lost": "lost (PCA)", "seconds": "fit", "memory": "memory", "verdict": "verdict",
}  # fmt: skip
"""What the columns of the rendered table are called."""
_SOMETIMES = {
    "bits": "bits_per_dim",
    "khat": "bad_khat",
    "difference": "difference",
    "margin": "difference",
    "c2st": "c2st",
    "coverage": "coverage",
    "lost": "reconstruction",
}


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The columns that these lines have something in."""

    def shown(name: str) -> bool:
        if name == "decided":
            return any(row["decided"] not in (None, "best") for row in rows)
        of = _SOMETIMES.get(name)
        return of is None or any(row[of] is not None for row in rows)

    return {name: title for name, title in COLUMNS.items() if shown(name)}


HEADS = {
    "rank": ("", "", False),
    "model": ("Model", "", False),
    "density": ("Log density", "nats a row", True),
    "known": ("Known as", "", False),
    "difference": ("To the best", "paired, ± se", True),
    "decided": ("Decided", "", False),
    "c2st": ("C2ST", "(real rows)", True),
    "coverage": ("Coverage", "(real rows)", True),
    "lost": ("Lost", "(PCA)", True),
    "seconds": ("Fit", "", True),
    "memory": ("Memory", "", True),
    "verdict": ("Verdict", "", False),
}
"""Columns of the ranking: what they are called, what stands beneath, whether they are numbers."""


def rendered(row: Mapping[str, Any], columns: Collection[str] = tuple(COLUMNS)) -> tuple[str, ...]:
    """A line's cells as text, or three where there is no fit: "", the model and why."""
    n, n_seeds = row["seeds"]
    if not n:
        note = f"{row['state']}: {row['reason']}"
        return ("", row["model"], note)
    known = KIND_WORDS.get(row["kind"] or "", "")
    verdict = row["verdict"] or ""
    if n < n_seeds:
        verdict += f" ({n} of {n_seeds} seeds)"
    bits, khat = row["bits_per_dim"], row["bad_khat"]
    cells = {
        "rank": str(row["rank"] or ""),
        "model": row["model"],
        "density": plus_minus(row["log_density"], row["stderr"]),
        "bits": "" if bits is None else f"{bits:.3f}".replace("-", "−"),
        "known": f"{known} ({row['measure']})" if known else "no density",
        "khat": "" if khat is None else f"{khat:.0%} of rows",
        "difference": plus_minus(row["difference"], row["difference_stderr"], sign="+"),
        "margin": _margin(row["margin"], row["detectable"]),
        "decided": row["decided"] or "",
        "c2st": beside(row["c2st"], row["c2st_control"]),
        "coverage": beside(row["coverage"], row["coverage_control"]),
        "lost": beside(row["reconstruction"], row["reconstruction_control"], digits=3),
        "seconds": duration_words(row["seconds"]),
        "memory": memory_words(row["memory"]),
        "verdict": verdict,
    }
    return tuple(cells[name] for name in columns)


def _margin(margin: float | None, detectable: float | None) -> str:
    """Beyond what a difference is decided, and from where on it is so 80 % of the time."""
    if margin is None or detectable is None or not math.isfinite(margin):
        return ""
    digits = 3 if margin <= 0 else min(4, max(0, 1 - math.floor(math.log10(margin))))
    return beside(margin, detectable, digits)


def beside(value: float | None, control: float | None, digits: int = 2) -> str:
    """A score with its control in brackets."""
    if value is None or control is None:
        return ""
    return f"{value:.{digits}f} ({control:.{digits}f})"


def number_text(value: float | None, digits: int = 2) -> str:
    """A number with a proper minus; nothing where there is none."""
    return "" if value is None else f"{value:.{digits}f}".replace("-", "−")


def rounded(value: float | None, stderr: float | None) -> str:
    """A score with its standard error, and without it where both are exact to three digits."""
    if value is not None and stderr is not None and stderr < 5e-4:
        return f"{value:.3f}".replace("-", "−")
    return plus_minus(value, stderr)


def duration_words(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.{0 if seconds >= 10 else 1}f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def memory_words(size: int | None) -> str:
    if size is None:
        return ""
    if size < 2**20:
        return "< 1 MB"
    return f"{size / 2**30:.1f} GB" if size >= 2**30 else f"{size / 2**20:.0f} MB"


def line(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A line of the report's ranking."""
    cells = rendered(row, names)
    margin = _margin(row["margin"], row["detectable"]) if row["seeds"][0] else ""
    return {
        "cells": dict(zip(names, cells, strict=True)) if row["seeds"][0] else {},
        "name": row["model"],
        "why": cells[-1],
        "bits": "" if row["bits_per_dim"] is None else f"{row['bits_per_dim']:.3f} bits/dim",
        "margin": margin and f"margin {margin}",
        "best": row["rank"] == 1,
        "row": row,
    }


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns under each other; a line of fewer cells runs on freely after its last."""
    full = [line for line in lines if len(line) == len(lines[0])]
    widths = [max(len(line[i]) for line in full) for i in range(len(lines[0]))]
    names = max(len(line[1]) for line in lines)
    widths[1] = max(widths[1], names)
    text = []
    for line in lines:
        padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        text.append("  ".join(padded).rstrip())
    return "\n".join(text)
