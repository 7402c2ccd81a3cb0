"""The command line: what each command prints and writes, and how it ends."""

from __future__ import annotations

import io
import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ppgen
from ppgen import GaussianMixture
from ppgen.__main__ import main
from ppgen.cli.options import value_of
from ppgen.models import registry
from ppgen.progress import Clock

from .commands import Run, runs_commands
from .zoo import mixed


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: Any) -> Run:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return runs_commands(capsys)


@pytest.fixture(scope="module")
def penguins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A table of mixed columns with gaps, and a mixture fitted to it."""
    folder = tmp_path_factory.mktemp("penguins")
    frame = pd.DataFrame(mixed(300)).drop(columns="ringed")
    frame.loc[::9, "length"] = np.nan
    frame.loc[4::13, "species"] = None
    frame.to_csv(folder / "penguins.csv", index=False)
    words = ["fit", folder / "penguins.csv", "gmm", "--set", "n_components=3", "--out"]
    assert main([str(w) for w in [*words, folder / "run"]]) == 0
    return folder / "penguins.csv", folder / "run"


# What each command does ---------------------------------------------------------------------------


@pytest.mark.parametrize("model", registry.MODELS)
def test_what_can_be_set_is_listed(run: Run, model: str) -> None:
    done = run("fit", "no such file", model, "--settings")
    declared = {s.name: s.takes for s in registry.settings(model)}
    assert declared.items() <= {row["setting"]: row["takes"] for row in done.table}.items()
    assert (done.status, done.out) == (0, run("models", model).out)
    options = registry.get(model).capabilities.options
    listed = {f"{method}: {s.name}" for method, more in options.items() for s in more}
    assert {row["setting"] for row in done.table} == {*declared, *listed} | {
        row["setting"] for row in done.table if "[" in row["setting"]
    }


def test_models_lists_the_registry(run: Run) -> None:
    done = run("models")
    assert done.status == 0
    assert [row["model"] for row in done.table] == list(registry.names())
    assert done.err == ""


def test_models_are_a_table_that_fits_the_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run("models").table
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    done = run("models")
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 90
    assert lines[0].split() == ["model", "density", "can", "what"]
    start = lines[0].index("what")
    assert lines[1][start:].startswith(whole[0]["what"])
    assert [line.split()[0] for line in lines if not line.startswith(" ")][1:] == [
        row["model"] for row in whole
    ]
    assert "ppgen models -o FILE" in done.err
    assert max(map(len, run("models", "vae").out.splitlines())) <= 90


def test_help_and_version_end_well(run: Run) -> None:
    assert "Commands:" in run().out
    assert "Commands:" in run("--help").out
    assert run("--version").out.startswith("ppgen ")
    assert "--budget" in run("fit", "-h").out


def test_fit_saves_a_run_and_prints_its_score(run: Run) -> None:
    done = run("fit", "iris", "gmm", "--set", "gmm.n_components=3", "--seed", 1)
    assert done.status == 0
    (row,) = done.table
    assert (row["model"], row["kind"], row["run"]) == ("gmm", "lower_bound", "runs/iris-gmm")
    assert float(row["stderr"]) > 0
    assert "sepal_length" in done.err
    model = registry.load("runs/iris-gmm")
    assert model.get_params()["n_components"] == 3
    assert model.random_state == 1


def test_fit_to_all_rows_holds_none_out(run: Run) -> None:
    done = run("fit", "iris", "gaussian", "--all-rows", "--out", "g", "-o", "fit.csv")
    assert (done.status, done.out) == (0, "")
    row = pd.read_csv("fit.csv").iloc[0]
    assert (row["rows"], row["held_out"]) == (150, 0)
    assert np.isnan(row["log_density"])


def test_score_prints_each_row(run: Run, penguins: tuple[Path, Path]) -> None:
    data, fit = penguins
    done = run("score", fit, data)
    assert done.status == 0
    assert [row["row"] for row in done.table] == [str(i) for i in range(300)]
    expected = registry.load(fit).score_samples(ppgen.read(data))
    shown = [row["log_density"] for row in done.table]
    np.testing.assert_allclose(np.array(shown, float), expected, rtol=1e-7)
    assert max(map(len, shown)) <= len("-1.2345678")
    assert run("score", fit, data, "-o", "scores.npz").status == 0
    np.testing.assert_array_equal(np.load("scores.npz")["log_density"], expected)  # whole
    assert {row["kind"] for row in done.table} <= {"exact", "lower_bound"}
    (summary,) = run("score", fit, data, "--summary").table
    assert float(summary["mean"]) == pytest.approx(expected.mean())


def test_a_summary_counts_impossible_rows_and_means_the_others(
    run: Run, penguins: tuple[Path, Path], tmp_path: Path
) -> None:
    data, fit = penguins
    frame = pd.read_csv(data)
    expected = registry.load(fit).score_samples(ppgen.read(data))
    frame.loc[[0, 7], "shift"] = 3.4e200
    frame.to_csv(tmp_path / "far.csv", index=False)
    done = run("score", fit, tmp_path / "far.csv", "--summary")
    (summary,) = done.table
    assert summary["zero_rows"] == "2"
    assert float(summary["mean"]) == pytest.approx(np.delete(expected, [0, 7]).mean())
    assert float(summary["stderr"]) > 0
    assert "2 of 300 rows have probability 0 under the fit" in done.err
    assert "mixed: a density in some columns times a probability in others" in done.err


def test_refusals_speak_to_the_command_line(run: Run, tmp_path: Path) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    frame.iloc[::5, 1] = np.nan
    frame.to_csv(tmp_path / "gaps.csv", index=False)
    done = run("fit", tmp_path / "gaps.csv", "kde")
    assert done.status == 2
    assert "`ppgen fit DATA gmm` and `ppgen impute RUN DATA`" in done.err
    assert "ppgen.GaussianMixture" not in done.err


def test_sample_prints_rows_of_the_same_columns(run: Run, penguins: tuple[Path, Path]) -> None:
    _, fit = penguins
    done = run("sample", fit, "-n", 7)
    assert len(done.table) == 7
    assert list(done.table[0]) == ["length", "shift", "visits", "species"]
    assert all(row["visits"].isdigit() for row in done.table)
    assert run("sample", fit, "-n", 7).out == done.out
    assert run("sample", fit, "-n", 7, "--seed", 5).out != done.out


def test_sample_holds_columns_fixed(run: Run, penguins: tuple[Path, Path]) -> None:
    done = run("sample", penguins[1], "-n", 5, "--given", "species=Adelie", "--given", "length=1.5")
    assert {(row["species"], float(row["length"])) for row in done.table} == {("Adelie", 1.5)}


def test_impute_fills_the_gaps_and_nothing_else(run: Run, penguins: tuple[Path, Path]) -> None:
    data, fit = penguins
    assert run("impute", fit, data, "-o", "full.csv").status == 0
    before, after = pd.read_csv(data), pd.read_csv("full.csv")
    assert list(after.columns) == list(before.columns)
    assert not after.isna().any().any()
    known = before.notna()
    pd.testing.assert_frame_equal(after.where(known), before, check_dtype=False)


def test_outliers_come_first(run: Run, penguins: tuple[Path, Path]) -> None:
    data, fit = penguins
    frame = pd.read_csv(data)
    frame.loc[17, "shift"] = 40.0
    frame.to_csv("odd.csv", index=False)
    for more in ([], ["--reference", data]):
        done = run("outliers", fit, "odd.csv", "--top", 20, *more)
        assert done.status == 0
        first = done.table[0]
        assert (first["row"], first["shift"], first["fraction_below"]) == ("17", "40.0", "0.0")
        scores = [float(row["log_density"]) for row in done.table]
        assert scores == sorted(scores)
        assert len(scores) == 20


def test_fractions_of_the_rows_themselves_are_even(run: Run, penguins: tuple[Path, Path]) -> None:
    """A right model's own rows have fractions that are uniform, gaps or not."""
    data, fit = penguins
    done = run("outliers", fit, data)
    fractions = [float(row["fraction_below"]) for row in done.table]
    assert np.mean(fractions) == pytest.approx(0.5, abs=0.08)


