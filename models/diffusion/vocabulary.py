"""Prompts as numbers of words: the tokeniser of the text encoder that is trained with a model.

A prompt is put into small letters and parted into words and marks; where half of all words occur
once only, as names do, into characters instead. A word has the number of its place in the
vocabulary, counted from 1; 0 stands for nothing: the end of a prompt that is shorter than the
longest, and words that the fit never saw, which are left out. In training words are left out at
random (see `text_encoder`), so that the net knows what prompts without them mean.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...arrays import Floats
from ...errors import InputError, did_you_mean

_WORDS = re.compile(r"\w+|[^\w\s]")
_MOST_WORDS, _LONGEST = 10_000, 64
_SHOWN = 8  # words that a message names


@dataclass(frozen=True)
class Vocabulary:
    """The words of the prompts that were fitted.

    Attributes:
        words: the commonest first.
        length: words of the longest prompt, and of any that can be read.
        characters: whether words are single characters.
    """

    words: tuple[str, ...]
    length: int
    characters: bool = False

    @classmethod
    def fit(cls, prompts: Sequence[str]) -> Vocabulary:
        """The vocabulary of these prompts.

        Raises:
            InputError: if they have no words.
        """
        characters = False
        parted = [parts(prompt) for prompt in prompts]
        counts = Counter(word for words in parted for word in words)
        if 2 * sum(n == 1 for n in counts.values()) > counts.total():
            characters = True
            parted = [parts(prompt, characters=True) for prompt in prompts]
            counts = Counter(word for words in parted for word in words)
        if not counts:
            raise InputError("y holds prompts, and none has a word. Give texts that say something.")
        # Of equally common ones the first by letters, whatever the order of the rows.
        ordered = sorted(counts, key=lambda word: (-counts[word], word))[:_MOST_WORDS]
        return cls(tuple(ordered), min(_LONGEST, max(map(len, parted))), characters)

    @property
    def size(self) -> int:
        """How many numbers there are, with that of nothing."""
        return len(self.words) + 1

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words, 1)}

    def read(self, prompts: Sequence[str], *, fitting: bool = False) -> Floats:
        """(n, length) numbers of words.

        Args:
            fitting: whether what is too long or too rare is cut without a word.

        Raises:
            InputError: if a prompt has words and none is known, or has more than `length`.
        """
        found = np.zeros((len(prompts), self.length))
        strange: dict[str, None] = {}
        for row, prompt in zip(found, prompts, strict=True):
            words = parts(prompt, characters=self.characters)
            known = [self._numbers[word] for word in words if word in self._numbers]
            strange |= dict.fromkeys(word for word in words if word not in self._numbers)
            if not fitting:
                self._check(prompt, words, known)
            row[: len(known)] = known[: self.length]
        if strange and not fitting:
            self._warn(list(strange))
        return found

    def _check(self, prompt: str, words: list[str], known: list[int]) -> None:
        if words and not known:
            raise InputError(
                f"the prompt {prompt!r} has no {self._what} that the fit saw; it saw "
                f"{self._shown()}.{did_you_mean(words[0], self.words)}"
            )
        if len(known) > self.length:
            raise InputError(
                f"the prompt {prompt!r} has {len(known)} {self._what}s, and those fitted at most "
                f"{self.length}. Give a shorter one."
            )

    def _warn(self, strange: list[str]) -> None:
        near = "".join(did_you_mean(word, self.words) for word in strange[:1])
        named = ", ".join(map(repr, strange[:_SHOWN])) + ", ..." * (len(strange) > _SHOWN)
        warnings.warn(
            f"prompts have {self._what}s that the fit never saw, which are left out: {named}."
            f"{near} It saw {self._shown()}.",
            UserWarning,
            stacklevel=7,
        )

    @property
    def _what(self) -> str:
        return "character" if self.characters else "word"

    def _shown(self) -> str:
        more = len(self.words) - _SHOWN
        named = ", ".join(map(repr, self.words[:_SHOWN]))
        return named + (f" and {more} more" if more > 0 else "")

    def to_json(self) -> dict[str, Any]:
        """What a saved run keeps."""
        return {
            "words": list(self.words),
            "length": self.length,
            "characters": self.characters,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Vocabulary:
        """What `to_json` gave."""
        return cls(tuple(body["words"]), int(body["length"]), bool(body["characters"]))


def parts(prompt: str, *, characters: bool = False) -> list[str]:
    """The words and marks of a prompt, or its characters."""
    small = prompt.lower().strip()
    return list(small) if characters else _WORDS.findall(small)
