"""Which arrays of an NPZ file are rows and which are their labels, by the names that people give.

| names | read as |
|---|---|
| X, y; data, target; images, labels; imgs, latents_classes; arr_0, arr_1 | rows, labels |
| train, valid, test | parts |
| x_train, y_train, x_test, y_test; train_images, train_labels, ... | parts with labels |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .folder_layout import PART_OF

_ROWS = re.compile("x|data|images?|imgs?|pictures?|pixels|features?|inputs?|samples?")
_LABELS = re.compile("y|targets?|labels?|class|classes")

_UNNAMED = {"arr_0", "arr_1"}  # what NumPy calls the rows and labels of np.savez(file, X, y)


@dataclass(frozen=True)
class Header:
    """What an array is, known before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]


@dataclass(frozen=True)
class Roles:
    """Names of arrays: part -> its rows, and part -> its labels, with "" where there are no parts;
    and those that are neither."""

    rows: Mapping[str, str]
    labels: Mapping[str, str]
    others: tuple[str, ...]


def roles(what: object, arrays: Mapping[str, Header]) -> Roles:
    """The roles of arrays by name.

    Raises:
        InputError: if none or several could be the rows, or labels are not one a row.
    """
    known = {name: _named(name) for name, head in arrays.items() if not head.dtype.hasobject}
    parts = {}
    for part in ("train", "valid", "test"):
        names = [name for name, named in known.items() if named[0] == part]
        if found := _rows(names, known, arrays):
            parts[part] = found
    if "train" not in parts:
        parts = {"": _only(what, known, arrays)}
    labels = {}
    for part, rows in parts.items():
        names = [name for name, named in known.items() if named == (part, "labels")]
        if not names and {*known} == _UNNAMED and _one_a_row(arrays, "arr_1", rows):
            names = ["arr_1"]
        if not names:
            continue
        fitting = [name for name in names if arrays[name].shape[:1] == arrays[rows].shape[:1]]
        if not fitting:
            n, given = arrays[rows].shape[0], arrays[names[0]].shape
            raise InputError(
                f"{what} has {given[0] if given else 0} labels in {names[0]!r} for {n} rows in "
                f"{rows!r}; give one a row."
            )
        labels[part] = fitting[0]
    if len(labels) < len(parts):  # labels of a part alone are none of the data
        labels = {}
    used = {*parts.values(), *labels.values()}
    return Roles(parts, labels, tuple(name for name in arrays if name not in used))


def _named(name: str) -> tuple[str, str]:
    """The part that a name says, "" for none, and the role: "rows", "labels" or ""."""
    words = [w.lower() for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
    words = [w for word in words for w in _apart(word)]
    part = next((PART_OF[word] for word in words if word in PART_OF), "")
    if {"name", "names"}.intersection(words):  # of columns or classes, not of rows
        return part, ""
    if any(map(_LABELS.fullmatch, words)):
        return part, "labels"
    plain = any(map(_ROWS.fullmatch, words)) or all(word in PART_OF for word in words)
    return part, "rows" if plain and words else ""


def _apart(word: str) -> tuple[str, ...]:
    """A word such as xtrain in two."""
    return (word[0], word[1:]) if word[0] in "xy" and word[1:] in PART_OF else (word,)


def _rows(
    names: list[str], known: Mapping[str, tuple[str, str]], arrays: Mapping[str, Header]
) -> str:
    """The one name of rows among some; else ""."""
    named = [name for name in names if known[name][1] == "rows"]
    if not named:
        named = [n for n in names if known[n][1] == "" and len(arrays[n].shape) > 1]
    return named[0] if len(named) == 1 else ""


def _only(what: object, known: Mapping[str, tuple[str, str]], arrays: Mapping[str, Header]) -> str:
    named = [name for name in known if known[name][1] == "rows"]
    named = [name for name in named if name.lower() == "x"] or named
    if not named:
        named = [name for name in known if known[name][1] == ""]
        if {*named} == _UNNAMED and _one_a_row(arrays, "arr_1", "arr_0"):
            named = ["arr_0"]
    if len(named) != 1:
        objects = [name for name in arrays if name not in known]
        aside = "; Python objects are not loaded because they can run code" if objects else ""
        raise InputError(
            f"{what} holds the arrays {', '.join(arrays) or 'none'}{aside}; expected one with the "
            "data ('X', 'images', ...), labels ('y', 'labels', ...) if there are any, or parts: "
            "'train', 'valid' and 'test', or 'x_train', 'y_train', 'x_test' and so on."
        )
    return named[0]


def _one_a_row(arrays: Mapping[str, Header], name: str, rows: str) -> bool:
    """Whether an array may be labels of rows: one value each."""
    shape, of_rows = arrays[name].shape, arrays[rows].shape
    return shape in (of_rows[:1], (*of_rows[:1], 1)) and len(of_rows) > 1
