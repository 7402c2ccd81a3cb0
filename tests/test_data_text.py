"""Tables as people have them: what stands around the table, and how its numbers are written."""

from __future__ import annotations

import json
import re
import sys

import numpy as np
import pandas as pd
import pytest

from ppgen.data import Schema, as_dataset, read, read_tables
from ppgen.data.number_text import Written, decimal_of, looks_like_number, numbers_among, unit_of
from ppgen.data.text_columns import cleaned
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
    for texts, preferred, decimal, expected in (
        (["1,815", "7"], ".", ".", [1815, 7]),
        (["1,815", "7"], ",", ",", [1.815, 7]),
        (["1,815", "7", "1,200.5"], ",", ".", [1815, 7, 1200.5]),
        (["1,815", "7", "1.200,5"], ".", ",", [1.815, 7, 1200.5]),
    ):
        way, numbers = numbers_among(texts, preferred)
        assert (way.decimal, [*numbers.values()]) == (decimal, expected)
    # Percent beside a share is not one scale; numbers of a list are not negative.
    assert numbers_among(["12%", "7%", "0.12", "0"], ".")[1] == {"12%": 12, "7%": 7, "0": 0}
    assert numbers_among(["(1)", "(2)", "(3)"], ".")[1] == {}


@pytest.mark.parametrize(
    ("write", "values", "delimiter"),
    [
        (lambda v: f"{v:,.2f}".translate(str.maketrans(",.", ".,")), [1815.5, 12.25, 1e6], ";"),
        (lambda v: f'"{v:,}"', [1815, 12, 1_000_000], ","),
        (lambda v: f"{v}%", [12.5, 7.25, 0.5], ","),
        (lambda v: f"${v}", [5, 6.5, 0.25], ","),
        (lambda v: f"{v} €".replace(".", ","), [5.5, 6.25, 0.5], "\t"),
        (lambda v: str(v).replace(".", ","), [5.5, 6.25, 0.5], " "),
        (lambda v: f'"{v}"', [5.5, 6.25, 0.5], ","),
    ],
)
def test_columns_of_numbers_as_people_write_them(file, write, values, delimiter):
    rows = [f"{write(v)}{delimiter}{name}" for v, name in zip(values * 7, "abc" * 7, strict=True)]
    data = read(file(f"x{delimiter}name\n" + "\n".join(rows)))
    np.testing.assert_array_equal(data.columns["x"], values * 7)
    assert data.schema["x"].dtype == ("int64" if all(v == int(v) for v in values) else "float64")


def test_decimal_commas_are_kept_for_other_files(file):
    european = file("x;y\n" + "".join(f"{i},5;1.{i:03d}\n" for i in range(100, 160)))
    data = read(european)
    np.testing.assert_array_equal(data.columns["x"], np.arange(100, 160) + 0.5)
    np.testing.assert_array_equal(data.columns["y"], np.arange(1100, 1160))
    assert data.schema.reading.decimal == ","
    again = Schema.from_json(json.loads(json.dumps(data.schema.to_json())))
    assert again.reading == data.schema.reading
    # A file that does not show its mark is read in the same way, but for one that commas part.
    few = file("x;y\n1,815;1.815\n", "few.csv")
    assert read(few, **again.reading.again({})).columns["x"][0] == 1.815
    assert read(few, decimal=".").columns["x"][0] == 1815
    own = file("x,y\n1.815,1.815\n", "own.csv")
    assert read(own, **again.reading.again({})).columns["x"][0] == 1.815
    assert read(file("x\n1,5\n2,5\n7,25\n")).columns["x"].tolist() == [1.5, 2.5, 7.25]


# Missing values ----------------------------------------------------------------------------------

MARKS = ["N/A", "NULL", "n/a", "#N/A", "<NA>", "#DIV/0!", "NaN", ".", "-", "--", "***", "unknown"]


