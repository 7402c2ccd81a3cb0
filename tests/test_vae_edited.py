"""Whoever edits the model of the variational autoencoder's pair edits what is fitted and scored."""

from __future__ import annotations

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from scipy import stats

from ppgen import VAE, InputError
from ppgen.inference.local_sites_pyro import plate_of_rows
from ppgen.models.vae import pyro as pair

from .vae_linear import K, fitted, low_rank, moments

LINEAR = {"hidden": (), "noise": "shared", "random_state": 0, "learning_rate": 3e-2}
FAR = 1.5  # mean of the edited prior


def other_prior(nets, x, context=None, *, n_total=None):
    """z_1 ~ Normal(1.5, 0.5^2)."""
    n = (n_total or 1) if x is None else x.shape[-2]
    with plate_of_rows(n, n_total):
        at = torch.full((nets.posterior.n_inputs // 2,), FAR)
        z_1 = pyro.sample("z_1", dist.Normal(at, 0.5).to_event(1))
        return pyro.sample("x", nets.p_x(z_1, context), obs=x)


def other_likelihood(nets, x, context=None, *, n_total=None):
    """Laplace noise of a known scale."""
    n = (n_total or 1) if x is None else x.shape[-2]
    with plate_of_rows(n, n_total):
        z_1 = pyro.sample("z_1", nets.prior())
        p_x = dist.Laplace(nets.p_x(z_1, context).mean, 0.8)
        if x is not None:
            p_x, x = p_x.mask(~torch.isnan(x)), torch.nan_to_num(x)
        return pyro.sample("x", p_x.to_event(1), obs=x)


def test_another_prior_is_scored_drawn_annealed_and_decomposed(monkeypatch):
    """A linear fit: x ~ Normal(W m + c, W W^T / 4 + s^2 I), at 5 standard errors."""
    vae, x = fitted(exact=False), low_rank(30, seed=3)
    plain = vae.log_density(x, n_samples=4000)
    monkeypatch.setattr(pair, "model", other_prior)
    w = vae.net_.nets.decoder[-1].weight.detach().double().numpy()
    c, covariance = moments(vae)
    noise = covariance - w @ w.T
    truth = stats.multivariate_normal(c + FAR * w.sum(1), 0.25 * w @ w.T + noise)
    encoded = vae._middle(vae._dataset(x, reset=False))
    exact = truth.logpdf(encoded.x) + encoded.log_det
    found = vae.log_density(x, n_samples=4000)
    good = found.diagnostics["khat"] < 0.5
    assert good.sum() > 15
    assert (np.abs(found.values - exact)[good] < 5 * found.stderr[good]).all()
    assert np.abs(plain.values - exact).mean() > 0.5
    parts = vae.bound(x)
    elbo = vae.log_density(x, method="elbo", n_samples=4000)
    assert abs(parts.elbo.mean() - elbo.values.mean()) < 0.2
    np.testing.assert_allclose(parts.kl_per_latent.sum(), parts.kl.mean(), rtol=1e-4)
    drawn = vae._middle(vae._dataset(vae.sample(4000, random_state=1), reset=False)).x
    error = np.sqrt(np.diag(truth.cov) / 4000)
    assert (np.abs(drawn.mean(0) - truth.mean) < 5 * error).all()
    codes = vae.sample_latents(4000, random_state=1)
    np.testing.assert_allclose(codes.mean(0), FAR, atol=5 * 0.5 / 4000**0.5)
    gap = vae.density_gap(40, n_chains=8, n_temperatures=40, n_samples=64)
    assert -4 * gap.gap_stderr < gap.gap < 0.1
    entropy = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * truth.cov)[1]
    assert abs(gap.upper.mean() + entropy) < 4 * np.sqrt(len(c) / 2 / 40)


def test_another_prior_is_what_is_trained_against(monkeypatch):
    x = low_rank(400)
    settings = {**LINEAR, "max_epochs": 40, "batch_size": 50}
    plain = VAE(K, **settings).fit(x)
    codes = plain.encode(x)
    assert np.abs(codes.mean(0)).max() < 0.3 < 0.7 < codes.std(0).max()
    monkeypatch.setattr(pair, "model", other_prior)
    vae = VAE(K, **settings).fit(x)
    codes = vae.encode(x)
    np.testing.assert_allclose(codes.mean(0), FAR, atol=0.2)
    assert codes.std(0).max() < 0.7
    # What was trained under the other model has lost where the edited one scores it.
    assert vae.score(x) > plain.score(x) + 2


def test_another_likelihood_is_trained_scored_imputed_and_drawn(monkeypatch):
    rng = np.random.default_rng(0)
    x = low_rank(300) + rng.laplace(size=(300, 4))
    gappy = np.where(rng.random(x.shape) < 0.1, np.nan, x)
    monkeypatch.setattr(pair, "model", other_likelihood)
    vae = VAE(1, **LINEAR, max_epochs=20, batch_size=50).fit(gappy)
    filled = vae.impute(gappy[np.isnan(gappy).any(1)][:5])
    assert np.isfinite(filled).all()
    code = vae.encode(x[:1])
    noise = np.concatenate([vae.net_.decode(code, None, draw=i) for i in range(3000)])
    noise -= vae.net_.decode(code, None)
    assert stats.kstest(noise.ravel(), stats.laplace(scale=0.8).cdf).pvalue > 1e-4
    # One latent: log p(x) is a sum over a grid.
    found = vae.log_density(x[:5], n_samples=4000)
    encoded = vae._middle(vae._dataset(x[:5], reset=False))
    line = np.linspace(-8, 8, 1601)[:, None]
    at = vae.net_.decode(line, None)
    log_x = stats.laplace.logpdf(encoded.x, at[:, None], 0.8).sum(-1)
    joint = log_x + stats.norm.logpdf(line)
    exact = np.logaddexp.reduce(joint, axis=0) + np.log(0.01) + encoded.log_det
    assert (np.abs(found.values - exact) < 5 * found.stderr + 1e-3).all()


def test_another_guide_is_drawn_from(monkeypatch):
    """A Laplace posterior: its rows score alone as among others, and by its own density."""

    def guide(nets, x, context=None, *, n_total=None):
        with plate_of_rows(len(x), n_total):
            q = nets.q_1(nets.encode(x, context)).base_dist
            return pyro.sample("z_1", dist.Laplace(q.loc, q.scale).to_event(1))

    vae, x = fitted(exact=False), low_rank(20, seed=3)
    expected = vae.log_density(x, n_samples=2000)
    monkeypatch.setattr(pair, "guide", guide)
    found = vae.log_density(x, n_samples=2000)
    error = np.hypot(found.stderr, expected.stderr)
    assert (np.abs(found.values - expected.values) < 5 * error).all()
    assert not np.array_equal(found.values, expected.values)
    alone = vae.log_density(x[7:8], n_samples=2000)
    np.testing.assert_allclose(alone.values, found.values[7:8], rtol=1e-5)
    again = VAE(K, **LINEAR, max_epochs=2).fit(low_rank(60))
    assert np.isfinite(again.encode(x)).all()


@pytest.mark.parametrize("both", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_numpyro_pair_is_what_is_trained(monkeypatch, both):
    """Edited alike in both pairs, the model is trained and scored; in one alone, it is refused."""
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as ndist

    from ppgen.models.vae import numpyro as twin

    def other(nets, x, context=None, *, n_total=None):
        nets = twin._registered(nets)
        with numpyro.plate("rows", x.shape[-2]):
            at = jnp.full(nets.architecture.latent[0], FAR)
            z_1 = numpyro.sample("z_1", ndist.Normal(at, 0.5).to_event(1))
            return numpyro.sample("x", twin.p_x(nets, z_1, context), obs=x)

    x = low_rank(200)
    vae = VAE(K, backend="numpyro", **LINEAR, max_epochs=60, batch_size=50)
    monkeypatch.setattr(twin, "model", other)
    if not both:
        with pytest.raises(InputError, match=r"pyro.py and models/vae/numpyro.py"):
            vae.fit(x)
        return
    monkeypatch.setattr(pair, "model", other_prior)
    codes = vae.fit(x).encode(x)
    np.testing.assert_allclose(codes.mean(0), FAR, atol=0.25)
    density = vae.log_density(x[:50], n_samples=1000)
    monkeypatch.undo()
    assert vae.log_density(x[:50], n_samples=1000).mean() < density.mean() - 0.5
