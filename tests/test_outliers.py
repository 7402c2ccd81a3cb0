"""How unusual rows are without a model: exact tail probabilities, and what sets a row apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

import ppgen
from ppgen import InputError, outliers
from ppgen.__main__ import main
from ppgen.analysis.outlier_scores import mixture
from ppgen.analysis.outliers import midranks, surprise


def table(n: int = 120) -> pd.DataFrame:
    """Two columns that go together, a third with gaps, levels, a key and one that does not vary."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    made = {
        "id": [f"row {i}" for i in range(n)],
        "x": x,
        "y": x + 0.1 * rng.normal(size=n),
        "z": np.where(np.arange(n) % 7 == 0, np.nan, rng.normal(size=n)),
        "level": rng.choice(["a", "b"], n),
        "same": np.full(n, 3.0),
    }
    return pd.DataFrame(made)


def test_tail_probabilities_are_those_of_ranks_with_ties_counting_half() -> None:
    usual = np.array([1.0, 2.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    found = np.exp(-surprise(np.array([0.0, 1.0, 2.0, 3.5]), usual))
    np.testing.assert_allclose(found, np.array([8.5, 8.0, 6.5, 4.5]) / 9)
    np.testing.assert_array_equal(midranks(usual, np.array([2.0, 2.5])), [2.0, 3.0])


def test_what_lies_further_out_is_more_surprising_beyond_all_ranks() -> None:
    usual = np.random.default_rng(1).normal(size=200)
    found = surprise(np.linspace(-5, 50, 500), usual)
    assert (np.diff(found) >= 0).all()
    assert (np.diff(found[-400:]) > 0).all()
    tied = surprise(np.array([0.0, 1.0]), np.zeros(50))
    assert np.isfinite(tied).all()
    assert tied[1] > tied[0]


@pytest.mark.parametrize(
    ("column", "value"), [("y", -2.5), ("z", 30.0), ("z", 1e300), ("level", "c"), ("same", 4.0)]
)
def test_a_row_that_breaks_a_column_stands_first_and_is_told_by_it(column: str, value: Any) -> None:
    usual = table()
    rows = table(20)
    rows["x"], rows["y"] = usual["x"][100:].to_numpy(), usual["y"][100:].to_numpy()
    at = int(np.abs(rows["x"] - 1.0).argmin()) if column == "y" else 3
    rows.loc[at, column] = value
    found = outliers(rows, usual)
    assert found.score.argmax() == at
    assert found.fraction_above[at] < 0.1
    told = ("x", "y") if column == "y" else (column,)
    assert found.column[at] in told
    assert 0 < found.tail[at] < 0.05
    np.testing.assert_allclose(found.score, np.mean(list(found.parts.values()), axis=0))


def test_rows_are_compared_with_each_other_where_no_others_are_given() -> None:
    rows = table()
    rows.loc[17, "z"] = 30.0
    found, again = outliers(rows), outliers(rows)
    assert found.score.argmax() == 17
    assert found.column[17] == "z"
    assert found.fraction_above.mean() == pytest.approx(0.5)
    assert set(found.parts) == {"neighbours", "kernel", "mixture"}
    assert all(name in found.method for name in found.parts)
    np.testing.assert_array_equal(found.score, again.score)
    assert "id" not in found.column


def test_order_units_and_keys_of_columns_do_not_matter() -> None:
    rows = table().drop(columns=["id", "same", "level"])
    scaled = rows[["z", "x", "y"]] * [1000.0, 0.001, 1.0]
    found, other = outliers(rows), outliers(scaled)
    np.testing.assert_allclose(found.score, other.score, rtol=1e-6)


def test_the_mixture_is_seen_with_noise() -> None:
    known = np.random.default_rng(0).normal(size=(12, 3)) * [1.0, 2.0, 0.0]
    rows = np.array([[0.5, 1.0, 0.0], [0.5, 1.0, 2.0], [40.0, 0.0, 0.0]])
    found = mixture(known, np.random.default_rng(0))(rows)
    spread = np.cov(known.T, bias=True)
    unvaried = found[1] - found[0]  # a direction of the noise alone, and of the least variance
    assert unvaried == pytest.approx(0.5 * 2.0**2 / (0.1 + 0.1), rel=1e-6)
    plain = multivariate_normal(known.mean(axis=0)[:2], spread[:2, :2] + 0.1 * np.eye(2))
    gap = plain.logpdf(rows[0, :2]) - plain.logpdf(rows[2, :2])
    assert found[2] - found[0] == pytest.approx(gap, rel=0.02)


def test_copies_and_pictures_are_scored() -> None:
    copied = np.repeat([[0.0, 1.0], [1.0, 0.5]], 30, axis=0)
    assert np.isfinite(outliers(np.vstack([copied, [[9.0, 9.0]]])).score).all()
    pictures = np.random.default_rng(0).random((40, 6, 6))
    pictures[5] = 0.0
    found = outliers(pictures)
    assert found.score.argmax() == 5
    assert found.column[5].startswith("component")


def test_rows_that_nothing_can_be_compared_with_are_refused() -> None:
    with pytest.raises(InputError, match="9 rows are given"):
        outliers(np.random.default_rng(0).normal(size=(9, 2)))
    with pytest.raises(InputError, match="no column varies"):
        outliers(np.ones((20, 2)))
    with pytest.raises(InputError, match="sequences"):
        outliers(ppgen.sequences([np.zeros((4, 1))] * 12))


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> tuple[int, str, str]:
        status = main([str(word) for word in words])
        return status, *capsys.readouterr()

    return call


def test_the_command_needs_no_model(run: Callable[..., tuple[int, str, str]]) -> None:
    rows = table()
    rows.to_csv("usual.csv", index=False)
    rows.loc[17, "z"] = 30.0
    rows.to_csv("odd.csv", index=False)
    for more in ([], ["--reference", "usual.csv"]):
        status, _, said = run("outliers", "odd.csv", "--top", 3, "-o", "found.csv", *more)
        assert status == 0
        assert "neighbours, kernel, mixture" in said
        found = pd.read_csv("found.csv")
        assert len(found) == 3
        assert list(found.columns[:5]) == ["row", "score", "fraction_above", "surprising", "tail"]
        assert (found["row"][0], found["surprising"][0], found["id"][0]) == (17, "z", "row 17")


def test_a_run_without_rows_is_told_of(run: Callable[..., tuple[int, str, str]]) -> None:
    Path("fit").mkdir()
    Path("fit/ppgen.json").write_text("{}")
    status, _, said = run("outliers", "fit")
    assert status != 0
    assert "ppgen outliers fit DATA" in said
