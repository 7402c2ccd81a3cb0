"""scikit-learn's own checks, and its tools around our estimators."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import SkipTestWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ppgen import DebiasingVAE, GaussianMixture

from .zoo import ZOO, named, numbers

# class -> check -> why it cannot hold
EXPECTED_TO_FAIL: dict[str, dict[str, str]] = {
    "GaussianMixture": {
        "check_sample_weight_equivalence_on_dense_data": "starts are drawn from the rows, so rows "
        "given twice draw other starts than rows of weight 2, and components are numbered otherwise"
    },
    "VAE": {
        "check_sample_weight_equivalence_on_dense_data": "batches are drawn from the rows, so rows "
        "given twice are stepped on in another order than rows of weight 2"
    },
    "Autoencoder": {
        "check_sample_weight_equivalence_on_dense_data": "rows given twice fall into other batches "
        "than rows of weight 2"
    },
    "DebiasingVAE": {
        "check_sample_weight_equivalence_on_dense_data": "rows given twice are drawn as others "
        "than rows of weight 2"
    },
}


def with_checks(models: Iterable[Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        return parametrize_with_checks(
            list(models),
            expected_failed_checks=lambda e: EXPECTED_TO_FAIL.get(type(e).__name__, {}),
        )


def quick(name: str) -> Any:
    """The model of this name, trained no longer than the checks need, which ask for no good fit."""
    made = ZOO[name]()
    return made.set_params(max_epochs=3) if "max_epochs" in made.get_params() else made


@with_checks(quick(name) for name in named("tables", per="class") if name != "debias")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    _without_its_draws(check, estimator)


@pytest.mark.slow
@with_checks([DebiasingVAE(1, hidden=(16,), max_epochs=40, learning_rate=1e-2, random_state=0)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks_of_classifiers(estimator: Any, check: Any) -> None:
    _without_its_draws(check, estimator)


def _without_its_draws(check: Any, estimator: Any) -> None:
    # Some checks shuffle rows by the global random state, which is not a leak of ours.
    state = np.random.get_state()
    try:
        check(estimator)
    finally:
        np.random.set_state(state)


def test_grid_search_chooses_the_number_of_clusters() -> None:
    search = GridSearchCV(
        GaussianMixture(n_init=1, random_state=0), {"n_components": [1, 2]}, cv=3
    ).fit(numbers())
    assert search.best_params_ == {"n_components": 2}


def test_it_works_in_a_pipeline() -> None:
    pipeline = make_pipeline(StandardScaler(), GaussianMixture(2, n_init=1, random_state=0))
    scores = cross_val_score(pipeline, numbers(), cv=3)
    assert np.isfinite(scores).all()
    assert pipeline.fit(numbers()).score_samples(numbers()).shape == (200,)
