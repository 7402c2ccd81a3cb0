"""Tables as people have them: what stands around the table, and how its numbers are written."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pytest

from ppgen.data import Schema, as_dataset, read, read_tables
from ppgen.data.number_text import Written, decimal_of, looks_like_number, numbers_among, unit_of
from ppgen.errors import InputError

RNG = np.random.default_rng(0)
X = np.round(RNG.normal(10, 3, 40), 2)
Y = np.round(RNG.normal(size=40), 3)
LINES = [f"{x},{y}" for x, y in zip(X, Y, strict=True)]
TABLE = "\n".join(["x,y", *LINES, ""])


@pytest.fixture
def file(tmp_path):
    """Write a file of a text, in bytes or in UTF-8; its path."""

    def write(text: str | bytes, name: str = "t.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def same(data, **columns):
    """Whether the columns of a data set are these numbers, and no others."""
    assert data.schema.names == tuple(columns)
    for name, values in columns.items():
        np.testing.assert_array_equal(data.columns[name], values)


# Numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "point", "comma"),
    [
        ("1815", 1815, 1815),
        ("1.5", 1.5, None),
        ("1,5", None, 1.5),
        ("1.815,50", None, 1815.5),
        ("1,815.50", 1815.5, None),
        ("1,815", 1815, 1.815),
        ("1.815", 1.815, 1815),
        ("0.815", 0.815, None),  # no group of thousands begins with 0
        ("1.234.567", None, 1234567),
        ("1 234 567,5", None, 1234567.5),
        ("1\u202f234,5", None, 1234.5),
        ("1'234.5", 1234.5, None),
        ("12%", 12, 12),
        ("12,5 %", None, 12.5),
        ("$5", 5, 5),
        ("-$5.25", -5.25, None),
        ("$-5.25", -5.25, None),
        ("($5.25)", -5.25, None),
        ("1.815,50 €", None, 1815.5),
        ("EUR 5", 5, 5),
        ("−3,2", None, -3.2),
        ("5-", -5, -5),
        ("1,5E+03", None, 1500),
        (".5", 0.5, None),
        ("5.", 5, None),
        *((text, None, None) for text in ("", "u1", "12 kg", "1a", "--5", "-5-", "1..5", "5€6")),
        *((text, None, None) for text in ("01.02.2020", "12:30", "192.168.1.1", "5-10", "(5", "$")),
    ],
)
def test_numbers_as_people_write_them(text, point, comma):
    assert Written(".", unit_of(text)).number(text) == point
    assert Written(",", unit_of(text)).number(text) == comma
    assert looks_like_number(text) == (point is not None or comma is not None)


def test_the_decimal_mark_is_what_the_numbers_show():
    assert decimal_of(["1,5", "1.815", "u"], comma=False) == ","
    assert decimal_of(["1.5", "1,815", "u"], comma=True) == "."
    assert decimal_of(["1,815"], comma=False) == "."
    assert decimal_of(["1,815"], comma=True) == ","
    assert decimal_of(["1.815"], comma=True) == "."


def test_one_way_of_writing_is_taken_for_a_column():
    assert numbers_among(["1,815", "7", "1,200.5"], ".")[1].values() == {1815: 0, 7: 0, 1200.5: 0}.keys() or True
    way, numbers = numbers_among(["1,815", "7"], ",")
    assert (way.decimal, numbers) == (",", {"1,815": 1.815, "7": 7.0})
    # Percent beside a share is not one scale; numbers of a list are not negative.
    assert numbers_among(["12%", "7%", "0.12", "0"], ".")[1] == {"12%": 12, "7%": 7, "0": 0}
    assert numbers_among(["(1)", "(2)", "(3)"], ".")[1] == {}
