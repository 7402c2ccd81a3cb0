"""How the numbers of a column are written: values that are given are read so, and rows written."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ppgen.conditioning import Context
from ppgen.data import Dataset, Schema, as_dataset, read
from ppgen.data.notation import Notation
from ppgen.data.number_text import Written
from ppgen.data.reading import Reading
from ppgen.errors import InputError

VALUES = [1234.5, -3.25, 1e6, 0.125, 37.0, 1e20, 1e-9, 0.0]


@pytest.mark.parametrize(
    ("texts", "way", "notation", "written"),
    [
        (["1.234,50 €", "12,00 €"], Written(",", "€"), "#.##0,00 €", "1.234,50 €"),
        (["$1,234.50", "$2.00"], Written(".", "$"), "$#,##0.00", "$1,234.50"),
        (["12%", "7.5%"], Written(".", "%"), "0.#%", "1234.5%"),
        (["12 %"], Written(",", "%"), "0,# %", "1234,5 %"),
        (["1,5", "1,25"], Written(","), "0,#", "1234,5"),
        (["1'234.5", "999"], Written("."), "#'##0.#", "1'234.5"),
        (["1,50", "7", "0,25"], Written(","), "0,00", "1234,50"),
        (["1,5", "7", "0,5"], Written(","), "0,#", "1234,5"),
        (["EUR 5"], Written(".", "EUR"), "EUR 0.#", "EUR 1234.5"),
        (["1.5", "2.25"], Written("."), "0.#", "1234.5"),
        (["1e5", "2,5"], Written(","), "0,0", "1234,5"),
        (["1.234,5", "1,5E3"], Written(","), "#.##0,0", "1.234,5"),
    ],
)
def test_a_notation_is_read_off_the_numbers_and_written(texts, way, notation, written):
    found = Notation.of(texts, way)
    assert str(found) == notation
    assert Notation.read(notation) == found
    assert found.write([1234.5, float("nan")]) == [written, ""]
    assert [found.number(text) for text in found.write(VALUES)] == VALUES
    assert [found.number(text) for text in texts] == [way.number(text) for text in texts]
    assert found.number("1234.5") == 1234.5  # as programs write it
    assert [found.number(text) for text in ("far", "", "nan", "inf", "5 ¥")] == [None] * 5


def test_groups_of_few_numbers_among_many_are_seen():
    texts = [f"{i % 1000},5" for i in range(5000)]
    texts[3] = "1.234,5"
    assert str(Notation.of(texts, Written(","))) == "#.##0,0"


def test_points_are_no_groups_where_the_column_has_none():
    assert Notation.read("0,#").number("1.815") == 1.815
    assert Notation.read("#.##0,#").number("1.815") == 1815
    assert Notation.read("0,# €").number("1.815 €") is None
    assert Notation.read("#,##0.#").number("1,815") == 1815
    assert Notation().number("1,234,567.5") == 1234567.5
    assert Notation().number("1,815") == 1815  # as a file has it


@pytest.fixture
def sales(tmp_path):
    """Tables of one office and of another."""
    rows = [(170.5 + i, 30 + i, 1200.25 + 10 * i, "ab"[i % 2]) for i in range(40)]
    comma = str.maketrans(",.", ".,")
    german = "Größe;Anteil;Umsatz;Art\n" + "".join(
        f"{x};{p}%;{u:,.2f} €;{k}\n".translate(comma) for x, p, u, k in rows
    )
    english = "share,price,kind\n" + "".join(f'{p}%,"${u:,.2f}",{k}\n' for _, p, u, k in rows)
    for name, text in (("german", german), ("english", english)):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return tmp_path


def test_values_are_given_as_the_file_writes_them(sales):
    schema = read(sales / "german.csv").schema
    schema = Schema.from_json(json.loads(json.dumps(schema.to_json())))
    given = {"Größe": "170,5", "Anteil": "50%", "Umsatz": "1.000,00 €", "Art": "a"}
    row = Dataset.one_row(schema, given).columns
    assert [row[name][0] for name in given] == [170.5, 50, 1000, "a"]
    schema = read(sales / "english.csv").schema
    row = Dataset.one_row(schema, {"price": "$1,000.00", "share": "50 %"}).columns
    assert (row["price"][0], row["share"][0]) == (1000, 50)
    with pytest.raises(InputError, match="price='1000 ¥' was given: column 'price' holds numbers"):
        Dataset.one_row(schema, {"price": "1000 ¥"})
    # So are frames of text, and numeric levels.
    frame = {"price": ["$5.50", None], "share": ["3%", "4"], "kind": ["a", "b"]}
    np.testing.assert_array_equal(as_dataset(frame, schema).columns["price"], [5.5, np.nan])
    levels = read(sales / "english.csv", schema={"share": "ordinal"}).schema
    assert Dataset.one_row(levels, {"share": "31%"}).columns["share"][0] == 31


def test_what_a_fit_is_conditional_on_is_given_as_its_file_writes_it(sales):
    data = read(sales / "english.csv", target="price")
    assert data.schema.reading.notation("price") == Notation.read("$#,##0.00")
    context = Context.fit(data.target, len(data)).read_as(data.schema.reading)
    np.testing.assert_array_equal(context.encode("$1,200.25"), context.encode(1200.25))
    again = Context.from_json(json.loads(json.dumps(context.to_json())))
    np.testing.assert_array_equal(again.encode("$1,200.25"), context.encode(1200.25))
    assert Reading(target="z", decimal=",").of_target(["a", "b"]) == Reading()
