"""XMLBIF (version 0.3), the interchange format in XML.

    <BIF VERSION="0.3"><NETWORK><NAME>n</NAME>
    <VARIABLE TYPE="nature"><NAME>x</NAME><OUTCOME>yes</OUTCOME><OUTCOME>no</OUTCOME></VARIABLE>
    <DEFINITION><FOR>x</FOR><GIVEN>a</GIVEN><GIVEN>b</GIVEN><TABLE>0.1 0.9 ...</TABLE></DEFINITION>
    </NETWORK></BIF>

The child's state varies fastest in a table, the first parent's slowest. Properties are skipped. No
entities are declared or fetched: a file that declares one is refused, since a short one can unfold
to any length. Space around names is dropped unless `xml:space="preserve"` keeps it, which is
written where a name begins or ends with space. There are no continuous nodes.

Reference: Cozman, "The Interchange Format for Bayesian networks: XMLBIF version 0.3", 1998,
http://www.cs.cmu.edu/~fgcozman/Research/InterchangeFormat/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn
from xml.parsers import expat
from xml.sax.saxutils import escape

import numpy as np

from ....errors import InputError
from ..network import Network
from .draft import Draft
from .source import Named, Place, Source
from .written import numbers, tables

_BLOCKS = ("VARIABLE", "DEFINITION", "PROBABILITY")
_TEXTS = ("NAME", "OUTCOME", "VALUE", "FOR", "GIVEN", "TABLE")
FORBIDDEN = re.compile(  # characters that XML does not have
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)


@dataclass
class _Block:
    """A VARIABLE or DEFINITION: the texts of its elements, by tag."""

    place: Place
    texts: dict[str, list[Named]] = field(default_factory=dict)

    def one(self, tag: str, source: Source) -> Named:
        """Its only element of this tag."""
        found = self.texts.get(tag, [])
        if len(found) != 1:
            raise source.error(self.place, f"found {len(found)} elements {tag} here; expected one.")
        return found[0]


class _Reader:
    """What the parser calls: it gathers the blocks."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.variables: list[_Block] = []
        self.definitions: list[_Block] = []
        self.block: _Block | None = None
        self.text: list[str] | None = None
        self.start: Place = (1, 1)
        self.keeps_space = False
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.EntityDeclHandler = self._refuse
        self.parser.ExternalEntityRefHandler = self._refuse

    @property
    def place(self) -> tuple[int, int]:
        """Line and column that the parser is at."""
        return self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.upper()
        if tag in _BLOCKS:
            kind = attributes.get("TYPE", "nature")
            if kind != "nature":
                raise self.source.error(
                    self.place, f"found a variable of type {kind!r}; expected 'nature'."
                )
            self.block = _Block(self.place)
            (self.variables if tag == "VARIABLE" else self.definitions).append(self.block)
        elif self.block is not None and tag in _TEXTS:
            self.text = []
            self.start = self.place
            self.keeps_space = attributes.get("xml:space") == "preserve"

    def _characters(self, characters: str) -> None:
        if self.text is not None:
            self.text.append(characters)

    def _end(self, name: str) -> None:
        tag = name.upper()
        if tag in _BLOCKS:
            self.block = None
        elif self.block is not None and self.text is not None and tag in _TEXTS:
            text = "".join(self.text)
            named = (text if self.keeps_space else text.strip(), self.start)
            self.block.texts.setdefault("OUTCOME" if tag == "VALUE" else tag, []).append(named)
            self.text = None

    def _refuse(self, *_: object) -> NoReturn:
        raise self.source.error(
            self.place, "the file declares an entity; expected none: networks need no entities."
        )


def read(source: Source, content: bytes) -> Network:
    """The network of an XMLBIF file, from its bytes, which say how they are encoded."""
    reader = _Reader(source)
    try:
        reader.parser.Parse(content, True)
    except expat.ExpatError as error:
        problem = expat.errors.messages[error.code]
        raise source.error((error.lineno, error.offset + 1), f"no XML: {problem}.") from None
    draft = Draft(source)
    for variable in reader.variables:
        name, place = variable.one("NAME", source)
        draft.node(name, [text for text, _ in variable.texts.get("OUTCOME", [])], place)
    for definition in reader.definitions:
        _define(definition, draft)
    return draft.network()


def _define(definition: _Block, draft: Draft) -> None:
    source = draft.source
    names = draft.family([definition.one("FOR", source), *definition.texts.get("GIVEN", [])])
    words, place = definition.one("TABLE", source)
    values = [source.number(word, place, "a probability") for word in words.split()]
    draft.shaped(names, values, place)


def text(network: Network) -> str:
    """The network as an XMLBIF file."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<BIF VERSION="0.3">', "<NETWORK>"]
    lines.append(_element("NAME", "unknown"))
    for name, states in zip(network.names, network.states, strict=True):
        lines += ['<VARIABLE TYPE="nature">', _element("NAME", name)]
        lines += [_element("OUTCOME", state) for state in states]
        lines.append("</VARIABLE>")
    for node, probs in enumerate(tables(network, "XMLBIF")):
        lines += ["<DEFINITION>", _element("FOR", network.names[node])]
        lines += [_element("GIVEN", network.names[p]) for p in network.dag.parents[node]]
        rows = (numbers(row, " ") for row in np.reshape(probs, (-1, probs.shape[-1])))
        lines += ["<TABLE>", *rows, "</TABLE>", "</DEFINITION>"]
    return "\n".join([*lines, "</NETWORK>", "</BIF>"]) + "\n"


def _element(tag: str, label: Any) -> str:
    text = str(label)
    if FORBIDDEN.search(text):
        raise InputError(f"{text!r} holds a character that XML does not have. Write BIF or JSON.")
    space = ' xml:space="preserve"' if text != text.strip() else ""
    return f"<{tag}{space}>{escape(text, {chr(13): '&#13;'})}</{tag}>"
