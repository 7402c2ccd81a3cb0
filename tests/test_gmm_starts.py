"""Starts that users give, and starts from the fit before: used, checked, or said to be dropped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ppgen import GaussianMixture
from ppgen.errors import FitError, InputError
from ppgen.models.gmm import given_start as module
from ppgen.models.gmm import initialise
from ppgen.models.gmm.parameters import Mixture
from ppgen.models.gmm.search import Search
from ppgen.models.gmm.weighted_rows import WeightedRows

from .zoo import numbers

G = GaussianMixture
EYES = np.tile(np.eye(2), (2, 1, 1))


def rows(n: int = 200) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.asarray(rng.normal(size=(n, 2)) + np.where(np.arange(n) % 2, 4.0, -4.0)[:, None])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weights_init": [0.2, 0.3, 0.5]}, ["n_components has 2", "weights_init has 3"]),
        ({"precisions_init": np.eye(3)}, ["n_components has 2", "precisions_init has 3"]),
        ({"precisions_init": np.ones((2, 2))}, ["(2, 2)", "(2, 2, 2)"]),
        ({"weights_init": [0.5, 0.0]}, ["positive"]),
        ({"weights_init": [0.5, np.nan]}, ["NaN"]),
        ({"means_init": [[np.nan, 0.0], [1.0, 1.0]]}, ["means_init", "NaN"]),
        ({"means_init": [[np.inf, 0.0], [1.0, 1.0]]}, ["means_init", "infinite"]),
        ({"means_init": np.zeros((2, 3))}, ["(2, 3)", "(2, 2)"]),
        ({"precisions_init": -EYES}, ["positive definite"]),
        ({"precisions_init": EYES + np.array([[0, 2], [2, 0]])}, ["positive definite"]),
        ({"precisions_init": EYES + np.array([[0, 0.5], [0, 0]])}, ["symmetric"]),
        ({"precisions_init": [1.0, -1.0], "covariance_type": "spherical"}, ["positive"]),
        ({"precisions_init": np.zeros((2, 2)), "covariance_type": "diag"}, ["positive"]),
        (
            {"precisions_init": np.eye(2), "covariance_type": "tied", "n_components": "bic"},
            ["n_components"],
        ),
    ],
    ids=str,
)
def test_a_start_that_cannot_be_is_refused(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        G(**{"n_components": 2, **settings}).fit(rows())
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_weights_and_precisions_without_means_are_where_em_starts(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def watched(data: Any, k: int, search: Any, rng: Any, given: Any) -> Any:
        start = module.from_labels(data, np.arange(len(data)) % k, k, search)
        seen.append(given(start))
        return seen[-1]

    monkeypatch.setattr(module, "best_start", watched)
    shapes = {"full": 4 * EYES, "tied": 4 * np.eye(2), "diag": np.full((2, 2), 4.0)}
    precisions = shapes.get(kind, np.full(2, 4.0))
    G(2, covariance_type=kind, weights_init=[1, 3], precisions_init=precisions).fit(rows())
    np.testing.assert_allclose(seen[0].weights, [0.25, 0.75])
    np.testing.assert_allclose(np.sort(np.unique(seen[0].covariances))[-1], 0.25)


def test_the_number_of_components_follows_from_the_start() -> None:
    fit = G(weights_init=[0.5, 0.5], random_state=0).fit(rows())
    assert fit.n_components_ == 2


def test_precisions_in_any_units_are_a_start() -> None:
    unit = np.array([1e-6, 1e6])
    fit = G(
        2,
        means_init=np.array([[-4.0, -4.0], [4.0, 4.0]]) * unit,
        precisions_init=EYES / np.outer(unit, unit),
        random_state=0,
    ).fit(rows() * unit)
    plain = G(2, random_state=0).fit(rows())
    assert fit.score(rows() * unit) == pytest.approx(plain.score(rows()), abs=1e-3)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"n_components": 5}, "number of components"),
        ({"covariance_type": "diag"}, "covariance_type"),
    ],
)
def test_a_warm_start_of_something_else_begins_afresh_and_says_so(
    change: dict[str, Any], word: str
) -> None:
    m = G(3, warm_start=True, random_state=0).fit(rows())
    with pytest.warns(UserWarning, match=word):
        m.set_params(**change).fit(rows())
    fresh = G(**{"n_components": 3, "random_state": 0, **change}).fit(rows())
    assert m.n_components_ == fresh.n_components_
    assert m.score(rows()) == pytest.approx(fresh.score(rows()))


def test_a_warm_start_after_other_columns_or_levels_begins_afresh() -> None:
    table = pd.DataFrame(rows(), columns=["a", "b"]).assign(kind=["x", "y"] * 100)
    m = G(2, warm_start=True, random_state=0).fit(table)
    with pytest.warns(UserWarning, match="columns or their levels"):
        m.fit(table.assign(kind=["x", "z"] * 100))
    with pytest.warns(UserWarning, match="columns or their levels"):
        m.fit(table[["a", "b"]])
    assert m.means_.shape == (2, 2)


def test_a_warm_start_goes_on() -> None:
    m = G(2, warm_start=True, random_state=0).fit(rows())
    before = m.means_.copy()
    m.fit(rows())
    np.testing.assert_allclose(m.means_, before, atol=1e-3)
    assert m.n_iter_ <= 2


@pytest.mark.parametrize("factor", [1e200, 1e-200])
def test_values_whose_squares_are_no_numbers_fail(factor: float) -> None:
    with pytest.raises(FitError, match="double precision"):
        G(2, random_state=0).fit(rows() * factor)


@pytest.mark.parametrize("factor", [1e100, 1e-100])
def test_values_whose_squares_are_numbers_are_fitted_as_in_other_units(factor: float) -> None:
    plain, scaled = G(2, random_state=0).fit(rows()), G(2, random_state=0).fit(rows() * factor)
    found = scaled.score(rows() * factor) + 2 * np.log(factor)
    assert found == pytest.approx(plain.score(rows()), abs=1e-6)


def test_what_follows_from_a_value_that_no_row_comes_near_is_warned_of() -> None:
    rng = np.random.default_rng(1)
    length = rng.uniform(0.1, 0.8, 300)
    table = pd.DataFrame({"length": length, "width": 3 * length + rng.normal(0, 0.1, 300)})
    table["depth"] = rng.normal(size=300)
    fit = G(1, random_state=0).fit(table)
    apart = {"length": 0.2, "width": 2.2}  # each was seen, and never together
    with pytest.warns(UserWarning, match=r"length=0.2, width=2.2, which is \d+\.\d standard dev"):
        fit.condition(apart)
    with pytest.warns(UserWarning, match="length=0.2"):
        fit.sample(3, given=apart)
    fit.condition({"length": 0.8})  # and of no other


def test_clusters_in_one_column_are_found_from_one_start() -> None:
    """The column that has them is the one whose robust spread is widest."""
    for seed in range(4):
        model = GaussianMixture(2, n_init=1, random_state=seed).fit(numbers())
        assert model.score(numbers()) > -3.3  # parted across the clusters it is -3.96


def test_starts_are_one_where_nearly_all_rows_go_together_alike() -> None:
    labels = np.arange(300) % 3
    moved = np.where(np.arange(300) < 2, 2, labels)
    merged = np.where(labels == 2, 1, labels)
    starts = [np.eye(3)[each] for each in (labels, (moved + 1) % 3, merged, labels[::-1], merged)]
    found = list(initialise._different(iter(starts)))
    assert [any(each is one for one in found) for each in starts] == [
        True,
        False,
        True,
        False,
        False,
    ]


def test_a_start_that_finds_a_small_cluster_is_another() -> None:
    small = np.repeat([0, 1, 2], [500, 495, 5])
    lone = np.repeat([0, 2, 0, 1], [200, 1, 299, 500])  # one row alone, the cluster among others
    starts = [np.eye(3)[each] for each in (lone, small)]
    assert len(list(initialise._different(iter(starts)))) == 2


def test_a_run_that_would_end_behind_is_given_up() -> None:
    x = rows(300)
    weighted = WeightedRows(x, np.empty((len(x), 0), np.int32), (), None)
    search = Search.of(G(3, tol=0.0), weighted, lambda: None)
    start = Mixture(np.full(3, 1 / 3), x[:3], np.tile(np.cov(x.T), (3, 1, 1)), "full")
    objectives = [search.run(weighted, start, n).objective for n in (1, 2, 8)]
    reach = objectives[1] + 6 * (objectives[1] - objectives[0])
    assert search.run(weighted, start, 8, reach - 1e-9).objective >= objectives[1]
    assert search.run(weighted, start, 8, objectives[1]).objective == objectives[2]
    assert search.run(weighted, start, 8, reach + 1e-9).objective == objectives[1]
