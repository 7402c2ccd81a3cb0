"""What an audit found: one `Check` a claim, and the rule that decides between chance and a fault.

A check is of one of two sorts. Where nothing is random, its statistic is compared with a limit that
rounding errors explain. Where chance enters, it carries a p-value, the probability of a statistic
as far from the claim if the claim is true, and the tests of one audit are decided together by
Holm's method: the smallest p-value p_(1) is compared with level / m, the next with level / (m - 1),
and so on up to the first that is larger, and all others with what that one was compared with. The
chance that an audit of a faultless model refutes anything is then at most the level, however its
tests depend on each other. The limit of a check is the statistic of the p-value it was compared
with.

Reference: Holm, "A simple sequentially rejective multiple test procedure" (1979),
https://www.jstor.org/stable/4615733.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import ndtri

from ...errors import FitError, InputError
from ...lazy import named
from ...significance import LEVEL, holm
from ...text_table import aligned, filled, terminal_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Status = Literal["holds", "refuted", "misfit", "not checked"]
Side = Literal["both", "above", "below"]
Critical = Callable[[float], float]
_POWER = 0.95
_NUMBERS = ("statistic", "expected", "stderr", "limit", "p_value")


@dataclass(frozen=True)
class Check:
    """One claim, looked at.

    Attributes:
        name: what is checked, in a word or two.
        claim: what is claimed, in a sentence.
        statistic: what was found; NaN where nothing was.
        expected: what the claim says it is; with `side` "above" at most, with "below" at least.
        stderr: standard error of the statistic; 0 where nothing is random, NaN where it has none.
        limit: how far from `expected` the statistic may be before the claim is refuted.
        p_value: NaN where nothing is random.
        rules_out: which faults would have been seen.
        status: "holds", "refuted", "misfit" (the rows given are not like the model's; nothing that
            it says of itself is wrong) or "not checked".
        why: what was found in words, or why nothing could be.
        of_fit: whether a failure says that the fit is poor, not that a number is wrong.
        side: on which side of `expected` a statistic speaks against the claim.
        judged_at: of a check with chance that `decide_together` has not seen: from a p-value to
            the limit and the fault that would be seen.
    """

    name: str
    claim: str
    statistic: float = math.nan
    expected: float = math.nan
    stderr: float = math.nan
    limit: float = math.nan
    p_value: float = math.nan
    rules_out: str = ""
    status: Status = "not checked"
    why: str = ""
    of_fit: bool = False
    side: Side = "both"
    judged_at: Callable[[float], tuple[float, str]] | None = field(
        default=None, repr=False, compare=False
    )


Step = Callable[..., Iterator[Check]]


def measured(
    name: str, claim: str, statistic: float, limit: float, *, rules_out: str, why: str = ""
) -> Check:
    """A check without chance: the claim is 0, up to `limit`."""
    holds = bool(abs(statistic) <= limit)
    return Check(
        name,
        claim,
        float(statistic),
        0.0,
        0.0,
        limit,
        rules_out=rules_out,
        status="holds" if holds else "refuted",
        why=why,
    )


def statistical(
    check: Check,
    fault: str,
    *,
    scale: float | None = None,
    slack: float = 0.0,
    critical: Critical | None = None,
) -> Check:
    """A check with chance, to be decided by `decide_together`.

    Args:
        check: with its statistic, what the claim says it is, and a p-value of the deviations on
            its side.
        fault: what is ruled out, with {} for its size.
        scale: what a standard normal deviate of the statistic amounts to; None is its stderr.
        slack: what the statistic may be off besides, by rounding and truncation.
        critical: how far off a statistic with a p-value is, without the slack; None takes it as a
            normal deviate.
    """
    sd = check.stderr if scale is None else scale

    def judged_at(p: float) -> tuple[float, str]:
        off = critical(p) if critical is not None else normal(p, check.side) * sd
        size = slack + off + float(ndtri(_POWER)) * sd
        return slack + off, fault.format(f"{size:.2g}")

    return replace(check, status="holds", judged_at=judged_at)


def normal(p: float, side: Side = "both", tests: int = 1) -> float:
    """The largest of so many standard normal deviates that has a p-value, by Bonferroni's bound."""
    return float(-ndtri(p / (tests * (2 if side == "both" else 1))))


def unchecked(name: str, claim: str, why: str) -> Check:
    """A claim that could not be looked at, and why."""
    return Check(name, claim, why=" ".join(why.split()))