@pytest.mark.parametrize("mark", MARKS)
def test_usual_markers_among_numbers(file, mark):
    data = read(file(TABLE + f"{mark},1.5\n{mark} ,2.5\n"))
    same(data, x=[*X, np.nan, np.nan], y=[*Y, 1.5, 2.5])
    assert data.schema["x"].missing
    assert not data.schema["x"].note


def test_what_may_be_a_word_is_one_among_words(file):
    text = "job,sign,dash\n" + "nurse,+,a\nunknown,-,-\ncook,+,b\n" * 5
    data = read(file(text))
    assert data.schema["job"].levels == ("cook", "nurse", "unknown")
    assert data.schema["sign"].levels == ("+", "-")
    assert data.schema["dash"].levels == ("a", "b")
    assert data.schema["dash"].missing
    assert read(file("x,y\n-,1.5\n--,2.5\n")).schema["x"].kind == "empty"


def test_words_for_nothing_among_dates(file):
    days = [f"2020-01-{day:02d}" for day in range(1, 29)]
    data = read(file("day,x\n" + "".join(f"{day},1.5\n" for day in [*days, "-", "unknown", "."])))
    assert data.schema["day"].kind == "time"
    assert np.isnan(data.columns["day"][-3:]).all()


def test_named_markers_are_missing(file):
    text = "x,age,word\n-999,-1,a\n2.5,30,gone\n-1,-999,b\n"
    path = file(text)
    gone = [np.nan, 2.5, -1], [-1, 30, np.nan], ["a", None, "b"]
    frame = pd.read_csv(path)
    for source in (path, frame, {name: frame[name].to_numpy() for name in frame}):
        data = read(source, missing=[-999, "gone"])
        for name, values in zip(frame, gone, strict=True):
            np.testing.assert_array_equal(
                data.columns[name], np.array(values, object if name == "word" else float)
            )
    assert np.isnan(read(path, missing={"age": -1}).columns["age"]).tolist() == [True, False, False]
    assert read(path, missing={"age": -1}).columns["x"].tolist() == [-999, 2.5, -1]
    assert read(path, missing=-999).schema.reading.missing == ("-999",)
    same(read(np.array([[1.0, -9], [-9, 2]]), missing=-9), x0=[1, np.nan], x1=[np.nan, 2])


def test_columns_are_left_out_and_conditioned_on(file):
    path = file("id,x,kind\n" + "".join(f"u{i},{x},{'ab'[i % 2]}\n" for i, x in enumerate(X)))
    data = read(path, drop="id", target="kind")
    same(data, x=X)
    assert data.target.tolist() == ["a", "b"] * 20
    assert data.train.target.shape == (len(data.train),)
    again = Schema.from_json(data.schema.to_json())
    assert (again.reading.drop, again.reading.target) == (("id",), "kind")
    same(as_dataset(read(path), again), x=X)  # without a warning: they are known
    with pytest.raises(InputError, match=r"no column 'idd'.* Did you mean 'id'"):
        read(path, drop=["idd"])
    with pytest.raises(InputError, match="no column is left"):
        read(path, drop=["id", "x", "kind"])
    with pytest.raises(InputError, match=r"option of reading 'mising'.* Did you mean 'missing'"):
        read(path, mising="-")
    with pytest.raises(InputError, match="decimal is ':'"):
        read(path, decimal=":")
    with pytest.raises(InputError, match="have no columns; leave out drop"):
        read(np.zeros((3, 8, 8)), drop="x")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("Total,3.5\n1.5,2.5\n", "98% of its values are numbers; 'Total' in line 42 is not"),
        ("1.5,2.5\n<0.5,1.5\n5.5,1.5\n", "98% of its values are numbers; '<0.5' in line 43"),
        ("-,2.5\n\n0.5 kg,1.5\n5.5,1.5\n", "98% of its values are numbers; '0.5 kg' in line 44"),
    ],
)
def test_what_keeps_a_column_from_being_numbers_is_named(file, text, note):
    data = read(file(TABLE + text))
    assert note in data.schema["x"].note
    assert note in str(data.schema)
    assert data.schema["y"].kind == "real"


