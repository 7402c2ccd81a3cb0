"""What code written for scikit-learn's mixture finds here: the same names, and the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.mixture import GaussianMixture as Reference

import ppgen
from ppgen import GaussianMixture
from ppgen.errors import InputError
from ppgen.models.gmm.parameters import COVARIANCE_TYPES

G = GaussianMixture
KINDS: list[Any] = list(COVARIANCE_TYPES)


def clusters(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Rows of three groups, and which each is of."""
    rng = np.random.default_rng(0)
    z = rng.integers(0, 3, n)
    return np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])[z] + rng.normal(size=(n, 2)), z


@pytest.mark.parametrize("kind", KINDS)
def test_precisions_are_the_inverses_in_scikit_learns_shapes(kind: Any) -> None:
    x, _ = clusters()
    fit = G(3, covariance_type=kind, random_state=0).fit(x)
    reference = Reference(3, covariance_type=kind, random_state=0).fit(x)
    assert fit.precisions_.shape == reference.precisions_.shape
    if kind in ("diag", "spherical"):
        np.testing.assert_allclose(fit.precisions_ * fit.covariances_, 1)
    else:
        eye = np.broadcast_to(np.eye(2), fit.covariances_.shape)
        np.testing.assert_allclose(fit.precisions_ @ fit.covariances_, eye, atol=1e-9)


def test_precisions_of_what_is_not_fitted_are_no_attribute() -> None:
    assert not hasattr(G(2), "precisions_")


def test_fit_predict_is_fit_then_predict() -> None:
    x, _ = clusters()
    weights = np.linspace(1, 2, len(x))
    labels = G(3, random_state=0).fit_predict(x, sample_weight=weights)
    again = G(3, random_state=0).fit(x, sample_weight=weights).predict(x)
    np.testing.assert_array_equal(labels, again)
    assert G(3, random_state=0).fit_predict(x, None).shape == (len(x),)


def test_rows_of_probability_zero_belong_to_no_component() -> None:
    x, z = clusters()
    frame = pd.DataFrame(x, columns=["a", "b"]).assign(kind=np.array(["u", "v", "w"])[z])
    fit = G(3, random_state=0).fit(frame)
    rows = frame.iloc[:4].copy()
    rows.loc[1, "kind"] = "never seen"
    rows.loc[2, "a"] = 1e300
    with pytest.warns(UserWarning, match=r"2 of 4 rows have probability 0 under all components"):
        p = fit.predict_proba(rows)
    np.testing.assert_array_equal(np.isnan(p).all(axis=1), [False, True, True, False])
    np.testing.assert_allclose(p[[0, 3]].sum(axis=1), 1)
    with pytest.warns(UserWarning, match="probability 0"):
        labels = fit.predict(rows)
    np.testing.assert_array_equal(
        labels, np.r_[fit.predict(frame)[:1], -1, -1, fit.predict(frame)[3]]
    )


def test_lower_bounds_are_those_of_the_iterations_and_saved(tmp_path: Any) -> None:
    x, _ = clusters()
    fit = G(3, random_state=0, tol=1e-8).fit(x)
    assert len(fit.lower_bounds_) == fit.n_iter_
    assert fit.lower_bounds_[-1] == fit.lower_bound_
    assert np.diff(fit.lower_bounds_).min() > -1e-10
    assert fit.lower_bound_ == pytest.approx(fit.score(x), abs=1e-6)
    fit.save(tmp_path / "run")
    assert ppgen.load(tmp_path / "run").lower_bounds_ == fit.lower_bounds_


def test_samples_come_with_their_components_on_request() -> None:
    x, _ = clusters()
    fit = G(3, random_state=0).fit(x)
    rows, labels = fit.sample(500, labels=True, random_state=1)
    np.testing.assert_array_equal(rows, fit.sample(500, random_state=1))
    assert labels.shape == (500,)
    np.testing.assert_array_equal(labels, fit.predict(rows))  # they are nine deviations apart
    expected = 500 * fit.weights_[np.arange(3)]
    np.testing.assert_allclose(np.bincount(labels, minlength=3), expected, atol=60)


