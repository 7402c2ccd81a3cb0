"""BIF, the Interchange Format for Bayesian networks (version 0.15).

    network NAME { property ...; }
    variable NAME { type discrete [ 2 ] { yes, no }; }
    probability ( CHILD | PARENT, PARENT ) {
        default 0.5, 0.5;
        (yes, no) 0.1, 0.9;
    }

A row names the states of its parents, so rows stand in any order; `default` is for the rows that
are not given. `table` gives all numbers at once: the child's state varies slowest, the last
parent's fastest. Commas and bars are spaces, properties are skipped, `//` and `/* */` are comments.

Names and states that are no words of the format (`a b`, `x, y`, the empty one) are written as
strings in double quotes, with `\\"` and `\\\\` for a quote and a backslash, and read so. States are
read as text, numbers too. There are no continuous nodes.

Reference: Cozman, "The Interchange Format for Bayesian networks", 1996,
http://www.cs.cmu.edu/~fgcozman/Research/InterchangeFormat/Old/xmlbif02.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..network import Network
from .draft import Draft
from .rows import Rows
from .source import Named, Source
from .tokens import Tokens, quoted
from .written import numbers, tables

_SKIPPED = r",|//[^\n]*|/\*.*?\*/"
_PLAIN = r'[^\s{}()\[\],;|"]+'
_MARKS = "{}()[];|"
_WORD = re.compile(_PLAIN)


@dataclass
class _Block:
    """A block `probability`: the names of the child and its parents, and its statements."""

    names: list[Named]
    rows: list[tuple[list[Named], list[float], int]] = field(default_factory=list)
    tables: list[tuple[list[float], int]] = field(default_factory=list)
    defaults: list[tuple[list[float], int]] = field(default_factory=list)


def read(source: Source) -> Network:
    """The network of a BIF file."""
    tokens = Tokens(source, _SKIPPED, rf"[{re.escape(_MARKS)}]|{_PLAIN}")
    draft = Draft(source)
    blocks: list[_Block] = []
    while tokens:
        if tokens.taken("network"):
            tokens.label("the network's name", _MARKS)
            tokens.expect("{")
            while not tokens.taken("}"):
                tokens.expect("property")
                tokens.skip_to(";", "a property")
        elif tokens.taken("variable"):
            _variable(tokens, draft)
        elif tokens.taken("probability"):
            blocks.append(_block(tokens))
        else:
            raise tokens.unexpected("'network', 'variable' or 'probability'")
    for block in blocks:
        _conditional(block, draft)
    return draft.network()


def _variable(tokens: Tokens, draft: Draft) -> None:
    name, place = tokens.label("the name of a variable", _MARKS)
    states: list[str] | None = None
    tokens.expect("{")
    while not tokens.taken("}"):
        if tokens.taken("property"):
            tokens.skip_to(";", "a property")
        elif states is None and tokens.taken("type"):
            if not tokens.taken("discrete"):
                raise tokens.unexpected(
                    "'discrete' (nodes of BIF are; JSON and NET have continuous ones)"
                )
            tokens.expect("[")
            at = tokens.place
            count = tokens.number("the number of states")
            tokens.expect("]", "{")
            states = [label for label, _ in tokens.labels("}", "a state", _MARKS)]
            tokens.expect(";")
            if len(states) != count:
                raise tokens.source.error(
                    at, f"{name!r} says that it has {count:g} states and lists {len(states)}."
                )
        else:
            raise tokens.unexpected("'type', 'property' or '}'")
    if states is None:
        raise tokens.source.error(place, f"{name!r} has no type; expected 'type discrete'.")
    draft.node(name, states, place)


def _block(tokens: Tokens) -> _Block:
    tokens.expect("(")
    names = [tokens.label("the name of a variable", _MARKS)]
    tokens.taken("|")
    block = _Block([*names, *tokens.labels(")", "a parent", _MARKS)])
    tokens.expect("{")
    while not tokens.taken("}"):
        at = tokens.place
        if tokens.taken("("):
            given = list(tokens.labels(")", "a state", _MARKS))
            block.rows.append((given, tokens.numbers(";", "a probability"), at))
        elif tokens.next in ("table", "default"):
            kind = block.tables if tokens.take("") == "table" else block.defaults
            kind.append((tokens.numbers(";", "a probability"), at))
        elif tokens.taken("property"):
            tokens.skip_to(";", "a property")
        else:
            raise tokens.unexpected("'(', 'table', 'default', 'property' or '}'")
    return block


def _conditional(block: _Block, draft: Draft) -> None:
    child, *parents = draft.family(block.names)
    rows = Rows(draft, child, parents, len(draft.states[child]), block.names[0][1])
    for kind in (block.tables, block.defaults):
        if len(kind) > 1:
            raise draft.source.error(kind[1][1], f"{child!r} has two of these; expected one.")
    for values, at in block.tables:  # the child varies slowest
        if len(values) != rows.values.size:
            raise draft.source.error(
                at,
                f"the table of {child!r} has {len(values)} numbers; its states and those of its "
                f"parents ask for {rows.values.size}.",
            )
        for row, probs in enumerate(np.reshape(values, (len(draft.states[child]), -1)).T):
            rows.add_row(row, probs, at)
    for given, values, at in block.rows:
        if len(given) != len(parents):
            raise draft.source.error(
                at, f"a row names {len(given)} states; {child!r} has {len(parents)} parents."
            )
        states = [draft.state(p, *state) for p, state in zip(parents, given, strict=True)]
        rows.add(states, values, at)
    for values, at in block.defaults:
        rows.fill(values, at)
    rows.table()


def text(network: Network) -> str:
    """The network as a BIF file; every row is written under its parents' states."""
    lines = ["network unknown {", "}"]
    for name, states in zip(network.names, network.states, strict=True):
        shown = ", ".join(map(_written, states))
        lines.append(f"variable {_written(name)} {{")
        lines.append(f"  type discrete [ {len(states)} ] {{ {shown} }};")
        lines.append("}")
    for node, probs in enumerate(tables(network, "BIF")):
        parents = network.dag.parents[node]
        names = _written(network.names[node])
        if parents:
            names += " | " + ", ".join(_written(network.names[parent]) for parent in parents)
        lines.append(f"probability ( {names} ) {{")
        for row in np.ndindex(probs.shape[:-1]):
            given = [_written(network.states[p][s]) for p, s in zip(parents, row, strict=True)]
            start = f"({', '.join(given)})" if given else "table"
            lines.append(f"  {start} {numbers(probs[row])};")
        lines.append("}")
    return "\n".join(lines) + "\n"


def _written(label: Any) -> str:
    word = str(label)
    plain = _WORD.fullmatch(word) and not word.startswith(("//", "/*"))
    return word if plain else quoted(word)
