"""What a row is given depends on that row alone; rows of weight 0 are as if not there; what noise
is stated in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ppgen import VAE, Autoencoder, DebiasingVAE, InputError
from ppgen.inference.ais import sigmoidal
from ppgen.models.vae import annealed_bounds

from .vae_linear import low_rank
from .vae_rows import of_all_kinds

SMALL = {"hidden": (8,), "max_epochs": 2, "random_state": 0}


def with_gaps(x):
    x = x.copy()
    x[np.random.default_rng(1).random(x.shape) < 0.2] = np.nan
    return x


@pytest.mark.parametrize("rows", ["numbers", "kinds"])
def test_gaps_are_filled_and_bounds_split_whatever_stands_beside_a_row(rows):
    x = pd.DataFrame(with_gaps(low_rank(90))) if rows == "numbers" else of_all_kinds()
    x.columns = x.columns.astype(str)
    vae = VAE(1, **SMALL).fit(x)
    back = x.iloc[::-1]
    filled = vae.impute(x)
    again = vae.impute(back).iloc[::-1].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, filled, rtol=1e-4)
    for name in ("reconstruction", "kl"):
        here, there = getattr(vae.bound(x), name), getattr(vae.bound(back), name)
        np.testing.assert_allclose(there[::-1], here, rtol=1e-4, atol=1e-4)
    some = vae.bound(x.iloc[7:9]).reconstruction
    np.testing.assert_allclose(some, vae.bound(x).reconstruction[7:9], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [Autoencoder, DebiasingVAE, VAE])
@pytest.mark.parametrize("levels", [True, False])
def test_images_of_weight_0_do_not_decide_the_units(kind, levels):
    rng = np.random.default_rng(0)
    x = rng.normal(5, 1, size=(80, 4, 4)).astype(np.float32)
    far = np.full((6, 4, 4), 1e4, dtype=np.float32)
    if levels:
        x, far = (3 * x).astype(np.uint8), np.full((6, 4, 4), 255, dtype=np.uint8)
    y = np.arange(86) % 2
    weights = np.repeat([1.0, 0.0], [80, 6])
    fit = kind(2, **SMALL).fit(np.concatenate([x, far]), y, sample_weight=weights)
    if kind is VAE:
        unit = fit.architecture_.parts[0].unit if levels else 1.0
        scale = fit.values_.scale * unit
    else:
        scale = fit.reconstruction_.values.scale
    assert 0.5 < scale < 30  # and not those of 1e4, or of 255


def test_a_gap_in_a_row_of_weight_0_is_none():
    x = np.concatenate([low_rank(60), np.full((1, 4), np.nan)])
    weights = np.repeat([1.0, 0.0], [60, 1])
    assert not VAE(1, **SMALL).fit(x, sample_weight=weights).architecture_.missing
    assert VAE(1, **SMALL).fit(x).architecture_.missing


@pytest.mark.parametrize("likelihood", ["gaussian", "discretised_logistic"])
def test_stated_noise_is_a_standard_deviation_in_those_of_the_data(likelihood):
    rng = np.random.default_rng(0)
    x = np.clip(rng.normal(120, 20, size=(300, 4, 4)), 0, 255).astype(np.uint8)
    vae = VAE(1, likelihood=likelihood, noise=0.5, **SMALL).fit(x)
    code = np.zeros((4000, 1))
    drawn = vae.net_.decode(code, None, draw=1)
    # Of 4,000 draws of 16 values, and rounding; logistic tails are heavier.
    np.testing.assert_allclose(drawn.std(), 0.5 * x.std(), rtol=0.03)


@pytest.mark.parametrize(
    ("sizes", "posterior"), [((2, 4), "normal"), ((4, 2), "normal"), ((2, 3), "flow")]
)
def test_a_vamp_prior_of_two_layers_is_of_posteriors(sizes, posterior):
    import torch

    settings = {"prior": "vamp", "components": 5, "posterior": posterior, "flow_layers": 1}
    vae = VAE(sizes, **SMALL, **settings).fit(low_rank(60))
    nets = vae.net_.nets
    with torch.no_grad():
        raw = nets.encoder(nets.prior.inputs)
        q = nets.q_2(raw[:, : sizes[0]])
        p = nets.prior().component_distribution
    torch.testing.assert_close(p.base_dist.loc, q.base_dist.loc)
    torch.testing.assert_close(p.base_dist.scale, q.base_dist.scale)
    assert np.isfinite(vae.score_samples(low_rank(10))).all()


def test_few_draws_are_said_to_say_nothing_of_their_tail(monkeypatch):
    vae = VAE(1, **SMALL).fit(low_rank(60))
    assert "raise n_samples" in vae.log_density(low_rank(5), n_samples=10).diagnostics["advice"]
    assert vae.log_density(low_rank(5), method="elbo").diagnostics["advice"] == ""
    monkeypatch.setattr(annealed_bounds, "sigmoidal", lambda n: sigmoidal(5))
    annealed = vae.log_density(low_rank(3), method="ais")  # 25 chains, whose number matters here
    assert not np.isnan(annealed.diagnostics["khat"]).any()


def test_rows_that_cannot_be_have_no_error():
    frame = pd.DataFrame({"a": list("xyz") * 20, "b": np.arange(60) % 2})
    vae = VAE(1, **SMALL).fit(frame)
    with pytest.warns(UserWarning, match="never"):
        found = vae.log_density(pd.DataFrame({"a": ["w", "x"], "b": [0, 1]}))
    assert found.values[0] == -np.inf
    assert np.isnan([found.stderr[0], found.diagnostics["khat"][0]]).all()
    assert found.diagnostics["ess"][0] == 0
    assert np.isfinite([found.values[1], found.stderr[1]]).all()


def test_conditional_fits_ask_for_labels():
    with pytest.raises(InputError, match="no y was given"):
        VAE(1, conditional=True, **SMALL).fit(low_rank(60))


def test_the_amortisation_gap_of_a_fit_on_jax():
    vae = VAE(1, backend="numpyro", **SMALL).fit(low_rank(60))
    assert vae.amortisation_gap(low_rank(5), n_steps=5).shape == (5,)


def test_a_bar_is_shown_on_a_terminal(monkeypatch, capsys):
    import sys

    vae = VAE(1, **SMALL).fit(low_rank(60))
    x = low_rank(12)
    quiet = vae.log_density(x, n_samples=30)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = vae.log_density(x, n_samples=30, progress=True)
    assert "/12 [" in capsys.readouterr().err
    np.testing.assert_array_equal(shown.values, quiet.values)