def test_samples_given_a_column_come_with_their_components() -> None:
    """Of a table with a column of levels and one of whole numbers, rows of which are redrawn."""
    x, z = clusters()
    table = pd.DataFrame({"a": x[:, 0], "n": np.rint(10 + x[:, 1]).astype(int)})
    table["kind"] = np.array(["x", "y", "z"])[z]
    fit = G(3, random_state=0).fit(table)
    rows, labels = fit.sample(200, {"kind": "y"}, labels=True, random_state=1)
    assert (rows["kind"] == "y").all()
    assert np.bincount(labels).max() > 190  # that with this level
    assert rows["n"].between(table["n"].min(), table["n"].max()).all()
    everything, each = fit.sample(200, labels=True, random_state=1)
    assert list(everything.columns) == ["a", "n", "kind"]
    np.testing.assert_array_equal(each, fit.predict(everything))


def test_labels_of_a_posterior_are_those_of_its_components() -> None:
    x, _ = clusters(90)
    settings = {"num_steps": 20, "num_draws": 10}
    fit = G(3, engine="svi", backend="pyro", engine_settings=settings, random_state=0).fit(x)
    rows, labels = fit.sample(100, labels=True)
    np.testing.assert_array_equal(labels, fit.predict(rows))


@pytest.mark.parametrize("kind", KINDS)
def test_labels_and_responsibilities_are_where_em_starts(kind: Any) -> None:
    x, z = clusters()
    labels = G(3, covariance_type=kind, responsibilities_init=z, max_iter=1).fit(x)
    shares = G(3, covariance_type=kind, responsibilities_init=np.eye(3)[z], max_iter=1).fit(x)
    assert labels.lower_bound_ == pytest.approx(shares.lower_bound_, rel=1e-12)
    # One step from the groups' own moments; components are numbered as the labels are.
    np.testing.assert_allclose(labels.means_, [x[z == c].mean(axis=0) for c in range(3)], atol=0.05)
    np.testing.assert_allclose(labels.weights_, np.bincount(z) / len(z), atol=0.01)


def test_the_start_of_a_correlated_group_is_correlated() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 2)) @ np.array([[1.0, 0.9], [0.0, 0.4]])
    fit = G(1, responsibilities_init=np.zeros(400, int), max_iter=1).fit(x)
    exact = G(1, random_state=0).fit(x).score(x)
    assert fit.lower_bound_ == pytest.approx(exact, abs=0.01)  # before the first step


def test_labels_follow_rows_of_weight_zero_and_leave_some_out() -> None:
    x, z = clusters()
    weights = np.where(np.arange(len(x)) % 4, 1.0, 0.0)
    some = np.where(np.arange(len(x)) % 3, z, -1)
    fit = G(responsibilities_init=some, random_state=0).fit(x, sample_weight=weights)
    assert fit.n_components_ == 3
    np.testing.assert_array_equal(fit.predict(x), z)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros(10, int), ["10 rows", "300"]),
        (np.full(300, 2), ["label 2", "2 components"]),
        (np.full(300, 0.5), ["whole numbers"]),
        (np.full(300, -2), ["-2"]),
        (np.full((300, 3), 1 / 3), ["n_components has 2", "responsibilities_init has 3"]),
        (np.full((300, 2), 0.9), ["1.8", "expected 1"]),
        (np.full((300, 2), np.nan), ["missing"]),
        (np.tile([1.5, -0.5], (300, 1)), ["negative"]),
    ],
    ids=str,
)
def test_responsibilities_that_cannot_be_are_refused(value: np.ndarray, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        G(2, responsibilities_init=value).fit(clusters()[0])
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("way", ["kmeans", "k-means++", "random_from_data", "random"])
def test_every_start_of_scikit_learn_is_one_here(way: Any) -> None:
    x, _ = clusters()
    Reference(3, init_params=way)
    fit = G(3, init_params=way, random_state=0).fit(x)
    assert fit.score(x) == pytest.approx(G(3, random_state=0).fit(x).score(x), abs=1e-3)


def test_starts_that_part_the_rows_alike_are_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from ppgen.models.gmm import initialise

    seen: list[int] = []
    of = initialise.from_responsibilities

    def counted(rows: Any, r: Any, search: Any) -> Any:
        seen.append(len(r))
        return of(rows, r, search)

    monkeypatch.setattr(initialise, "from_responsibilities", counted)
    G(3, n_init=5, split_merge=False, random_state=0).fit(clusters()[0])
    assert len(seen) == 1
