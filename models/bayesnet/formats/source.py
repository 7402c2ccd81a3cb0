"""A file that is read, and errors that say where in it."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from pathlib import Path

from ....data.memory_limit import memory_budget
from ....errors import InputError

Place = int | tuple[int | str, ...]  # an offset in the text, or what `Source.located` knows
Named = tuple[str, Place]  # a name, and where it stands

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SHOWN = 40  # characters of what was found


class Source:
    """The text of a file.

    Args:
        name: of the file, for errors.
        text: its contents.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text

    def error(self, place: Place, problem: str) -> InputError:
        """The error that there is a problem at a place of the file."""
        line, column = self.located(place)
        return InputError(f"{self.name}, line {line}, column {column}: {problem}")

    def located(self, place: Place) -> tuple[int, int]:
        """Line and column, from 1, of a place: an offset, or line and column themselves."""
        if isinstance(place, tuple):
            line, column = map(int, place)
            return line, column
        before = self.text[:place]
        return before.count("\n") + 1, place - before.rfind("\n")

    def number(self, word: str, place: Place, what: str = "a number") -> float:
        """What a word says, if it is a decimal number."""
        if _NUMBER.fullmatch(word):
            return float(word)
        raise self.error(place, f"found {shown(word)}; expected {what}.")


def shown(word: str) -> str:
    """A word as errors show it."""
    if not word:
        return "the end of the file"
    return repr(word if len(word) <= _SHOWN else f"{word[:_SHOWN]}...")


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The contents of a file, unpacked if it is a gzip file.

    Raises:
        InputError: if there is no such file, it cannot be unpacked, or its contents do not fit into
            a quarter of the memory that is free.
    """
    file = Path(path)
    limit = memory_budget() // 4
    try:
        with file.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
            if packed:
                with gzip.open(stream) as unpacked:
                    content = unpacked.read(limit + 1)
            else:
                content = stream.read(limit + 1)
    except FileNotFoundError:
        raise InputError(f"there is no file {os.fspath(path)!r}.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{file.name} is a damaged or truncated gzip file: {error}.") from None
    except OSError as error:
        raise InputError(f"{os.fspath(path)!r} cannot be read: {error.strerror}.") from None
    if len(content) > limit:
        raise InputError(f"{file.name} holds more than {limit / 2**20:.0f} MiB; memory is short.")
    return content


def decoded(name: str, content: bytes) -> Source:
    """The text of a file in UTF-8; InputError with the place of what is not."""
    try:
        return Source(name, content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = Source(name, content[: error.start].decode("utf-8-sig"))
        raise before.error(
            len(before.text),
            f"found the byte 0x{content[error.start]:02x}; expected text in UTF-8.",
        ) from None