def test_a_study_prints_a_table_and_resumes(run: Run) -> None:
    words = ("study", "iris", "--models", "gaussian,gmm", "--seeds", 1, "--budget", "10s")
    done = run(*words, "--out", "s", "--set", "gmm.n_components=2")
    assert done.status == 0
    assert {row["model"] for row in done.table} == {"gaussian", "gmm"}
    assert done.table[0]["rank"] == "1"
    assert "report: s/report.html" in done.err
    assert Path("s/report.html").is_file()
    again = run(*words, "--out", "s", "--set", "gmm.n_components=2")
    assert again.out == done.out
    shown = run("report", "s")
    assert (shown.status, shown.out) == (0, done.out)


# How tables are written ---------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "npz"])
def test_a_table_is_written_by_its_ending(
    run: Run, penguins: tuple[Path, Path], ending: str
) -> None:
    assert run("sample", penguins[1], "-n", 6, "-o", f"rows.{ending}").out == ""
    if ending == "npz":
        with np.load("rows.npz", allow_pickle=False) as held:
            columns = {name: held[name].tolist() for name in held.files}
    else:
        read = pd.read_parquet if ending == "parquet" else pd.read_csv
        more = {"sep": "\t"} if ending == "tsv" else {}
        columns = read(f"rows.{ending}", **more).to_dict("list")
    printed = pd.read_csv(io.StringIO(run("sample", penguins[1], "-n", 6).out)).to_dict("list")
    assert columns == printed
    assert os.listdir(".") == [f"rows.{ending}"]