def step(*claims: tuple[str, str]) -> Callable[[Step], Step]:
    """A step of an audit, as a decorator of a generator of checks.

    Where the generator raises InputError or FitError, the reason is noted for each of the claims
    (name, claim) that it has not come to.
    """

    def noted(make: Step) -> Step:
        @wraps(make)
        def run(*given: Any) -> Iterator[Check]:
            made = set()
            try:
                for check in make(*given):
                    made.add(check.name)
                    yield check
            except (InputError, FitError) as error:
                yield from (unchecked(*c, str(error)) for c in claims if c[0] not in made)

        return run

    return noted


def decide_together(checks: Sequence[Check], level: float = LEVEL) -> tuple[Check, ...]:
    """The checks, the status of the random ones set by Holm's method, family-wise at `level`."""
    random = [i for i, c in enumerate(checks) if not math.isnan(c.p_value)]
    adjusted = dict(zip(random, holm([checks[i].p_value for i in random]), strict=True))
    failed = sum(p <= level for p in adjusted.values())
    decided = list(checks)
    for place, i in enumerate(sorted(random, key=lambda i: checks[i].p_value)):
        judged_at = checks[i].judged_at
        assert judged_at is not None
        limit, rules_out = judged_at(level / (len(random) - min(place, failed)))
        worst: Status = "misfit" if checks[i].of_fit else "refuted"
        status = worst if adjusted[i] <= level else "holds"
        decided[i] = replace(
            checks[i], limit=limit, rules_out=rules_out, status=status, judged_at=None
        )
    return tuple(decided)


@dataclass(frozen=True)
class Audit:
    """The checks of one model, in the order in which they were made.

    Attributes:
        checks: what was found.
        model: the name of the family.
        level: the chance that the audit of a faultless model refutes anything, at most.
        seconds: how long it took.
    """

    checks: tuple[Check, ...]
    model: str
    level: float = LEVEL
    seconds: float = 0.0

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    def __len__(self) -> int:
        return len(self.checks)

    def __getitem__(self, name: str) -> Check:
        """The check of a name.

        Raises:
            KeyError: if none has it.
        """
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(name)

    @property
    def ok(self) -> bool:
        """Whether no claim was refuted."""
        return not self.of("refuted")

    def of(self, status: Status) -> tuple[Check, ...]:
        """The checks of one status."""
        return tuple(check for check in self.checks if check.status == status)

    def columns(self) -> dict[str, list[Any]]:
        """The table, a list a column; numbers to four digits."""
        names = ("name", "status", *_NUMBERS, "rules_out", "why")
        table = {n: [_rounded(getattr(c, n)) for c in self.checks] for n in names}
        return {"check": table.pop("name"), **table}

    def plot(self) -> Figure:
        """How far each statistic is from its claim, beside how far it may be."""
        drawn: Figure = named("ppgen.plotting.audit", "plot_audit")(self)
        return drawn

    def summary(self) -> str:
        """The audit in one sentence."""
        counts = {s: len(self.of(s)) for s in ("refuted", "misfit", "holds", "not checked")}
        named = ", ".join(c.name for c in self.of("refuted"))
        claims = "claim" if counts["holds"] == 1 else "claims"
        said = f"{counts['holds']} {claims} of {self.model} {'hold' if claims[5:] else 'holds'}"
        said += f", {counts['refuted']} refuted ({named})" if named else ", none is refuted"
        if counts["misfit"]:
            show = "shows" if counts["misfit"] == 1 else "show"
            said += f", {counts['misfit']} {show} a misfit with the rows given"
        if counts["not checked"]:
            said += f", {counts['not checked']} could not be checked"
        return f"{said} (false alarms: at most {self.level:.0%} of audits)."

    def __str__(self) -> str:
        table = self.columns()
        shown = ("check", "status", "statistic", "expected", "limit", "rules_out", "why")
        lines = [shown, *zip(*([_text(v) for v in table[name]] for name in shown), strict=True)]
        width = terminal_width()
        return f"{aligned(lines, width)}\n\n{filled(self.summary(), width)}"


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) and math.isfinite(value) else value


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def two_sided(distance: float, stderr: float, slack: float = 0.0) -> float:
    """The p-value of a normal deviate whose mean may be `slack` from 0."""
    return min(1.0, 2 * one_sided(abs(distance), stderr, slack))


def one_sided(distance: float, stderr: float, slack: float = 0.0) -> float:
    """The p-value of a normal deviate whose mean may be up to `slack`: small where it is larger."""
    from scipy.special import ndtr

    over = distance - slack
    if math.isnan(over):
        return 0.0  # NaN supports no claim
    if not stderr > 0:
        return 1.0 if over <= 0 else 0.0
    return float(ndtr(-over / stderr)) if np.isfinite(over) else 0.0
