"""The search for the minimum of deterministic ADVI's objective, by Newton's method in a trust
region: see `dadvi`."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from ...arrays import Array
from ...fitting import Running
from ...progress import Progress
from ...verdict import Reason
from .dadvi_objective import Objective
from .result import Why

_ROUNDS = 3  # of Newton's method, each in coordinates of its own
_TOLERANCE = 1e-4  # norm of the gradient, in standard deviations


class Search:
    """The minimum of F, and how it was found."""

    def __init__(self, f: Objective, fit: Running) -> None:
        self.f, self.fit = f, fit
        self.why: Why = "done"
        self.calls = self.steps = 0
        self.found = False
        self.best = (math.inf, np.empty(0))

    def minimum(self, eta: Array, steps: int) -> Array:
        """From `eta`, by Newton's method in a trust region, in coordinates in which the Hessian
        where a round begins is the identity: in units of the spread, without correlations."""
        from scipy.optimize import minimize

        try:
            for _ in range(_ROUNDS):
                root = _root(self.f.hessian(eta))
                found = minimize(
                    partial(self._from, eta, root), np.zeros(len(eta)), method="trust-ncg",
                    jac=True, hessp=partial(self._product, eta, root), callback=self._look,
                    options={"maxiter": steps, "gtol": _TOLERANCE},
                )  # fmt: skip
                eta = eta + root @ found.x
                slope = _root(self.f.hessian(eta)).T @ self.f.value_and_gradient(eta)[1]
                self.found = bool(np.linalg.norm(slope) < 10 * _TOLERANCE)
                if self.found or self.why != "done":
                    break
        except KeyboardInterrupt:
            self.why = "interrupted"
            eta = self.best[1] if len(self.best[1]) else eta
        return eta

    def _from(self, eta: Array, root: Array, x: Array) -> tuple[float, Array]:
        self.calls += 1
        place = eta + root @ x
        value, slope = self.f.value_and_gradient(place)
        if not np.isfinite(value):
            return 1e300, np.zeros_like(x)
        if value < self.best[0]:
            self.best = float(value), place
        return float(value), root.T @ slope

    def _product(self, eta: Array, root: Array, x: Array, v: Array) -> Array:
        self.calls += 2
        return np.asarray(root.T @ self.f.product(eta + root @ x, root @ v))

    def _look(self, intermediate_result: Any) -> None:
        self.steps += 1
        self.fit.report(Progress(self.steps, float(intermediate_result.fun)))
        left = self.fit.deadline()
        if left is not None and left <= 0:
            self.why = "budget"
            raise StopIteration

    def reasons(self) -> list[Reason]:
        """What is said of the search."""
        if self.found:
            return [Reason("ok", f"the optimiser found a minimum in {self.steps} steps.")]
        if self.why == "done":
            what = f"the optimiser found no minimum in {self.steps} steps."
            return [Reason("warn", what, 'Raise max_steps, or take method="nuts".')]
        what = f"the search for a minimum ended after {self.steps} steps ({self.why})."
        return [Reason("warn", what, "Give a larger budget.")]


def _root(hessian: Array) -> Array:
    """R with R' |H| R = I, where |H| has the absolute eigenvalues of H."""
    values, vectors = np.linalg.eigh(hessian)
    values = np.maximum(np.abs(values), 1e-10 * np.abs(values).max())
    root: Array = vectors / np.sqrt(values)
    return root