def test_what_takes_the_place_of_a_file_says_so(run: Run, penguins: tuple[Path, Path]) -> None:
    words = ("sample", penguins[1], "-n", 3, "-o", "rows.csv")
    assert "replaced" not in run(*words).err
    before = Path("rows.csv").read_text()
    again = run(*words, "--seed", 7)
    assert (again.status, "rows.csv was there and is replaced." in again.err) == (0, True)
    assert Path("rows.csv").read_text() != before


def test_a_budget_counts_from_the_start_of_the_command(run: Run, monkeypatch: Any) -> None:
    given: list[Any] = []
    fit = GaussianMixture.fit

    def noted(self: Any, *rows: Any, budget: Any, **more: Any) -> Any:
        given.append((budget, budget.seconds()))
        return fit(self, *rows, budget=budget, **more)

    monkeypatch.setattr(GaussianMixture, "fit", noted)
    monkeypatch.setattr(Clock, "seconds", lambda clock: 40.0)
    words = ("fit", "iris", "gmm", "--set", "n_components=1", "--budget", "1m", "--out", "g")
    done = run(*words)
    assert done.status == 0
    ((clock, seconds),) = given
    assert (clock.budget, seconds, clock.left()) == (60.0, 40.0, 20.0)


def test_npy_holds_numbers_alone(run: Run, penguins: tuple[Path, Path]) -> None:
    run("fit", "iris", "gaussian", "--out", "g")
    assert run("sample", "g", "-n", 4, "-o", "rows.npy").status == 0
    assert np.load("rows.npy").shape == (4, 4)
    done = run("sample", penguins[1], "-o", "text.npy")
    assert done.status == 2
    assert "text" in done.err


