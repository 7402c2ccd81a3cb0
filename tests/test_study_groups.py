"""Studies of rows that are no draws of their own, and of tables with few different rows."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pytest

import ppgen
from ppgen.__main__ import main
from ppgen.analysis.paired import Scored
from ppgen.analysis.quality import sample_quality
from ppgen.data import as_dataset, split
from ppgen.errors import InputError
from ppgen.study import StudyResult, run_study
from ppgen.study.cells import parts
from ppgen.study.store import Store
from ppgen.study.stored_rows import load_dataset, save_dataset
from ppgen.two_sample import two_sample

from .study_toys import Inline, leave_out, logged, plain, toys  # noqa: F401

CELLS = np.array([0.92, 0.02, 0.02, 0.04])
"""Probabilities of (0, 0), (0, 1), (1, 0) and (1, 1)."""


def visits(n=120, each=5, seed=0):
    """Rows of patients who differ more than their visits do."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(n), each)
    x = rng.normal(size=(n, 2))[of] + rng.normal(0, 0.1, (len(of), 2))
    return pd.DataFrame(x, columns=["x", "y"]).assign(patient=[f"p{i}" for i in of])


@pytest.fixture
def study(toys, monkeypatch):  # noqa: F811
    leave_out(monkeypatch)

    def run(out, data=None, **more):
        settings = {"seeds": 2, "executor": Inline(), "progress": False, **more}
        data = visits() if data is None else data
        return run_study(data, ("toy", "wide"), out=out, **settings)

    return run


def test_a_study_keeps_groups_together_and_counts_each_once(study, tmp_path):
    result = study(tmp_path / "s", groups="patient")
    frame = visits()
    patient = frame.patient.to_numpy()
    data = ppgen.read(frame, groups="patient")
    for cell in result.cells:
        train, valid, test = (set(patient[rows]) for rows in parts(data, cell.cell.seed))
        assert set(patient[cell.rows]) == test
        assert not test & (train | valid)
        assert cell.body["n_rows"][0] == pytest.approx(480, abs=5)
        names = pd.Series(patient[cell.rows]).groupby(cell.units).nunique()
        assert (names == 1).all()
    # Five visits of nearly one place each: a fifth of the draws that there are rows.
    assert Store(tmp_path / "s").study()["data"]["data"]["draws"] == 120
    toy = result.cell("toy", 0)
    assert toy.density.mean_stderr(toy.units) > 2 * toy.density.mean_stderr()
    again = result.model(toy).log_density(data.take(toy.rows))
    np.testing.assert_array_equal(again.values, toy.density.values)


def test_units_have_the_same_names_in_every_seed(study, tmp_path):
    result = study(tmp_path / "s", groups="patient", seeds=4)
    patient = visits().patient.to_numpy()
    named: dict[int, set[str]] = {}
    for cell in result.cells:
        for unit, name in zip(cell.units, patient[cell.rows], strict=True):
            named.setdefault(int(unit), set()).add(name)
    assert all(len(names) == 1 for names in named.values())
    rows = sum(len(c.rows) for c in result.cells if c.cell.label == "toy")
    assert len(named) < rows / 5  # patients held out by several seeds are one draw


def test_a_study_in_groups_goes_on_and_is_not_mixed_up_with_another(study, tmp_path):
    first = study(tmp_path / "s", groups="patient")
    again = study(tmp_path / "s", groups="patient", seeds=3)
    events = logged(tmp_path / "s")
    assert sorted(e["cell"] for e in events if e["event"] == "fit") == sorted(
        {e["cell"] for e in events if e["event"] == "fit"}
    )
    assert {c.cell.key for c in first.cells} < {c.cell.key for c in again.cells}
    assert plain(StudyResult.load(tmp_path / "s").table) == plain(again.table)
    with pytest.raises(InputError, match="a study of other data"):
        study(tmp_path / "s", data=visits().drop(columns="patient"))


def test_groups_survive_the_disk(tmp_path):
    labels = np.array(["a", None, "b", "a"], dtype=object)
    for number, given in enumerate([labels, np.array([1.0, np.nan, 2.0, 1.0])]):
        data = as_dataset(np.arange(8.0).reshape(4, 2) ** 1.5).grouped(given)
        save_dataset(tmp_path / str(number), data)
        held = load_dataset(tmp_path / str(number))
        np.testing.assert_array_equal(held.units, data.units)
        assert held.fingerprint() == data.fingerprint()


