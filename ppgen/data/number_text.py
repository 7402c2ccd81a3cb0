"""Numbers as people write them: with decimal commas, thousands, signs of currencies and percent.

A way of writing is one for a whole column: "1.815,50 €" and "12,00 €" are written alike, "1,5" and
"1.5" are not. Where a column could be read in two ways, as "1,815" can, the file's other columns
and what separates its fields decide.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

MOSTLY_NUMBERS = "of its values are numbers;"  # in the note of a column that is text
# What is missing wherever it stands: pandas' list, the errors of spreadsheets, and "?".
MISSING = (
    *("", "?", "NA", "N/A", "n/a", "N.A.", "n.a.", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN"),
    *("nan", "-NaN", "-nan", "NaT", "NULL", "Null", "null", "None", "1.#IND", "-1.#IND"),
    *("1.#QNAN", "-1.#QNAN", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "#NAME?"),
)
# What is missing among numbers and dates; among words it may be one of them.
_DASHES = re.compile(r"[-–—.…*/_#]+")
_WEAK = (
    *("unknown", "unk", "missing", "none", "na", "nil", "n.d.", "nd", "n.v.", "k.a.", "k. a."),
    *("no data", "not available"),
)

_SIGNS = "+−–-"
_CURRENCY = r"[$€£¥₹₽₩₺]|US\$|CHF|EUR|USD|GBP|Fr\.|kr|zł"
_BLANKS = " \u00a0\u202f\u2009"
_MARKS = {".": f",'’{_BLANKS}", ",": f".'’{_BLANKS}"}  # decimal mark -> those of thousands
_AFFIXED = re.compile(
    rf"(?P<open>\()?(?P<sign>[{_SIGNS}]?)\s*(?P<before>{_CURRENCY})?\s*(?P<sign2>[{_SIGNS}]?)"
    rf"(?P<body>[\d.,](?:[\d.,'’{_BLANKS}]*[\d.,])?(?:[eE][+-]?\d+)?)"
    rf"(?P<minus>[-−]?)\s*(?P<after>%|‰|°|{_CURRENCY})?(?P<close>\))?"
)
_SHARES = ("%", "‰")
_LOOKED_AT = 200  # texts from which it shows whether a column holds numbers
_FEW = 0.25  # share of numbers among these below which it does not


def _body(decimal: str) -> re.Pattern[str]:
    grouped = rf"[1-9]\d{{0,2}}([{_MARKS[decimal]}])\d{{3}}(?:\1\d{{3}})*"
    point = re.escape(decimal)
    return re.compile(rf"-?(?:(?:{grouped}|\d+)(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?")


_BODY = {decimal: _body(decimal) for decimal in _MARKS}
_PLAIN = {
    decimal: str.maketrans({decimal: "."} | dict.fromkeys(marks))
    for decimal, marks in _MARKS.items()
}


@dataclass(frozen=True)
class Written:
    """How the numbers of a column are written.

    Attributes:
        decimal: what stands before the decimals.
        unit: a sign beside each number, such as "%"; "" for none.
    """

    decimal: str
    unit: str = ""

    def number(self, text: str) -> float | None:
        """The number of a text; None where it is not written so."""
        if not self.unit and _BODY[self.decimal].fullmatch(text):
            return float(text.translate(_PLAIN[self.decimal]))
        found = _AFFIXED.fullmatch(text)
        if found is None or bool(found["open"]) != bool(found["close"]):
            return None
        if not _BODY[self.decimal].fullmatch(found["body"]):
            return None
        unit = found["before"] or found["after"] or ""
        signs = found["sign"] + found["sign2"] + found["minus"]
        if unit not in ("", self.unit) or len(signs) + bool(found["open"]) > 1:
            return None
        value = float(found["body"].translate(_PLAIN[self.decimal]))
        if value and not unit and self.unit in _SHARES:
            return None  # 0.12 beside 12%: one of them is of another scale
        return -value if found["open"] or (signs and signs != "+") else value


class Parts(NamedTuple):
    """What a number in a text is made of.

    Attributes:
        body: its digits and marks.
        before, after: the sign of a currency or of percent, with the blank beside it.
        plain: whether it has no exponent.
    """

    body: str
    before: str
    after: str
    plain: bool


def parts_of(text: str) -> Parts | None:
    """The parts of a text that may be a number; None for another."""
    found = _AFFIXED.fullmatch(text)
    if found is None:
        return None
    before, after = found["before"] or "", found["after"] or ""
    before += " " * bool(before and text[found.end("before") :][:1].isspace())
    after = " " * bool(after and text[: found.start("after")][-1:].isspace()) + after
    return Parts(found["body"], before, after, "e" not in found["body"].casefold())


def is_weak(text: str) -> bool:
    """Whether a text marks a missing value where it stands among numbers."""
    return _DASHES.fullmatch(text) is not None or text.casefold() in _WEAK


def looks_like_number(text: str) -> bool:
    """Whether a text is a number in one way of writing or another."""
    return any(Written(decimal, unit_of(text)).number(text) is not None for decimal in _MARKS)


def unit_of(text: str) -> str:
    """The sign of a currency or of percent beside a number; "" for none."""
    found = _AFFIXED.fullmatch(text)
    return "" if found is None else found["before"] or found["after"] or ""


def decimal_of(texts: Iterable[str], *, comma: bool) -> str:
    """The decimal mark that the numbers among some texts show.

    Where they can be read either way, as "1,815" can, it is "." unless `comma`, and there are
    commas among them.
    """
    votes, either = {".": 0, ",": 0}, False
    for text in texts:
        able = [d for d in _MARKS if Written(d, unit_of(text)).number(text) is not None]
        if len(able) == 1:
            votes[able[0]] += 1
        either |= len(able) == 2 and "," in text
    if votes["."] == votes[","]:
        return "," if comma and either else "."
    return max(votes, key=lambda mark: votes[mark])


def numbers_among(texts: Collection[str], decimal: str) -> tuple[Written, dict[str, float]]:
    """How the numbers among texts are written, and the number of each that is one; `decimal` is
    preferred where two ways fit as well."""
    some = list(texts)[:: max(1, len(texts) // _LOOKED_AT)]
    units = Counter(map(unit_of, texts)) if any(map(unit_of, some)) else Counter({"": 1})
    unit = max((u for u in units if u), key=lambda u: units[u], default="")
    best, numbers = Written(decimal, unit), dict[str, float]()
    if sum(map(looks_like_number, some)) < _FEW * len(some):
        return best, numbers
    for mark in dict.fromkeys((decimal, *_MARKS)):
        way = Written(mark, unit)
        read = {text: value for text in texts if (value := way.number(text)) is not None}
        if len(read) > len(numbers):
            best, numbers = way, read
        if len(numbers) == len(texts):
            break
    if all(text.startswith("(") for text in numbers):  # a list's numbers, none of them negative
        return best, {}
    return best, numbers
