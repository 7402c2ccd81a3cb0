"""Numbers that inference gives of targets, without names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from ....arrays import Floats
from ....verdict import Reason


@dataclass(frozen=True, eq=False)
class Summary:
    """What is known of a continuous node, in the units of the data, arrays shaped as `probs`.

    Attributes:
        mean, sd: expectation and standard deviation; of a circular column the mean direction and
            the circular standard deviation.
        quantiles: level -> value.
        stderr: Monte Carlo standard error of the mean, where it is estimated.
        low, high: ends of the credible band of the mean over draws of the parameters, or None.
    """

    mean: Floats
    sd: Floats
    quantiles: Mapping[float, Floats] = field(default_factory=dict)
    stderr: Floats | None = None
    low: Floats | None = None
    high: Floats | None = None

    def columns(self) -> Iterator[tuple[str, Floats]]:
        """The numbers by name."""
        yield "mean", self.mean
        for name in ("stderr", "low", "high"):
            if (values := getattr(self, name)) is not None:
                yield name, values
        yield "sd", self.sd
        for level, values in self.quantiles.items():
            yield f"{100 * level:g}%", values

    def at(self, row: Any) -> Self:
        """A row by its number, or some rows as an index of NumPy takes them."""
        some: dict[str, Any] = {
            name: None if a is None else a[row] for name, a in self._arrays().items()
        }
        return type(self)(quantiles={a: x[row] for a, x in self.quantiles.items()}, **some)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Blocks of rows, one after the other."""
        each = [part._arrays() for part in parts]
        whole: dict[str, Any] = {
            name: _joined([arrays[name] for arrays in each]) for name in each[0]
        }
        levels = parts[0].quantiles
        quantiles = {a: np.concatenate([part.quantiles[a] for part in parts]) for a in levels}
        return cls(quantiles=quantiles, **whole)

    @classmethod
    def stacked(cls, parts: Sequence[Self], shape: tuple[int, ...]) -> Self:
        """Those of states, (n,) each, as (n, *shape)."""

        def stack(arrays: Sequence[Floats | None]) -> Any:
            found = [a for a in arrays if a is not None]
            return np.stack(found, axis=-1).reshape(-1, *shape) if found else None

        each = [part._arrays() for part in parts]
        whole: dict[str, Any] = {name: stack([arrays[name] for arrays in each]) for name in each[0]}
        levels = parts[0].quantiles
        quantiles = {a: stack([part.quantiles[a] for part in parts]) for a in levels}
        return cls(quantiles=quantiles, **whole)

    def _arrays(self) -> dict[str, Floats | None]:
        return {name: getattr(self, name) for name in ("mean", "sd", "stderr", "low", "high")}


@dataclass(frozen=True, eq=False)
class Result:
    """The joint posterior of discrete targets, and the continuous ones given their states.

    Attributes:
        log_z: () or (n,) natural log of the probability (density) of the evidence, -inf where it is
            impossible, NaN where the method does not tell.
        probs: (k_1, ..., k_m) or (n, k_1, ..., k_m); NaN where the evidence is impossible.
        continuous: by node, shaped as `probs`.
        stderr: Monte Carlo standard errors of `probs`, or None.
        reasons: what is to be said of it.
    """

    log_z: Floats
    probs: Floats
    continuous: Mapping[int, Summary] = field(default_factory=dict)
    stderr: Floats | None = None
    reasons: tuple[Reason, ...] = ()

    def at(self, row: Any) -> Self:
        """A row by its number, or some rows as an index of NumPy takes them."""
        return replace(
            self,
            log_z=np.asarray(self.log_z[row]),
            probs=self.probs[row],
            continuous={node: summary.at(row) for node, summary in self.continuous.items()},
            stderr=None if self.stderr is None else self.stderr[row],
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Blocks of rows, one after the other."""
        first = parts[0]
        if len(parts) == 1:
            return first
        return cls(
            np.concatenate([part.log_z for part in parts]),
            np.concatenate([part.probs for part in parts]),
            {v: Summary.joined([part.continuous[v] for part in parts]) for v in first.continuous},
            _joined([part.stderr for part in parts]),
            tuple(dict.fromkeys(reason for part in parts for reason in part.reasons)),
        )


def _joined(arrays: Sequence[Floats | None]) -> Floats | None:
    found = [a for a in arrays if a is not None]
    return np.concatenate(found) if found else None
