"""Expectation maximisation: the loop.

A `step` improves parameters and returns the objective of those it was given,

    theta', L(theta) = step(theta),        L(theta') >= L(theta),

so the loop only counts, compares and stops (Dempster, Laird and Rubin, "Maximum likelihood from
incomplete data via the EM algorithm", 1977, https://doi.org/10.1111/j.2517-6161.1977.tb01600.x).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

State = TypeVar("State")


class Iteration(NamedTuple, Generic[State]):
    """One iteration.

    Attributes:
        number: from 1.
        state: parameters after the step.
        objective: L of the parameters before it.
        change: its gain over the iteration before; infinite at first.
        converged: whether the gain is below `tol`.
    """

    number: int
    state: State
    objective: float
    change: float
    converged: bool


def em(
    step: Callable[[State], tuple[State, float]],
    state: State,
    *,
    max_iter: int,
    tol: float,
    deadline: Callable[[], float | None] = lambda: None,
) -> Iterator[Iteration[State]]:
    """Iterate until the objective gains less than `tol`, `max_iter` or the deadline is reached.

    Args:
        step: theta -> (theta', L(theta)).
        state: where to start.
        max_iter: most iterations.
        tol: smallest gain worth another iteration.
        deadline: seconds left, or None where there is no limit.
    """
    before = float("-inf")
    for number in range(1, max_iter + 1):
        state, objective = step(state)
        change = objective - before
        converged = abs(change) < tol
        yield Iteration(number, state, objective, change, converged)
        if converged or deadline() == 0.0:
            return
        before = objective
