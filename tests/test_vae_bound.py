"""The parts of the bound of `VAE`, its latents, and what the encoder leaves on the table."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen import VAE
from ppgen.models.vae.bounds import ACTIVE, collapse

from .vae_linear import K, fitted, low_rank
from .vae_rows import SMALL, moons, of_all_kinds


@pytest.fixture(scope="module")
def vae():
    # Where q is nearly right, the reconstruction scatters, and the divergence against it, more than
    # their difference: errors of log weights say nothing of `bound`, which has one in closed form.
    return VAE(1, learning_rate=1e-3, **SMALL).fit(moons(300))


@pytest.fixture(scope="module")
def frame():
    return of_all_kinds()


@pytest.fixture(scope="module")
def mixed(frame):
    return VAE(2, **SMALL).fit(frame)


def _pictures(n=80):
    rng = np.random.default_rng(0)
    return np.clip(rng.normal(100, 60, (n, 3, 2)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", ["plain", "flow", "two", "mixed", "filled", "levels"])
def test_the_parts_are_the_mean_of_log_weights(name, vae, mixed, frame):
    """At 5 standard errors of log weights, of fits whose reconstructions scatter no more."""
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


def test_one_latent_without_use_is_one():
    (reason,) = collapse(np.array([1.0, 2.0, 0.0]))
    assert reason.what == f"1 of 3 latents is inactive (below {ACTIVE} nats a row)."


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


def test_draws_of_the_posterior_have_its_moments():
    vae, x = fitted(), low_rank(5, seed=3)
    drawn = vae.sample_posterior(x, n=20_000, random_state=1)
    assert drawn.shape == (20_000, 5, K)
    mean, scale = vae.net_.encode(vae._matrix(vae._middle(vae._dataset(x, reset=False))), None)
    # Six standard errors of 20,000 draws.
    assert (np.abs(drawn.mean(0) - mean) < 6 * scale / 20_000**0.5).all()
    np.testing.assert_allclose(drawn.std(0), scale, rtol=6 / (2 * 20_000) ** 0.5)
    np.testing.assert_array_equal(drawn, vae.sample_posterior(x, n=20_000, random_state=1))
    assert not np.array_equal(drawn[:3], vae.sample_posterior(x, n=3, random_state=2))
