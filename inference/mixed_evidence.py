"""Evidence on discrete and continuous nodes, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import Floats, Ints, Mask
from ..errors import InputError
from .evidence import enter, is_hard


@dataclass(frozen=True, eq=False)
class Rows:
    """Evidence on V nodes in n rows.

    Attributes:
        batched: whether the evidence has an axis of rows; else it is one row.
        codes: (n, V) states of discrete nodes, -1 where not given.
        values: (n, V) values of continuous nodes, NaN where not given.
        log_likelihoods: of nodes with virtual evidence, (n, k), or (1, k) if it is the same in all.
    """

    batched: bool
    codes: Ints
    values: Floats
    log_likelihoods: dict[int, Floats]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Ints) -> Rows:
        """Some of the rows."""
        virtual = {
            v: log[rows] if len(log) == len(self) else log
            for v, log in self.log_likelihoods.items()
        }
        return replace(
            self, codes=self.codes[rows], values=self.values[rows], log_likelihoods=virtual
        )

    @property
    def given(self) -> Mask:
        """(n, V) whether the state of a discrete node is given."""
        return self.codes >= 0

    @property
    def seen(self) -> Mask:
        """(n, V) whether the value of a continuous node is."""
        return ~np.isnan(self.values)


def as_rows(sizes: Sequence[int], names: Sequence[str], evidence: Mapping[int, Any]) -> Rows:
    """Evidence as rows.

    Args:
        sizes: how many states each node has; 0 for a continuous one.
        evidence: node -> of a discrete one as `evidence.enter` takes it; of a continuous
            one a number or numbers (n,), NaN in a row where it is not observed.

    Raises:
        InputError: if numbers of rows differ, a state is out of range, or a value is infinite.
    """
    discrete = {v: value for v, value in evidence.items() if sizes[v]}
    entered = enter(discrete, sizes, names)
    n, lam = entered.n, entered.by_row(sizes)
    numbers = {}
    for v, value in evidence.items():
        if sizes[v]:
            continue
        x = np.asarray(value, dtype=np.float64)
        if x.ndim > 1 or np.isinf(x).any():
            raise InputError(
                f"the evidence on {names[v]!r} has shape {x.shape} or infinite values; expected a "
                "finite number, or one a row (NaN: not observed)."
            )
        numbers[v] = x
        if x.ndim:
            if n not in (None, len(x)) or not len(x):
                raise InputError(
                    f"the evidence on {names[v]!r} has {len(x)} rows, and other evidence has {n}; "
                    "give each the same number of rows, at least one, or none."
                )
            n = len(x)
    codes = np.full((1 if n is None else n, len(sizes)), -1, np.intp)
    values = np.full(codes.shape, np.nan)
    for v, states in discrete.items():
        if is_hard(states):
            codes[:, v] = states
    for v, x in numbers.items():
        values[:, v] = x
    with np.errstate(divide="ignore"):
        virtual = {v: np.log(lam[v]) for v, value in discrete.items() if not is_hard(value)}
    return Rows(n is not None, codes, values, virtual)
