"""Writing NET, the format of Hugin, which `net` describes and reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from ....arrays import Floats
from ..conditionals import Table
from ..network import Network
from .tokens import quoted
from .written import numbers

_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_RESERVED = frozenset(
    ("net", "node", "potential", "class", "discrete", "continuous", "decision", "utility")
) | {"chance", "function", "normal", "data", "states", "name", "label", "if", "true", "false"}


def text(network: Network) -> str:
    """The network as a NET file."""
    called = _identifiers(network.names)
    lines = ["net", "{", "}"]
    for name, node, states in zip(network.names, called, network.states, strict=True):
        lines += ["", f"{'' if states else 'continuous '}node {node}", "{"]
        if states:
            lines.append(f"    states = ({' '.join(quoted(str(state)) for state in states)});")
        if node != name:
            lines.append(f"    label = {quoted(name)};")
            lines.append(f"    ppgen_name = {quoted(name)};")
        lines.append("}")
    for child, conditional in enumerate(network.conditionals):
        parents = " ".join(called[parent] for parent in network.dag.parents[child])
        names = f"{called[child]} | {parents}" if parents else called[child]
        if isinstance(conditional, Table):
            data = _lists(conditional.probs, _row_text)
        else:
            linear = [called[parent] for parent in network.continuous_parents(child)]
            given = network.linear(child)
            intercept, variance = given.intercept[..., None], given.variance[..., None]
            rows = np.concatenate([intercept, variance, given.coefficients], axis=-1)
            data = _lists(rows, partial(_normal_text, linear))
            data = data if data.startswith("(") else f"( {data} )"
        lines += ["", f"potential ( {names} )", "{", f"    data = {data};", "}"]
    return "\n".join(lines) + "\n"


def _lists(rows: Floats, written: Callable[[Floats], str]) -> str:
    """Rows as nested lists."""
    if rows.ndim == 1:
        return written(rows)
    return f"({' '.join(_lists(block, written) for block in rows)})"


def _row_text(row: Floats) -> str:
    return f"( {numbers(row, ' ')} )"


def _normal_text(linear: Sequence[str], row: Floats) -> str:
    intercept, variance, *coefficients = map(float, row)
    terms = "".join(
        f" {'-' if b < 0 else '+'} {abs(b)!r} * {parent}"
        for parent, b in zip(linear, coefficients, strict=True)
    )
    return f"normal ( {intercept!r}{terms}, {variance!r} )"


def _identifiers(names: Sequence[str]) -> list[str]:
    """What each node is called in the file: its name, or n1, n2, ... where that is none."""
    kept = {name for name in names if _PLAIN.fullmatch(name) and name not in _RESERVED}
    fresh = (name for name in map("n{}".format, range(1, 2 * len(names) + 1)) if name not in kept)
    return [name if name in kept else next(fresh) for name in names]
