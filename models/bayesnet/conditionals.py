"""What a node is given its parents: a table, or a Gaussian whose mean is linear.

A discrete node has discrete parents u only, and a table

    P(x = k | u) = theta[u, k].

A continuous node has discrete parents u and continuous ones z (conditional linear Gaussian),

    x | u, z ~ Normal(b0[u] + b[u] . z, s2[u]).

All is in the coordinates of the codec: level numbers and encoded values.

Reference: Lauritzen and Wermuth, "Graphical models for associations between variables, some of
which are qualitative and some quantitative", 1989, https://doi.org/10.1214/aos/1176347003.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import Floats
from ...errors import InputError

_HALF_LOG_2PI = 0.5 * float(np.log(2 * np.pi))
SUM_TOLERANCE = 1e-6  # of a row of a table that is given, beyond which it is refused
_ROUNDING = 2.0**-50  # of a sum, per state, within which a row is left as it is


@dataclass(frozen=True, eq=False)
class Table:
    """The probabilities of a discrete node.

    Attributes:
        probs: (r_1, ..., r_q, k), an axis for each parent, in the order of `DAG.parents`, and last
            the node's own states.
    """

    probs: Floats

    @classmethod
    def given(cls, name: str, probs: Floats) -> Table:
        """A table that was read or handed in: its rows made to sum to one up to rounding, so that
        a table that was written is read as it was.

        Raises:
            InputError: if a row is further than 1e-6 from one, or a probability is negative or not
                a number.
        """
        probs = np.asarray(probs, dtype=np.float64)
        if not np.isfinite(probs).all() or (probs < 0).any():
            raise InputError(
                f"the table of {name!r} has a probability that is negative or not a number."
            )
        total = probs.sum(axis=-1, keepdims=True)
        off = np.abs(total[..., 0] - 1)
        if (off > SUM_TOLERANCE).any():
            where = np.unravel_index(off.argmax(), off.shape)
            at = f" at states {tuple(map(int, where))} of its parents" if where else ""
            raise InputError(
                f"the table of {name!r} sums to {total[(*where, 0)]:.9g}{at}, {off.max():.3g} from "
                f"1; a tolerance of {SUM_TOLERANCE:g} is allowed. Correct the table."
            )
        exact = np.abs(total - 1) <= _ROUNDING * probs.shape[-1]
        return cls(np.where(exact, probs, probs / total))

    def log_prob(self, codes: NDArray[np.integer]) -> Floats:
        """(n,) log probabilities of codes (n, q + 1): those of the parents, then the node's own."""
        with np.errstate(divide="ignore"):
            logs: Floats = np.log(self.probs[tuple(codes.T)])
        return logs


@dataclass(frozen=True, eq=False)
class LinearGaussian:
    """The Gaussian of a continuous node.

    Attributes:
        intercept: (r_1, ..., r_q), an axis for each discrete parent, in the order of `DAG.parents`.
        coefficients: (r_1, ..., r_q, m), a number for each continuous parent in that order.
        variance: (r_1, ..., r_q), 0 where the node is a function of its parents.
    """

    intercept: Floats
    coefficients: Floats
    variance: Floats

    def mean(self, codes: NDArray[np.integer], x: Floats) -> Floats:
        """(n,) means given codes (n, q) and values (n, m) of the parents."""
        u = tuple(codes.T)
        mean: Floats = self.intercept[u] + (self.coefficients[u] * x).sum(axis=-1)
        return mean

    def standardised(
        self, codes: NDArray[np.integer], x: Floats, own: Floats
    ) -> tuple[Floats, Floats]:
        """(n,) how many standard deviations the node's own values (n,) are from their means, and
        (n,) these standard deviations. Where the node is a function of its parents, a value is 0 or
        infinitely many away."""
        deviation = np.broadcast_to(np.sqrt(self.variance[tuple(codes.T)]), len(own))
        off = own - self.mean(codes, x)
        with np.errstate(divide="ignore"):
            return off / np.where(off == 0, 1.0, deviation), deviation

    def log_prob(self, codes: NDArray[np.integer], x: Floats, own: Floats) -> Floats:
        """(n,) log densities of the node's own values (n,) given codes (n, q) and values (n, m) of
        the parents; infinite where it is a function of them and this its value."""
        z, deviation = self.standardised(codes, x, own)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            logs: Floats = -0.5 * z**2 - np.log(deviation) - _HALF_LOG_2PI
        return np.where(np.isinf(z), -np.inf, logs)

    def draw(self, codes: NDArray[np.integer], x: Floats, rng: np.random.Generator) -> Floats:
        """(n,) values given those of the parents."""
        deviation = np.sqrt(self.variance[tuple(codes.T)])
        drawn: Floats = self.mean(codes, x) + deviation * rng.standard_normal(len(codes))
        return drawn

    def rescaled(
        self, shift: float, scale: float, of_parents: Floats, by_parents: Floats
    ) -> LinearGaussian:
        """That of shift + scale x, where the continuous parents are changed likewise, by shifts and
        scales (m,)."""
        b = self.coefficients * (scale / by_parents)
        b0 = shift + scale * self.intercept - b @ of_parents
        return LinearGaussian(b0, b, scale**2 * self.variance)
