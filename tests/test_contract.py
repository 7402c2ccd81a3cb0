"""What holds of every model, whatever it is inside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import ppgen
from ppgen import InputError
from ppgen.models import registry

from .zoo import (
    CLASSES,
    ROUGH,
    WITHOUT_DENSITY,
    ZOO,
    each_class,
    each_model,
    each_refit,
    fitted,
    numbers,
    of_one_column,
    positives,
)


def test_the_zoo_holds_every_model_of_the_registry() -> None:
    named = {ZOO[name]().name for name in CLASSES}
    assert named | set(WITHOUT_DENSITY) == set(registry.names())
    for name in registry.names():
        has_density = registry.get(name).capabilities.density is not None
        assert has_density == (name not in WITHOUT_DENSITY), name
    for name, make in ZOO.items():
        assert registry.get(make().name) is type(make()), name


# Fitting ------------------------------------------------------------------------------------------


@each_model
def test_a_fit_says_how_it_went(name: str) -> None:
    model = fitted(name)
    assert model.verdict_.status in ("ok", "warn")
    assert all(r.what and (r.advice or r.status == "ok") for r in model.verdict_.reasons)
    assert model.schema_.names == ("x0", "x1")
    assert model.n_features_in_ == 2
    assert model.fit_seconds_ > 0


@each_refit
def test_one_seed_gives_one_fit(name: str) -> None:
    again = ZOO[name]().fit(numbers())
    rows = numbers(50, seed=1)
    np.testing.assert_array_equal(again.score_samples(rows), fitted(name).score_samples(rows))
    np.testing.assert_array_equal(again.sample(20), fitted(name).sample(20))


@each_model
def test_parameters_are_stored_as_given_and_cloned_unfitted(name: str) -> None:
    model = ZOO[name]()
    copy = clone(fitted(name))
    assert copy.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        copy.score_samples(numbers())
    with pytest.raises(NotFittedError):
        copy.sample()


@each_model
def test_the_rows_given_are_not_changed(name: str) -> None:
    rows = numbers()
    kept = rows.copy()
    fitted(name).score_samples(rows)
    np.testing.assert_array_equal(rows, kept)


@each_class
def test_validation_rows_are_accepted(name: str) -> None:
    model = ZOO[name]().fit(numbers(), validation=numbers(40, seed=1))
    assert np.isfinite(model.score(numbers(40, seed=2)))


# Log densities ------------------------------------------------------------------------------------


@each_model
def test_log_density_says_what_it_is(name: str) -> None:
    model, rows = fitted(name), numbers(60, seed=1)
    density = model.log_density(rows)
    assert density.values.shape == (60,)
    assert np.isfinite(density.values).all()
    estimated = model.posterior_ is not None  # a mixture over draws
    assert density.kind == ("estimate" if estimated else model.capabilities.density)
    assert density.measure == "density"
    assert density.method
    np.testing.assert_array_equal(model.score_samples(rows), density.values)
    assert model.score(rows) == pytest.approx(density.mean())


@each_model
def test_a_score_depends_on_its_row_alone(name: str) -> None:
    model, rows = fitted(name), numbers(30, seed=1)
    whole = model.score_samples(rows)
    alone = np.concatenate([model.score_samples(rows[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(alone, whole[:5], rtol=1e-4)
    np.testing.assert_allclose(model.score_samples(rows[::-1]), whole[::-1], rtol=1e-4)


@each_model
def test_likely_rows_score_above_unlikely_ones(name: str) -> None:
    model = fitted(name)
    far = numbers(40, seed=1) + np.array([0.0, 8.0])
    assert model.score(numbers(40, seed=1)) > model.score(far) + 1


@each_refit
def test_a_density_of_one_column_integrates_to_one(name: str) -> None:
    model = of_one_column(name).fit(numbers()[:, :1])
    grid = np.linspace(-40, 60, 20_001)
    _integrates_to_one(model.log_density(grid[:, None]), grid)


@each_class
def test_a_density_of_lengths_integrates_to_one(name: str) -> None:
    data = ppgen.read(pd.DataFrame({"length": positives()}), schema={"length": "positive"})
    model = ZOO[name]().fit(data)
    assert model.schema_["length"].kind == "positive"
    grid = np.exp(np.linspace(-12, 8, 20_001))
    _integrates_to_one(model.log_density(ppgen.as_dataset({"length": grid}, model.schema_)), grid)


def _integrates_to_one(density: ppgen.LogDensity, grid: NDArray[np.float64]) -> None:
    """Up to the grid, and five standard errors of what is random."""
    mass = np.exp(density.values) * np.gradient(grid)
    stderr = 0.0 if density.stderr is None else np.sqrt(np.nansum((mass * density.stderr) ** 2))
    assert mass.sum() == pytest.approx(1, abs=2e-3 + 5 * stderr)
    assert stderr < 4e-3


@each_refit
def test_units_shift_the_density_by_their_log(name: str) -> None:
    rows, factor = numbers(), 4.0
    scaled = ZOO[name]().fit(factor * rows).score_samples(factor * rows)
    expected = fitted(name).score_samples(rows) - 2 * np.log(factor)
    # Rounding decides where a chain goes; the mean over rows and draws hardly moves.
    if name in ROUGH:
        # Scaled rows have other hashes, so other rows are held out: short fits of a VAE to 180 rows
        # then differ by up to 0.14 nats; a forgotten Jacobian would be 2.8.
        allowed = 0.3 if name.startswith("vae") else 0.1
        assert scaled.mean() == pytest.approx(expected.mean(), abs=allowed)
    else:
        np.testing.assert_allclose(scaled, expected, atol=1e-3)


# Samples ------------------------------------------------------------------------------------------


@each_model
def test_samples_are_reproducible_rows(name: str) -> None:
    model = fitted(name)
    rows = model.sample(30, random_state=7)
    assert rows.shape == (30, 2)
    assert np.isfinite(rows).all()
    np.testing.assert_array_equal(rows, model.sample(30, random_state=7))
    assert not np.array_equal(rows, model.sample(30, random_state=8))
    for wrong in (0, -1, 1.5):
        with pytest.raises(InputError):
            model.sample(wrong)


@each_refit
def test_samples_follow_the_density(name: str) -> None:
    """Probability integral transform of 1000 samples of one column, KS test: fails 1 in 10^6."""
    model = of_one_column(name).fit(numbers()[:, :1])
    drawn = model.sample(1000, random_state=3)[:, 0]
    grid = np.linspace(-40, 60, 20_001)
    mass = np.exp(model.score_samples(grid[:, None]))
    cdf = np.cumsum(mass) / mass.sum()
    # A posterior's density is a mean over draws; samples may come from its mean mixture.
    wide = 0.06 if model.posterior_ is not None else 0.0
    distance = stats.kstest(np.interp(drawn, grid, cdf), "uniform").statistic
    assert distance < wide + stats.kstwo.isf(1e-6, 1000)


# Saving -------------------------------------------------------------------------------------------


@each_model
def test_a_saved_fit_is_the_same_fit(name: str, tmp_path: Path) -> None:
    model, rows = fitted(name), numbers(40, seed=1)
    loaded = ppgen.load(model.save(tmp_path / "run"))
    assert type(loaded) is type(model)
    np.testing.assert_array_equal(loaded.score_samples(rows), model.score_samples(rows))
    np.testing.assert_array_equal(loaded.sample(10), model.sample(10))
    assert loaded.verdict_ == model.verdict_
    assert loaded.schema_ == model.schema_
    assert loaded.log_density(rows).describe() == model.log_density(rows).describe()
