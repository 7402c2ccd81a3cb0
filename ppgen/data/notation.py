"""How the numbers of a column stand in a text, so that others are read and written alike.

A notation is written as spreadsheets write theirs, with the marks of the text itself:

| notation | a number in it |
|---|---|
| `#.##0,00 €` | 1.234,50 € |
| `$#,##0.00` | $1,234.50 |
| `0,#` | 1234,5 |
| `0.#%` | 12.5% |

`00` are as many decimals as all numbers have, `#` those that a number takes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .number_text import Written, parts_of

_FORM = re.compile(
    r"(?P<before>[^#0]*)(?:#(?P<thousands>.)##)?0(?P<decimal>[.,])(?P<digits>0+|#)(?P<after>.*)"
)
_LOOKED_AT = 1000  # texts from which it shows how numbers are written
_EITHER = re.compile(r"\D*[1-9]\d{0,2}\.\d{3}\D*")  # whose point may be of decimals or thousands
_LEAST, _MOST = 1e-6, 1e15  # sizes of numbers that are written without an exponent


@dataclass(frozen=True)
class Notation:
    """How numbers are written.

    Attributes:
        decimal: what stands before the decimals.
        thousands: what parts groups of three digits; "" for nothing.
        digits: how many decimals all numbers have; 0 where these differ.
        before, after: a sign of a currency or of percent, with the blank beside it.
    """

    decimal: str = "."
    thousands: str = ""
    digits: int = 0
    before: str = ""
    after: str = ""

    @classmethod
    def of(cls, texts: Collection[str], way: Written) -> Self:
        """That of a column's numbers, all of which are `way`; but for groups of digits, which few
        may have, it is read off some of many."""
        group = re.compile(rf"\d([^\deE+{way.decimal}-])\d{{3}}")
        grouped = (place[1] for text in texts if (place := group.search(text)))
        some = list(texts)[:: max(1, len(texts) // _LOOKED_AT)]
        parts = [found for text in some if (found := parts_of(text)) is not None]
        rests = {found.body.partition(way.decimal)[2] for found in parts if found.plain}
        digits = {len(rest) for rest in rests if rest}
        # Zeros at the end are written where all have as many digits, but for whole numbers.
        padded = "" not in rests or any(rest.endswith("0") for rest in rests)
        fixed = digits.pop() if len(digits) == 1 and padded else 0
        signed = next((found for found in parts if found.before or found.after), None)
        return cls(
            way.decimal,
            next(grouped, ""),
            fixed,
            "" if signed is None else signed.before,
            "" if signed is None else signed.after,
        )

    @classmethod
    def read(cls, text: str) -> Self:
        """What `str` gave; that of plain numbers for ""."""
        found = _FORM.fullmatch(text)
        if found is None:
            return cls()
        digits = 0 if found["digits"] == "#" else len(found["digits"])
        marks = found["decimal"], found["thousands"] or ""
        return cls(*marks, digits, found["before"], found["after"])

    def __str__(self) -> str:
        grouped = f"#{self.thousands}##" if self.thousands else ""
        return f"{self.before}{grouped}0{self.decimal}{'0' * self.digits or '#'}{self.after}"

    @property
    def plain(self) -> bool:
        """Whether numbers are written as programs write them."""
        return not (self.decimal == "," or self.thousands or self.before or self.after)

    def number(self, text: str) -> float | None:
        """The number of a text in this notation, else in that of programs; None where it is in
        neither. Where no groups of digits are parted, "1.815" is never 1815."""
        way = Written(self.decimal, (self.before + self.after).strip())
        text = text.strip()
        if self.decimal == "," and not self.thousands and _EITHER.fullmatch(text):
            return _plain(text)
        ways = (way.number, _plain) if self.thousands else (_plain, way.number)
        return next((value for read in ways if (value := read(text)) is not None), None)

    def write(self, values: Iterable[float]) -> list[str]:
        """Numbers as text, "" for NaN."""
        return ["" if value != value else self._written(value) for value in values]

    def _written(self, value: float) -> str:
        size = abs(value)
        if size and not _LEAST <= size < _MOST:
            body = repr(size)
        elif self.digits and round(size, self.digits) == size:
            body = f"{size:,.{self.digits}f}"
        else:
            whole, _, rest = np.format_float_positional(size, trim="-").partition(".")
            body = f"{int(whole):,}" + (f".{rest}" if rest else "")
        marks = str.maketrans({",": self.thousands or None, ".": self.decimal})
        return f"{'-' * (value < 0)}{self.before}{body.translate(marks)}{self.after}"


def _plain(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def numbers_of(values: NDArray[np.object_], notation: Notation) -> NDArray[np.object_]:
    """Values with the texts among them that are numbers in a notation as such."""
    out = np.empty(len(values), object)
    for i, value in enumerate(values.tolist()):
        number = notation.number(value) if isinstance(value, str) else None
        out[i] = value if number is None else number
    return out
