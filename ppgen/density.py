"""What a log-probability claims.

A number called a log-likelihood may be exact, a bound or an estimate; a density per unit of the
data or a probability mass; of the rows as given or of rows with their cells filled in.
`LogDensity` carries the numbers together with that claim, so that nothing downstream has to guess,
and comparison can refuse what cannot be compared.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import html
from .digits import plus_minus
from .errors import InputError
from .settings import choice

Kind = Literal["exact", "lower_bound", "upper_bound", "estimate"]
Measure = Literal["density", "mass", "mixed"]

KIND_WORDS: dict[str, str] = {kind: kind.replace("_", " ") for kind in get_args(Kind)}

KIND_MEANING: dict[str, str] = {
    "lower_bound": "lower bound: the model's log density is at least this, so that it may be "
    "better than it looks.",
    "upper_bound": "upper bound: the model's log density is at most this, so that it may be worse "
    "than it looks.",
    "estimate": "estimate: a mean over draws, with an error.",
}
"""What a kind means for a reader; an exact density stands as it is."""
MEASURE_MEANING: dict[str, str] = {
    "mass": "mass: a probability, of columns that all have levels or counts.",
    "mixed": "mixed: a density in some columns times a probability in others (levels, counts, "
    "values that many rows share).",
}


@dataclass(frozen=True)
class LogDensity:
    """Log-densities of n rows, in nats and in the units of the data, with what they claim.

    Attributes:
        values: (n,) natural-log densities; -inf where the model gives a row probability zero.
        kind: how each value relates to the model's true log density of the row.
        method: how it was computed, such as "closed form" or "IWAE-5000".
        measure: "density" (per unit of continuous columns), "mass" (discrete columns only) or
            "mixed".
        dequantised: columns some of whose values have a cell that was filled with noise: rounded
            ones, discrete ones, atoms. There the value bounds the log of the density averaged over
            the cell (for discrete columns and atoms, the log mass) from below.
        gap: what a bound leaves out: "dequantisation", "variational".
        noise: standard deviation of what was added to the rows, in coordinates that `method` names;
            0 where the density is that of the rows. Of another noise it is one of another variable.
        stderr: (n,) Monte Carlo standard errors, or None where nothing is random.
        diagnostics: further per-row arrays or numbers (Pareto k-hat, effective sample size,
            evaluations).
    """

    values: NDArray[np.floating[Any]]
    kind: Kind
    method: str
    measure: Measure = "density"
    dequantised: tuple[str, ...] = ()
    gap: tuple[str, ...] = ()
    noise: float = 0.0
    stderr: NDArray[np.floating[Any]] | None = None
    diagnostics: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        choice(*KIND_WORDS).check("kind", self.kind)
        choice(*get_args(Measure)).check("measure", self.measure)
        if np.ndim(self.values) != 1:
            raise InputError(
                f"values have shape {np.shape(self.values)}; expected one value a row."
            )
        if self.stderr is not None and np.shape(self.stderr) != np.shape(self.values):
            raise InputError(
                f"stderr has shape {np.shape(self.stderr)}; expected that of values, "
                f"{np.shape(self.values)}."
            )
        if self.kind == "exact" and self.gap:
            raise InputError(f"an exact density has no gap; {', '.join(self.gap)} was given.")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def variable(self) -> str:
        """What it is a density or mass of: only where these words are equal are two compared."""
        return f"{self.measure} with noise {self.noise:g}" if self.noise else self.measure

    def __getitem__(self, rows: Any) -> Any:
        """The log density of a row by its number, or those of rows by slice, numbers or mask, with
        what they claim."""
        values = self.values[rows]
        if np.ndim(values) != 1:
            return values
        each = {
            name: held[rows] if np.shape(held)[:1] == (len(self),) else held
            for name, held in self.diagnostics.items()
        }
        stderr = None if self.stderr is None else self.stderr[rows]
        return replace(self, values=values, stderr=stderr, diagnostics=each)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype=dtype, copy=copy)

    @property
    def possible(self) -> NDArray[np.bool_]:
        """(n,) which rows have a probability above zero: log densities other than -inf."""
        return np.asarray(~np.isneginf(self.values))

    def mean(self) -> float:
        """Mean log density a row, in nats; -inf where one row is impossible."""
        return float(np.mean(self.values))

    def mean_of_possible(self, units: ArrayLike | None = None) -> tuple[float, float]:
        """Mean log density of the rows that are possible, and its standard error as of
        `mean_stderr`; NaN where no row is."""
        kept = self.possible
        if not kept.any():
            return math.nan, math.nan
        values = self.values[kept]
        of_kept = None if units is None else np.asarray(units)[kept]
        return float(np.mean(values)), mean_stderr(values, of_kept)

    def mean_stderr(self, units: ArrayLike | None = None) -> float:
        """Standard error of `mean()` over rows as a sample of the population, in nats.

        Args:
            units: (n,) what each row belongs to: rows of one label are one draw. `Dataset.units`
                gives copies and rows of named groups; None takes each row for itself.

        Raises:
            InputError: if there is not one unit a row.
        """
        return mean_stderr(self.values, units)

    def describe(self) -> str:
        """One line in words: what these numbers are."""
        words = f"{KIND_WORDS[self.kind]}, {self.variable}, {self.method}"
        if self.dequantised:
            names = ", ".join(self.dequantised[:4]) + (" ..." if len(self.dequantised) > 4 else "")
            words += f"; cells filled in for {names}"
        return words

    def explained(self) -> str:
        """What the words of `describe` mean for a reader, where they are not plain."""
        words = KIND_MEANING.get(self.kind, ""), MEASURE_MEANING.get(self.measure, "")
        return " ".join(filter(None, words))

    def _mean_words(self) -> str:
        never = len(self) - int(self.possible.sum())
        mean = plus_minus(*self.mean_of_possible()) if never < len(self) else "−∞"
        rest = f" of the others, {never} of probability 0" if 0 < never < len(self) else ""
        return f"{mean} nats{rest}"

    def __repr__(self) -> str:
        return f"LogDensity(n={len(self)}, mean={self._mean_words()}; {self.describe()})"

    def _repr_html_(self) -> str:
        said = f"log density of {len(self)} rows, mean {self._mean_words()}"
        parts = [html.line(said, strong=True), html.line(self.describe())]
        known = self.values[np.isfinite(self.values)]
        if len(known):
            counts, ends = np.histogram(known, bins=min(40, max(1, math.isqrt(len(known)))))
            least, most = (f"{end:.4g}".replace("-", "−") for end in (ends[0], ends[-1]))
            parts.append(html.bars(counts, f"rows by log density, from {least} to {most}"))
        return html.block(*parts, html.line(self.explained()))


def mean_stderr(values: ArrayLike, units: ArrayLike | None = None) -> float:
    """Standard error of a mean over n rows of which those of one unit are one draw.

    With S_u the sum of the values' deviations from their mean over the rows of unit u of m,

        s^2 = m / (m - 1) sum_u S_u^2 / n^2,

    which is the usual one where each row is a unit; nan for one unit, or where a value is not
    finite.

    Reference: A practitioner's guide to cluster-robust inference (Cameron, Miller, 2015)
    https://doi.org/10.3368/jhr.50.2.317
    """
    v = np.asarray(values, dtype=np.float64)
    if units is not None and np.shape(units) != v.shape:
        raise InputError(
            f"units have shape {np.shape(units)}; expected one label a row, {v.shape}."
        )
    if not (len(v) and np.all(np.isfinite(v))):
        return math.nan
    sums = v - v.mean()
    if units is not None:
        sums = np.bincount(np.unique(units, return_inverse=True)[1], weights=sums)
    m = len(sums)
    return math.sqrt(m / (m - 1) * float(np.sum(sums**2))) / len(v) if m > 1 else math.nan
