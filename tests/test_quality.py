"""Sample scores: each sees what it is there for, and real rows reach the control."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ppgen.analysis.association import associations, column_pairs, correlation_ratio, cramers_v
from ppgen.analysis.features import Features
from ppgen.analysis.quality import sample_quality
from ppgen.data import as_dataset, sequences
from ppgen.energy import energy_distance
from ppgen.errors import InputError
from ppgen.models.image_features import ImageFeatures


def normal(n, seed, rho=0.8, shift=0.0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2)) @ np.linalg.cholesky([[1, rho], [rho, 1]]).T
    return z + shift


def mixed(n, seed, dependent=True, gaps=True):
    rng = np.random.default_rng(seed)
    species = rng.integers(0, 3, n)
    mass = 10.0 ** (2 + 0.3 * (species if dependent else rng.permutation(species)))
    mass = mass * np.exp(0.1 * rng.normal(size=n))
    colour = np.where(rng.random(n) < 0.8, species, rng.integers(0, 3, n))
    size = mass / 100 + rng.normal(size=n)
    if gaps:
        size[rng.random(n) < 0.1] = np.nan
    return {
        "species": np.array(["Adelie", "Gentoo", "Chinstrap"], object)[species],
        "mass": mass,
        "colour": np.array(["red", "green", "blue"], object)[colour],
        "size": size,
    }


def scores(train, held_out, generated, **more):
    train = as_dataset(train)
    rest = (as_dataset(x, train.schema) for x in (held_out, generated))
    return sample_quality(train, *rest, **more)


@pytest.fixture(scope="module")
def good():
    return scores(normal(600, 0), normal(600, 1), normal(600, 9))


def test_rows_are_given_in_any_container(good):
    parts = [normal(600, seed) for seed in (0, 1, 9)]
    assert sample_quality(*parts) == good
    frames = [pd.DataFrame(rows, columns=["a", "b"]) for rows in parts]
    assert sample_quality(*frames[:2], frames[2][["b", "a"]])["c2st"] == good["c2st"]
    with pytest.raises(InputError, match="1 feature"):
        sample_quality(*parts[:2], parts[2][:, :1])
    with pytest.raises(InputError, match=r"X.reshape\(len\(X\), -1\)"):
        sample_quality(*(sequences(rows) for rows in parts))


def test_rows_of_the_same_law_reach_the_controls(good):
    found = good
    assert 0.4 < found["c2st"].value < 0.6
    assert 0.4 < found["c2st_acc"].control < 0.6
    assert found["coverage"].value > 0.9
    assert found["precision"].value > 0.9
    assert found["density"].value == pytest.approx(1, abs=0.2)
    assert abs(found["energy"].value) < 0.02
    assert found["dependence"].value < 0.05
    assert found["copies"].value == pytest.approx(0.05, abs=0.04)
    assert found["copies"].control == pytest.approx(0.05, abs=0.01)


WRONG = {
    "shifted": (lambda: normal(600, 2, shift=3.0), {"c2st", "coverage", "energy"}),
    "blown up": (lambda: 4 * normal(600, 2), {"precision", "density", "energy"}),
    "independent columns": (lambda: normal(600, 2, rho=0.0), {"c2st", "dependence"}),
    "one mode dropped": (lambda: np.abs(normal(600, 2)), {"c2st", "coverage", "energy"}),
    "copied": (lambda: normal(600, 0), {"copies"}),
}


@pytest.mark.parametrize(("generated", "seen_by"), WRONG.values(), ids=WRONG)
def test_a_score_sees_what_is_wrong(good, generated, seen_by):
    found = scores(normal(600, 0), normal(600, 1), generated())
    for name in seen_by:
        apart = abs(found[name].value - found[name].control)
        assert apart > 3 * abs(good[name].value - good[name].control), name
        assert apart > 0.08, name


def test_mixed_columns_and_gaps():
    good = scores(mixed(500, 0), mixed(500, 1), mixed(500, 2))
    bad = scores(mixed(500, 0), mixed(500, 1), mixed(500, 2, dependent=False))
    assert good["c2st"].value < 0.62 < 0.7 < bad["c2st"].value
    assert good["dependence"].value < 0.1 < bad["dependence"].value
    full = scores(mixed(500, 0), mixed(500, 1), mixed(500, 2, gaps=False))
    assert full["c2st"].value > good["c2st"].value


def test_same_seed_same_scores_and_bounded_rows():
    data = [normal(400, s) for s in range(3)]
    assert scores(*data, seed=3, max_rows=60) == scores(*data, seed=3, max_rows=60)
    assert scores(*data, seed=3, max_rows=60) != scores(*data, seed=4, max_rows=60)


def test_a_few_rows_are_refused():
    with pytest.raises(InputError, match="at least 10"):
        scores(normal(50, 0), normal(9, 1), normal(50, 2))


def test_images_go_through_a_net():
    rng = np.random.default_rng(0)

    def images(n):
        return rng.normal(size=(n, 1, 5, 5)) @ np.diag([3.0, 1, 1, 1, 0.1])

    train = images(200)
    net = ImageFeatures.train(train, steps=20)
    found = scores(train, images(200), images(200), features=net)
    assert 0.35 < found["c2st"].value < 0.65
    assert "dependence" in found


def test_energy_distance_of_shifted_points():
    # Two point clouds far apart: 2 E|X - Y| dominates, the distance of the means twice.
    a, b = normal(500, 0), normal(500, 1, shift=100.0)
    between = np.linalg.norm([100.0, 100.0])
    assert energy_distance(a, b) == pytest.approx(2 * between, rel=0.05)


def test_energy_distance_is_unbiased():
    # The mean of 200 differences of equal laws, against its own error: beyond 5, 1 in a million.
    found = [energy_distance(normal(30, s), normal(30, 1000 + s)) for s in range(200)]
    assert abs(np.mean(found)) < 5 * np.std(found) / np.sqrt(200)


def test_associations_against_closed_forms():
    table = normal(20_000, 0)
    expected = 6 / np.pi * np.arcsin(0.8 / 2)
    assert associations(table, [True, True])[0] == pytest.approx(expected, abs=0.01)
    a = np.repeat([0.0, 1.0, 2.0], 50)
    assert cramers_v(a, a) == pytest.approx(1.0)
    assert correlation_ratio(a, a) == pytest.approx(1.0)
    rng = np.random.default_rng(1)
    b = rng.integers(0, 5, 5000).astype(float)
    c = rng.integers(0, 5, 5000).astype(float)
    assert cramers_v(b, c) < 0.03
    assert correlation_ratio(rng.normal(size=5000), b) < 0.05


def test_association_of_nothing_is_nan():
    table = np.array([[1.0, np.nan, 3.0], [1.0, 2.0, np.nan], [1.0, np.nan, 4.0]])
    assert np.isnan(associations(table, [True, False, True])).all()


def test_pairs_are_bounded():
    assert len(column_pairs(3)) == 3
    assert len(column_pairs(500)) == 24 * 23 // 2
    assert column_pairs(500, 1) != column_pairs(500, 2)


def test_unknown_levels_and_gaps_have_a_place():
    train = as_dataset(mixed(100, 0))
    features = Features.fit(train)
    assert np.isfinite(features.space(train)).all()
    other = next(f for f in features.columns if f.name == "species")
    codes = other.codes(np.array(["Adelie", "Emperor", None], object))
    assert codes[1] == 3
    assert np.isnan(codes[2])
