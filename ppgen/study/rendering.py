"""Lines of a study's table as text, for a terminal and for the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..analysis.finding import plus_minus
from ..density import KIND_WORDS


class Column(NamedTuple):
    """A column of the ranking: its title in a terminal, its head in the report (None where it is no
    column there) and what stands beneath, whether it holds numbers, and the entry of a line without
    which it is empty."""

    title: str
    head: str | None = None
    beneath: str = ""
    number: bool = False
    needs: str | None = None


COLUMNS = {
    "rank": Column("", ""),
    "model": Column("model", "Model"),
    "density": Column("log density", "Log density", "nats a row", number=True),
    "bits": Column("bits/dim", needs="bits_per_dim"),
    "known": Column("known as", "Known as"),
    "khat": Column("bad k-hat", needs="bad_khat"),
    "difference": Column("to the best", "To the best", "paired, ± se", True, "difference"),
    "margin": Column("margin (80 % from)", needs="difference"),
    "decided": Column("decided", "Decided"),
    "c2st": Column("C2ST (real)", "C2ST", "(real rows)", True, "c2st"),
    "coverage": Column("coverage (real)", "Coverage", "(real rows)", True, "coverage"),
    "lost": Column("lost (PCA)", "Lost", "(PCA)", True, "reconstruction"),
    "seconds": Column("fit", "Fit", number=True),
    "memory": Column("memory", "Memory", number=True),
    "verdict": Column("verdict", "Verdict"),
}


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """The columns that these lines have something in."""
    shown = {
        name: column
        for name, column in COLUMNS.items()
        if column.needs is None or any(row[column.needs] is not None for row in rows)
    }
    if all(row["decided"] in (None, "best") for row in rows):
        del shown["decided"]
    return shown


def rendered(row: Mapping[str, Any]) -> dict[str, str]:
    """A line's cells as text; none where there is no fit."""
    done, asked = row["seeds"]
    if not done:
        return {}
    known = KIND_WORDS.get(row["kind"] or "", "")
    few = f" ({done} of {asked} seeds)" if done < asked else ""
    khat = row["bad_khat"]
    return {
        "rank": str(row["rank"] or ""),
        "model": row["model"],
        "density": plus_minus(row["log_density"], row["stderr"]),
        "bits": number_text(row["bits_per_dim"], 3),
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
        "verdict": f"{row['verdict'] or ''}{few}",
    }


def _margin(margin: float | None, detectable: float | None) -> str:
    """Beyond what a difference is decided, and from where on it is so 80 % of the time."""
    if margin is None or not math.isfinite(margin):
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
    if stderr is not None and stderr < 5e-4:
        return number_text(value, 3)
    return plus_minus(value, stderr)


def duration_words(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.{0 if seconds >= 10 else 1}f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def memory_words(size: int | None) -> str:
    if size is None:
        return ""
    if size < 2**20:
        return "< 1 MB"
    return f"{size / 2**30:.1f} GB" if size >= 2**30 else f"{size / 2**20:.0f} MB"
