"""What a query answers: a small table that prints, and converts to a frame or a dict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ....arrays import Floats
from ....errors import InputError, did_you_mean
from ....verdict import Reason
from ..labelled import Labelled
from .evidence import Given, check_possible, impossible
from .results import Result, Summary

if TYPE_CHECKING:
    import pandas

_ROWS = 10  # that are printed


@dataclass(frozen=True, eq=False, repr=False)
class Answer:
    """The joint posterior of discrete targets, and the continuous ones given their states.

    Attributes:
        targets: the discrete targets, an axis of `probs` each.
        states: of each, its labels.
        probs: (k_1, ..., k_m), or (n, k_1, ..., k_m) of n rows of evidence; NaN in rows whose
            evidence is impossible.
        continuous: of each continuous target, in the units of the data, given the states of the
            discrete ones.
        log_evidence: () or (n,) natural log of the probability (density) of the evidence; NaN where
            the method does not tell.
        method: how it was computed: "exact", "cutset", "sampling", "gibbs" or "loopy".
        given: the evidence as text.
        stderr: Monte Carlo standard errors of `probs`, or None.
        low, high: ends of the credible bands of `probs` over draws of the parameters, or None.
        credible: their probability, or None.
        reasons: what is to be said of the answer.
        index: the labels of the rows of evidence, where a frame of pandas has such.
    """

    targets: tuple[str, ...]
    states: tuple[tuple[Any, ...], ...]
    probs: Floats
    continuous: Mapping[str, Summary]
    log_evidence: Floats
    method: str
    given: str = ""
    stderr: Floats | None = None
    low: Floats | None = None
    high: Floats | None = None
    credible: float | None = None
    reasons: tuple[Reason, ...] = field(default=())
    index: Any = None

    @classmethod
    def of(
        cls, nodes: Labelled, targets: Sequence[int], found: Result, method: str, given: Given
    ) -> Self:
        """The answer that numbers are, by name.

        Raises:
            InputError: if evidence that is no table is impossible.
        """
        check_possible(found.log_z, given)
        discrete = [v for v in targets if nodes.sizes[v]]
        return cls(
            tuple(nodes.names[v] for v in discrete),
            tuple(nodes.states[v] for v in discrete),
            found.probs,
            {nodes.names[v]: summary for v, summary in found.continuous.items()},
            np.asarray(found.log_z + given.log_det),
            method,
            given.shown,
            found.stderr,
            reasons=(*found.reasons, *impossible(found.log_z)),
            index=given.index,
        )

    @property
    def rows(self) -> int | None:
        """How many rows of evidence there are; None if it was no table."""
        return len(self.probs) if self.probs.ndim > len(self.targets) else None

    def __getitem__(self, labels: Any) -> Any:
        """The probability of a state, or of states (one for each discrete target), () or (n,)."""
        asked = labels if isinstance(labels, tuple) and len(self.targets) > 1 else (labels,)
        if len(asked) != len(self.targets):
            raise InputError(
                f"{len(asked)} states are asked for; there are {len(self.targets)} targets, "
                f"{', '.join(self.targets)}."
            )
        at: list[Any] = [...]
        for name, states, label in zip(self.targets, self.states, asked, strict=True):
            shown = [str(state) for state in states]
            if label not in states and str(label) not in shown:
                raise InputError(
                    f"{name!r} has no state {label!r}.{did_you_mean(str(label), shown)}"
                )
            at.append(states.index(label) if label in states else shown.index(str(label)))
        value = self.probs[tuple(at)]
        return float(value) if value.ndim == 0 else value

    def to_dict(self) -> dict[str, list[Any]]:
        """Columns as a frame takes them.

        Without a table of evidence a row for each combination of states: the targets, then
        "probability", with "stderr", "low" and "high" where there are such, then "mean x", "sd x"
        and quantiles such as "5% x" of each continuous target. With a table of evidence a row for
        each of its rows, and columns such as "P(rain=yes)".
        """
        if self.rows is not None:
            return {name: values.tolist() for name, values in self._wide()}
        columns: dict[str, list[Any]] = {}
        combinations = list(product(*self.states))
        for i, name in enumerate(self.targets):
            columns[name] = [combination[i] for combination in combinations]
        if self.targets:
            for name, values in self._probabilities():
                columns[name] = values.ravel().tolist()
        for node, summary in self.continuous.items():
            for name, values in summary.columns():
                columns[f"{name} {node}"] = np.ravel(values).tolist()
        return columns

    def to_frame(self) -> pandas.DataFrame:
        """`to_dict` as a frame of pandas, with the labels of the rows of evidence."""
        import pandas

        return pandas.DataFrame(self.to_dict(), index=self.index)

    def at(self, row: int) -> Self:
        """The answer for one row of a table of evidence."""
        some: dict[str, Any] = {}
        for name in ("probs", "log_evidence", "stderr", "low", "high"):
            array = getattr(self, name)
            some[name] = None if array is None else np.asarray(array[row])
        continuous = {node: summary.at(row) for node, summary in self.continuous.items()}
        return replace(self, continuous=continuous, index=None, **some)

    def _probabilities(self) -> Iterator[tuple[str, Floats]]:
        yield "probability", self.probs
        for name in ("stderr", "low", "high"):
            if (values := getattr(self, name)) is not None:
                yield name, values

    def _wide(self) -> Iterator[tuple[str, Floats]]:
        shape = self.probs.shape[1:]
        for at in np.ndindex(shape):
            labels = (s[i] for s, i in zip(self.states, at, strict=True))
            shown = ", ".join(f"{n}={s}" for n, s in zip(self.targets, labels, strict=True))
            if self.targets:
                for name, values in self._probabilities():
                    start = "" if name == "probability" else f"{name} "
                    yield f"{start}P({shown})", values[(slice(None), *at)]
            for node, summary in self.continuous.items():
                for name, values in summary.columns():
                    what = f"{name} {node}" + (f" | {shown}" if shown else "")
                    yield what, values[(slice(None), *at)]

    def __str__(self) -> str:
        return "\n".join([self._title(), *self._table(), *self._said()])

    __repr__ = __str__

    def _title(self) -> str:
        names = ", ".join((*self.targets, *self.continuous))
        given = f" | {self.given}" if self.given else ""
        rows = "" if self.rows is None else f", {self.rows:,} rows of evidence"
        return f"P({names}{given})  {self.method}{rows}"

    def _table(self) -> list[str]:
        columns = self.to_dict()
        if self.rows is None and not self.targets:  # one row: stood on end
            width = max(map(len, columns), default=0)
            return [f"  {name:{width}}  {_shown(x[0]):>10}" for name, x in columns.items()]
        return lined(columns, self.rows is not None)

    def _said(self) -> list[str]:
        said = [str(reason) for reason in self.reasons if reason.status != "ok"]
        if self.credible is not None:
            said.append(f"low and high: {100 * self.credible:g}% over draws of the parameters.")
        return said


def lined(columns: Mapping[str, Sequence[Any]], cut: bool) -> list[str]:
    """Columns as lines of text; `cut` after some."""
    n = max(map(len, columns.values()), default=0)
    cells = [
        [name, *map(_shown, values[: _ROWS if cut else n])] for name, values in columns.items()
    ]
    widths = [max(map(len, column)) for column in cells]
    lines = [
        "  " + "  ".join(f"{cell:>{w}}" for cell, w in zip(line, widths, strict=True))
        for line in zip(*cells, strict=True)
    ]
    return [*lines, f"  ... {n - _ROWS:,} more rows"] if cut and n > _ROWS else lines


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
