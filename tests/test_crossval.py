"""K-fold cross-validation: who sees which rows, and what the comparison counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import ppgen
from ppgen.errors import InputError


def rows(n=120, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return pd.DataFrame({"x": x, "y": x + 0.3 * rng.normal(size=n)})


def test_dependent_columns_are_seen_by_what_models_them():
    made = {"joint": ppgen.Gaussian(), "apart": ppgen.IndependentColumns()}
    found = ppgen.cross_validate(made, rows())
    assert found.models[0].name == "joint"
    assert found["apart"].verdict == "behind"
    assert found["joint"].n_rows == 120
    # Gaussian columns of correlation 0.96: -log(1 - r^2) / 2 = 1.25 nats of mutual information.
    assert found["apart"].difference.mean == pytest.approx(-1.25, abs=0.25)
    assert found["joint"].method == "closed form, 5 folds"
    assert "5 folds share rows" in found.scope
    assert "fits to 80%" in str(found)
    with pytest.raises(AttributeError):
        _ = made["joint"].verdict_  # copies were fitted


def test_each_row_is_scored_by_the_fit_that_did_not_see_it():
    data = rows()
    found = ppgen.cross_validate(ppgen.Gaussian(), data, folds=3, seed=1)
    from ppgen.data import as_dataset
    from ppgen.data.units import split_units

    parts = split_units(as_dataset(data), [1 / 3] * 3, 1)
    assert sorted(np.concatenate(parts)) == list(range(120))
    by_hand = [
        ppgen.Gaussian().fit(data.drop(index=part)).score_samples(data.iloc[part]) for part in parts
    ]
    assert found["gaussian"].mean == pytest.approx(np.concatenate(by_hand).mean())
    assert found.models[0].verdict == "best"


def test_copies_and_groups_are_held_out_together_and_count_once():
    data = rows(60)
    thrice = pd.concat([data] * 3, ignore_index=True)
    models = [ppgen.Gaussian(), ppgen.IndependentColumns()]
    once = ppgen.cross_validate(models, data)
    copied = ppgen.cross_validate(models, thrice)
    # Fits to copies are fits to the rows, up to n - 1 for n.
    assert copied.models[1].difference.mean == pytest.approx(
        once.models[1].difference.mean, rel=0.05
    )
    assert copied.models[1].difference.stderr == pytest.approx(
        once.models[1].difference.stderr, rel=0.1
    )
    grouped = ppgen.cross_validate(
        models, rows(60, seed=2).assign(who=np.arange(60) // 3), groups="who"
    )
    assert grouped.models[1].difference.df[0] <= 19


def test_names_and_random_states():
    found = ppgen.cross_validate(["gaussian", "kde"], rows(), folds=2)
    assert {m.name for m in found} == {"gaussian", "kde"}
    data = rows(80)
    twice = [ppgen.cross_validate(ppgen.GaussianMixture(2), data, folds=2) for _ in range(2)]
    assert twice[0]["gmm"].mean == twice[1]["gmm"].mean


def test_wrong_arguments_are_named():
    data = rows(20)
    with pytest.raises(InputError, match="folds is 1"):
        ppgen.cross_validate("gaussian", data, folds=1)
    with pytest.raises(InputError, match=r"20 units .* too few for 21 folds"):
        ppgen.cross_validate("gaussian", data, folds=21)
    with pytest.raises(InputError, match="two models are called gaussian"):
        ppgen.cross_validate([ppgen.Gaussian(), ppgen.Gaussian()], data)
    with pytest.raises(InputError, match="no log density"):
        ppgen.cross_validate(ppgen.Autoencoder(1), data)
    with pytest.raises(InputError, match="no model 'gausian'"):
        ppgen.cross_validate("gausian", data)
    with pytest.raises(InputError, match="no models are given"):
        ppgen.cross_validate([], data)
    with pytest.raises(InputError, match="y has 3 values for 20 rows"):
        ppgen.cross_validate("gaussian", data, y=[1, 2, 3])
    with pytest.raises(InputError, match="none of the models conditions"):
        ppgen.cross_validate("gaussian", data, y=np.arange(20))


def test_a_class_in_the_place_of_an_estimator_is_named():
    with pytest.raises(InputError, match=r"Gaussian\(\)"):
        ppgen.cross_validate([ppgen.Gaussian], np.zeros((30, 1)) + np.arange(30)[:, None])