def test_shares_are_not_rounded_up_to_all(file):
    path = file("x\n" + "1.5\n" * 9999 + "high\n2.5\n")
    assert read(path).schema["x"].note == (
        "99.9% of its values are numbers; 'high' in line 10001 is not"
    )
    assert not read(file("x\n" + "1.5\nhigh\nlow\n" * 9)).schema["x"].note


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,y,x\n1,2,3\n4,5,6\n", r"t\.csv: columns 1 and 3 .* are named 'x'"),
        ("note\n\n" + TABLE + "inf,2\n", r"t\.csv: column 'x' holds infinity in line 44;"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_name_and_place(file, text, said):
    with pytest.raises(InputError, match=said):
        read(file(text))


def test_digits_whose_zeros_another_file_has_lost_are_the_same_levels(file):
    codes = [f"{i:05d}" for i in (123, 4567, 89, 10) * 10]
    data = read(file("code,x\n" + "".join(f"{c},{i}.5\n" for i, c in enumerate(codes))))
    assert data.schema["code"].levels == ("00010", "00089", "00123", "04567")
    lost = file("code,x\n123,1.5\n89,2.5\n7,3.5\n", "lost.csv")
    values = as_dataset(read(lost), data.schema).columns["code"].tolist()
    assert values == ["00123", "00089", "7"]
    whole = read(lost, schema={"code": "categorical"})  # the other way round
    one = as_dataset(read(file("code,x\n00123,1.5\n", "one.csv")), whole.schema)
    assert one.columns["code"].tolist() == [123]


# Around the table --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (TABLE + "Total,300\n", "line 42 left out, below the table: 'Total,300'"),
        (TABLE + ",\nSource: here\n", "line 43 left out, below the table: 'Source: here'"),
        (TABLE + "Mean:,0.5\n,\n", "line 42 left out, below the table"),
        (TABLE.replace("x,y", "x,y\nmm,°C"), "line 2 left out, of units: 'mm,°C'"),
        ("Sales 2020\n\n" + TABLE, "line 1 left out, above the table: 'Sales 2020'"),
        ("Sales 2020,\n,\n" + TABLE, "line 1 left out, above the table: 'Sales 2020'"),
        (
            "# by hand\n# twice\n" + TABLE,
            "lines 1, 2 left out, above the table: '# by hand', '# twice'.",
        ),
        ("#by hand, twice\n" + TABLE, "line 1 left out, above the table"),
        (
            TABLE.replace("\n", "\n# again\n", 5),
            "lines 2, 4, 6, 8, 10 left out, of comment: '# again'",
        ),
        (TABLE.replace("\n", "\n# by hand, again\n", 1), "line 2 left out, of comment"),
        (TABLE.replace("\n", "\nx,y\n", 9), "lines 2, 4, 6, 8, 10, ... left out, names again"),
        (TABLE.replace("x,y", "x,y\n---,---"), "line 2 left out, of dashes: '---,---'"),
        ("Station: Kiel\nNumber: 7\n\n" + TABLE, "lines 1, 2 left out, above the table"),
        ("Station;Kiel\n;\n" + TABLE.replace(",", ";"), "line 1 left out, above the table"),
        (TABLE + "\x1a", ""),
        ("sep=,\n" + TABLE, ""),
        ("\n\n" + TABLE + "\n\n", ""),
        (TABLE.replace("\n", ",\n"), ""),
        ("x,y\n" + TABLE[4:].replace("\n", ",\n"), ""),
        (TABLE.replace(",", "|"), ""),
        ("sep=;\n" + TABLE.replace(",", ";"), ""),
        (TABLE.replace(",", " , "), ""),
        ("# " + TABLE.replace(",", " "), ""),
        ("% " + TABLE.replace(",", "\t"), ""),
    ],
)
def test_what_stands_around_a_table_is_left_out(file, text, note):
    data = read(file(text))
    same(data, x=X, y=Y)
    assert [note in told for told in data.notes] == [True] * bool(note)


