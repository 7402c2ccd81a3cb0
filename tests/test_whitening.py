"""Whitened coordinates: the map, and when it is taken."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from ppgen.models.nets.whitening import BEND, LEAST, Whitening, chosen

from .net_rows import D, collinear, subset


def taken(x, **how):
    """The whitening chosen for rows of which every tenth is held out."""
    held = np.arange(len(x)) % 10 == 0
    rng = np.random.default_rng(0)
    return chosen(subset(x, ~held), subset(x, held), x.shape[1], rng, **how)


def test_whitened_columns_are_uncorrelated_and_in_order():
    x = collinear(500)
    found = Whitening.fit(x)
    y = found(x)
    np.testing.assert_allclose(y.T @ y / len(y), np.eye(D), atol=1e-9)
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-9)
    assert (np.triu(found.matrix, 1) == 0).all()
    assert (np.diagonal(found.matrix) > 0).all()
    np.testing.assert_allclose(found.matrix @ found.root, np.eye(D), atol=1e-9)


def test_rows_of_weight_two_count_as_two():
    x, twice = collinear(60), np.arange(60) < 20
    weighted = Whitening.fit(x, 1.0 + twice)
    repeated = Whitening.fit(np.concatenate([x, x[twice]]))
    np.testing.assert_allclose(weighted.matrix, repeated.matrix, rtol=1e-8)
    np.testing.assert_allclose(weighted.centre, repeated.centre, atol=1e-9)


def test_its_density_is_that_of_the_gaussian_of_the_rows():
    x = collinear(400)
    x = x[(np.abs(Whitening.fit(x)(x)) < BEND).all(1)]
    found = Whitening.fit(x)
    exact = multivariate_normal(x.mean(0), np.cov(x.T, bias=True)).logpdf(x)
    np.testing.assert_allclose(found.log_prob(x), exact, rtol=1e-6)


def test_one_row_far_out_neither_sets_it_nor_is_impossible():
    x = collinear(2000)
    plain = Whitening.fit(x)
    x[7, 3] += 1e3
    found = Whitening.fit(x)
    others = np.delete(x, 7, 0)
    spread = found(others).std(0)
    assert (spread > 0.3).all()
    assert (spread < 3).all()
    assert plain.log_prob(x[7:8]) > -500  # of a Gaussian it is -1e9
    np.testing.assert_allclose(found.spread, 1, atol=0.1)


@pytest.mark.parametrize("columns", [2, 5])
def test_columns_that_are_the_same_are_magnified_to_a_limit(columns):
    x = np.random.default_rng(0).normal(size=(300, 1)).repeat(columns, 1)
    found = Whitening.fit(x)
    assert np.isfinite(found.matrix).all()
    assert np.linalg.norm(found.matrix, axis=1).max() <= 1.01 * LEAST**-0.5 / x.std()
    assert np.isfinite(found.log_prob(x)).all()


def test_it_is_taken_where_held_out_rows_say_that_it_helps():
    rng = np.random.default_rng(0)
    assert taken(collinear(500)) is not None
    assert taken(rng.normal(size=(500, D))) is None
    assert taken(rng.normal(size=(500, D)), always=True) is not None
    assert taken(rng.normal(size=(40, 30))) is None


def test_it_is_not_taken_where_columns_part_in_the_rows_held_out():
    x = collinear(500, noise=1e-3)
    x[::10, 3] = np.random.default_rng(1).normal(size=50)
    assert taken(x) is None


def test_it_is_not_taken_of_gaps_one_column_or_without_held_out_rows():
    x = collinear(500)
    assert taken(x[:, :1]) is None
    assert chosen(subset(x), None, D, np.random.default_rng(0)) is None
    x[3, 1] = np.nan
    assert taken(x) is None
    assert taken(x, always=True) is None
