"""Rows of a diffusion model with some columns held fixed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...arrays import Floats
from ...errors import InputError
from ...settings import integer

if TYPE_CHECKING:
    from .conditionals import Answers


class Conditional:
    """Rows of a model with some columns held fixed, as particles.

    Attributes:
        given: column -> the value held.
        method: by which they were drawn.
        n_particles: how many there are.
        ess: effective number of them: of independent draws that would say as much of means; the
            fewer, the less what is drawn can be trusted. All of them for the methods but "smc".
        least_ess: the least of all steps.

    Args:
        answers: what was drawn of one row.
        seed: of what a user gives for one.
        rows: in the container that was fitted, of features (n, F).
    """

    def __init__(
        self,
        given: Mapping[Any, Any],
        method: str,
        answers: Answers,
        seed: Callable[[Any], int],
        rows: Callable[[Floats, np.random.Generator], Any],
    ) -> None:
        self.given, self.method = dict(given), method
        self.n_particles = answers.drawn.shape[1]
        self.ess, self.least_ess = float(answers.ess[0]), float(answers.least_ess[0])
        self._features, self._seed, self._rows = answers.drawn[0], seed, rows

    def sample(self, n: int = 1, *, random_state: Any = None) -> Any:
        """n rows, with the values held, in the container that was fitted.

        Raises:
            InputError: if more are asked for than there are particles.
        """
        integer(1).check("n", n)
        if n > self.n_particles:
            raise InputError(
                f"n is {n}, and there are {self.n_particles} particles. Take "
                f"condition(..., particles={n}) or more."
            )
        rng = np.random.default_rng(self._seed(random_state))
        chosen = rng.choice(self.n_particles, n, replace=False)
        return self._rows(self._features[chosen], rng)

    def __repr__(self) -> str:
        held = ", ".join(f"{name}={value!r}" for name, value in self.given.items())
        return (
            f"Conditional({held}; {self.method}: {self.n_particles} particles, of which "
            f"{self.ess:.0f} effective, at the least {self.least_ess:.0f})"
        )
