"""JSON whose values are asked for by their path, with errors that say where they stand."""

from __future__ import annotations

import json
import re
from typing import Any

from ....errors import InputError
from .source import Place, Source, shown

Path = tuple[int | str, ...]

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+')
_TYPES: dict[type, str] = {dict: "an object", list: "a list", str: "a text", float: "a number"}


class Document(Source):
    """A parsed file, whose values are asked for by their path."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.name, source.text)
        try:
            self.body = json.loads(
                source.text, object_pairs_hook=self._object, parse_constant=self._constant
            )
        except json.JSONDecodeError as error:
            raise source.error(error.pos, f"no JSON: {error.msg}.") from None
        except InputError:
            raise
        except ValueError as error:  # an integer of thousands of digits
            raise InputError(f"{source.name} is no JSON of a network: {error}.") from None
        except RecursionError:
            raise InputError(f"{source.name} is nested too deeply; expected a network.") from None

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"{self.name}: an object gives {twice!r} twice; give it once.")
        return found

    def _constant(self, name: str) -> float:
        raise super().error(self.text.find(name), f"found {name}; expected a number.")

    def get(self, path: Path, kind: type) -> Any:
        """The value at a path, of a kind."""
        value = self.body
        for depth, step in enumerate(path):
            if isinstance(step, str) and step not in value:
                raise self.error(path[:depth], f"there is no {step!r} here.")
            value = value[step]
        kinds = (int, float) if kind is float else kind
        if not isinstance(value, kinds) or (kind is float and isinstance(value, bool)):
            raise self.error(path, f"found {shown(json.dumps(value))}; expected {_TYPES[kind]}.")
        return self._number(value, path) if kind is float else value

    def _number(self, value: Any, path: Path) -> float:
        try:
            return float(value)
        except OverflowError:
            raise self.error(path, "found an integer that is too large for a number.") from None

    def each(self, path: Path, kind: type) -> list[Any]:
        """The values of a list, all of a kind."""
        return [self.get((*path, i), kind) for i in range(len(self.get(path, list)))]

    def paths(self, path: Path) -> list[Path]:
        """The paths of the objects of a list."""
        return [(*path, i) for i, _ in enumerate(self.each(path, dict))]

    def located(self, place: Place) -> tuple[int, int]:
        """Line and column of the value at a path."""
        if isinstance(place, int):
            return super().located(place)
        stack: list[str | int] = []  # the path of the value that comes next
        key = False
        for match in _WORD.finditer(self.text):
            word = match.group()
            if word in ("]", "}"):
                stack.pop()
                key = False
            elif word == ",":
                key = isinstance(stack[-1], str)
                stack[-1] = stack[-1] if isinstance(stack[-1], str) else stack[-1] + 1
            elif key:
                stack[-1], key = json.loads(word), False
            elif word != ":":
                if tuple(stack) == place:
                    return super().located(match.start())
                if word in ("[", "{"):
                    stack.append(0 if word == "[" else "")
                    key = word == "{"
        return 1, 1
