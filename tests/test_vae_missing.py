"""Rows with gaps: their density is that of what is there, and gaps are filled from it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ppgen import VAE, InputError

from .vae_linear import closed_form, conditional_mean, fitted, low_rank
from .vae_rows import SMALL, moons, of_all_kinds


@pytest.fixture(scope="module")
def vae():
    return VAE(1, **SMALL).fit(moons(300))


@pytest.fixture(scope="module")
def frame():
    return of_all_kinds()


@pytest.fixture(scope="module")
def mixed(frame):
    return VAE(2, **SMALL).fit(frame)


def total(found, width=1.0):
    """The sum of exp(values), which is unbiased."""
    return np.exp(found.values).sum() * width


def test_gaps_leave_the_marginal():
    vae, x = fitted(exact=False), low_rank(60, seed=3)
    x[np.random.default_rng(0).random(x.shape) < 0.4] = np.nan
    x[0] = np.nan
    exact = closed_form(vae, x)
    found = vae.log_density(x, n_samples=4000)
    assert found.values[0] == exact[0] == 0
    assert np.isnan(x).any(axis=1).sum() > 30
    good = found.diagnostics["khat"] < 0.5
    assert good.mean() > 0.8
    assert (np.abs(found.values - exact)[good] < 5 * found.stderr[good] + 1e-5).all()


def gappy(n, share, seed=0):
    x = low_rank(n, seed=3)
    x[np.random.default_rng(seed).random(x.shape) < share] = np.nan
    return x


def test_a_fit_told_of_gaps_has_the_marginal_too():
    vae, x = fitted(exact=False, gaps=True), gappy(60, 0.4)
    assert vae.architecture_.missing
    found = vae.log_density(x, n_samples=4000)
    good = found.diagnostics["khat"] < 0.5
    assert good.mean() > 0.8
    error = np.abs(found.values - closed_form(vae, x))
    assert (error[good] < 5 * found.stderr[good] + 1e-5).all()


def test_gaps_of_a_linear_fit_are_filled_with_the_conditional_mean():
    """Two fills of other seeds say how far off the draws are."""
    vae, x = fitted(exact=False, gaps=True), gappy(80, 0.3)
    lost = np.isnan(x)
    assert lost.sum() > 60
    expected = conditional_mean(vae, x)
    one, two = (vae.impute(x, n_samples=4000, random_state=s) for s in (0, 1))
    np.testing.assert_array_equal(one[~lost], x[~lost])
    np.testing.assert_array_equal(one, vae.impute(x, n_samples=4000, random_state=0))
    one, two = (vae._middle(vae._dataset(a, reset=False)).x for a in (one, two))
    off = (0.5 * (one + two) - expected)[lost]
    noise = np.sqrt(np.mean((one - two)[lost] ** 2) / 4)
    assert 0 < noise < 0.1
    assert np.sqrt(np.mean(off**2)) < 2 * noise
    assert abs(off.mean()) < 4 * noise / np.sqrt(lost.sum())
    few = vae.impute(x, n_samples=1)  # of the encoder's draw alone: not that
    few = vae._middle(vae._dataset(few, reset=False)).x
    assert np.sqrt(np.mean((few - expected)[lost] ** 2)) > 3 * np.sqrt(np.mean(off**2))


@pytest.mark.parametrize("fitted_with_gaps", [True, False])
def test_a_gap_is_integrated_over(vae, fitted_with_gaps):
    model = vae
    if fitted_with_gaps:
        rows = moons(300)
        rows[np.random.default_rng(0).random(rows.shape) < 0.2] = np.nan
        model = VAE(1, **SMALL).fit(rows)
    side = np.linspace(-9, 11, 161)
    for value in (-1.0, 0.2, 1.5):
        points = np.column_stack([np.full(161, value), side])
        whole = model.log_density(points, n_samples=300)
        whole = math.log(total(whole, side[1] - side[0]))
        alone = model.log_density(np.array([[value, np.nan]]), n_samples=8000)
        assert alone.values[0] == pytest.approx(whole, abs=0.05 + 4 * alone.stderr[0])
    assert model.score_samples(np.full((2, 2), np.nan)).tolist() == [0, 0]


def test_gaps_of_levels_are_summed_over(mixed, frame):
    row = frame.iloc[[5]]
    each = [mixed.log_density(row.assign(level=v), n_samples=2000) for v in ("low", "middle")]
    each.append(mixed.log_density(row.assign(level="high"), n_samples=2000))
    alone = mixed.log_density(row.assign(level=None), n_samples=2000)
    whole = np.logaddexp.reduce([e.values[0] for e in each])
    assert alone.values[0] == pytest.approx(whole, abs=0.1)


def test_gaps_are_filled_better_than_by_means(frame):
    rng = np.random.default_rng(0)
    gappy = frame.copy()
    for name in frame:
        gappy[name] = gappy[name].astype(object).where(rng.random(len(frame)) > 0.25, None)
    gappy = gappy.astype({"real": float, "bit": float, "count": float})
    vae = VAE(2, **{**SMALL, "max_epochs": 60, "learning_rate": 5e-3}).fit(gappy)
    filled = vae.impute(gappy)
    lost = gappy.isna()
    assert lost.to_numpy().sum() > 200
    assert not filled.isna().to_numpy().any()
    assert list(filled.columns) == list(frame.columns)
    for name in frame:
        kept = ~lost[name]
        assert (filled[name][kept].astype(str) == gappy[name][kept].astype(str)).all(), name
    seen = lost["real"] & (~lost["level"] | ~lost["count"])
    wrong = (filled["real"] - frame["real"])[seen].abs().mean()
    assert wrong < 0.85 * (frame["real"].mean() - frame["real"])[seen].abs().mean()
    right = (filled["level"] == frame["level"])[lost["level"]].mean()
    assert right > (frame["level"] == frame["level"].mode()[0])[lost["level"]].mean() + 0.1


@pytest.fixture(scope="module")
def correlated():
    """Numbers of which the second is nearly the first, and levels with gaps."""
    n, rng = 400, np.random.default_rng(0)
    x = rng.normal(size=(n, 3))
    x[:, 1] = x[:, 0] + 0.05 * x[:, 1]
    c = np.where(x[:, 2] > 0, "a", "b").astype(object)
    c[::7] = None
    rows = {"x1": x[:, 0], "x2": x[:, 1], "x3": x[:, 2], "c": c}
    how = {**SMALL, "max_epochs": 10, "noise": "full"}
    return VAE(1, **how).fit(rows), rows


def test_gaps_of_numbers_with_correlated_noise_are_filled_by_the_others(correlated):
    vae, rows = correlated
    filled = vae.impute({**rows, "x2": np.full(400, np.nan)})
    wrong = np.asarray(filled["x2"], dtype=float) - rows["x2"]
    assert np.sqrt(np.mean(wrong**2)) < 0.07  # of their own noise: 0.05


def test_what_was_fitted_whole_is_not_filled(vae):
    with pytest.raises(InputError, match="gaps"):
        vae.impute(np.array([[1.0, np.nan]]))
