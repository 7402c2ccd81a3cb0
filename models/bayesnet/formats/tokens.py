"""The words of a file, one after the other, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ....errors import InputError
from .source import Named, Source, shown

_ESCAPED = re.compile(r'\\(["\\])')


class Tokens:
    """The words of a text: strings in double quotes, marks, and what the format calls a word.

    In a string, `\\"` and `\\\\` are a quote and a backslash; any other backslash is itself.

    Args:
        source: the file.
        skipped: regular expression of what lies between words; spaces do so anyway.
        word: regular expression of a word or a mark.
    """

    def __init__(self, source: Source, skipped: str, word: str) -> None:
        self.source = source
        self.words: list[str] = []
        self.places: list[int] = []
        self.at = 0
        pattern = re.compile(
            rf'(?:\s|{skipped})+|("(?:[^"\\]|\\.)*")|(/\*|")|({word})|(.)', re.DOTALL
        )
        for match in pattern.finditer(source.text):
            if match.lastindex is None:
                continue
            if match.lastindex == 2:
                raise source.error(match.start(), f"{match.group()} is opened here and not closed.")
            if match.lastindex == 4:
                raise source.error(match.start(), f"found {match.group()!r}, which has no meaning.")
            self.words.append(match.group())
            self.places.append(match.start())
        self.places.append(len(source.text))

    def __bool__(self) -> bool:
        return self.at < len(self.words)

    @property
    def place(self) -> int:
        """Where the next word stands."""
        return self.places[self.at]

    @property
    def next(self) -> str:
        """The next word, which is not taken; empty at the end of the file."""
        return self.words[self.at] if self else ""

    def take(self, expected: str) -> str:
        """The next word; an error that says what is expected at the end of the file."""
        if not self:
            raise self.unexpected(expected)
        self.at += 1
        return self.words[self.at - 1]

    def taken(self, word: str) -> bool:
        """Take the next word if it is this one."""
        found = self.next == word
        self.at += found
        return found

    def expect(self, *words: str) -> None:
        """Take these words, one after the other."""
        for word in words:
            if not self.taken(word):
                raise self.unexpected(repr(word))

    def unexpected(self, expected: str) -> InputError:
        """The error that the next word is not what is expected."""
        return self.source.error(self.place, f"found {shown(self.next)}; expected {expected}.")

    def label(self, expected: str, marks: str) -> Named:
        """A name: a string, or a word that is none of the marks."""
        place = self.place
        if self.next and self.next in marks:
            raise self.unexpected(expected)
        return unquoted(self.take(expected)), place

    def labels(self, end: str, expected: str, marks: str) -> Iterator[Named]:
        """Names up to the mark that ends them, which is taken."""
        while not self.taken(end):
            yield self.label(f"{expected} or {end!r}", marks)

    def number(self, what: str) -> float:
        """A number."""
        place = self.place
        return self.source.number(self.take(what), place, what)

    def numbers(self, end: str, what: str) -> list[float]:
        """Numbers up to the mark that ends them, which is taken."""
        values = []
        while not self.taken(end):
            values.append(self.number(f"{what} or {end!r}"))
        return values

    def skip_to(self, end: str, what: str) -> None:
        """Go on behind the next such mark."""
        while self.take(f"{end!r}, which ends {what}") != end:
            pass


def unquoted(word: str) -> str:
    """What a word says: of a string, what stands between its quotes."""
    return _ESCAPED.sub(r"\1", word[1:-1]) if word.startswith('"') else word


def quoted(text: str) -> str:
    """A text as a string, which `unquoted` gives back."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
