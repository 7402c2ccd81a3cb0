"""How good a sampler's rows are against the evaluations of the denoiser that they took.

Two measures of each number of steps:

    error      E |x - x'| over E |x' - y'|: x and x' come of the same noise in the steps asked for
               and in four times as many (of the most that are asked for, by DPM-Solver++), x' and
               y' of different noise. It is what the steps leave over, as a share of how far rows
               are apart; the denoiser's own faults cancel.
    distance   energy distance to held-out rows, which holds the faults of both. No sampler brings
               it below that of the denoiser.

Of a sampler that draws noise in its steps there is no error: other steps, other noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .plan import PACES, Plan, draw
from .process import Denoise
from .row_noise import RowNoise
from .samplers import SAMPLERS

PlanOf = Callable[[str, int | None], Plan]
_BEST = "dpm2m"  # the sampler that the others are compared with
_ENOUGH = 0.02  # the error below which samples of thousands of rows cannot tell


@dataclass(frozen=True)
class Quality:
    """What so many steps give.

    Attributes:
        method: in `SAMPLERS`.
        steps, evaluations: of the denoiser, for each row.
        error: of the steps; NaN for a sampler that draws noise.
        distance: energy distance to held-out rows; NaN without.
    """

    method: str
    steps: int
    evaluations: int
    error: float
    distance: float


def quality_by_steps(
    plan_of: PlanOf,
    denoise: Denoise,
    noise: RowNoise,
    methods: Sequence[str] = tuple(SAMPLERS),
    steps: Sequence[int] = (5, 10, 20, 40),
    held_out: Tensor | None = None,
) -> list[Quality]:
    """The quality of each method at each number of steps that it is not refused.

    Args:
        plan_of: makes the plan of a method, and a number of steps or None.
        noise: that all samples come of.
        held_out: (m, F) rows that the denoiser was not fitted to.
    """
    found = []
    finest = plan_of(_BEST, 4 * max(*steps, PACES[_BEST].steps))
    finer = draw(finest, denoise, noise)
    for method in methods:
        for count in steps:
            if count < PACES[method].least:
                continue
            plan = plan_of(method, count)
            rows = draw(plan, denoise, noise)
            error = math.nan if SAMPLERS[method].draws else _error(rows, finer)
            distance = math.nan if held_out is None else energy_distance(rows, held_out)
            found.append(Quality(method, count, plan.evaluations, error, distance))
    return found


def find_steps(
    plan_of: PlanOf,
    denoise: Denoise,
    noise: RowNoise,
    method: str = "dpm2m",
    enough: float = _ENOUGH,
) -> Plan:
    """The plan with the fewest steps, doubled from as few as the sampler takes, whose error is at
    most `enough`; its default number at most, where none is."""
    pace = PACES[method]
    most = plan_of(method, None)
    if SAMPLERS[method].draws:
        return most
    count = max(pace.least, pace.few // 2)
    while count < 4 * pace.steps:
        plan, finer = plan_of(method, count), plan_of(method, 4 * count)
        error = _error(*(draw(some, denoise, noise) for some in (plan, finer)))
        if error <= enough:
            reason = f"{count} steps: four times as many move a row by {error:.1%} of how far"
            return replace(plan, reason=f"{reason} rows are apart")
        count *= 2
    return most


def energy_distance(a: Tensor, b: Tensor) -> float:
    """2 E|x - y| - E|x - x'| - E|y - y'| of rows (n, F) and (m, F), unbiased."""
    a, b = a.double().cpu(), b.double().cpu()
    return float(2 * torch.cdist(a, b).mean() - _apart(a) - _apart(b))


def _error(rows: Tensor, finer: Tensor) -> float:
    return float((rows - finer).double().norm(dim=1).mean() / _apart(finer.double()))


def _apart(rows: Tensor) -> Tensor:
    """E |x - x'| of different rows."""
    return torch.cdist(rows, rows).sum() / (len(rows) * (len(rows) - 1))
