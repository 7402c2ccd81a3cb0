"""Options about DATA: how a command reads it, what a run keeps of that, and `ppgen inspect`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import ppgen
from ppgen.__main__ import main

N = 120
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table as an office has it, and a fit of it."""
    folder = tmp_path_factory.mktemp("data")
    x, kind = RNG.normal(1500, 200, N), RNG.choice(["a", "b"], N)
    lines = ["Bericht 2020;;;;", ";;;;", "nummer;x;y;anzahl;kind"]
    for i, (a, k) in enumerate(zip(x, kind, strict=True)):
        written = f"{a:,.2f}".translate(str.maketrans(",.", ".,"))
        y = "-999" if i % 9 == 0 else f"{a / 100 + RNG.normal():.3f}".replace(".", ",")
        lines.append(f"{i % 7};{written};{y};{'' if i % 11 == 0 else i % 60 + 20};{k}")
    (folder / "office.csv").write_text("\n".join([*lines, "Summe;1;2;3;"]), encoding="cp1252")
    words = ["fit", folder / "office.csv", "gmm", "--set", "n_components=1", "--drop", "nummer"]
    words += ["--missing", "y=-999", "--column", "anzahl=real", "--out", folder / "run"]
    assert main([str(w) for w in words]) == 0
    return folder


@pytest.fixture
def run(folder: Path, capsys: Any) -> Any:
    def call(*words: object, status: int = 0) -> tuple[list[dict[str, str]], str]:
        capsys.readouterr()
        assert main([str(folder / w if isinstance(w, Path) else w) for w in words]) == status
        out, err = capsys.readouterr()
        return list(csv.DictReader(io.StringIO(out))), err

    return call


def test_a_run_keeps_how_its_data_were_read(folder: Path, run: Any) -> None:
    fit = ppgen.load(folder / "run")
    assert fit.schema_.names == ("x", "y", "anzahl", "kind")
    assert fit.schema_["anzahl"].kind == "real"
    assert fit.schema_["y"].missing
    reading = fit.schema_.reading
    assert (reading.drop, reading.missing, reading.decimal) == (("nummer",), ("y=-999",), ",")
    told = [str(reason) for reason in fit.verdict_.reasons]
    assert any("line 1 left out" in reason for reason in told)
    rows, err = run("score", Path("run"), Path("office.csv"), "--plain")
    assert len(rows) == N
    assert "warning" not in err
    assert "'Bericht 2020'" in err
    data = ppgen.read(folder / "office.csv", missing="y=-999", drop="nummer")
    expected = fit.score_samples(data.columns)
    np.testing.assert_allclose([float(row["log_density"]) for row in rows], expected)


def test_rows_filled_have_all_their_columns_and_whole_numbers(folder: Path, run: Any) -> None:
    rows, _ = run("impute", Path("run"), Path("office.csv"), "--plain")
    assert [*rows[0]] == ["nummer", "x", "y", "anzahl", "kind"]
    assert [row["nummer"] for row in rows] == [str(i % 7) for i in range(N)]
    assert all(row["anzahl"].isdigit() for row in rows)
    assert all(5 < float(row["y"]) < 25 for row in rows)
    rows, _ = run("sample", Path("run"), "-n", 30, "--plain")
    assert [*rows[0]] == ["x", "y", "anzahl", "kind"]
    assert all(row["anzahl"].isdigit() for row in rows)


def test_rows_are_written_as_the_file_writes_them(folder: Path, run: Any) -> None:
    run("impute", Path("run"), Path("office.csv"), "-o", folder / "filled.csv")
    given = (folder / "office.csv").read_text(encoding="cp1252").splitlines()[3:-1]
    head, *filled = (folder / "filled.csv").read_text(encoding="utf-8").splitlines()
    assert head == "nummer;x;y;anzahl;kind"
    for before, after in zip(given, filled, strict=True):
        was, now = before.split(";"), after.split(";")
        assert now[1] == was[1]  # such as 1.234,50
        assert now[2] == was[2] or was[2] == "-999"
        assert now[3] == was[3] or not was[3]
    assert len(ppgen.read(folder / "filled.csv")) == N
    run("sample", Path("run"), "-n", 5, "--given", "x=1.500,00", "--given", "y=15,5")
    held, _ = run("sample", Path("run"), "-n", 5, "--given", "x=1.500,00", "--plain")
    assert {row["x"] for row in held} == {"1500"}
    _, err = run("sample", Path("run"), "--given", "x=1.500,00 USD", status=2)
    assert "column 'x' holds numbers; give one, such as 1.234,50" in err