def two_binary_columns(n=2000):
    cell = np.random.default_rng(0).choice(4, n, p=CELLS)
    return pd.DataFrame({"a": cell // 2, "b": cell % 2})


def test_two_binary_columns_are_scored_as_their_population_says():
    data = as_dataset(two_binary_columns())
    every = as_dataset(pd.DataFrame({"a": [0, 0, 1, 1], "b": [0, 1, 0, 1]}), data.schema)
    models = {
        "independent": ppgen.IndependentColumns(random_state=0),
        "gmm": ppgen.GaussianMixture(2, n_init=1, random_state=0),
    }
    scored, z = [], []
    for seed in range(3):
        train, _, test = split(data, seed=seed)
        assert len(test) == 200
        for name, model in models.items():
            model.fit(data.take(train))
            density = model.log_density(data.take(test))
            truth = float(CELLS @ model.score_samples(every))
            error = density.mean_stderr(data.units[test])
            assert error == pytest.approx(density.mean_stderr())
            z.append((density.mean() - truth) / error)
            scored.append(Scored(name, density, seed, data.units[test]))
    assert np.abs(z).max() < 3
    found = ppgen.compare(scored)
    entropy = float(CELLS @ np.log(CELLS))
    assert found.models[0].name == "gmm"
    assert found["gmm"].mean == pytest.approx(entropy, abs=3 * found["gmm"].stderr)
    assert found["independent"].difference.mean < 0


def test_held_out_rows_of_binary_columns_are_not_told_from_rows_trained_on():
    data = as_dataset(two_binary_columns())
    train, _, test = split(data)
    real, other = data.take(test).matrix(), data.take(train[: len(test)]).matrix()
    assert {tuple(r) for r in real.tolist()} == {(a, b) for a in (0, 1) for b in (0, 1)}
    assert two_sample(real, other, 0, levels=[True, True]).auc == pytest.approx(0.5, abs=0.1)


def test_copies_do_not_tell_real_rows_from_real_rows():
    x = np.random.default_rng(0).normal(size=(400, 2))
    data = as_dataset(np.repeat(x, 3, axis=0))
    train, _, test = split(data, (0.5, 0.1, 0.4))
    fresh = as_dataset(np.random.default_rng(1).normal(size=(600, 2)), data.schema)
    found = sample_quality(data.take(train), data.take(test), fresh)["c2st"]
    assert found.value == pytest.approx(0.5, abs=0.1)
    assert found.control == pytest.approx(0.5, abs=0.1)


def test_groups_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    visits().to_csv("v.csv", index=False)

    def table(*words):
        capsys.readouterr()
        assert main(list(words)) == 0
        return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))

    (fit,) = table("fit", "v.csv", "gaussian", "--groups", "patient", "--out", "run")
    model = ppgen.load("run")
    assert model.schema_.names == ("x", "y")
    data = ppgen.read("v.csv", groups="patient")
    density = model.log_density(data.test)
    assert float(fit["log_density"]) == pytest.approx(density.mean())
    assert float(fit["stderr"]) == pytest.approx(density.mean_stderr(data.test.units))
    (score,) = table("score", "run", "v.csv", "--groups", "patient", "--summary")
    plain_error = model.log_density(data).mean_stderr()
    assert float(score["stderr"]) > 1.8 * plain_error
    first = table("outliers", "run", "v.csv", "--groups", "patient", "--top", "1")[0]
    assert list(first) == ["row", "log_density", "fraction_below", "patient", "x", "y"]
    assert first["patient"] == str(visits()["patient"].iloc[int(first["row"])])
    filled = table("impute", "run", "v.csv", "--groups", "patient")
    assert [row["patient"] for row in filled] == visits()["patient"].tolist()
    checks = table("audit", "run", "v.csv", "--groups", "patient", "--budget", "10s")
    (by_column,) = (c for c in checks if c["check"] == "calibration by column")
    n_patients = visits()["patient"].nunique()
    assert by_column["why"].endswith(f"{n_patients} rows")
