"""Which model gives held-out rows the higher density, and whether that is decided.

Models are ranked by their mean log density a row, and each is set against the best by paired
differences on identical rows (`paired`), which know bounds. Different measures are never ranked
together. NaN never ranks; rows of probability zero are counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from .finding import finding, headline
from .paired import (
    Difference,
    Scored,
    claim,
    difference,
    mean_of,
    monte_carlo,
    spread_of,
    stderr_within,
)

_WORDS = {"better": "ahead", "worse": "behind", "close": "too close to call"}


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
        difference: to the best model of the same measure; None for that one.
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


@dataclass(frozen=True)
class Comparison:
    """The models, best first, one measure after the other; and the finding in one sentence."""

    models: tuple[Ranked, ...]
    finding: str

    @property
    def headline(self) -> str:
        """The finding in a few words."""
        return headline(self.models)

    def __getitem__(self, name: str) -> Ranked:
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(name)

    def __iter__(self) -> Iterator[Ranked]:
        return iter(self.models)

    def __len__(self) -> int:
        return len(self.models)

    def __str__(self) -> str:
        lines = [self.finding]
        for m in self.models:
            words = f"{m.rank or '-':>3}  {m.name:<16} {m.mean:10.4f} ± {m.stderr:.4f}  {m.kind}"
            if m.difference is not None:
                words += f"  {m.difference.mean:+.4f} ± {m.difference.stderr:.4f}"
            lines.append(f"{words}  {m.verdict}")
        return "\n".join(lines)


def compare(scored: Iterable[Scored | tuple[Any, ...]]) -> Comparison:
    """Rank models by their log densities of held-out rows.

    Args:
        scored: `Scored`s, or tuples (name, LogDensity) or (name, LogDensity, seed). The densities
            of one seed must be of the same rows in the same order.

    Returns:
        The models in order, with paired differences to the best, in nats a row.

    Raises:
        InputError: if two densities of one seed differ in length, or a name and seed come twice.
    """
    runs = _by_model([s if isinstance(s, Scored) else Scored(*s) for s in scored])
    groups: dict[str, list[list[Scored]]] = {}
    for model in runs.values():
        groups.setdefault(claim(model).measure, []).append(model)
    ordered = sorted(groups.values(), key=len, reverse=True)
    lines = [line for group in ordered for line in _rank(group)]
    return Comparison(tuple(lines), finding(lines))


def _by_model(scored: Sequence[Scored]) -> dict[str, list[Scored]]:
    runs: dict[str, list[Scored]] = {}
    first: dict[int, Scored] = {}
    for s in scored:
        other = first.setdefault(s.seed, s)
        if len(other.density) != len(s.density):
            raise InputError(
                f"{other.name} has {len(other.density)} rows and {s.name} {len(s.density)} for "
                f"seed {s.seed}; a comparison needs the same rows. Score both on the same rows."
            )
        model = runs.setdefault(s.name, [])
        if any(earlier.seed == s.seed for earlier in model):
            raise InputError(
                f"{s.name} comes twice for seed {s.seed}; expected each name and seed once. "
                "Give every model its own name."
            )
        model.append(s)
    return runs


def _rank(group: list[list[Scored]]) -> list[Ranked]:
    able = [m for m in group if all(_rankable(s) for s in m)]
    common = set.intersection(*({s.seed for s in m} for m in able)) if able else set()

    def value(model: list[Scored]) -> float:
        chosen = [s for s in model if s.seed in common] or model
        return mean_of(np.array([mean_of(s.density.values) for s in chosen]))

    able.sort(key=value, reverse=True)
    # An upper bound may be high for being loose: it is nobody's yardstick while there is another.
    loose = (m for m in able if claim(m).kind != "upper_bound")
    best = next(loose, able[0] if able else None)
    lines = []
    for place, model in enumerate(able, start=1):
        against = None if best is None or model is best else difference(model, best)
        lines.append(_line(model, place, against))
    return lines + [_line(m, None, None) for m in group if m not in able]


def _rankable(s: Scored) -> bool:
    values = s.density.values
    return len(values) > 0 and not (np.isnan(values) | np.isposinf(values)).any()


def _line(model: list[Scored], rank: int | None, against: Difference | None) -> Ranked:
    values = [np.asarray(s.density.values, np.float64) for s in model]
    means = np.array([mean_of(v) for v in values])
    stderr = math.nan
    if np.isfinite(means).all():
        noise = (monte_carlo(s.density) / len(model) for s in model)
        stderr = math.hypot(stderr_within(values, [s.rows for s in model]), *noise)
    if rank is None:
        verdict = "not ranked: not a finite density"
    elif against is None:
        verdict = "best"
    else:
        undecided = "bound" if against.outcome == "bound" else against.note
        verdict = _WORDS.get(against.outcome, f"undecided: {undecided}")
    of = claim(model)
    return Ranked(
        name=model[0].name,
        rank=rank,
        mean=mean_of(means),
        stderr=stderr,
        spread=spread_of(means),
        kind=of.kind,
        method=of.method,
        measure=of.measure,
        dequantised=tuple(of.dequantised),
        n_seeds=len(model),
        n_rows=sum(len(v) for v in values),
        zero_rows=int(sum(np.isneginf(v).sum() for v in values)),
        nan_rows=int(sum(np.isnan(v).sum() for v in values)),
        difference=against,
        verdict=verdict,
    )
