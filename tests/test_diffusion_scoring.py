"""What a diffusion model says of how likely rows are."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import ppgen
from ppgen.errors import InputError

SMALL: dict[str, Any] = {"width": 16, "depth": 1, "learning_rate": 1e-2, "random_state": 0}
MEAN, SCALE = np.array([3.0, -2.0]), np.array([2.0, 0.5])


def normal(n: int, seed: int) -> Any:
    return np.random.default_rng(seed).normal(MEAN, SCALE, (n, 2))


@cache
def numbers() -> Any:
    return ppgen.Diffusion(frequencies=0, max_epochs=20, **SMALL).fit(normal(300, 0))


@cache
def mixed() -> Any:
    """A number that depends on a level."""
    rng = np.random.default_rng(1)
    level = rng.choice(["a", "b", "c"], 300, p=[0.5, 0.3, 0.2])
    x = rng.normal(np.where(level == "a", -1.0, 2.0), 0.5)
    data = ppgen.as_dataset({"x": x, "level": level})
    return ppgen.Diffusion(max_epochs=40, **SMALL).fit(data), data


@cache
def images() -> Any:
    x = np.random.default_rng(2).integers(0, 4, (80, 4, 4)) * 5
    return ppgen.Diffusion(max_epochs=5, **SMALL).fit(x.astype(np.uint8)), x.astype(np.uint8)


def test_numbers_are_scored_by_the_flow_in_the_units_of_the_data() -> None:
    rows = normal(200, 1)
    truth = stats.norm.logpdf(rows, MEAN, SCALE).sum(axis=1)
    density = numbers().log_density(rows)
    assert density.kind == "estimate"
    assert density.method == "probability flow, exact trace, chosen steps"
    assert density.stderr is None
    assert density.mean() == pytest.approx(truth.mean(), abs=0.1)
    assert density.diagnostics["ode_error"].max() < 0.05
    assert density.diagnostics["advice"] == ""
    bound = numbers().log_density(rows, method="bound", draws=128)
    assert bound.kind == "lower_bound"
    assert bound.gap == ("variational",)
    assert bound.mean() == pytest.approx(truth.mean(), abs=0.1)
    parts = sum(bound.diagnostics[name] for name in ("prior", "diffusion", "reconstruction"))
    codec = density.values - 0  # both are in the same units, up to a constant that is the codec's
    assert np.ptp(bound.values - parts) < 1e-9
    assert abs((bound.values - codec).mean()) < 0.1


def test_probes_say_their_error() -> None:
    rows = normal(30, 1)
    exact = numbers().log_density(rows).values
    density = numbers().log_density(rows, probes=4)
    assert density.method == "probability flow, 4 probes, chosen steps"
    assert density.stderr is not None
    wrong = np.square(density.values - exact).mean()
    assert 0 < wrong < 4 * np.square(density.stderr).mean()


def test_steps_that_are_too_few_are_said() -> None:
    rows = mixed()[1].columns["x"][:, None]
    fit = ppgen.Diffusion(max_epochs=20, **SMALL).fit(rows)
    density = fit.log_density(rows[:40], steps=4, solver="euler")
    assert density.method.endswith("4 euler steps that are too few")
    assert "not to be trusted. Leave steps out" in density.diagnostics["advice"]
    with pytest.raises(InputError, match="half as many"):
        fit.log_density(rows, steps=1, solver="euler")


def test_guided_samples_have_no_density() -> None:
    with pytest.raises(InputError, match="guided samples have no density"):
        numbers().log_density(normal(3, 1), guidance=2.0)


def test_a_flow_of_paired_noise_has_no_bound() -> None:
    fit = ppgen.Diffusion(coupling="optimal", frequencies=0, max_epochs=1, **SMALL).fit(
        normal(100, 0)
    )
    assert np.isfinite(fit.log_density(normal(5, 1)).values).all()
    with pytest.raises(InputError, match="no score"):
        fit.log_density(normal(5, 1), method="bound")


def test_rows_with_levels_are_bounded() -> None:
    fit, data = mixed()
    density = fit.log_density(data)
    assert density.kind == "lower_bound"
    assert density.measure == "mixed"
    assert "variational" in density.gap
    assert density.stderr is not None
    x, level = data.columns["x"], data.columns["level"]
    share = np.select([level == "a", level == "b"], [0.5, 0.3], 0.2)
    truth = np.log(share) + stats.norm.logpdf(x, np.where(level == "a", -1.0, 2.0), 0.5)
    assert density.mean() == pytest.approx(truth.mean(), abs=0.5)
    with pytest.raises(InputError, match="levels"):
        fit.log_density(data, method="ode")
    # Of all levels and numbers it is at most one.
    grid = np.linspace(-4, 5, 60)
    total = np.zeros(60)
    for name in ("a", "b", "c"):
        rows = ppgen.as_dataset({"x": grid, "level": np.repeat(name, 60)}, data.schema)
        total += np.exp(fit.log_density(rows, draws=256).values)
    assert 0.7 < np.trapezoid(total, grid) < 1.05


def test_images_of_levels_are_bounded_in_bits_a_pixel() -> None:
    fit, x = images()
    density = fit.log_density(x[:10])
    assert density.kind == "lower_bound"
    assert density.dequantised == ("pixels",)
    assert "dequantisation" in density.gap
    bits = -density.values / 16 / np.log(2)
    np.testing.assert_allclose(density.diagnostics["bits_per_dim"], bits)
    bound = fit.log_density(x[:10], method="bound")
    assert bound.gap == ("variational", "dequantisation")
    # Values within cells vary as much where all rows have one.
    constant = np.zeros((60, 4, 4), np.uint8)
    constant[:, 1:] = x[:60, 1:]
    plain = ppgen.Diffusion(max_epochs=1, **SMALL).fit(constant)
    cell = 1 / (12 * plain.nets_.view.values.scale**2)
    assert float(plain.nets_.gauge.frame.variances.min()) > 0.2 * cell
    np.testing.assert_allclose(fit.log_density(x[3:4]).values, density.values[3:4], rtol=1e-4)


def test_a_density_without_y_sums_over_what_was_fitted() -> None:
    rows = normal(200, 0)
    y = np.where(rows[:, 0] > MEAN[0], "right", "left")
    fit = ppgen.Diffusion(conditional=True, frequencies=0, max_epochs=4, **SMALL).fit(rows, y)
    some = normal(6, 1)
    each = [fit.log_density(some, np.repeat(name, 6)).values for name in ("left", "right")]
    shares = np.log([(y == "left").mean(), (y == "right").mean()])
    expected = np.logaddexp(*(a + b for a, b in zip(each, shares, strict=True)))
    np.testing.assert_allclose(fit.log_density(some).values, expected, rtol=1e-4)
    told = np.where(some[:, 0] > 3, "right", "left")
    for method in ("ode", "bound"):  # each row with its own y, wherever it stands
        whole = fit.log_density(some, told, method=method).values
        alone = fit.log_density(some[4:5], told[4:5], method=method).values
        np.testing.assert_allclose(whole[4:5], alone, rtol=1e-4)


def test_bounds_that_draws_leave_anywhere_are_told_of() -> None:
    from ppgen.models.diffusion.densities import Asked

    asked = Asked.of(numbers().nets_, method="bound")
    bound = numbers().log_density(normal(5, 1), method="bound")
    assert bound.diagnostics["advice"] == ""
    wild = replace(bound, stderr=np.full(5, 40.0))
    assert "more draws" in asked.advice(wild)


def test_a_solver_without_steps_is_refused() -> None:
    with pytest.raises(InputError, match="solver play no part"):
        numbers().log_density(normal(2, 1), solver="euler")


def test_a_loaded_fit_scores_alike(tmp_path: Path) -> None:
    fit, data = mixed()
    loaded = ppgen.load(fit.save(tmp_path / "run"))
    np.testing.assert_array_equal(loaded.score_samples(data), fit.score_samples(data))
    np.testing.assert_array_equal(loaded.reconstruction_error(data), fit.reconstruction_error(data))


def test_rows_that_are_unlike_those_fitted_are_badly_restored() -> None:
    ordinary = numbers().reconstruction_error(normal(100, 1))
    odd = numbers().reconstruction_error(np.array([[3.0, -2.0], [20.0, -2.0], [3.0, 3.0]]))
    assert 0.7 < ordinary.mean() < 1.3  # independent numbers: the best linear guess
    assert odd[0] < ordinary.mean()
    assert (odd[1:] > ordinary.max()).all()
    whole = numbers().reconstruction_error(normal(20, 1))
    np.testing.assert_allclose(
        numbers().reconstruction_error(normal(20, 1)[3:4]), whole[3:4], rtol=1e-4
    )