@pytest.mark.parametrize("of_model", [True, False])
def test_outliers_are_written_as_the_file_writes_them(
    folder: Path, run: Any, of_model: bool
) -> None:
    lines = (folder / "office.csv").read_text(encoding="cp1252").splitlines()[2:-1]
    named = [line.replace("anzahl", "tail", 1) for line in lines]
    (folder / "named.csv").write_text("\n".join(named), encoding="cp1252")
    source = (Path("run"), Path("office.csv")) if of_model else (Path("named.csv"),)
    out = folder / "odd.csv"
    run("outliers", *source, "--top", 3, "-o", out)
    head, *written = (line.split(";") for line in out.read_text("utf-8").splitlines())
    at = {name: place for place, name in enumerate(head)}
    for row in written:
        given = lines[int(row[at["row"]]) + 1].split(";")
        assert row[at["x"]] == given[1]  # such as 1.234,50
        assert row[at["y"]] == given[2] or given[2] == "-999"
        assert row[at["log_density" if of_model else "tail"]].count(",") == 1
        assert of_model or row[at["tail (data)"]] == given[3]
    rows, _ = run("outliers", *source, "--top", 3, "--plain")
    assert [float(r["x"]) for r in rows] == pytest.approx(
        [float(r[at["x"]].replace(".", "").replace(",", ".")) for r in written]
    )


@pytest.mark.parametrize(
    ("command", "columns"), [("score", ["log_density"]), ("predict", ["probability", "p(0)"])]
)
def test_what_is_computed_has_the_decimals_of_the_file(
    folder: Path, run: Any, command: str, columns: list[str]
) -> None:
    asked = (command, Path("run"), Path("office.csv"))
    plain, _ = run(*asked, "--plain")
    run(*asked, "-o", folder / "said.csv")
    head, *written = (line.split(";") for line in (folder / "said.csv").read_text().splitlines())
    for name in columns:
        found = [row[head.index(name)] for row in written]
        assert [text.replace(",", ".") for text in found] == [row[name] for row in plain]
    assert not any("." in field for row in written for field in row)
    back = ppgen.read(folder / "said.csv", drop="row")
    assert len(back) == N


def test_values_given_that_a_column_cannot_have_are_told_in_words_of_the_option(
    folder: Path, run: Any
) -> None:
    _, err = run("sample", Path("run"), "--given", "kind=A", status=2)
    assert (
        "--given kind=A: column 'kind' has 'a', 'b', and 'A' is a value that the fit never" in err
    )
    assert "Did you mean 'a'?" in err
    table = [
        {"key": f"k{i}", "day": f"2024-03-{i % 28 + 1:02d}", "x": v, "paid": i % 3 > 0}
        for i, v in enumerate(RNG.normal(size=60))
    ]
    (folder / "dates.json").write_text(json.dumps(table))
    run("fit", Path("dates.json"), "gaussian", "--out", folder / "dated")
    _, err = run("sample", Path("dated"), "--given", "day=yesterday", status=2)
    assert "--given day=yesterday: column 'day' holds times; give one, such as 2024-12-31." in err
    rows, _ = run("sample", Path("dated"), "-n", 1, "--given", "day=2024-03-04")
    assert rows[0]["day"] == "2024-03-04"
    for truth in ("true", "True", "1"):
        (row,), _ = run("sample", Path("dated"), "-n", 1, "--given", f"paid={truth}")
        assert row["paid"].lower() == "true"
    _, err = run("sample", Path("dated"), "--given", "paid=yes", status=2)
    assert "column 'paid' has 'False', 'True', and 'yes' is a value that the fit never saw" in err
    write = "menge;rabatt\n" + "".join(f"{i * i % 7};{i % 37},5\n" for i in range(60))
    (folder / "menge.csv").write_text(write)
    count = ("--column", "menge=count")
    run("fit", Path("menge.csv"), "gaussian", *count, "--out", folder / "counted")
    _, err = run("sample", Path("counted"), "--given", "menge=3,5", status=2)
    assert (
        "--given menge=3,5: column 'menge' holds counts, whole numbers from 0 on; give one." in err
    )
    _, err = run("sample", Path("dated"), "--given", "key=k1", status=2)
    assert "give its kind: `ppgen fit` with --column key=categorical." in err