def test_a_line_of_units_is_told_from_a_row(file):
    rows = "".join(f"n{i},{x}\n" for i, x in enumerate(X[:10]))
    for units in (",mm", "name,°C", "-,[kg/m^3]", "site,%"):
        assert len(read(file(f"site,x\n{units}\n{rows}"))) == 10
    for value in ("absent", "<5"):
        data = read(file(f"site,x\nAnna,{value}\n{rows}"))
        assert len(data) == 11
        assert f"{value!r} in line 2 is not" in data.schema["x"].note
    wide = "".join(f"n{i},{x},{y}\n" for i, (x, y) in enumerate(zip(X, Y, strict=True)))
    assert len(read(file("site,x,y\nname,length,weight\n" + wide))) == 40


def test_titles_as_wide_as_their_table(file):
    lines = "".join(f"{x};{y};{x}\n" for x, y in zip(X, Y, strict=True))
    data = read(file("Station;Kiel;\nNumber;7;\n;;\nx;y;z\n" + lines))
    same(data, x=X, y=Y, z=X)
    assert data.notes == ("lines 1, 2 left out, above the table: 'Station;Kiel', 'Number;7'.",)
    same(read(file("x;;z\n" + lines)), x=X, c1=Y, z=X)  # names, of which one is not given


def test_names_of_rows_as_r_writes_them(file):
    text = '"x" "y"\n' + "".join(
        f'"{i + 1}" {line.replace(",", " ")}\n' for i, line in enumerate(LINES)
    )
    data = read(file(text))
    same(data, x=X, y=Y)
    np.testing.assert_array_equal(data.values("c0"), np.arange(1, 41))
    with pytest.raises(InputError, match="line 1: 2 fields, expected 3 as in line 2"):
        read(file("x,y\n" + "".join(f"7,{line}\n" for line in LINES)))


def test_other_encodings(file):
    text = "größe,preis\n" + "".join(f"{line} €\n" for line in LINES)
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        same(read(file(text.encode(encoding))), größe=X, preis=Y)
    same(read(file(text.encode("utf-16"), "table")), größe=X, preis=Y)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            "name,2019,2020\n" + "".join(f"n{i},{i * 0.5},{i}\n" for i in range(80)),
            ["name", "2019", "2020"],
        ),
        (
            "2018,2019,2020\n" + "".join(f"{1990 + i},{i},{1985 + i}\n" for i in range(80)),
            ["2018", "2019", "2020"],
        ),
        (
            ",0,1,2\n" + "".join(f"{i},{i * 0.5},{i * 0.25},0.1\n" for i in range(80)),
            ["c0", "0", "1", "2"],
        ),
        ("id,1x1\n" + "5,7\n6,8\n" * 40, ["id", "1x1"]),
        ("name,2019\n" + "".join(f"n{i},{i}.5\n" for i in range(80)), ["name", "2019"]),
        # Rows of values are none.
        ("1990\n" + "".join(f"{i}\n" for i in range(79)), ["c0"]),
        ("Bonn,1990\n" + "".join(f"n{i % 9},{i}\n" for i in range(79)), ["c0", "c1"]),
        (
            "Ford,1999,2004\n"
            + "".join(f"n{i % 9},{1980 + i % 30},{2001 + i % 7}\n" for i in range(79)),
            ["c0", "c1", "c2"],
        ),
        ("1,2,3\n" + "".join(f"{i % 5},{i % 4},{i % 3}\n" for i in range(79)), ["c0", "c1", "c2"]),
        ("p,x,s\n" + "e,y,s\np,x,t\ne,x,s\n" * 26 + "p,x,s\n", ["c0", "c1", "c2"]),
        ("?,a,1.5\n" + "2.5,b,?\n" * 79, ["c0", "c1", "c2"]),
    ],
)
def test_names_of_columns(file, text, names):
    data = read(file(text))
    assert [column.name for column in data.schema.every] == names
    assert len(data) in (79, 80)


