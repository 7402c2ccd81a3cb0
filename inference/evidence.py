"""Evidence on discrete variables, entered into tables.

Hard evidence is the number of a state: tables are cut down to it. Virtual evidence is a likelihood
for each state, a table more. Either is of one row, or of n rows at once; where some rows do not
observe a variable (-1), a row is a likelihood: 1 for the state observed, or for every state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from .elimination import Scope

Array = Any
Evidence = Mapping[int, Any]


@dataclass(frozen=True)
class Entered:
    """Evidence by sort.

    Attributes:
        fixed: the state, or states (n,), of variables that every row observes.
        likelihoods: (k,) or (k, n), of the others that are observed.
        n: number of rows; None if the evidence is of one row, without an axis for it.
    """

    fixed: dict[int, Any]
    likelihoods: dict[int, Array]
    n: int | None

    def rows(self, rows: slice | Array) -> Entered:
        """Some of the rows."""
        if self.n is None:
            return self
        return Entered(
            {v: state[rows] if np.ndim(state) else state for v, state in self.fixed.items()},
            {v: x[:, rows] if x.ndim == 2 else x for v, x in self.likelihoods.items()},
            len(np.arange(self.n)[rows]),
        )

    def by_row(self, sizes: Sequence[int]) -> dict[int, Array]:
        """Likelihoods of all that is observed, (n, k), or (1, k) where they are of every row; hard
        evidence is 1 at its state and 0 elsewhere."""
        fixed = {v: np.eye(sizes[v])[state] for v, state in self.fixed.items()}
        both = fixed | {v: x.T for v, x in self.likelihoods.items()}
        return {v: np.atleast_2d(x) for v, x in both.items()}


def is_hard(value: Any) -> bool:
    """Whether evidence is hard: a state's number, or one a row."""
    return np.asarray(value).dtype.kind in "iu" and np.ndim(value) < 2


def enter(evidence: Evidence, sizes: Sequence[int], names: Sequence[str]) -> Entered:
    """Sort evidence, and check it.

    Raises:
        InputError: for a state that a variable does not have, likelihoods of another length, below
            0 or not finite, or different numbers of rows.
    """
    entered = Entered({}, {}, None)
    rows = set()
    for v, given in evidence.items():
        value, k = np.asarray(given), sizes[v]
        if is_hard(value):
            if value.ndim:
                rows.add(len(value))
            if not value.ndim:
                low = high = int(value)
            else:
                low, high = (int(value.min()), int(value.max())) if len(value) else (0, 0)
            if not -1 <= low <= high < k:
                raise InputError(
                    f"{names[v]!r} has the states 0 to {k - 1}; {low if low < -1 else high} given "
                    "(-1: not observed)."
                )
            if low >= 0:
                entered.fixed[v] = value if value.ndim else low
            elif value.ndim:
                ones_last = np.hstack([np.eye(k), np.ones((k, 1))])
                entered.likelihoods[v] = ones_last.take(value, axis=1)
            continue
        if (
            value.shape[-1:] != (k,)
            or value.ndim > 2
            or not ((value >= 0) & (value < np.inf)).all()
        ):
            raise InputError(
                f"the likelihood of {names[v]!r} has shape {value.shape}; expected ({k},) or "
                f"(n, {k}), and no number below 0."
            )
        if value.ndim == 2:
            rows.add(len(value))
        entered.likelihoods[v] = np.ascontiguousarray(value.T, dtype=np.float64)
    if len(rows) > 1:
        raise InputError(f"evidence has {sorted(rows)} rows; give as many for each variable.")
    return Entered(entered.fixed, entered.likelihoods, rows.pop() if rows else None)


@dataclass(frozen=True)
class Reduced:
    """Tables into which evidence has been entered.

    Attributes:
        scopes: of the tables; first are those given, cut down to the states observed, then come
            likelihoods and, of variables in no table, ones. The variable `batch` numbers rows and
            is the last axis where it occurs.
        tables: for each scope.
        fixed: the state, or states (n,), of the variables that were cut out.
        n: the number of rows; None without an axis for rows.
        batch: the number of that variable: how many variables there are.
    """

    scopes: tuple[Scope, ...]
    tables: tuple[Array, ...]
    fixed: dict[int, Any]
    n: int | None
    batch: int


def reduce_scopes(sizes: Sequence[int], scopes: Sequence[Scope], entered: Entered) -> list[Scope]:
    """The scopes of `reduce_tables`."""
    batch, fixed = len(sizes), entered.fixed
    by_row = {v for v, state in fixed.items() if np.ndim(state)}
    out: list[Scope] = []
    seen = set(fixed) | entered.likelihoods.keys()
    for scope in scopes:
        if fixed.keys().isdisjoint(scope):
            out.append(scope)
        else:
            rows = () if by_row.isdisjoint(scope) else (batch,)
            out.append((*(v for v in scope if v not in fixed), *rows))
        seen.update(scope)
    out += [(v, batch) if x.ndim == 2 else (v,) for v, x in entered.likelihoods.items()]
    return out + [(v,) for v in range(batch) if v not in seen]


def reduce_tables(
    sizes: Sequence[int], scopes: Sequence[Scope], tables: Sequence[Array], entered: Entered
) -> Reduced:
    """Tables cut down to the states observed, and likelihoods."""
    reduced = reduce_scopes(sizes, scopes, entered)
    cut = [_cut(t, s, entered.fixed) for t, s in zip(tables, scopes, strict=True)]
    cut += entered.likelihoods.values()
    cut += [np.ones(sizes[v]) for (v,) in reduced[len(cut) :]]
    return Reduced(tuple(reduced), tuple(cut), entered.fixed, entered.n, len(sizes))


def _cut(table: Array, scope: Scope, fixed: Mapping[int, Any]) -> Array:
    """A table at the states observed; rows of states give it a last axis of rows."""
    if fixed.keys().isdisjoint(scope):
        return table
    states = [fixed[v] for v in scope if v in fixed]
    if all(isinstance(state, int) for state in states):
        return table[tuple(fixed.get(v, slice(None)) for v in scope)]
    axes = sorted(range(len(scope)), key=lambda axis: scope[axis] in fixed)
    shape = [table.shape[axis] for axis in axes]
    n_free = len(scope) - len(states)
    places = states[0]
    for state, size in zip(states[1:], shape[n_free + 1 :], strict=True):
        places = places * size + state
    flat = table.transpose(axes).reshape(*shape[:n_free], -1)
    return flat.take(places, axis=-1, mode="clip")  # known to be inside


def add_to_cells(
    total: Array, scope: Scope, P: Array, axes: Scope, fixed: Mapping[int, Any]
) -> None:
    """Add numbers, with these axes and perhaps rows, to the cells of a table over a scope of which
    they were cut out."""
    observed = [v for v in scope if v in fixed]
    free = [v for v in scope if v not in fixed]
    states = tuple(fixed[v] for v in observed)
    view = total.transpose([scope.index(v) for v in (*observed, *free)])
    P = P.reshape((*(total.shape[scope.index(v)] for v in axes), -1))
    P = P.transpose((len(axes), *(axes.index(v) for v in free)))
    if any(np.ndim(state) for state in states):
        np.add.at(view, states, P)
    else:
        view[states] += P.sum(axis=0)
