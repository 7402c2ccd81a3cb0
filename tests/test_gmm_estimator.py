"""`GaussianMixture` as users meet it: selection, mixed columns, gaps, saving, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import ppgen
from ppgen import GaussianMixture
from ppgen.errors import InputError


def clusters(n: int = 600, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])[rng.integers(0, 3, n)] + rng.normal(
        size=(n, 2)
    )


def table(n: int = 400, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 2, n)
    return pd.DataFrame(
        {
            "size": rng.normal(z * 5.0, 1.0),
            "mass": np.exp(rng.normal(z * 1.0, 0.3)),
            "kind": np.where(rng.random(n) < 0.1 + 0.8 * z, "oak", "elm"),
            "place": rng.choice(["north", "south", "west"], n),
        }
    )


@pytest.mark.parametrize("criterion", ["bic", "icl"])
def test_the_number_of_components_is_found(criterion: Any) -> None:
    fit = GaussianMixture(criterion, random_state=0).fit(clusters())
    assert fit.n_components_ == 3
    scores = {row["n_components"]: row[criterion] for row in fit.selection_}
    assert min(scores, key=scores.__getitem__) == 3
    assert max(scores) <= 5  # two sizes without gain end the search


def test_criteria_are_what_they_say() -> None:
    x = clusters()
    fit = GaussianMixture(3, random_state=0).fit(x)
    log_likelihood, p = fit.score_samples(x).sum(), 3 - 1 + 3 * 2 + 3 * 3
    assert fit.bic(x) == pytest.approx(-2 * log_likelihood + p * np.log(len(x)))
    assert fit.aic(x) == pytest.approx(-2 * log_likelihood + 2 * p)
    r = fit.predict_proba(x)
    entropy = -(r * np.log(np.where(r > 0, r, 1.0))).sum()
    assert fit.icl(x) == pytest.approx(fit.bic(x) + 2 * entropy)
    np.testing.assert_allclose(r.sum(axis=1), 1)
    assert (fit.predict(x) == r.argmax(axis=1)).all()


def test_mixed_columns() -> None:
    rows = table()
    fit = GaussianMixture(2, random_state=0).fit(rows)
    assert sum(probs.shape[1] for probs in fit.probs_) == 5
    oak = fit.condition({"kind": "oak"})
    elm = fit.condition({"kind": "elm"})
    assert oak.sample(500)["size"].mean() > elm.sample(500)["size"].mean() + 2
    assert set(fit.sample(50)["place"]) <= {"north", "south", "west"}
    assert (fit.sample(50, given={"kind": "oak"})["kind"] == "oak").all()
    # p(kind) from the table of levels sums to one.
    marginal = fit.marginal(["kind"])
    levels = pd.DataFrame({"kind": ["oak", "elm"]})
    assert np.exp(marginal.score_samples(levels)).sum() == pytest.approx(1)


def test_a_level_never_seen_scores_minus_infinity() -> None:
    fit = GaussianMixture(2, random_state=0).fit(table())
    new = table(3, seed=2)
    new.loc[0, "place"] = "moon"
    with pytest.warns(UserWarning, match="moon"):
        values = fit.score_samples(new)
    assert values[0] == -np.inf
    assert np.isfinite(values[1:]).all()


def test_gaps_are_filled_from_the_rest_of_the_row() -> None:
    rows = table()
    rows.loc[::7, "size"] = np.nan
    rows.loc[3::11, "kind"] = None
    fit = GaussianMixture(2, random_state=0).fit(rows)
    filled = fit.impute(rows)
    assert not filled.isna().any().any()
    whole = table()
    known = rows["size"].notna()
    assert (filled["size"][known] == rows["size"][known]).all()
    gaps = ~known
    error = (filled["size"] - whole["size"])[gaps]
    assert np.sqrt((error**2).mean()) < 0.8 * whole["size"].std()
    drawn = fit.impute(rows, draw=True, random_state=0)
    again = fit.impute(rows, draw=True, random_state=0)
    pd.testing.assert_frame_equal(drawn, again)
    assert (drawn["mass"] > 0).all()


def test_imputation_by_the_mean_is_the_regression() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
    fit = GaussianMixture(1, random_state=0).fit(x)
    gap = np.array([[0.5, np.nan]])
    mean, cov = fit.means_[0], fit.covariances_[0]
    expected = mean[1] + cov[0, 1] / cov[0, 0] * (0.5 - mean[0])
    assert fit.impute(gap)[0, 1] == pytest.approx(expected)


def test_saved_and_loaded(tmp_path: Any) -> None:
    rows = table()
    fit = GaussianMixture("bic", random_state=0).fit(rows)
    fit.save(tmp_path / "run")
    again = ppgen.load(tmp_path / "run")
    np.testing.assert_array_equal(fit.score_samples(rows), again.score_samples(rows))
    assert again.n_components_ == fit.n_components_


def test_single_precision_input() -> None:
    x = clusters(3000)
    single = GaussianMixture(3, random_state=0).fit(x.astype(np.float32))
    double = GaussianMixture(3, random_state=0).fit(x)
    assert single.score(x.astype(np.float32)) == pytest.approx(double.score(x), abs=1e-3)


def test_the_same_seed_gives_the_same_fit() -> None:
    a, b = (GaussianMixture(3, random_state=7).fit(clusters()).means_ for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_too_few_iterations_are_said() -> None:
    assert not (fit := GaussianMixture(3, max_iter=1, random_state=0).fit(clusters())).converged_
    assert "converged" in str(fit.verdict_)


@pytest.mark.parametrize(
    "settings",
    [
        {"n_components": 0},
        {"n_components": 601},
        {"n_components": "bci"},
        {"covariance_type": "round"},
        {"init_params": "magic"},
        {"tol": -1.0},
        {"reg_covar": float("nan")},
        {"max_iter": 0},
        {"n_components": 2, "means_init": np.zeros((3, 2))},
        {"n_components": 2, "means_init": np.zeros((2, 5))},
        {"n_components": 2, "means_init": np.zeros((2, 2)), "weights_init": [1.0, -1.0]},
        {"n_components": 2, "means_init": np.zeros((2, 2)), "precisions_init": np.ones(2)},
        {"engine": "magic"},
    ],
    ids=str,
)
def test_bad_settings(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        GaussianMixture(**settings).fit(clusters())


@pytest.mark.parametrize(
    "rows", [clusters()[:1], np.full((5, 2), np.inf)], ids=["one row", "infinite"]
)
def test_bad_rows(rows: np.ndarray) -> None:
    with pytest.raises(InputError):
        GaussianMixture(1).fit(rows)


@pytest.mark.parametrize("given", [{"nowhere": 1.0}, {"kind": "palm"}], ids=["column", "level"])
def test_bad_conditions(given: dict[str, Any]) -> None:
    fit = GaussianMixture(2, random_state=0).fit(table())
    with pytest.raises(InputError):
        fit.condition(given)
