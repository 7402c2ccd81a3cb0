"""Evidence as users give it, and as engines take it.

What is given of a node is its state or value (hard evidence); how likely what was seen is in each
of its states (virtual evidence, a `Likelihood`); or how its states are distributed (soft evidence,
a `Distribution`, which `soft` turns into likelihoods). Many rows are given as columns, or as a
frame, with gaps where a row knows nothing of a node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....arrays import Floats, Mask
from ....data import as_dataset
from ....data.warp import Warp
from ....errors import InputError
from ....verdict import Reason
from ..labelled import Labelled
from .stated import Distribution, Likelihood, OverStates

_SHOWN = 6  # entries of evidence that errors and answers show


@dataclass(frozen=True)
class Given:
    """Evidence by the numbers of nodes.

    Attributes:
        evidence: hard, a state or states (n,), -1 where a row has a gap, or of a continuous node a
            value or values (n,), NaN likewise; virtual, (k,) likelihoods.
        soft: (k,) distributions.
        rows: how many rows there are; None for one that is no table.
        hard: the nodes that are given as a state or value.
        shown: what was given, for errors and answers.
        log_det: () or (n,) to be added to the log density of the values given, as they are encoded,
            to have that in the units of the data and given what was known beforehand.
        done: what nodes are set to from outside.
        index: the labels of the rows, where a frame of pandas has such.
    """

    evidence: dict[int, Any] = field(default_factory=dict)
    soft: dict[int, Floats] = field(default_factory=dict)
    rows: int | None = None
    hard: frozenset[int] = frozenset()
    shown: str = ""
    log_det: Any = 0.0
    done: Mapping[int, Any] = field(default_factory=dict)
    index: Any = None

    @property
    def nodes(self) -> set[int]:
        """The nodes of which something is given."""
        return {*self.evidence, *self.soft}


def read_given(nodes: Labelled, given: Any, warps: Mapping[int, Warp] | None = None) -> Given:
    """Evidence as engines take it.

    Args:
        nodes: those of the model.
        given: node -> state, value, `Likelihood`, `Distribution`, or a column of states or values;
            or a frame of such columns. None is no evidence.
        warps: how continuous nodes are encoded; others are taken as they are.

    Raises:
        InputError: for an unknown node or state, a value that is none of a column, columns of
            different lengths, or a node that is given twice.
    """
    if given is None:
        return Given()
    index = getattr(given, "index", None) if hasattr(given, "iloc") else None
    if not isinstance(given, Mapping):
        given = _columns(given)
    evidence: dict[int, Any] = {}
    soft: dict[int, Floats] = {}
    shown: list[str] = []
    hard: list[int] = []
    log_det: Any = 0.0
    rows = {len(value) for value in given.values() if _is_column(value)}
    if len(rows) > 1:
        raise InputError(f"columns of evidence have {sorted(rows)} rows; give equally many.")
    warps = warps or {}
    for name, value in given.items():
        node = nodes.number(name)
        if node in evidence or node in soft:
            raise InputError(f"{name!r} is given twice; give it once.")
        if isinstance(value, Distribution):
            soft[node] = value.array(nodes, node)
        elif isinstance(value, Likelihood):
            evidence[node] = value.array(nodes, node)
        elif _is_column(value):
            evidence[node], log_slope = _encoded(nodes, node, value, warps.get(node))
            log_det = log_det + log_slope
            hard.append(node)
            continue
        elif not _is_gap(value):
            evidence[node], log_slope = _value(nodes, node, value, warps.get(node))
            log_det = log_det + log_slope
            hard.append(node)
            value = f"{value:g}" if isinstance(value, float) else value
        else:
            continue
        value = type(value).__name__ if isinstance(value, OverStates) else value
        shown.append(f"{nodes.names[node]} = {value}")
    left = f", and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    n = next(iter(rows), None)
    text = ", ".join(shown[:_SHOWN]) + left
    return Given(evidence, soft, n, frozenset(hard), text, log_det, index=index)


def read_do(nodes: Labelled, do: Any, given: Given, warps: Mapping[int, Warp]) -> dict[int, Any]:
    """What nodes are set to from outside, by their numbers; InputError as for evidence, or if a
    node is both set and given."""
    if do is None:
        return {}
    if not isinstance(do, Mapping) or any(_is_column(value) for value in do.values()):
        raise InputError("do sets nodes to one state or value each: do={node: state}.")
    found = read_given(nodes, do, warps)
    if found.soft or any(np.ndim(value) for value in found.evidence.values()):
        raise InputError("do sets nodes to a state or value; a distribution was given.")
    if both := given.nodes & set(found.evidence):
        name = nodes.names[min(both)]
        raise InputError(
            f"{name!r} is both given and set by do: what is set from outside says nothing of its "
            "causes. Keep one of the two."
        )
    return found.evidence


def read_targets(nodes: Labelled, target: Any, given: Given) -> tuple[int, ...]:
    """The numbers of the nodes that are asked for, none for None; InputError for an unknown one,
    one asked for twice, or one that is given as a state or value."""
    if target is None:
        return ()
    asked = (
        [target] if isinstance(target, str) or not isinstance(target, Iterable) else list(target)
    )
    targets = tuple(nodes.number(name) for name in asked)
    if not targets or len(set(targets)) < len(targets):
        raise InputError(f"targets {asked!r} given; name one node or several, each once.")
    for node in targets:
        if node in given.hard:
            raise InputError(
                f"{nodes.names[node]!r} is both asked for and given; leave it out of one."
            )
    return targets


def check_possible(log_z: Any, given: Given) -> None:
    """Raise InputError if evidence that is no table of rows has probability zero."""
    if np.ndim(log_z) == 0 and np.isneginf(log_z):
        raise InputError(
            f"the evidence has probability zero: {given.shown or 'no state is possible'}. Nothing "
            "follows from it; correct or leave out some of it."
        )


def impossible(log_z: Any) -> tuple[Reason, ...]:
    """What is to be said of rows of a table whose evidence has probability zero."""
    rows = np.flatnonzero(np.isneginf(log_z)) if np.ndim(log_z) else np.empty(0, np.intp)
    if not len(rows):
        return ()
    first = ", ".join(map(str, rows[:_SHOWN])) + (", ..." if len(rows) > _SHOWN else "")
    what = (
        f"the evidence has probability zero in {len(rows):,} of {len(log_z):,} rows, and nothing "
        f"follows there: row {first} (counted from 0)."
    )
    return (Reason("warn", what, "Correct or leave out some of it."),)


def _is_column(value: Any) -> bool:
    if isinstance(value, str | bytes | OverStates):
        return False
    return isinstance(value, Sequence) or np.ndim(value) == 1 or hasattr(value, "to_numpy")


def _columns(frame: Any) -> Mapping[str, Any]:
    if isinstance(frame, str | list | tuple | set):
        raise InputError(
            f'evidence is {frame!r}; expected node -> state or value, such as {{"rain": "yes"}}, '
            "or a frame of rows."
        )
    data = as_dataset(frame)
    if not data.columns:
        raise InputError("evidence was given that is no table; give node -> state, or a frame.")
    return data.columns


def _is_gap(value: Any) -> bool:
    """Whether a value is None, NaN or what pandas has for them."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # of pandas.NA
        return True


