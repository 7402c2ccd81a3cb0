"""Objectives of NumPyro pairs: the same numbers and gradients as those of the Pyro pairs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import numpyro
import numpyro.distributions as dist
import pyro
import pytest
import torch

from ppgen.errors import InputError
from ppgen.inference import local_numpyro as ours
from ppgen.inference import local_pyro as theirs
from ppgen.inference.local_objective import Objective

from .local_pairs import PAIRS, S, W

W = np.asarray(W)
NAMES = ("linear", "two sites, up", "two sites, down", "counts, log-normal")
OBJECTIVES = {
    "elbo": Objective(samples=3, beta=0.7),
    "free bits": Objective(samples=3, free_bits=0.6),
    "iwae": Objective("iwae", 4),
    "dreg": Objective("dreg", 4),
}


def param(name):
    return numpyro.param("nets")[name]


def affine(x):
    return x @ param("w").T + param("b"), jnp.exp(param("log_s"))


def rows(x):
    return numpyro.plate("rows", len(x))


class Linear:
    @staticmethod
    def model(x):
        with rows(x):
            z = numpyro.sample("z", dist.Normal(jnp.zeros(2), 1.0).to_event(1))
            mean = z @ W.T + param("theta")
            numpyro.sample("x", dist.Normal(mean, S).to_event(1), obs=x)

    @staticmethod
    def guide(x):
        with rows(x):
            numpyro.sample("z", dist.Normal(*affine(x)).to_event(1))


class Up:
    @staticmethod
    def model(x):
        with rows(x):
            b = numpyro.sample("b", dist.Normal(0.0, 1.0))
            a = numpyro.sample("a", dist.Normal(0.5 * b, 1.0))
            mean = (a + param("theta"))[..., None]
            numpyro.sample("x", dist.Normal(mean, S).to_event(1), obs=x)

    @staticmethod
    def guide(x):
        (m, s), c = affine(x), param("c")
        with rows(x):
            a = numpyro.sample("a", dist.Normal(m[:, 1], s[1]))
            numpyro.sample("b", dist.Normal(m[:, 0] + c[0] * a, s[0] * jnp.exp(c[1] * a)))


class Down(Up):
    @staticmethod
    def guide(x):
        (m, s), c = affine(x), param("c")
        with rows(x):
            b = numpyro.sample("b", dist.Normal(m[:, 0], s[0]))
            numpyro.sample("a", dist.Normal(m[:, 1] + c[1] * b, s[1]))


class Counts:
    @staticmethod
    def model(x):
        with rows(x):
            r = numpyro.sample("r", dist.Gamma(2.0, 1.0))
            rate = (r * jnp.exp(param("theta")))[..., None]
            numpyro.sample("x", dist.Poisson(rate).to_event(1), obs=x)

    @staticmethod
    def guide(x):
        m, s = affine(jnp.log1p(x))
        with rows(x):
            numpyro.sample("r", dist.LogNormal(m[:, 0], s[0]))


TWINS = dict(zip(NAMES, (Linear, Up, Down, Counts), strict=True))


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True), pyro.validation_enabled(False):
        yield


def base(fn):
    fn = getattr(fn, "base_dist", fn)
    return getattr(fn, "base_dist", fn)


# Closed and sampled divergences, and either order of sites.
QUICK = {
    ("two sites, down", "free bits"),
    ("two sites, up", "dreg"),
    ("counts, log-normal", "elbo"),
}
EACH = [
    pytest.param(name, what, marks=[] if (name, what) in QUICK else pytest.mark.slow)
    for name in NAMES
    for what in OBJECTIVES
]


@pytest.mark.parametrize(("name", "what"), EACH)
def test_objectives_and_their_gradients_are_those_of_pyro(name, what):
    made, twin, objective = PAIRS[name](), TWINS[name], OBJECTIVES[what]
    rng, size = np.random.default_rng(1), {"z": (2,)}
    noise = {k: rng.normal(size=(objective.samples, 3, *size.get(k, ()))) for k in "abrz"}

    def torch_draw(site, fn, samples):
        z = base(fn).loc + base(fn).scale * torch.tensor(noise[site])
        return z.exp() if site == "r" else z

    def jax_draw(site, fn, key, samples):
        z = base(fn).loc + base(fn).scale * noise[site]
        return jnp.exp(z) if site == "r" else z

    weights = np.array([0.5, 1.0, 1.5])
    pair = theirs.Pair(made.model, made.guide, made.module)
    options = {"samples": objective.samples, "weights": torch.tensor(weights), "by": torch_draw}
    bend = {"beta": objective.beta, "free_bits": objective.free_bits}
    if objective.name == "elbo":
        value = theirs.elbo(pair, made.data, **options, **bend)
    else:
        value = theirs.iwae(pair, made.data, **options, doubly=what == "dreg")
    value.backward()

    learnt = {k: jnp.asarray(p.detach().numpy()) for k, p in made.module.named_parameters()}
    options |= {"weights": jnp.asarray(weights), "by": jax_draw}
    x, pair = jnp.asarray(made.data.numpy()), ours.Pair(twin.model, twin.guide)

    def raised(learnt):
        args = (pair, {"nets": learnt}, jr.key(0), x)
        if objective.name == "elbo":
            return ours.elbo(*args, **options, **bend)
        return ours.iwae(*args, **options, doubly=what == "dreg")

    found, grads = jax.jit(jax.value_and_grad(raised))(learnt)
    np.testing.assert_allclose(float(found), value.item(), rtol=1e-10)
    for key, p in made.module.named_parameters():
        expected = np.zeros(p.shape) if p.grad is None else p.grad.numpy()
        np.testing.assert_allclose(grads[key], expected, rtol=1e-7, atol=1e-11)
    assert sum(float(jnp.abs(g).sum()) for g in grads.values()) > 0.1


@pytest.mark.parametrize("what", ["free bits", "dreg"])
def test_held_out_rows_are_judged_by_the_objective(what):
    """By the draws of one key; and a step's own draws depend on its key alone."""
    made, objective = PAIRS["linear"](), OBJECTIVES[what]
    learnt = {k: jnp.asarray(p.detach().numpy()) for k, p in made.module.named_parameters()}
    x, pair = jnp.asarray(made.data.numpy()), ours.Pair(Linear.model, Linear.guide)
    params = {"nets": learnt}
    weights = np.array([0.2, 1.0, 1.8])
    key = jr.key(4)
    terms, sizes = ours.held_terms(pair, objective, params, key, x)
    value, _ = objective.judged(np.asarray(terms), sizes, weights)
    samples = objective.held_samples
    options = {"samples": samples, "weights": jnp.asarray(weights)}
    if objective.name == "elbo":
        bend = {"beta": objective.beta, "free_bits": objective.free_bits}
        whole = ours.elbo(pair, params, key, x, **options, **bend)
    else:
        whole = ours.iwae(pair, params, key, x, **options)
    assert (value * weights).mean() == pytest.approx(float(whole), rel=1e-9)
    one, same, other = (
        float(ours.objective(pair, objective, params, jr.key(k), jnp.asarray(9), x))
        for k in (1, 1, 2)
    )
    assert one == same != other


def test_pairs_of_another_kind_are_refused():
    def discrete(x):
        with rows(x):
            numpyro.sample("z", dist.Poisson(jnp.ones(2)).to_event(1))

    def more(x):
        Linear.model(x)
        with rows(x):
            numpyro.sample("extra", dist.Normal(0.0, 1.0))

    made = PAIRS["linear"]()
    params = {"nets": {k: jnp.asarray(p.detach()) for k, p in made.module.named_parameters()}}
    x = jnp.asarray(made.data.numpy())
    for model, guide, words in (
        (Linear.model, discrete, "no reparameterised draws"),
        (more, Linear.guide, "'extra' is a latent of the model"),
    ):
        with pytest.raises(InputError, match=words):
            ours.elbo(ours.Pair(model, guide), params, jr.key(0), x)