def test_whole_numbers_are_shown_in_full(folder: Path, run: Any) -> None:
    (folder / "ids.csv").write_text("id\n" + "".join(f"{1000000 + i}\n" for i in range(60)))
    (row,), _ = run("inspect", Path("ids.csv"))
    assert (row["least"], row["greatest"]) == ("1000000", "1000059")
    assert row["first"] == "1000000 1000001 1000002"


def test_other_columns_are_named_and_left_out(folder: Path, run: Any) -> None:
    rows, _ = run("impute", Path("run"), Path("office.csv"), "--plain")
    more = "x,y,anzahl,kind,extra\n" + "".join(
        f"{row['x']},{row['y']},{row['anzahl']},{row['kind']},u\n" for row in rows
    )
    (folder / "more.csv").write_text(more)
    scored, err = run("score", Path("run"), Path("more.csv"))
    assert len(scored) == N
    assert run("impute", Path("run"), Path("more.csv"))[0][0]["x"] == rows[0]["x"]
    assert "warning: column 'extra' was not in GaussianMixture and is left out." in err or (
        "'extra' was not in the fit and is left out" in err
    )
    # What was written has points, and commas between: it is not read as the office's own.
    whole = ppgen.load(folder / "run").score_samples(ppgen.read(folder / "more.csv", drop="extra"))
    np.testing.assert_allclose([float(row["log_density"]) for row in scored], whole)


def test_inspect_shows_what_columns_are_taken_for(folder: Path, run: Any) -> None:
    rows, err = run("inspect", Path("office.csv"), "--drop", "kind", "--column", "nummer=ordinal")
    about = {row["column"]: row for row in rows}
    assert [*about] == ["nummer", "x", "y", "anzahl", "kind"]
    assert about["nummer"]["kind"] == "ordinal"
    assert about["kind"]["kind"] == "left out"
    assert about["y"]["least"] == "-999"
    assert "far from all others: a code for missing values? If it is one" in err
    assert "(--missing y=-999)" in err
    assert about["anzahl"]["missing"] == "11"
    assert f"{N} rows of 4 columns" in err
    assert "'Bericht 2020'" in err
    total = "99% of its values are numbers; 'Total' in line 122 is not"
    (folder / "total.csv").write_text("price\n" + "1.5\n2.5\n" * 60 + "Total\n3.5\n")
    rows, _ = run("inspect", Path("total.csv"))
    assert total in rows[0]["about"]
    # What is left out because of one value is no small matter.
    lines = [f"{v:.4f},{v:.2f}\n" for v in RNG.normal(10, 3, 120)]
    (folder / "left.csv").write_text("price,x\n" + "".join(lines) + "Total,1\n2.5,2\n")
    rows, err = run("fit", Path("left.csv"), "gaussian", "--out", folder / "left")
    assert rows[0]["verdict"] == "warn"
    (line,) = [line for line in err.splitlines() if total in line and line.startswith("warn")]
    assert "--missing" in line
    np.save(folder / "images.npy", RNG.integers(0, 256, (5, 8, 8)).astype(np.uint8))
    assert run("inspect", Path("images.npy"))[1].startswith("5 rows: images")
    assert "10 distinct: 0, 1" in run("inspect", "digits")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--column", "x=rael"), "Did you mean 'real'"),
        (("--column", "hoehe=real"), "no column 'hoehe'"),
        (("--column", "x=interval,lowr=0,upper=1"), "Did you mean 'lower'"),
        (("--column", "x"), "expected NAME=VALUE"),
        (("--drop", "numer"), "Did you mean 'nummer'"),
        (("--decimal", ";"), "expected '.' or ','"),
        (("--target", "kin"), "Did you mean 'kind'"),
    ],
)
def test_options_that_are_wrong_are_named(run: Any, words: tuple[str, ...], said: str) -> None:
    _, err = run("inspect", Path("office.csv"), *words, status=2)
    assert said in err


def test_a_kind_that_the_fit_has_not_is_refused(run: Any) -> None:
    words = ("score", Path("run"), Path("office.csv"), "--column", "x=count")
    assert "the fit has it as real" in run(*words, status=2)[1]


