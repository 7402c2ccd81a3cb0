"""Which model's samples are nearer to real rows, and whether that is decided.

All models that sample are ranked together, with or without a density, by the score that leads
(`quality.judge`): it is a mean over held-out rows, so that two models are set against each other by
paired differences of the same rows, with the limits that densities have (`paired`, `limits`): over
rows, over seeds, and at one level for the whole table. The draws that were judged are a sample too:
their noise is added. Of one seed the finding is about these fits on other rows and draws, and, of a
C2ST, about trees trained on as many.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Floats
from ..digits import plus_minus, with_error
from .finding import LEVEL_WORDS, VERDICTS, join, scope_words
from .limits import Family
from .paired import Difference, Outcome, judged
from .scatter import Scatter


@dataclass(frozen=True)
class Lead:
    """A score that models are ranked by: its name in words, what it says, and its sign where higher
    is better."""

    title: str
    meaning: str
    sign: int


LEADS = {
    "c2st_score": Lead(
        "C2ST", "1: samples cannot be told from real rows, 0: always; above 1 by chance", 1
    ),
    "kernel": Lead("kernel distance", "0: the same distribution", -1),
}


@dataclass(frozen=True)
class Sampled:
    """One model's samples against the held-out rows of one seed, as `quality.Judged` has them.

    Attributes:
        lead: the score that leads.
        values: (n,) what each held-out row gives to it; higher is better.
        rows: (n,) names of the rows: those of one name are one draw, in a seed and over seeds.
        noise: standard error of the mean by the samples.
        control: what other real rows give in the place of the samples; higher is better.
    """

    name: str
    seed: int
    lead: str
    values: Floats
    rows: NDArray[Any]
    noise: float
    control: float


@dataclass(frozen=True)
class Standing:
    """One model's line.

    Attributes:
        mean: the score that leads, over seeds.
        stderr: its standard error over rows and draws.
        spread: standard deviation of the seeds' means (NaN for one seed).
        control: what real rows reach.
        difference: of values, higher is better, to the best model; None for that one.
        verdict: what is decided, in words.
    """

    name: str
    rank: int
    mean: float
    stderr: float
    spread: float
    control: float
    n_seeds: int
    difference: Difference | None
    verdict: str

    @property
    def outcome(self) -> str:
        """What is decided against the best; "" for that one."""
        return self.difference.outcome if self.difference is not None else ""


@dataclass(frozen=True)
class QualityRanking:
    """The models by the quality of their samples, best first."""

    lead: str
    models: tuple[Standing, ...]
    scope: str = ""

    @property
    def name(self) -> str:
        """The score that is ranked by."""
        return LEADS[self.lead].title

    @property
    def title(self) -> str:
        """The same, with what it says."""
        return f"{self.name} ({LEADS[self.lead].meaning})"

    @property
    def finding(self) -> str:
        """What was found, in one sentence."""
        best, *others = self.models
        control = with_error(best.control, best.stderr)[0]
        reached = f"{plus_minus(best.mean, best.stderr)}, where real rows reach {control}"
        if not others:
            return f"The samples of {best.name} have a {self.name} of {reached}."
        behind = [m for m in others if m.outcome == "worse"]
        open_ = [m for m in others if m.outcome == "seeds"]
        tied = [m for m in others if m.outcome not in ("worse", "seeds")]
        ahead = f", ahead of {behind[0].name}" if behind else ""
        if tied:
            names = join([best.name, *(m.name for m in [*tied, *open_])])
            return f"By samples ({self.name}) {names} are too close to call{ahead}{LEVEL_WORDS}."
        if open_:
            few = f"{best.n_seeds} seeds are too few to decide {join([m.name for m in open_])}"
            return (
                f"By samples ({self.name}) {best.name} stands highest{ahead}, but {few}"
                f"{LEVEL_WORDS}."
            )
        gap = behind[0].difference
        assert gap is not None
        return (
            f"By samples {best.name} is best: {self.name} {reached}; "
            f"{plus_minus(abs(gap.mean), gap.stderr)} from {behind[0].name}{LEVEL_WORDS}."
        )

    @property
    def headline(self) -> str:
        """The finding in a few words."""
        best, *others = self.models
        tied = [m.name for m in others if m.outcome != "worse"]
        if tied:
            return f"the samples of {join([best.name, *tied])} tie"
        return f"the samples of {best.name} are best"


def rank_samples(sampled: Iterable[Sampled]) -> QualityRanking | None:
    """Rank models by the score that leads; None where nothing was judged.

    Seeds that all models have are ranked by. Models that were judged by another score than most, as
    studies of an earlier version may have, are left out.
    """
    given = [s for s in sampled if np.isfinite(s.values).all() and len(s.values) > 1]
    if not given:
        return None
    leads = [s.lead for s in given]
    lead = max(dict.fromkeys(leads), key=leads.count)
    models: dict[str, list[Sampled]] = {}
    for s in sorted((s for s in given if s.lead == lead), key=lambda s: s.seed):
        models.setdefault(s.name, []).append(s)
    common = set.intersection(*({s.seed for s in m} for m in models.values()))
    ordered = sorted(models.values(), key=lambda m: -_mean([s for s in m if s.seed in common] or m))
    family = _family(ordered, common)
    lines = [
        _line(m, place, None if place == 1 else _difference(m, ordered[0], family), LEADS[lead])
        for place, m in enumerate(ordered, 1)
    ]
    seeds = min((len(m) for m in ordered), default=0)
    return QualityRanking(lead, tuple(lines), scope_words(seeds) if len(lines) > 1 else "")


def _mean(model: Sequence[Sampled]) -> float:
    return float(np.mean([s.values.mean() for s in model]))


def _family(models: Sequence[list[Sampled]], common: set[int]) -> Family:
    held = [[s for s in m if s.seed in common] for m in models]
    of_seeds = list(zip(*held, strict=True))
    if not all(np.array_equal(s.rows, seed[0].rows) for seed in of_seeds for s in seed):
        return Family.of(len(models))
    values = [np.stack([s.values for s in seed], axis=1) for seed in of_seeds]
    return Family.over(len(models), values, [seed[0].rows for seed in of_seeds])


def _difference(a: Sequence[Sampled], b: Sequence[Sampled], family: Family) -> Difference:
    of_b = {s.seed: s for s in b}
    pairs = [(s, of_b[s.seed]) for s in a if s.seed in of_b]
    pairs = [(x, y) for x, y in pairs if np.array_equal(x.rows, y.rows)]
    if not pairs:
        nan = math.nan
        return Difference(nan, nan, nan, nan, "incomparable", "no held-out rows in common")
    values = [x.values - y.values for x, y in pairs]
    noise = math.hypot(*(s.noise / len(pairs) for pair in pairs for s in pair))
    return judged(values, [x.rows for x, _ in pairs], noise, family, _decide)


def _decide(mean: float, margin: float) -> tuple[Outcome, str]:
    if not abs(mean) > margin:  # NaN is not either
        return "close", ""
    return ("better" if mean > 0 else "worse"), ""


def _line(model: Sequence[Sampled], rank: int, against: Difference | None, lead: Lead) -> Standing:
    means = np.array([s.values.mean() for s in model])
    scatter = Scatter.of([s.values[:, None] for s in model], [s.rows for s in model])
    noise = (s.noise / len(model) for s in model)
    mean, control = (lead.sign * float(np.mean(v)) for v in (means, [s.control for s in model]))
    verdict = "best"
    if against is not None:
        verdict = VERDICTS.get(against.outcome, f"undecided: {against.note}")
    return Standing(
        name=model[0].name,
        rank=rank,
        mean=mean,
        stderr=math.hypot(float(scatter.within[0]), *noise),
        spread=float(np.std(means, ddof=1)) if len(means) > 1 else math.nan,
        control=control,
        n_seeds=len(model),
        difference=against,
        verdict=verdict,
    )
