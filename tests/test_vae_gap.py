"""Both sides of the density on simulated rows, and what is advised where weights are poor."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import ppgen
from ppgen import VAE
from ppgen.models.vae.bounds import DensityGap
from ppgen.models.vae.importance_bounds import advice

from .vae_linear import D, fitted, low_rank

SMALL = {"hidden": (8,), "max_epochs": 3, "random_state": 0, "batch_size": 25}
QUICK = {"n_chains": 8, "n_temperatures": 6, "n_samples": 64}


def test_a_linear_fit_is_bounded_tightly_from_both_sides():
    vae = fitted(exact=False)
    gap = vae.density_gap(60, n_chains=16, n_temperatures=30, n_samples=256)
    assert gap.iwae.shape == gap.lower.shape == gap.upper.shape == (60,)
    # In expectation the gap is not below 0; on 60 rows, at 4 standard errors.
    assert -4 * gap.gap_stderr < gap.gap < 0.05
    assert 0 < gap.gap_stderr < 0.02
    assert -4 * gap.iwae_gap_stderr < gap.iwae_gap < 0.1
    # The entropy of its rows is a closed form: D / 2 log(2 pi e) + log det / 2.
    nets = vae.net_.nets
    w = nets.decoder[-1].weight.detach().double().numpy()
    s = float(nets.observation.log_scales["0"].detach().exp())
    log_det = np.linalg.slogdet(w @ w.T + s**2 * np.eye(D))[1]
    expected = -0.5 * (D * (1 + math.log(2 * math.pi)) + log_det)
    for bound in (gap.iwae, gap.lower, gap.upper):  # var of log p is D / 2
        assert abs(bound.mean() - expected) < 4 * math.sqrt(D / 2 / 60)


def test_a_poor_encoder_shows_in_the_importance_samples_and_not_in_annealing():
    vae = fitted(exact=False)
    vae.net_.nets.encoder[-1].bias.data[:2] += 2.0
    gap = vae.density_gap(40, n_chains=16, n_temperatures=60, n_samples=4)
    assert gap.iwae_gap > 0.5 + 4 * gap.iwae_gap_stderr
    assert gap.gap < 0.2 * gap.iwae_gap
    assert (gap.iwae < gap.upper).mean() > 0.8


def test_it_is_a_function_of_its_seed_and_says_what_it_is():
    vae = fitted(exact=False)
    one, again, other = (vae.density_gap(5, **QUICK, random_state=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.upper, again.upper)
    np.testing.assert_array_equal(one.iwae, again.iwae)
    assert not np.array_equal(one.upper, other.upper)
    assert vae.density_gap(2, n_chains=2, n_temperatures=3).n_samples == vae.n_importance
    body = json.loads(json.dumps(one.to_json()))
    assert body["n_chains"] == 8
    assert body["n_temperatures"] == 6
    assert body["n_samples"] == 64
    assert body["gap"] == pytest.approx(np.mean(np.subtract(body["upper"], body["lower"])))
    assert body["iwae_gap"] == pytest.approx(np.mean(np.subtract(body["upper"], body["iwae"])))
    for word in ("5 simulated rows", "AIS-6, 8 chains", "IWAE-64", "±", f"{one.gap:.3f}"):
        assert word in str(one)


def test_means_and_errors_are_those_of_the_rows():
    iwae, lower, upper = np.array([[-4.0, -3.0], [-3.0, -2.0], [-2.5, -1.0]])
    gap = DensityGap(iwae, lower, upper, 1, 1, 2)
    assert (gap.gap, gap.gap_stderr) == (pytest.approx(0.75), pytest.approx(0.25))
    assert (gap.iwae_gap, gap.iwae_gap_stderr) == (pytest.approx(1.75), pytest.approx(0.25))
    alone = DensityGap(iwae[:1], lower[:1], upper[:1], 1, 1, 2)
    assert math.isnan(alone.gap_stderr)
    assert alone.to_json()["gap_stderr"] is None


def levels(n=60):
    return np.random.default_rng(0).integers(0, 256, (n, 3, 3)).astype(np.uint8)


@pytest.mark.parametrize("name", ["two layers", "flows", "context", "levels", "bits", "mixed"])
def test_every_kind_of_fit_has_bounds(name):
    x, y, settings = low_rank(60), None, {"latent_dim": 2}
    if name == "two layers":
        settings = {"latent_dim": (2, 1), "prior": "mixture", "components": 3}
    elif name == "flows":
        settings |= {"prior": "flow", "posterior": "flow", "flow_layers": 1}
    elif name == "context":
        y, settings = np.arange(60) % 2, settings | {"conditional": True}
    elif name in ("levels", "bits"):
        x = levels() if name == "levels" else levels() > 127
    elif name == "mixed":
        x = {"real": x[:, 0], "level": np.where(x[:, 1] > 0, "high", "low")}
    vae = VAE(**{**SMALL, **settings}).fit(x, y)
    gap = vae.density_gap(10, **QUICK)
    for bound in (gap.iwae, gap.lower, gap.upper):
        assert np.isfinite(bound).all()
    assert gap.gap > -4 * gap.gap_stderr - 1e-3
    assert gap.iwae_gap > -4 * gap.iwae_gap_stderr - 1e-3
    if name == "levels":  # a mass: no row is likelier than certain
        assert gap.upper.max() < 0


def test_it_survives_saving(tmp_path):
    vae = VAE(1, **SMALL).fit(low_rank(60))
    vae.save(tmp_path / "run")
    again = ppgen.load(tmp_path / "run").density_gap(4, **QUICK, random_state=1)
    np.testing.assert_array_equal(again.upper, vae.density_gap(4, **QUICK, random_state=1).upper)


# Advice -------------------------------------------------------------------------------------------


def test_where_khat_is_bad_annealing_is_advised():
    vae, x = fitted(exact=False), low_rank(40, seed=3)
    vae.net_.nets.encoder[-1].bias.data[2:] -= 2.0  # much too narrow: heavy tails
    found = vae.log_density(x, n_samples=100)
    bad = int((found.diagnostics["khat"] > found.diagnostics["good_khat"]).sum())
    assert bad > 20
    assert f"{bad} of 40 rows" in found.diagnostics["advice"]
    assert 'method="ais"' in found.diagnostics["advice"]
    assert fitted().log_density(x, n_samples=100).diagnostics["advice"] == ""
    assert vae.log_density(x, method="elbo", n_samples=30).diagnostics["advice"] == ""
    assert "raise n_samples" in vae.log_density(x, n_samples=1).diagnostics["advice"]


@pytest.mark.parametrize(
    ("method", "filled", "words"),
    [
        ("iwae", False, 'method="ais"'),
        ("iwae", True, "Raise n_samples."),
        ("ais", False, "the chains"),
    ],
)
def test_advice_is_what_can_be_done(method, filled, words):
    khat = np.array([0.1, 0.9, np.nan, np.inf])
    found = advice(khat, 0.5, method, filled)
    assert "2 of 4 rows" in found
    assert words in found
    assert ('"ais"' in found) == (method == "iwae" and not filled)
    assert advice(khat[:1], 0.5, method, filled) == ""
