"""`ppgen infer`: a user's own file, run and fitted."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ppgen
from ppgen.__main__ import main
from ppgen.cli.inferring import METHODS
from ppgen.data.named_arrays import read_named
from ppgen.models.pair.engines import ENGINES

FILE = """
import numpyro
import numpyro.distributions as dist

def line(X, y=None, scale=1.0):
    slope = numpyro.sample("slope", dist.Normal(0.0, scale).expand([X.shape[1]]).to_event(1))
    with numpyro.plate("rows", X.shape[0]):
        numpyro.sample("y", dist.Normal(X @ slope, 0.5), obs=y)
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any) -> Run:
    """Run `ppgen infer` in a folder with a model and a table."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(FILE)
    Path("rows.csv").write_text("a,b,y\n1,0,2\n0,1,-1\n1,1,1\n2,1,3\n")

    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["infer", *(str(word) for word in words)])
        return status, *capsys.readouterr()

    return call


def test_a_file_is_run_and_its_model_fitted_to_columns(run: Run) -> None:
    status, out, err = run(
        "mine.py:line", "rows.csv", "--method", "laplace", "--set", "scale=100", "--out", "fit"
    )
    assert status == 0, err
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["site"] for row in rows] == ["slope[0]", "slope[1]"]
    x, y = np.array([[1, 0], [0, 1], [1, 1], [2, 1.0]]), np.array([2, -1, 1, 3.0])
    best = np.linalg.solve(x.T @ x + 0.25 / 100**2 * np.eye(2), x.T @ y)
    assert [float(row["mean"]) for row in rows] == pytest.approx(best, abs=0.05)
    assert "X has the columns a, b." in err
    assert "verdict: " in err
    with pytest.raises(ppgen.InputError, match=r"holds a fitted pair.*Pair\.load"):
        ppgen.load("fit")


def test_what_is_wrong_is_said_in_a_line(run: Run) -> None:
    Path("none.csv").write_text("a,b,y\n")
    for words, said in [
        (("mine.py:line", "none.csv"), "none.csv holds names and no rows"),
        (("mine.py:line", "rows.csv", "--set", "scale=abc"), "expected a number, as its default"),
        (("mine.py:lin", "rows.csv"), "no function 'lin'; it has line. Did you mean 'line'?"),
        (("mine.py", "rows.csv"), "mine.py names no function"),
        (("yours.py:line", "rows.csv"), "no file 'yours.py'"),
        (("mine.py:line", "rows.txt"), "no file 'rows.txt'"),
        (("mine.py:line", "rows.csv", "--method", "nutts"), "Did you mean 'nuts'?"),
        (("mine.py:line", "rows.csv", "--set", "num_sample=3"), "Did you mean 'num_samples'?"),
        (("mine.py:line", "rows.csv", "--guide", "normall"), "Did you mean 'normal'?"),
        (("mine.py:line",), "FILE.py:MODEL and DATA are missing"),
        (("eight_schools", "rows.csv"), "argument 'sigma' is not in the data; they have a, b, y"),
    ]:
        status, out, err = run(*words)
        assert (status, out) == (2, "")
        assert said in err
    Path("raises.py").write_text("import math\nmath.log(0)\n")
    status, _, err = run("raises.py:line", "rows.csv")
    assert (status, "raises.py raised ValueError at line 2" in err) == (2, True)


def test_settings_are_listed_without_a_model(run: Run) -> None:
    status, out, _ = run("--method", "nuts", "--settings")
    assert status == 0
    assert "num_warmup,an integer >= 1" in out


def test_the_help_names_the_methods() -> None:
    named = METHODS.replace(" or ", ", ").split(", ")
    assert set(ENGINES) <= set(named)


def test_arrays_are_read_by_name(tmp_path: Path) -> None:
    body = {"J": 2, "y": [1.5, 2.0], "x": [[1, 2], [3, 4]]}
    (tmp_path / "d.json").write_text(json.dumps(body))
    with zipfile.ZipFile(tmp_path / "d.json.zip", "w") as archive:
        archive.writestr("d.json", json.dumps(body))
    np.savez(tmp_path / "d.npz", J=2, y=np.array([1.5, 2.0]))
    for name in ("d.json", "d.json.zip"):
        assert read_named(str(tmp_path / name)).values == body
    found = read_named(str(tmp_path / "d.npz"))
    assert (found.values["J"], found.table) == (2, False)
    (tmp_path / "g.csv").write_text("group,x\n0,1.5\n1,2\n")
    table = read_named(str(tmp_path / "g.csv"))
    assert (table.values["group"].dtype.kind, table.values["x"].dtype.kind) == ("i", "f")
    (tmp_path / "l.json").write_text("[1, 2]")
    with pytest.raises(ppgen.InputError, match="holds a list; expected an object"):
        read_named(str(tmp_path / "l.json"))
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(ppgen.InputError, match=r"cannot be read as \.json"):
        read_named(str(tmp_path / "b.json"))


def test_a_table_is_read_as_every_other_table_is(tmp_path: Path) -> None:
    text = "Umsatz 2025\nid;x;n;ort\nK1;1,5;3;a\nK2;-;4;b\nK3;1.000,25;-9;a\n"
    (tmp_path / "g.csv").write_text(text)
    found = read_named(str(tmp_path / "g.csv"), drop=["ort"], missing=["n=-9"])
    assert list(found.values) == ["id", "x", "n"]  # a key may be what a model wants
    np.testing.assert_array_equal(found.values["x"], [1.5, np.nan, 1000.25])
    np.testing.assert_array_equal(found.values["n"], [3, 4, np.nan])
    assert found.table
    assert "Umsatz 2025" in found.notes[0]
    (tmp_path / "d.json").write_text('{"x": [1]}')
    with pytest.raises(ppgen.InputError, match=r"drop was given, and .* is no table of rows"):
        read_named(str(tmp_path / "d.json"), drop=["x"])


def test_columns_of_a_german_table_are_what_a_model_sees(run: Run) -> None:
    Path("rows.csv").write_text("a;b;y;ort\n1,0;0;2;x\n0;1,5;-1;y\n1;1;1,5;x\n2;1;3;x\n")
    words = ("--method", "laplace", "--set", "scale=100", "--out", "fit")
    status, _, err = run("mine.py:line", "rows.csv", *words)
    assert status == 2
    assert "ort holds no numbers" in err
    assert "--drop" in err
    status, _, err = run("mine.py:line", "rows.csv", "--drop", "ort", *words)
    assert status == 0, err
    assert "X has the columns a, b." in err


@pytest.mark.slow
def test_chains_of_one_length_are_drawn_from_the_command_line(run: Run) -> None:
    words = ("--method", "chees", "--set", "num_chains=8", "--set", "num_warmup=200")
    status, out, err = run("mine.py:line", "rows.csv", *words, "--out", "fit")
    assert status == 0, err
    assert "chees: 8 x" in err
    found = {row["site"]: float(row["mean"]) for row in csv.DictReader(io.StringIO(out))}
    x, y = np.array([[1, 0], [0, 1], [1, 1], [2, 1.0]]), np.array([2, -1, 1, 3.0])
    best = np.linalg.solve(x.T @ x + 0.25 * np.eye(2), x.T @ y)
    assert [found["slope[0]"], found["slope[1]"]] == pytest.approx(best, abs=0.06)