def test_settings_are_read_as_json_or_text() -> None:
    expected = {"8": 8, "0.5": 0.5, "true": True, "null": None, "[1, 2]": [1, 2], "full": "full"}
    assert {text: value_of(text) for text in expected} == expected
    assert value_of("NaN") == "NaN"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, [2, 1]) for text in ("[2,1]", "(2,1)", "2,1", "( 2, 1 )", "2, 1", "(2,1,)")],
        *[(text, [2]) for text in ("[2]", "(2,)", "2,")],
        ("(2)", 2),
        ("()", []),
        ("((2,1)", "((2,1)"),
        ("a,b", "a,b"),
        ("2,NaN", "2,NaN"),
        ("", ""),
        (",", ","),
    ],
)
def test_lists_may_be_written_as_tuples(text: str, value: Any) -> None:
    assert value_of(text) == value


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_study_on_a_dask_cluster(run: Run) -> None:
    pytest.importorskip("distributed")
    where = ["--models", "gaussian", "--seeds", "1", "--out", "there"]
    state = random.getstate()  # Dask draws from it; the guard against leaks is about ppgen
    done = run("study", "iris", *where, "--executor", "dask")
    random.setstate(state)
    assert done.status == 0
    assert [row["state"] for row in done.table] == ["done"]


# Labels of rows -----------------------------------------------------------------------------------


def test_rows_of_a_labelled_parquet_file_are_written_under_their_labels(
    run: Run, penguins: tuple[Path, Path], tmp_path: Path
) -> None:
    rows = pd.read_csv(penguins[0]).sample(20, random_state=0).rename_axis("bird")
    rows.to_parquet(tmp_path / "rows.parquet")
    labels = [str(label) for label in rows.index]
    filled = run("impute", penguins[1], "rows.parquet").table
    assert [row["bird"] for row in filled] == labels
    assert [row["visits"] for row in filled] == [str(v) for v in rows.visits]
    scores = run("score", penguins[1], "rows.parquet").table
    assert [row["bird"] for row in scores] == labels
    again = run("score", penguins[1], penguins[0]).table
    assert "bird" not in again[0]
    for row in scores:
        whole = again[int(row["bird"])]
        assert float(row["log_density"]) == pytest.approx(float(whole["log_density"]), abs=1e-6)
    outlying = run("outliers", penguins[1], "rows.parquet", "--top", 3).table
    assert [row["bird"] for row in outlying] == [labels[int(row["row"])] for row in outlying]


# Rows given their labels --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Rows far apart by their label, and a conditional fit of them."""
    folder = tmp_path_factory.mktemp("labelled")
    rng, y = np.random.default_rng(0), np.arange(200) % 2
    np.savez(folder / "rows.npz", X=rng.normal(20.0 * y[:, None], 1.0, (200, 2)), y=y)
    words = ["fit", folder / "rows.npz", "vae", "--conditional", "--out", folder / "run"]
    small = ("hidden=[8]", "latent_dim=1", "max_epochs=15", "learning_rate=0.02", "batch_size=20")
    assert main([str(w) for w in [*words, *(w for s in small for w in ("--set", s))]]) == 0
    return folder / "rows.npz", folder / "run"


def test_rows_are_sampled_given_their_label(run: Run, labelled: tuple[Path, Path]) -> None:
    done = run("sample", labelled[1], "-n", 50, "--given", "y=1")
    assert done.status == 0
    assert np.median([float(row["x0"]) for row in done.table]) > 10
    assert ppgen.load(labelled[1]).get_params()["conditional"] is True


def test_a_label_that_no_row_has_is_refused(run: Run, labelled: tuple[Path, Path]) -> None:
    done = run("sample", labelled[1], "--given", "y=7")
    assert done.status == 2
    assert "a class that the fit never saw" in done.err


def test_a_model_that_knows_no_labels_refuses_to_be_conditional(
    run: Run, labelled: tuple[Path, Path]
) -> None:
    done = run("fit", labelled[0], "gaussian", "--conditional")
    assert done.status == 2
    able = [name for name in registry.names() if registry.get(name).capabilities.conditional]
    assert f"gaussian models no rows given labels; {', '.join(able)} do." in done.err