# Other programs ----------------------------------------------------------------------------------


def test_json(file):
    records = [{"x": x, "y": {"z": y}} for x, y in zip(X, Y, strict=True)]
    same(read(file(json.dumps(records), "t.json")), **{"x": X, "y.z": Y})
    lines = "\n".join(json.dumps({"x": x, "y": y}) for x, y in zip(X, Y, strict=True))
    columns = {"x": X.tolist(), "y": Y.tolist()}
    split = {"columns": ["x", "y"], "index": list(range(40)), "data": np.c_[X, Y].tolist()}
    for name, text in (
        ("t.jsonl", lines),
        ("u.json", json.dumps(columns)),
        ("v.json", json.dumps(split)),
        ("w.json", pd.DataFrame(columns).to_json()),
    ):
        same(read(file(text, name)), x=X, y=Y)
    data = read(file('[{"x": "1,5", "b": true}, {"x": "-", "b": false}]', "t.json"), decimal=",")
    np.testing.assert_array_equal(data.columns["x"], [1.5, np.nan])
    assert data.schema["b"].levels == (False, True)
    note = "67% of its values are numbers; 'high' in record 2 is not"
    assert read(file('[{"x": "1"}, {"x": "high"}, {"x": "2"}]', "t.json")).schema["x"].note == note
    for text in ("[1, 2", "7", '{"a": 1}', "[[1, 2], [3, 4]]"):
        with pytest.raises(InputError, match="JSON"):
            read(file(text, "t.json"))


def test_spreadsheets(file, monkeypatch):
    path = file(b"PK", "t.xlsx")
    day = pd.Timestamp("2020-01-31")
    cells = [
        ["Sales", None, None],
        ["x", "y", "day"],
        *([x, y, day] for x, y in zip(X, Y, strict=True)),
    ]
    sheets = {
        "empty": pd.DataFrame(),
        "a": pd.DataFrame(cells, dtype=object),
        "b": pd.DataFrame([[1]]),
    }
    monkeypatch.setattr(read_tables, "find_spec", lambda name: name)
    monkeypatch.setattr(pd, "read_excel", lambda *_, **__: sheets)
    data = read(path, drop="day")
    same(data, x=X, y=Y)
    assert "'a' is read; 'b' left out" in data.notes[0]
    assert "'Sales'" in data.notes[1]
    assert read_tables._cell(day) == "2020-01-31 00:00:00"
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(InputError, match=r"t.xlsx is a spreadsheet.* pip install openpyxl"):
        read(path)


def test_formats_that_are_not_read_are_named(file):
    for name, what in (
        ("t.sav", "SPSS"),
        ("t.mat", "MATLAB"),
        ("t.pkl", "pickle"),
        ("t.rds", "of R"),
    ):
        with pytest.raises(InputError, match=what):
            read(file(b"abc\0", name))


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        (["0012", "1234", "0999", "1000"], "leading zero"),
        (["+4915112345", "+4415112345", "+3315112345", "+4915112346"], "sign"),
        (["9300000000000000001", "9300000000000000002", "17", "5"], "beyond 2\\^53"),
    ],
)
def test_text_whose_digits_numbers_would_lose_stays_text(file, codes, said):
    lines = [f"{code},{x}" for code, x in zip(codes * 10, X, strict=True)]
    data = read(file("\n".join(["code,x", *lines, ""])))
    assert data.columns["code"].tolist() == codes * 10
    assert re.search(said, data.schema["code"].note)
    frame = pd.DataFrame({"code": codes * 10})
    assert cleaned(frame["code"], (), ".").values.tolist() == codes * 10


def test_numbers_that_begin_with_a_zero_before_the_point_are_numbers(file):
    lines = [f"{abs(y):.3f},0,+5" for y in Y]
    data = read(file("\n".join(["a,b,c", *lines, ""])))
    np.testing.assert_array_equal(data.columns["a"], np.abs(Y))
    assert all(data.columns[name].dtype == np.float64 for name in "abc")
