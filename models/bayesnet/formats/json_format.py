"""Networks and factor graphs as JSON that people read: every number stands under the states it
belongs to.

    {"format": "ppgen network", "version": 1, "nodes": [
      {"name": "rain", "states": ["yes", "no"], "parents": [], "table": [
        {"given": {}, "probs": [0.2, 0.8]}]},
      {"name": "depth", "parents": ["rain", "level"], "gaussian": [
        {"given": {"rain": "yes"}, "intercept": 1.5, "coefficients": {"level": 0.3}, "variance": 2},
        ...]}]}

A continuous node has no states. Rows stand in any order. States are texts, numbers, true, false or
null, and stay so. A factor graph has tables as nested lists, the last variable innermost:

    {"format": "ppgen factor graph", "version": 1,
     "variables": [{"name": "a", "states": [0, 1]}, ...],
     "factors": [{"variables": ["a", "b"], "table": [[1.0, 2.5], [0.5, 1.0]]}]}
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ....arrays import Floats
from ....errors import did_you_mean
from ....plain_json import plain
from ..conditionals import Table
from ..factors import Factors
from ..network import Network
from .draft import Draft
from .json_document import Document, Path
from .rows import Rows
from .source import Source

_NETWORK, _FACTORS = "ppgen network", "ppgen factor graph"
_VERSION = 1


def read(source: Source) -> Network | Factors:
    """The network or factor graph of a JSON file."""
    document = Document(source)
    form = document.get(("format",), str) if document.get((), dict) else ""
    if form not in (_NETWORK, _FACTORS):
        raise document.error(
            ("format",) if form else (),
            f"found the format {form!r}; expected {_NETWORK!r} or {_FACTORS!r}.",
        )
    if (version := document.get(("version",), float)) != _VERSION:
        raise document.error(("version",), f"found version {version}; expected {_VERSION}.")
    return _network(document) if form == _NETWORK else _factors(document)


def _network(document: Document) -> Network:
    draft = Draft(document)
    paths = document.paths(("nodes",))
    for path in paths:
        discrete = "states" in document.get(path, dict)
        draft.node(
            document.get((*path, "name"), str), _states(document, path) if discrete else None, path
        )
    for path in paths:
        names = [document.get((*path, "name"), str), *document.each((*path, "parents"), str)]
        family = draft.family([(name, path) for name in names])
        (_table if draft.states[family[0]] else _gaussian)(document, path, draft, family)
    return draft.network()


def _states(document: Document, path: Path) -> list[Any]:
    states: list[Any] = document.get((*path, "states"), list)
    for i, state in enumerate(states):
        if isinstance(state, list | dict):
            raise document.error((*path, "states", i), "found a list; expected a text or number.")
    return states


def _table(document: Document, path: Path, draft: Draft, family: list[str]) -> None:
    rows = Rows(draft, family[0], family[1:], len(draft.states[family[0]]), path)
    for row in document.paths((*path, "table")):
        rows.add(_given(document, row, rows), document.each((*row, "probs"), float), row)
    rows.table()


def _gaussian(document: Document, path: Path, draft: Draft, family: list[str]) -> None:
    linear = [parent for parent in family[1:] if not draft.states[parent]]
    rows = Rows(draft, family[0], family[1:], 2 + len(linear), path)
    for row in document.paths((*path, "gaussian")):
        if linear:
            _known(document, (*row, "coefficients"), linear, f"continuous parent of {family[0]!r}")
        values = [document.get((*row, what), float) for what in ("intercept", "variance")]
        values += [document.get((*row, "coefficients", name), float) for name in linear]
        rows.add(_given(document, row, rows), values, row)
    draft.gaussian(family[0], rows.whole(), path)


def _given(document: Document, path: Path, rows: Rows) -> list[int]:
    """The states of the parents that a row is for."""
    _known(document, (*path, "given"), rows.parents, f"discrete parent of {rows.name!r}")
    places = [(*path, "given", parent) for parent in rows.parents]
    return [
        rows.draft.state(parent, str(document.get(place, object)), place)
        for parent, place in zip(rows.parents, places, strict=True)
    ]


def _known(document: Document, path: Path, names: list[str], what: str) -> None:
    """Raise InputError if an object has a name that is none of these."""
    for name in document.get(path, dict):
        if name not in names:
            raise document.error(
                (*path, name), f"{name!r} is no {what}.{did_you_mean(name, names)}"
            )


def _factors(document: Document) -> Factors:
    states: dict[str, tuple[Any, ...]] = {}
    for path in document.paths(("variables",)):
        name = document.get((*path, "name"), str)
        if name in states:
            raise document.error(path, f"the variable {name!r} is declared twice.")
        states[name] = tuple(_states(document, path))
    number = {name: variable for variable, name in enumerate(states)}
    scopes: list[tuple[int, ...]] = []
    tables: list[Floats] = []
    for path in document.paths(("factors",)):
        names = document.each((*path, "variables"), str)
        for i, name in enumerate(names):
            if name not in number or name in names[:i]:
                raise document.error(
                    (*path, "variables", i),
                    f"found {name!r}; expected a variable, named once."
                    + did_you_mean(name, number),
                )
        scope = tuple(number[name] for name in names)
        try:
            table = np.array(document.get((*path, "table"), object))
            if table.dtype.kind not in "iuf":
                raise ValueError("it holds what is no number")
            factor = Factors(tuple(states), tuple(states.values()), (scope,), (table * 1.0,))
        except ValueError as error:
            raise document.error((*path, "table"), f"no table of {names}: {error}") from None
        scopes.append(scope)
        tables += factor.tables
    return Factors(tuple(states), tuple(states.values()), tuple(scopes), tuple(tables))


def text(model: Network | Factors) -> str:
    """A network or factor graph as JSON, a row of numbers a line."""
    if isinstance(model, Network):
        form, parts = _NETWORK, {"nodes": [_node_text(model, i) for i in range(len(model.dag))]}
    else:
        form = _FACTORS
        parts = {
            "variables": [
                _json({"name": name, "states": states})
                for name, states in zip(model.names, model.states, strict=True)
            ],
            "factors": [
                _json({"variables": [model.names[v] for v in scope], "table": table})
                for scope, table in zip(model.scopes, model.tables, strict=True)
            ],
        }
    lists = (
        f'  "{name}": [\n' + ",\n".join(f"    {entry}" for entry in entries) + "\n  ]"
        for name, entries in parts.items()
    )
    head = f'  "format": "{form}",\n  "version": {_VERSION},\n'
    return "{\n" + head + ",\n".join(lists) + "\n}\n"


def _node_text(network: Network, node: int) -> str:
    conditional = network.conditionals[node]
    parents = network.discrete_parents(node)
    linear = [network.names[parent] for parent in network.continuous_parents(node)]
    entry: dict[str, Any] = {"name": network.names[node]}
    if network.states[node]:
        entry["states"] = network.states[node]
    entry["parents"] = [network.names[parent] for parent in network.dag.parents[node]]
    rows = []
    for u in np.ndindex(*(network.sizes[parent] for parent in parents)):
        row: dict[str, Any] = {
            "given": {
                network.names[parent]: network.states[parent][state]
                for parent, state in zip(parents, u, strict=True)
            }
        }
        if isinstance(conditional, Table):
            row["probs"] = conditional.probs[u]
        else:
            gaussian = network.linear(node)
            row["intercept"] = gaussian.intercept[u]
            row["coefficients"] = dict(zip(linear, gaussian.coefficients[u], strict=True))
            row["variance"] = gaussian.variance[u]
        rows.append(f"      {_json(row)}")
    kind = "table" if isinstance(conditional, Table) else "gaussian"
    return f'{_json(entry)[:-1]}, "{kind}": [\n' + ",\n".join(rows) + "\n    ]}"


def _json(value: Any) -> str:
    return json.dumps(plain(value), ensure_ascii=False, allow_nan=False)
