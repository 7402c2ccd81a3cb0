"""How likely a row is under `VAE`: closed forms, totals over all values, gaps, and the bound's
parts."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import ppgen
from ppgen import VAE, InputError
from ppgen.models.vae.annealing import anneal, simulated_gap

from .vae_linear import K, closed_form, fitted, largest_likelihood, low_rank

SMALL = {"hidden": (16,), "random_state": 0, "max_epochs": 30, "batch_size": 20}


def moons(n, seed=0):
    """(n, 2) rows on a bent line."""
    rng = np.random.default_rng(seed)
    t = rng.normal(size=n)
    return np.column_stack([t, t**2 - 1]) + 0.3 * rng.normal(size=(n, 2))


@pytest.fixture(scope="module")
def vae():
    return VAE(1, **SMALL).fit(moons(300))


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    n = 240
    t = rng.normal(size=n)
    level = np.where(t > 0.5, "high", np.where(t < -0.5, "low", "middle"))
    return pd.DataFrame(
        {
            "real": t + 0.3 * rng.normal(size=n),
            "level": level,
            "bit": (t + rng.normal(size=n) > 0).astype(int),
            "count": rng.poisson(np.exp(1 + 0.5 * t)),
        }
    )


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
    found, words = anneal(vae, x, None, np.arange(8, dtype=np.uint64), 32, 40)
    log_det = vae._middle(vae._dataset(x, reset=False)).log_det
    assert words == "AIS-40, 32 chains"
    assert (np.abs(found.log_mean + log_det - exact) < 4.5 * found.stderr).all()
    assert (found.stderr < 0.2).all()


@pytest.mark.slow
def test_annealing_is_a_method():
    vae, x = fitted(exact=False), low_rank(8, seed=3)
    density = vae.log_density(x, method="ais")
    assert density.method == "AIS-500, 16 chains"
    error = np.abs(density.values - closed_form(vae, x))
    assert (error < np.maximum(4.5 * density.stderr, 1e-3)).all()


def test_simulated_rows_are_bounded_from_both_sides():
    vae = fitted(exact=False)
    iwae, lower, upper = simulated_gap(vae, 30, 0, 16, 40, None)
    assert lower.mean() - 0.02 < upper.mean()
    assert abs(upper.mean() - lower.mean()) < 0.1
    np.testing.assert_allclose(iwae, lower, atol=0.4)


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


# Totals -------------------------------------------------------------------------------------------


def total(found, width=1.0):
    """The sum of exp(values), which is unbiased, and 5 standard errors of it."""
    p = np.exp(found.values) * width
    return p.sum(), 5 * np.sqrt(np.sum((p * found.stderr) ** 2))


def test_a_density_integrates_to_one(vae):
    side = np.linspace(-8, 10, 91)
    points = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    mass, error = total(vae.log_density(points, n_samples=64), (side[1] - side[0]) ** 2)
    assert error < 0.05
    assert abs(mass - 1) < error + 1e-3


def test_masses_of_levels_sum_to_one():
    rng = np.random.default_rng(0)
    a = rng.choice(list("xyz"), 200)
    b = np.where(rng.random(200) < 0.8, a == "x", a != "x").astype(int)
    table = pd.DataFrame({"a": a, "b": b, "c": rng.choice(["u", "v"], 200)})
    settings = {**SMALL, "max_epochs": 60, "learning_rate": 1e-2}
    vae = VAE(1, **settings).fit(table, validation=table)
    cells = table.drop_duplicates().sort_values(["a", "b", "c"])
    assert len(cells) == 12
    found = vae.log_density(cells, n_samples=1500)
    assert found.measure == "mass"
    mass, error = total(found)
    assert abs(mass - 1) < error < 0.05
    shares = table.value_counts(normalize=True).sort_index().to_numpy()
    np.testing.assert_allclose(np.exp(found.values), shares, atol=0.06)


def test_a_mixed_table_sums_and_integrates_to_one(mixed, frame):
    real, counts = np.linspace(-6, 6, 25), np.arange(30)
    grid = pd.MultiIndex.from_product(
        [real, ["high", "low", "middle"], [0, 1], counts], names=list(frame)
    ).to_frame(index=False)
    found = mixed.log_density(ppgen.as_dataset(grid, mixed.schema_), n_samples=64)
    assert (found.measure, found.dequantised) == ("mixed", ("count",))
    assert found.gap == ("variational", "dequantisation")
    mass, error = total(found, real[1] - real[0])
    assert 0.95 - error < mass < 1 + error < 1.05  # counts go on


def test_a_rounded_column_has_a_density_in_its_units():
    rng = np.random.default_rng(0)
    x = (rng.normal(3, 1, size=(300, 1)) * 2).round() / 2
    vae = VAE(1, **SMALL).fit(x)
    found = vae.log_density(np.arange(-6, 14, 0.5)[:, None], n_samples=4096)
    assert (found.measure, found.dequantised) == ("density", ("x0",))
    mass, error = total(found, 0.5)
    assert 0.95 < mass < 1 + error < 1.05


@pytest.mark.parametrize(
    ("likelihood", "least"),
    [("auto", 0.97), ("categorical", 0.97), ("gaussian", 0.8), ("continuous_bernoulli", 0.85)],
)
def test_the_levels_of_a_pixel_sum_to_at_most_one(likelihood, least):
    rng = np.random.default_rng(0)
    x = np.clip(rng.normal(120, 50, size=(300, 1, 1)), 0, 255).astype(np.uint8)
    vae = VAE(1, likelihood=likelihood, **SMALL).fit(x)
    every = np.arange(256, dtype=np.uint8).reshape(-1, 1, 1)
    found = vae.log_density(every, n_samples=400)
    filled = likelihood in ("gaussian", "continuous_bernoulli")
    assert found.measure == "mass"
    assert found.dequantised == (("pixels",) if filled else ())
    mass, error = total(found)
    assert error < 0.1
    assert least - error < mass < 1 + error


def test_the_masses_of_two_pixels_sum_to_one():
    x = np.random.default_rng(0).random((200, 1, 2)) < 0.3
    x[:, :, 1] ^= x[:, :, 0]
    vae = VAE(1, **SMALL).fit(x)
    every = np.array([[[a, b]] for a in (0, 1) for b in (0, 1)], dtype=bool)
    mass, error = total(vae.log_density(every, n_samples=1000))
    assert abs(mass - 1) < error < 0.05
    vae = VAE(1, likelihood="gaussian", **SMALL).fit(x)  # filled, and cut at no edge
    mass, error = total(vae.log_density(every, n_samples=1000))
    assert mass < 1 + error < 1.1


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
    np.testing.assert_allclose(b.elbo, a.elbo + expected, atol=1e-3)
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


# Gaps ---------------------------------------------------------------------------------------------


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
        whole = math.log(total(whole, side[1] - side[0])[0])
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


def test_what_was_fitted_whole_is_not_filled(vae):
    with pytest.raises(InputError, match="gaps"):
        vae.impute(np.array([[1.0, np.nan]]))


# The bound in its parts ---------------------------------------------------------------------------


def _pictures(n=80):
    rng = np.random.default_rng(0)
    return np.clip(rng.normal(100, 60, (n, 3, 2)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", ["plain", "flow", "two", "mixed", "filled", "levels"])
def test_the_parts_are_the_mean_of_log_weights(name, vae, mixed, frame):
    """At 5 standard errors of the difference of both."""
    brief, x = {**SMALL, "max_epochs": 10}, moons(80, seed=1)
    if name == "flow":
        vae = VAE(1, prior="flow", posterior="flow", flow_layers=2, **brief).fit(moons(200))
    elif name == "two":
        vae = VAE((2, 1), **brief).fit(moons(200))
    elif name == "mixed":
        vae, x = mixed, frame.head(80)
    elif name in ("filled", "levels"):
        x = _pictures()
        vae = VAE(2, likelihood="auto" if name == "levels" else "gaussian", **brief).fit(x)
    parts = vae.bound(x)
    elbo = vae.log_density(x, method="elbo", n_samples=512)
    error = elbo.stderr * np.sqrt(1 + 512 / 16)  # `bound` takes 16 draws
    d = parts.elbo - elbo.values
    assert abs(d.mean()) < 5 * np.sqrt((error**2).mean() / len(d))
    assert (np.abs(d) < 6 * error).mean() > 0.97
    np.testing.assert_allclose(parts.elbo, parts.reconstruction - parts.kl)
    if name not in ("flow", "two"):
        assert (parts.kl > 0).all()
        np.testing.assert_allclose(parts.kl_per_latent.sum(), parts.kl.mean(), rtol=1e-4)
    assert parts.kl_per_latent.shape == (vae.latent_dim_,)
    assert "latents active" in repr(parts)


def test_latents_without_use_are_counted():
    x = low_rank(200, d=6, k=1, noise=0.3)
    vae = VAE(3, hidden=(), beta=2.0, learning_rate=3e-2, max_epochs=150, random_state=0).fit(x)
    parts = vae.bound(x)
    assert parts.active.tolist().count(True) == 1
    assert (parts.active == (parts.kl_per_latent > 0.5)).all()
    assert any("2 of 3 latents are inactive" in reason.what for reason in vae.verdict_.reasons)


@pytest.mark.parametrize("settings", [{}, {"prior": "mixture"}, {"posterior": "flow"}])
def test_a_collapse_is_said_with_advice(settings):
    small = {**SMALL, "learning_rate": 1e-2, "components": 3, "flow_layers": 1, **settings}
    vae = VAE(2, beta=1e3, **small).fit(moons(200))
    assert not vae.bound(moons(50)).active.any()
    assert vae.verdict_.status == "warn"
    assert "posterior collapse" in str(vae.verdict_)
    assert "Lower beta" in str(vae.verdict_)


def test_the_amortisation_gap_is_what_the_encoder_leaves(vae):
    gap = vae.amortisation_gap(moons(100, seed=1), n_steps=60)
    assert gap.mean() > -2 * gap.std() / 10
    nets = vae.net_.nets
    kept = nets.encoder[-1].bias.detach().clone()
    nets.encoder[-1].bias.data += 0.5
    worse = vae.amortisation_gap(moons(100, seed=1), n_steps=60)
    nets.encoder[-1].bias.data.copy_(kept)
    assert worse.mean() > gap.mean() + 0.1
