"""Ordinary differential equations of many rows, each with times and steps of its own.

With dy/dt = f(t, y) and a step h, a method has the stages

    k_i = f(t + c_i h, y + h sum_j a_ij k_j),        y(t + h) ~ y + h sum_i b_i k_i,

and an embedded one also an error of the step, e = h sum_i (b_i - b*_i) k_i, b* being weights of a
lower order. `adaptive` chooses h by it, for each row, so that what becomes of a row does not depend
on those beside it; `fixed` takes steps of one size.

References: Dormand and Prince, "A family of embedded Runge-Kutta formulae", 1980,
https://doi.org/10.1016/0771-050X(80)90013-3; Hairer, Norsett and Wanner, "Solving ordinary
differential equations I", 1993, https://doi.org/10.1007/978-3-540-78862-1 (how steps are chosen).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Slope = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(t (n,), y (n, K), numbers (n,) of the rows) -> dy/dt (n, K)"""

Size = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""(error of a step (n, K); t (n,), y (n, K) and dy/dt where it began) -> how much that is (n,)"""

_SAFETY, _LEAST, _MOST = 0.9, 0.2, 5.0  # of what the error allows; factors of a step to the next
_FIRST = 2.0**-5  # of the whole way: the first step
_FINEST, _FINE = 2.0**-13, 2.0**-7  # of the whole way, and of the time: the smallest step


@dataclass(frozen=True)
class Method:
    """The coefficients of an explicit method.

    Attributes:
        order: of the error of the whole way in the size of steps.
        a: of each stage after the first, those of the stages before it.
        b: of the step.
        b_error: b - b*; () of a method without an embedded one.
    """

    order: int
    a: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]
    b_error: tuple[float, ...] = ()


METHODS = {
    "euler": Method(1, (), (1.0,)),
    "heun": Method(2, ((1.0,),), (0.5, 0.5)),
    "rk4": Method(4, ((0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
}

# The last stage is the slope at the step's end: the first of the next step.
DORMAND_PRINCE = Method(
    5,
    (
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    ),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0.0),
    (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40),
)


@dataclass(frozen=True)
class Solution:
    """Rows at the end.

    Attributes:
        y: (n, K).
        error: (n,) sum of the sizes of the errors of all steps; NaN of a method without.
        evaluations: (n,) of f.
    """

    y: Tensor
    error: Tensor
    evaluations: Tensor


def fixed(f: Slope, y: Tensor, start: float, end: float, steps: int, method: Method) -> Solution:
    """y (n, K) at `start`, brought to `end` by so many steps of one size."""
    rows = torch.arange(len(y), device=y.device)
    h = y.new_full((len(y),), (end - start) / steps)
    for step in range(steps):
        t = torch.full_like(h, start + step * (end - start) / steps)
        stages = _stages(f, y, t, h, rows, method, f(t, y, rows))
        y = y + h[:, None] * _weighted(method.b, stages)
    count = torch.full_like(rows, steps * len(method.b))
    return Solution(y, torch.full_like(h, torch.nan), count)


def adaptive(
    f: Slope, y: Tensor, start: float, end: float, tolerance: float | Tensor, size: Size
) -> Solution:
    """y (n, K) at `start`, brought to `end` by steps whose errors are at most `tolerance` in size,
    one for all rows or (n,).

    A step that would be smaller than 2^-13 of the way, or than 2^-7 of the time, is taken with the
    error that it has: of times from 0 to 1 no row costs more than some 4,000 evaluations, and its
    error says that it is too large.
    """
    method, whole = DORMAND_PRINCE, end - start
    y = y.clone()
    t, h = y.new_full((len(y),), start), y.new_full((len(y),), _FIRST * whole)
    error, evaluations = torch.zeros_like(t), torch.ones(len(y), dtype=torch.long, device=y.device)
    rows = torch.arange(len(y), device=y.device)
    slope, bear = f(t, y, rows), torch.as_tensor(tolerance, dtype=y.dtype).to(y).expand(len(y))
    while len(rows):
        t_, h_, bear_ = t[rows], h[rows], bear[rows]
        finest = (_FINE * t_).clamp(min=_FINEST * whole)
        last = h_ >= (end - t_) * (1 - 1e-9)
        h_ = torch.where(last, end - t_, h_)
        y_, slope_ = y[rows], slope[rows]
        stages = _stages(f, y_, t_, h_, rows, method, slope_)
        wrong = size(h_[:, None] * _weighted(method.b_error, stages), t_, y_, slope_)
        wrong = torch.where(wrong.isfinite(), wrong, torch.inf)
        taken = (wrong <= bear_) | (h_ <= finest)
        some = rows[taken]
        y[some] += h_[taken, None] * _weighted(method.b, stages)[taken]
        slope[some] = stages[-1][taken]
        error[some] += wrong[taken]
        t[some] = torch.where(last, end, t_ + h_)[taken]
        evaluations[rows] += len(method.a)
        factor = _SAFETY * (bear_ / wrong.clamp(min=1e-300)) ** (1 / method.order)
        h[rows] = (h_ * factor.clamp(_LEAST, _MOST)).maximum(finest)
        rows = rows[~(taken & last)]
    return Solution(y, error, evaluations)


def _stages(
    f: Slope, y: Tensor, t: Tensor, h: Tensor, rows: Tensor, method: Method, first: Tensor
) -> list[Tensor]:
    stages = [first]
    for a in method.a:
        stages.append(f(t + sum(a) * h, y + h[:, None] * _weighted(a, stages), rows))
    return stages


def _weighted(weights: tuple[float, ...], stages: list[Tensor]) -> Tensor:
    total = torch.zeros_like(stages[0])
    for weight, stage in zip(weights, stages, strict=False):
        if weight:
            total = total + weight * stage
    return total
