"""The ranking by samples as text, and what the scores of samples are called."""

from __future__ import annotations

from typing import NamedTuple

from ..analysis.quality_ranking import QualityRanking, Standing
from ..digits import plus_minus, with_error
from ..text_table import aligned, filled
from .table import margin_text


class Words(NamedTuple):
    """What a score of samples is called in a report, and what it says."""

    title: str
    meaning: str


SCORE_WORDS = {
    "c2st_score": Words(
        "C2ST, 2 (1 − AUC)",
        "1: boosted trees cannot tell samples from real rows, 0: always; above 1 by chance",
    ),
    "c2st": Words("C2ST, AUC", "the same, as an area under a curve; 0.5: they cannot, 1: always"),
    "c2st_acc": Words("C2ST, accuracy", "the same, as the share they tell right; 0.5: by chance"),
    "precision": Words("precision", "share of samples near a real row"),
    "recall": Words("recall", "share of real rows near a sample"),
    "density": Words("k-NN density", "how many real neighbourhoods a sample lies in"),
    "coverage": Words("coverage", "share of real rows with a sample among their neighbours"),
    "energy": Words("energy distance", "0: the same distribution; may fall below by chance"),
    "frechet": Words("Fréchet distance", "0: the same means and covariances, corrected for bias"),
    "kernel": Words("kernel distance", "0: the same first three moments; unbiased"),
    "dependence": Words("dependence error", "mean error of the associations between columns"),
    "copies": Words("copies", "share of samples nearer to a training row than unseen ones are"),
    "duplicates": Words("duplicates", "share of samples nearer to each other than real rows are"),
}
"""The scores, in the order in which they are shown."""
BETTER_WORDS = {"low": "lower", "high": "higher", "control": "nearer to real rows"}


def ranking_text(ranking: QualityRanking, title: str, width: int | None) -> str:
    """The ranking in lines of so many letters; None: as wide as it is."""
    head = ["", "model", "score", "real rows", "to the best", "margin (80 % from)", "decided"]
    lines = [list(ranking_cells(m).values()) for m in ranking.models]
    head_line = filled(f"{title}: {ranking.title}", width)
    return f"{head_line}\n{aligned([head, *lines], width, keys=2)}"


def ranking_cells(m: Standing) -> dict[str, str]:
    """A line of the ranking as text."""
    d = m.difference
    return {
        "rank": str(m.rank),
        "model": m.name,
        "score": plus_minus(m.mean, m.stderr),
        "control": with_error(m.control, m.stderr)[0],
        "difference": plus_minus(d.mean, d.stderr, sign="+") if d else "",
        "margin": margin_text(d.margin, d.detectable) if d else "",
        "decided": m.verdict,
    }
