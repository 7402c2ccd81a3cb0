"""Correlated noise of p(x | z): its density, gaps and rows drawn, on torch and on JAX."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, multivariate_t

from ppgen.models.nets.whitening import Whitening

from .net_rows import D, collinear

NU = 7.0


@pytest.fixture(scope="module")
def observed():
    """p(x | z) with correlated noise of four numbers and one level, and decoder outputs of it."""
    import torch

    from ppgen.models.vae.observation import Observation
    from ppgen.models.vae.parts import Part

    whitening = Whitening.fit(collinear(300, noise=0.3))
    parts = (Part("gaussian", 0, D), Part("bernoulli", D, D + 1))
    observation = Observation(parts, noise="full", missing=True, whitening=whitening).double()
    for name, array in (("matrix", whitening.matrix), ("root", whitening.root)):
        getattr(observation, name).copy_(torch.tensor(array))
    observation.centre.copy_(torch.tensor(whitening.centre))
    observation.log_freedom.data.fill_(np.log(NU))
    observation.log_scales["0"].data = torch.linspace(-1, 0.5, D).double()
    raw = torch.tensor(np.random.default_rng(0).normal(size=(3, 6, D + 1)))
    return observation, raw


def scales(observation):
    return observation.log_scales["0"].detach().exp().numpy()


def closed_form(observation, raw, x):
    """(3, n) log p of what is there of numbers x."""
    root, s = observation.root.numpy(), scales(observation)
    covariance = root @ np.diag(s**2) @ root.T
    mean = raw[..., :D].numpy() @ root.T + observation.centre.numpy()
    out = np.zeros(raw.shape[:2])
    for k, i in np.ndindex(*out.shape):
        seen = np.flatnonzero(~np.isnan(x[i, :D]))
        if len(seen):
            part = multivariate_t(mean[k, i, seen], covariance[np.ix_(seen, seen)], df=NU)
            out[k, i] = part.logpdf(x[i, seen])
    return out


@pytest.mark.parametrize("gaps", [False, True])
def test_correlated_noise_is_a_student_t_and_its_marginals(observed, gaps):
    import torch

    observation, raw = observed
    x = np.column_stack([collinear(6, 3, noise=0.3), np.tile([0.0, 1.0], 3)])
    if gaps:
        x[np.random.default_rng(0).random(x.shape) < 0.4] = np.nan
        x[0, :D] = np.nan
    found = observation.log_prob(raw, torch.tensor(x)).detach().numpy()
    level = np.nan_to_num(x[:, D])
    odds = raw[..., D].numpy()
    coin = np.where(np.isnan(x[:, D]), 0, level * odds - np.log1p(np.exp(odds)))
    np.testing.assert_allclose(found, closed_form(observation, raw, x) + coin, rtol=1e-7)


def test_gaps_beside_columns_that_are_nearly_the_same_have_densities():
    import torch

    from ppgen.models.vae.observation import Observation
    from ppgen.models.vae.parts import Part

    x = np.random.default_rng(0).normal(size=(300, 1)).repeat(30, 1)
    whitening = Whitening.fit(x)
    observation = Observation(
        (Part("gaussian", 0, 30),), noise="full", missing=True, whitening=whitening
    )
    observation.log_scales["0"].data.fill_(-7.0)
    rows = torch.tensor(x[:4], dtype=torch.float32)
    for at in ((slice(None), 29), (slice(None), 0), (0, slice(None, None, 2))):
        gone = rows.clone()
        gone[at] = torch.nan
        assert torch.isfinite(observation.log_prob(torch.zeros(4, 30), gone)).all()
        filled = observation.mixed_mean(torch.zeros(1, 4, 30), torch.ones(1, 4, 1), gone)
        np.testing.assert_allclose(filled.detach(), rows, atol=1e-3)


def test_gaps_are_expected_given_the_numbers_that_are_there(observed):
    import torch

    observation, raw = observed
    x = collinear(6, 3, noise=0.3)
    full, (root, s) = x.copy(), (observation.root.numpy(), scales(observation))
    x[np.random.default_rng(1).random(x.shape) < 0.4] = np.nan
    x[0] = np.nan
    share = torch.softmax(torch.tensor(np.random.default_rng(2).normal(size=(3, 6, 1))), 0)
    rows = torch.tensor(np.column_stack([x, np.zeros(6)]))
    found = observation.mixed_mean(raw, share, rows).detach().numpy()[:, :D]
    covariance = root @ np.diag(s**2) @ root.T
    mean = raw[..., :D].numpy() @ root.T + observation.centre.numpy()
    expected = np.zeros_like(x)
    for k, i in np.ndindex(3, 6):
        o = ~np.isnan(x[i])
        gain = covariance[:, o] @ np.linalg.inv(covariance[np.ix_(o, o)])
        expected[i] += share[k, i, 0].item() * (mean[k, i] + gain @ (full[i, o] - mean[k, i, o]))
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_rows_drawn_with_correlated_noise_have_its_covariance(observed):
    import torch

    observation, raw = observed
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        drawn = observation.sample(raw[:1, :1].expand(1, 40_000, -1))[0, :, :D].detach().numpy()
    root, s = observation.root.numpy(), scales(observation)
    covariance = root @ np.diag(s**2) @ root.T * NU / (NU - 2)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.05)
    mean = observation.mean(raw)[0, 0, :D].detach().numpy()
    np.testing.assert_allclose(drawn.mean(0), mean, atol=0.05)


def on_jax(observation):
    """The twin on JAX."""
    import jax.numpy as jnp

    from ppgen.models.vae.observation_jax import Observation

    learnt = {"0": jnp.asarray(observation.log_scales["0"].detach().numpy())}
    freedom = jnp.asarray(observation.log_freedom.detach().numpy())
    fixed = tuple(jnp.asarray(a.numpy()) for a in observation.whitening)
    return Observation(observation.parts, "full", True, learnt, fixed, freedom)


def test_correlated_noise_on_jax_is_that_on_torch(observed):
    jax = pytest.importorskip("jax")
    import torch

    observation, raw = observed
    x = np.column_stack([collinear(6, 3, noise=0.3), np.tile([0.0, 1.0], 3)])
    expected = observation.log_prob(raw, torch.tensor(x)).detach()
    with jax.enable_x64(True):
        found = jax.jit(lambda twin, raw, x: twin.log_prob(raw, x))(
            on_jax(observation), raw.numpy(), x
        )
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.slow  # draws of gammas take 5 s to compile
def test_rows_drawn_on_jax_with_correlated_noise_have_its_covariance(observed):
    import jax
    import jax.numpy as jnp

    observation, raw = observed
    twin = on_jax(observation)
    many = jnp.broadcast_to(jnp.asarray(raw[0, 0].numpy()), (40_000, D + 1))
    drawn = np.asarray(twin.sample(jax.random.key(0), many))[:, :D]
    root, s = observation.root.numpy(), scales(observation)
    covariance = root @ np.diag(s**2) @ root.T * NU / (NU - 2)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.05)


def test_the_noise_of_many_degrees_of_freedom_is_gaussian(observed):
    from copy import deepcopy

    import torch

    observation, raw = observed
    x = torch.tensor(np.column_stack([collinear(6, 3, noise=0.3), np.full(6, np.nan)]))
    wide = deepcopy(observation)
    wide.log_freedom.data.fill_(50.0)  # cut off at 1000
    root, s = observation.root.numpy(), scales(observation)
    mean = raw[0, 0, :D].numpy() @ root.T + observation.centre.numpy()
    exact = multivariate_normal(mean, root @ np.diag(s**2) @ root.T).logpdf(x[:, :D].numpy())
    found = wide.log_prob(raw[:1, :1].expand(1, 6, -1), x)[0].detach().numpy()
    np.testing.assert_allclose(found, exact, rtol=0.02)
