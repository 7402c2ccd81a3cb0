"""How likely a row is under `VAE`: closed forms, totals over all values, and the contract."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ppgen import VAE, InputError
from ppgen.models.vae.annealed_bounds import anneal, simulated_gap

from .vae_linear import K, closed_form, fitted, largest_likelihood, low_rank
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


# Linear and Gaussian: closed forms ----------------------------------------------------------------


def test_with_the_exact_posterior_every_bound_is_the_density():
    vae, x = fitted(), low_rank(40, seed=3)
    exact = closed_form(vae, x)
    iwae = vae.log_density(x, n_samples=64)
    np.testing.assert_allclose(iwae.values, exact, atol=1e-4)
    assert (iwae.diagnostics["khat"] < iwae.diagnostics["good_khat"]).all()
    assert (iwae.stderr < 1e-4).all()
    np.testing.assert_allclose(iwae.diagnostics["ess"], 64, rtol=1e-3)
    elbo = vae.log_density(x, method="elbo", n_samples=4)
    np.testing.assert_allclose(elbo.values, exact, atol=1e-4)
    np.testing.assert_allclose(elbo.diagnostics["bits_per_dim"], -exact / 4 / np.log(2), rtol=1e-4)
    gap = vae.amortisation_gap(x, n_steps=30)
    assert abs(gap.mean()) < 0.01


def test_with_a_poor_encoder_all_methods_still_agree():
    """At 4.5 standard errors, each of 40 rows."""
    vae, x = fitted(exact=False), low_rank(40, seed=3)
    exact = closed_form(vae, x)
    iwae = vae.log_density(x, n_samples=4000)
    assert (np.abs(iwae.values - exact) < 4.5 * iwae.stderr).all()
    assert 0.5 < np.std((iwae.values - exact) / iwae.stderr) < 1.5
    elbo = vae.log_density(x, method="elbo", n_samples=4000)
    assert (elbo.values < exact - 0.05).all()
    few = vae.log_density(x, n_samples=2)
    assert elbo.mean() < few.mean() < iwae.mean()
    gap = vae.amortisation_gap(x, n_steps=60)
    np.testing.assert_allclose(gap.mean(), (exact - elbo.values).mean(), atol=0.05)


def test_annealing_agrees_with_the_closed_form():
    vae, x = fitted(exact=False), low_rank(8, seed=3)
    exact = closed_form(vae, x)
    found, words = anneal(vae.net_, x, None, np.arange(8, dtype=np.uint64), 32, 40)
    log_det = vae._middle(vae._dataset(x, reset=False)).log_det
    assert words == "AIS-40, 32 chains"
    assert (np.abs(found.log_mean + log_det - exact) < 4.5 * found.stderr).all()
    assert (found.stderr < 0.2).all()


@pytest.mark.slow
def test_annealing_is_a_method():
    vae, x = fitted(exact=False), low_rank(8, seed=3)
    density = vae.log_density(x, method="ais")
    assert density.method == "AIS-200, 25 chains"
    error = np.abs(density.values - closed_form(vae, x))
    assert (error < np.maximum(4.5 * density.stderr, 1e-3)).all()


def test_simulated_rows_are_bounded_from_both_sides():
    vae = fitted(exact=False)
    found = simulated_gap(vae.net_, 30, 0, None, chains=16, n_temperatures=40)
    assert found.lower.mean() - 0.02 < found.upper.mean()
    assert abs(found.gap) < 0.1
    np.testing.assert_allclose(found.iwae, found.lower, atol=0.4)


def test_trained_it_is_probabilistic_pca():
    x = low_rank(1000, d=6)
    vae = VAE(
        K,
        hidden=(),
        noise="shared",
        batch_size=50,
        learning_rate=3e-2,
        max_epochs=100,
        random_state=0,
    )
    vae.fit(x, validation=x)
    elbo = vae.log_density(x, method="elbo", n_samples=256)
    best = largest_likelihood(x, K)
    assert best - 0.01 < elbo.mean() <= closed_form(vae, x).mean() + 1e-3 < best + 2e-3
    many = vae.log_density(x[:200], n_samples=256)
    error = np.abs(many.values - closed_form(vae, x[:200]))
    assert (error < 5 * many.stderr + 1e-4).all()


# The contract -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["table", "levels", "real"])
def test_units_shift_the_density_by_their_log(kind):
    rng = np.random.default_rng(0)
    x = moons(100) if kind == "table" else rng.normal(size=(100, 3, 2))
    if kind == "levels":
        x = rng.integers(0, 256, (100, 3, 2)).astype(np.uint8)
        one, two = (VAE(2, **SMALL).fit(a, validation=a) for a in (x, x.astype(np.uint16)))
        expected = 0.0  # a mass has no units
    else:
        one, two = (VAE(2, **SMALL).fit(a, validation=a) for a in (x, 4 * x))
        expected = -math.prod(x.shape[1:]) * math.log(4)
    a, b = one.bound(x), two.bound(x.astype(np.uint16) if kind == "levels" else 4 * x)
    np.testing.assert_allclose(b.kl, a.kl, atol=1e-3)
    d = b.elbo - a.elbo - expected  # other values have other draws
    assert abs(d.mean()) < 5 * d.std() / math.sqrt(len(d)) + 1e-3
    first = one.log_density(x, n_samples=500)
    second = two.log_density(x.astype(np.uint16) if kind == "levels" else 4 * x, n_samples=500)
    d = second.values - first.values - expected
    error = np.hypot(first.stderr, second.stderr)
    assert abs(d.mean()) < 5 * np.sqrt((error**2).mean() / len(d))


def test_a_score_depends_on_its_row_alone(vae, mixed, frame):
    rows = moons(300, seed=1)
    whole = vae.score_samples(rows)
    for some in ([7], [299, 7], np.arange(299, -1, -1), [7] * 20):
        np.testing.assert_allclose(vae.score_samples(rows[some]), whole[some], rtol=1e-5)
    assert len(set(whole)) == 300
    again = mixed.score_samples(frame)
    some = [31, 4, 4, 100]
    np.testing.assert_allclose(mixed.score_samples(frame.iloc[some]), again[some], rtol=1e-5)


def test_images_score_alone_as_among_others():
    x = np.random.default_rng(0).random((60, 6, 5)) < 0.4
    vae = VAE(2, net="conv", **{**SMALL, "max_epochs": 2}).fit(x)
    for n_samples in (5, 20_000):  # one block of rows; several chunks of draws a row
        whole = vae.log_density(x[:4], n_samples=n_samples).values
        alone = [vae.log_density(x[i : i + 1], n_samples=n_samples).values[0] for i in (3, 1)]
        np.testing.assert_allclose(alone, whole[[3, 1]], rtol=1e-5)


def test_standard_errors_are_right(vae):
    rows = moons(300, seed=1)
    best = vae.log_density(rows, n_samples=8000)
    some = vae.log_density(rows, n_samples=400)
    good = some.diagnostics["khat"] < 0.4
    assert good.mean() > 0.5
    z = ((some.values - best.values) / np.hypot(some.stderr, best.stderr))[good]
    assert 0.8 < z.std() < 1.2
    assert abs(z.mean()) < 0.4


def test_bounds_say_what_they_are(vae):
    rows = moons(5, seed=1)
    density = vae.log_density(rows, n_samples=50)
    assert (density.kind, density.method, density.gap) == (
        "lower_bound",
        "IWAE-50",
        ("variational",),
    )
    assert vae.log_density(rows).method == "IWAE-128"
    np.testing.assert_array_equal(vae.score_samples(rows), vae.log_density(rows).values)
    assert vae.log_density(rows, method="elbo", n_samples=7).method == "ELBO, 7 draws"
    one = vae.log_density(rows, n_samples=1)
    assert np.isnan(one.stderr).all()
    for wrong in (0, -3, 1.5):
        with pytest.raises(InputError, match="n_samples"):
            vae.log_density(rows, n_samples=wrong)
    with pytest.raises(InputError, match="iwae"):
        vae.log_density(rows, method="iwea")


def test_a_fit_given_y_sums_over_it():
    x = moons(300)
    y = np.where(x[:, 0] > 0, "right", "left")
    vae = VAE(1, conditional=True, **{**SMALL, "max_epochs": 100}).fit(x, y)
    right = vae.log_density(x, y)
    assert right.mean() > vae.log_density(x, np.where(y == "left", "right", "left")).mean() + 0.5
    each = [vae.score_samples(x, [level] * 300) + np.log(np.mean(y == level)) for level in set(y)]
    whole = vae.log_density(x)
    np.testing.assert_allclose(whole.values, np.logaddexp(*each), atol=1e-4)
    assert whole.method == "IWAE-128, summed over y"
    assert np.isfinite(whole.stderr).all()
    drawn = vae.sample(300, y="left", random_state=0)
    assert np.mean(drawn[:, 0] < 0) > 0.8
    with pytest.raises(InputError, match="never saw"):
        vae.log_density(x, ["middle"] * 300)
    with pytest.raises(InputError, match="300"):
        vae.log_density(x, y[:7])


def test_levels_never_seen_have_probability_zero(mixed, frame):
    odd = frame.head(3).assign(level=["low", "lowest", "high"])
    with pytest.warns(UserWarning, match="lowest"):
        values = mixed.score_samples(odd)
    assert np.isneginf(values).tolist() == [False, True, False]
    assert np.isneginf(mixed.bound(odd).elbo).tolist() == [False, True, False]


def test_values_outside_the_support_have_probability_zero():
    x = np.random.default_rng(0).random((60, 2, 2))
    vae = VAE(1, likelihood="continuous_bernoulli", **{**SMALL, "max_epochs": 2}).fit(x)
    x[1, 0, 0], x[2, 1, 1] = 1.01, -0.01
    assert np.isneginf(vae.score_samples(x[:4])).tolist() == [False, True, True, False]


def test_continuous_bernoulli_refuses_values_that_are_drawn_in():
    rng = np.random.default_rng(0)
    x = 0.002 * rng.random((60, 4, 4))
    x[3, 1, 1] = 0.9
    with pytest.raises(InputError, match="drawn in"):
        VAE(1, likelihood="continuous_bernoulli", **SMALL).fit(x)
