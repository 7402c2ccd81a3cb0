"""One model's line of a comparison."""

from __future__ import annotations

from dataclasses import dataclass

from .paired import Difference


@dataclass(frozen=True)
class Ranked:
    """One model's line of a comparison.

    Attributes:
        rank: place among the models of the same measure, None where there is nothing to rank.
        mean: mean log density over its held-out rows, in nats a row.
        stderr: its standard error over rows as a sample of the population.
        spread: standard deviation of the seeds' means (NaN for one seed).
        zero_rows: held-out rows given probability zero.
        nan_rows: held-out rows whose value is not a number.
        difference: to the best model of the same measure, with what decides it; None for that one.
        verdict: what is decided, in words.
    """

    name: str
    rank: int | None
    mean: float
    stderr: float
    spread: float
    kind: str
    method: str
    measure: str
    dequantised: tuple[str, ...]
    n_seeds: int
    n_rows: int
    zero_rows: int
    nan_rows: int
    difference: Difference | None
    verdict: str
