"""NET, the format of Hugin.

    net {}
    node x { states = ("yes" "no"); label = "..."; }
    continuous node z {}
    potential ( x | a b ) { data = ((( 0.1 0.9 ) ( 0.2 0.8 )) (( 0.3 0.7 ) ( 0.4 0.6 ))); }
    potential ( z | x w ) { data = ( normal ( 1.5 + 0.3 * w, 2.0 ) normal ( 0.2, 1.0 ) ); }

The child's state varies fastest, the first parent's slowest; the numbers are nested accordingly or
stand in one list. `normal` has the mean, linear in the continuous parents, and the variance.
Without `data` a table is uniform. `%` begins a comment; other fields are skipped.

Names of nodes are identifiers there. Where a name is none, the node is called `n1`, `n2`, ..., and
its field `ppgen_name` has the name, which is read back. States are read as text.

Reference: "The Hugin NET language, HUGIN API reference manual, chapter 13",
https://download.hugin.com/webdocs/manuals/api-manual.pdf.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..network import Network
from .draft import Draft
from .source import Named, Source
from .tokens import Tokens

_SKIPPED = r"%[^\n]*"
_MARKS = "(){}[]|;=,*+-"
_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_NAME = r"[^\W\d][\w.]*"


@dataclass
class _Potential:
    """A block `potential` whose data stand at a place of the file, if it has any."""

    names: list[Named]
    data: int | None = None


def read(source: Source) -> Network:
    """The network of a NET file."""
    tokens = Tokens(source, _SKIPPED, rf"[{re.escape(_MARKS)}]|{_NUMBER}|{_NAME}")
    draft = Draft(source)
    potentials: list[_Potential] = []
    called: dict[str, str] = {}  # node in the file -> its name
    while tokens:
        if tokens.taken("net"):
            tokens.expect("{")
            for _ in _fields(tokens):
                tokens.skip_to(";", "a field")
        elif tokens.taken("potential"):
            potentials.append(_potential(tokens))
        else:
            _node(tokens, draft, called)
    for potential in potentials:
        names = [(called.get(name, name), place) for name, place in potential.names]
        _conditional(tokens, potential, draft.family(names), draft, called)
    return draft.network()


def _fields(tokens: Tokens) -> Iterator[str]:
    """The names of the fields of a block, up to its end; the caller takes what follows `=`."""
    while not tokens.taken("}"):
        name, _ = tokens.label("the name of a field or '}'", _MARKS)
        tokens.expect("=")
        yield name


def _node(tokens: Tokens, draft: Draft, called: dict[str, str]) -> None:
    continuous = tokens.taken("continuous")
    if not continuous:
        tokens.taken("discrete")
    tokens.taken("chance")
    if not tokens.taken("node"):
        raise tokens.unexpected("'node', 'potential' or 'net'")
    identifier, place = tokens.label("the name of a node", _MARKS)
    name, states = identifier, None
    tokens.expect("{")
    for entry in _fields(tokens):
        if entry == "states" and not continuous:
            tokens.expect("(")
            states = [label for label, _ in tokens.labels(")", "a state", _MARKS)]
            tokens.expect(";")
        elif entry == "ppgen_name":
            name, _ = tokens.label("a name", _MARKS)
            tokens.expect(";")
        else:
            tokens.skip_to(";", "a field")
    if identifier in called:
        raise tokens.source.error(place, f"the node {identifier!r} is declared twice.")
    called[identifier] = name
    draft.node(name, states if continuous else states or [], place)


def _potential(tokens: Tokens) -> _Potential:
    tokens.expect("(")
    names = [tokens.label("the name of a node", _MARKS)]
    tokens.taken("|")
    potential = _Potential([*names, *tokens.labels(")", "a parent", _MARKS)])
    tokens.expect("{")
    for entry in _fields(tokens):
        if entry == "data":
            potential.data = tokens.at
        tokens.skip_to(";", "a field")
    return potential


def _conditional(
    tokens: Tokens, potential: _Potential, names: list[str], draft: Draft, called: dict[str, str]
) -> None:
    child, *parents = names
    place = potential.names[0][1]
    width = len(draft.states[child])
    if potential.data is None:
        if not width:
            raise draft.source.error(place, f"the continuous node {child!r} has no data.")
        draft.table(child, np.full((*draft.shape(names), width), 1 / width), place)
        return
    tokens.at = potential.data
    place = tokens.place
    if width:
        values = _nested(
            tokens, (*draft.shape(names), width), child, lambda: tokens.number("a probability")
        )
        draft.shaped(names, values, place)
    else:
        linear = [parent for parent in parents if not draft.states[parent]]
        shape = draft.shape(names)
        found = _nested(tokens, shape, child, lambda: _normal(tokens, linear, called))
        draft.gaussian(child, np.reshape(found, (*shape, len(linear) + 2)), place)
    tokens.expect(";")


def _nested(tokens: Tokens, shape: Sequence[int], child: str, leaf: Callable[[], Any]) -> list[Any]:
    """The leaves of nested lists of this shape, or of one flat list."""
    place = tokens.place

    def level(depth: int) -> Any:
        if not tokens.taken("("):
            return leaf()
        if not depth:
            raise tokens.source.error(
                place, f"the data of {child!r} are nested deeper than its parents ask for."
            )
        items = []
        while not tokens.taken(")"):
            items.append(level(depth - 1))
        return items

    def flat(found: Any, shape: Sequence[int]) -> list[Any]:
        items = found if isinstance(found, list) else [found]
        if not any(isinstance(item, list) for item in items):
            if len(items) == math.prod(shape):
                return items
        elif len(items) == shape[0]:
            return [each for item in items for each in flat(item, shape[1:])]
        asked = " x ".join(map(str, shape)) or "1"
        raise tokens.source.error(
            place, f"the data of {child!r} have a list of {len(items)}; expected {asked} there."
        )

    return flat(level(max(len(shape), 1)), shape)


def _normal(tokens: Tokens, linear: Sequence[str], called: dict[str, str]) -> tuple[float, ...]:
    """Intercept, variance and coefficients of `normal ( mean, variance )`."""
    tokens.expect("normal", "(")
    intercept, coefficients = 0.0, dict.fromkeys(linear, 0.0)
    while True:
        sign = 1.0
        while tokens.next in ("+", "-"):
            sign = -sign if tokens.take("a sign") == "-" else sign
        factor, place = 1.0, tokens.place
        name: str | None = None
        if re.fullmatch(_NUMBER, tokens.next):
            factor = float(tokens.take("a number"))
            named = tokens.taken("*")
        else:
            named = True
        if named:
            word, _ = tokens.label("a number or a parent", _MARKS)
            name = called.get(word, word)
            if tokens.taken("*"):
                factor *= tokens.number("a coefficient")
        if name is None:
            intercept += sign * factor
        elif name in coefficients:
            coefficients[name] += sign * factor
        else:
            raise tokens.source.error(
                place, f"{name!r} is no continuous parent of this node; expected one of {linear}."
            )
        if tokens.next not in ("+", "-"):
            break
    tokens.expect(",")
    variance = tokens.number("a variance")
    tokens.expect(")")
    return intercept, variance, *coefficients.values()


def begins(source: Source) -> bool:
    """Whether a text begins as a NET file does: with a block `net`, or a node and its braces."""
    start = re.compile(rf"(?:\s|{_SKIPPED})*(net\s*\{{|(?:discrete\s+|continuous\s+)?node\s)")
    return start.match(source.text) is not None