def test_a_column_is_conditioned_on_and_kept_so(folder: Path, run: Any) -> None:
    y = np.arange(N) % 2
    lines = [f"{v:.3f},{'ab'[k]}\n" for v, k in zip(RNG.normal(20.0 * y, 1.0), y, strict=True)]
    (folder / "kinds.csv").write_text("x,kind\n" + "".join(lines))
    small = ("hidden=[8]", "latent_dim=1", "max_epochs=15", "learning_rate=0.02", "batch_size=20")
    words = ["fit", Path("kinds.csv"), "vae", "--target", "kind", "--out", folder / "given"]
    _, err = run(*words, *(word for setting in small for word in ("--set", setting)))
    assert "Conditional on kind, the label of each row, 2 distinct: a, b." in err
    fit = ppgen.load(folder / "given")
    assert (fit.schema_.names, fit.context_.schema.names) == (("x",), ("kind",))
    rows, _ = run("sample", Path("given"), "-n", 50, "--given", "kind=b")
    assert np.median([float(row["x"]) for row in rows]) > 10
    scored, err = run("score", Path("given"), Path("kinds.csv"))
    assert "warning" not in err
    data = ppgen.read(folder / "kinds.csv", target="kind")
    expected = fit.score_samples(data, data.target)
    np.testing.assert_allclose([float(row["log_density"]) for row in scored], expected, rtol=1e-5)
    # The label that a row is far from stands out only where labels are known.
    (folder / "swapped.csv").write_text("x,kind\n" + "".join(lines) + "0.0,b\n")
    rows, _ = run("outliers", Path("given"), Path("swapped.csv"), "--top", 1)
    assert (rows[0]["row"], rows[0]["kind"]) == (str(N), "b")
    assert float(rows[0]["fraction_below"]) == pytest.approx(0.5 / (N + 1), rel=1e-7)
    _, err = run("fit", Path("kinds.csv"), "gaussian", "--target", "kind", status=2)
    assert "models no rows given labels" in err


def test_a_note_on_reading_is_said_once(folder: Path, run: Any) -> None:
    words = ("fit", Path("office.csv"), "gaussian", "--missing", "y=-999", "--drop", "nummer")
    _, err = run(*words, "--out", folder / "once")
    assert err.count("'Bericht 2020'") == 1
    assert [r for r in ppgen.load(folder / "once").verdict_.reasons if "Bericht" in r.what]


def test_inspect_names_zones_and_copies(tmp_path: Path, run: Any) -> None:
    when = pd.date_range("2024-01-01", periods=40, freq="h", tz="Asia/Kolkata")
    x = RNG.normal(size=40)
    kind = list("uv" * 20)
    frame = pd.DataFrame({"when": when, "x": x, "z": x, "a": kind, "b": kind})
    frame.to_csv(tmp_path / "t.csv", index=False)
    rows, _ = run("inspect", tmp_path / "t.csv")
    about = {row["column"]: row["about"] for row in rows}
    assert rows[0]["least"] == "2024-01-01"
    assert "in UTC+05:30" in about["when"]
    assert "a copy of 'x'" in about["z"]
    assert "a copy of 'a'" in about["b"]
    assert "copy" not in about["x"] + about["a"]


def test_what_cannot_be_done_is_refused_before_a_verdict_is_said(
    folder: Path, run: Any, monkeypatch: Any
) -> None:
    for words in (("encode", Path("run"), Path("office.csv")), ("score", Path("run"), "nope.csv")):
        _, err = run(*words, status=2)
        assert "verdict" not in err
    assert "there is no file 'nope.csv' in" in err
    assert "Built in" not in err
    (folder / "sales.csv").write_text("x\n1.5\n")
    monkeypatch.chdir(folder)
    assert "Is it 'sales.csv'?" in run("inspect", "sales", status=2)[1]
    _, err = run("inspect", Path("salse.csv"), status=2)
    assert "Did you mean 'sales.csv'?" in err


def test_a_label_is_given_by_its_name(folder: Path, run: Any) -> None:
    _, err = run("sample", Path("given"), "--given", "class=b", status=2)
    assert "conditional on is called kind: --given kind=b" in err


def test_a_frame_with_other_columns_is_scored_without_them() -> None:
    frame = pd.DataFrame(RNG.normal(size=(40, 2)), columns=["x", "y"])
    fit = ppgen.Gaussian().fit(frame)
    more = frame.assign(extra=1.0)[["extra", "y", "x"]]
    for rows in (more, pa.Table.from_pandas(more)):
        with pytest.warns(UserWarning, match="'extra' was not in Gaussian and is left out"):
            scores = fit.score_samples(rows)
        np.testing.assert_allclose(scores, fit.score_samples(frame))
    with pytest.raises(ValueError, match="yet now missing"):
        fit.score_samples(frame[["x"]])