def _value(nodes: Labelled, node: int, value: Any, warp: Warp | None) -> tuple[Any, Any]:
    """A state or encoded value, and the log slope of its map."""
    name = nodes.names[node]
    if isinstance(value, Mapping):
        raise InputError(
            f"{name!r} is given as {value!r}, a dict. Say what it is: ppgen.Likelihood of what was "
            "seen in each state, or ppgen.Distribution over the states."
        )
    if nodes.sizes[node]:
        return nodes.state(name, value), 0.0
    (x,), (log_slope,) = _encoded(nodes, node, [value], warp)
    return x, log_slope


def _gaps(values: Any) -> Mask:
    """(n,) which values are missing: None, NaN and what pandas has for them."""
    import pandas

    return np.asarray(pandas.isna(np.asarray(values, dtype=object)))


def _encoded(nodes: Labelled, node: int, values: Any, warp: Warp | None) -> tuple[Any, Any]:
    """(n,) states or values of a column, -1 or NaN in gaps, and the log slopes of their map."""
    name = nodes.names[node]
    column, gaps = np.asarray(values, dtype=object), _gaps(values)
    if nodes.sizes[node]:
        codes = np.full(len(column), -1)
        labels = column[~gaps].tolist()
        numbered = {}
        for label in dict.fromkeys(labels):
            try:
                numbered[label] = nodes.state(name, label)
            except InputError as error:
                row = np.flatnonzero(~gaps)[labels.index(label)]
                raise InputError(f"row {row} (counted from 0): {error}") from None
        codes[~gaps] = [numbered[label] for label in labels]
        return codes, np.zeros(len(column))
    numbers = np.full(len(column), np.nan)
    try:
        numbers[~gaps] = column[~gaps].astype(np.float64)
    except (TypeError, ValueError):
        odd = next(x for x in column[~gaps].tolist() if not isinstance(x, int | float))
        raise InputError(f"{name!r} is continuous; {odd!r} was given, expected a number.") from None
    if np.isinf(numbers).any():
        raise InputError(f"{name!r} was given as infinite; expected a number.")
    if warp is None:
        return numbers, np.zeros(len(column))
    z, log_slope = warp.forward(numbers, 0.5)
    if (outside := np.isneginf(log_slope)).any():
        raise InputError(
            f"{name!r} was given as {numbers[outside][0]:g}, outside of what the column takes."
        )
    return z, np.where(gaps, 0.0, log_slope)
