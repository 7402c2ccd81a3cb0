"""The words of a study's table, explained beneath it: those that stand there and no others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..density import KIND_MEANING, MEASURE_MEANING

_COLUMNS = {
    "difference": "margin: a difference beyond it is decided; in brackets the true difference that "
    "is decided 4 times in 5.",
    "bad_khat": "bad k-hat: rows whose importance samples are too few, so that their bound is "
    "likely to be loose.",
    "c2st": "C2ST AUC: how well boosted trees tell samples from held-out rows; 0.5: they cannot, "
    "1: always. In brackets real rows in the place of samples.",
    "coverage": "coverage: share of held-out rows with a sample among their nearest neighbours; in "
    "brackets that of as many real rows.",
    "reconstruction": "lost: share of the variance of held-out rows that is lost when they are "
    "encoded and decoded; 1 is what a constant row loses. In brackets what as many principal "
    "components lose (PCA), the best linear code: whatever loses more by a hundredth of it is "
    "marked.",
}


def legend(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each word in these lines of a table that is not plain, and what would decide
    each line that is undecided."""
    words = [text for kind, text in KIND_MEANING.items() if _any(lines, "kind", kind)]
    words += [text for measure, text in MEASURE_MEANING.items() if _any(lines, "measure", measure)]
    words += [
        text for name, text in _COLUMNS.items() if any(line.get(name) is not None for line in lines)
    ]
    return words + [
        f"{line['model']}, {line['decided']}: {line['to_decide']}"
        for line in lines
        if line.get("to_decide")
    ]


def _any(lines: Sequence[Mapping[str, Any]], name: str, value: str) -> bool:
    return any(line.get(name) == value for line in lines)
