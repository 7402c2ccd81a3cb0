"""The lines of a comparison, and what it found in words that claim no more than it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..digits import plus_minus
from .limits import LEVEL
from .paired import Difference

LEVEL_WORDS = f" (level {LEVEL:.0%} for all models at once)"
_EQUAL = 100  # times as many rows, beyond which more are no way to decide
VERDICTS = {"better": "ahead", "worse": "behind", "close": "too close to call"}


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


def _standing(lines: Sequence[Ranked]) -> tuple[Ranked, dict[str, list[Ranked]]] | None:
    """The best of the first measure and, by outcome, those set against it; None if none ranks."""
    ranked = [m for m in lines if m.rank is not None and m.measure == lines[0].measure]
    if not ranked:
        return None
    by: dict[str, list[Ranked]] = {}
    for m in ranked:
        if m.difference is not None:
            by.setdefault(m.difference.outcome, []).append(m)
    return next(m for m in ranked if m.difference is None), by


def finding(lines: Sequence[Ranked]) -> str:
    """The comparison in one sentence."""
    standing = _standing(lines)
    if standing is None:
        return "No model could be ranked."
    best, by = standing
    behind, close, few = (by.get(outcome, []) for outcome in ("worse", "close", "seeds"))
    ahead = f", ahead of {behind[0].name}" if behind else ""
    if "bound" in by:
        but = [f"bounds leave {join([m.name for m in by['bound']])} undecided"]
        if few:
            but.append(_too_few(few))
        if close:
            are = "is" if len(close) == 1 else "are"
            but.append(f"{join([m.name for m in close])} {are} too close to call")
        level = LEVEL_WORDS if len(but) > 1 else ""
        return f"{best.name} stands highest{ahead}, but {join(but)}{level}."
    if few and not close:
        but_few = f"but {_too_few(few)}{LEVEL_WORDS}"
        return f"On the held-out rows {best.name} stands highest{ahead}, {but_few}."
    if close:
        tied = join([best.name, *(m.name for m in [*close, *few])])
        return f"On the held-out rows {tied} are too close to call{ahead}{LEVEL_WORDS}."
    if not behind:
        reached = plus_minus(best.mean, best.stderr)
        return f"{best.name} reaches {reached} nats a row; nothing else was fitted to compare."
    second = behind[0]
    assert second.difference is not None
    if math.isinf(second.difference.mean):
        return (
            f"On the held-out rows {best.name} is best; {second.name} gives "
            f"{second.zero_rows} of them probability zero."
        )
    least = "at least " if best.kind == "lower_bound" != second.kind else ""
    gap = plus_minus(-second.difference.mean, second.difference.stderr)
    above = f"{least}{gap} nats a row above {second.name}"
    return f"On the held-out rows {best.name} is best, {above}{LEVEL_WORDS}."


def deciding(line: Ranked) -> str:
    """What would decide how a model stands to the best, where nothing does yet; "" elsewhere."""
    apart = line.difference
    if apart is None or apart.outcome in ("better", "worse"):
        return ""
    if apart.outcome == "bound":
        return (
            f"{apart.note}, and the true density may lie beyond it: a tighter bound decides (more "
            "importance samples, or annealing), or a model whose density is exact."
        )
    if apart.outcome == "seeds":
        return f"{apart.note} to say it of others: more seeds decide."
    if apart.outcome == "incomparable":
        return f"{apart.note}: nothing decides between them."
    if not (math.isfinite(apart.detectable) and apart.mean):
        return "more held-out rows decide."
    times = (apart.detectable / apart.mean) ** 2
    if times > _EQUAL:
        return f"they are as good as equal: more than {_EQUAL} times as many held-out rows decide."
    seeds = "" if line.n_seeds == 1 else " and seeds"
    return f"about {times:.2g} times as many held-out rows{seeds} decide."


def _too_few(few: Sequence[Ranked]) -> str:
    seeds = min(m.n_seeds for m in few)
    return f"{seeds} seeds are too few to decide {join([m.name for m in few])}"


def scope(lines: Sequence[Ranked]) -> str:
    """At what level the table's decisions hold, and of what."""
    seeds = [m.n_seeds for m in lines if m.difference is not None]
    return scope_words(min(seeds)) if seeds else ""


def scope_words(seeds: int) -> str:
    """The same of a table of so many seeds."""
    if seeds == 1:
        return _scope("these fits, on new rows; one seed tells nothing of other starts")
    return _scope(f"fits of these settings, of which {seeds} seeds are a sample")


def scope_of_folds(lines: Sequence[Ranked], folds: int) -> str:
    """The same where every row was held out once."""
    if all(m.difference is None for m in lines):
        return ""
    shared = f"the {folds} folds share rows that are fitted to"
    return _scope(
        f"fits to {1 - 1 / folds:.0%} of such rows; {shared}, so the chance may be a little larger"
    )


def _scope(of: str) -> str:
    return (
        f"Decided at a level of {LEVEL:.0%} for the whole table, all pairs of models at once: of "
        f"equal models any is called behind with that chance at most. Said of {of}."
    )


def join(names: Sequence[str]) -> str:
    """Names listed as in a sentence: a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def headline(lines: Sequence[Ranked]) -> str:
    """The comparison in a few words."""
    standing = _standing(lines)
    if standing is None:
        return "nothing can be ranked"
    best, by = standing
    if "bound" in by:
        return f"{best.name} stands highest, undecided"
    if not by:
        return f"{best.name} reaches {plus_minus(best.mean, best.stderr)} nats a row"
    ties = [m.name for m in lines if m in by.get("close", []) + by.get("seeds", [])]
    return f"{join([best.name, *ties])} {'tie' if ties else 'is best'}"
