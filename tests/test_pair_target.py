"""The target of a pair: its log joint against that by hand, on both backends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import expon, halfcauchy, halfnorm, norm, pareto

from ppgen.errors import InputError
from ppgen.inference.posterior.target import Target, make_target

from .pair_models import library

Y = np.array([28.0, 8.0, -3.0, 7.0])
SIGMA = np.array([15.0, 10.0, 16.0, 11.0])


def schools(backend: str) -> Target:
    """Four schools, centred."""
    if backend == "numpyro":
        import numpyro as p
        import numpyro.distributions as dist

        args: Any = (Y, SIGMA)
    else:
        import pyro as p  # type: ignore[no-redef]
        import pyro.distributions as dist  # type: ignore[no-redef]
        import torch

        args = (torch.as_tensor(Y), torch.as_tensor(SIGMA))

    def model(y: Any, sigma: Any) -> None:
        mu = p.sample("mu", dist.Normal(0, 5))
        tau = p.sample("tau", dist.HalfCauchy(5))
        with p.plate("schools", 4):
            theta = p.sample("theta", dist.Normal(mu, tau))
            p.sample("y", dist.Normal(theta, sigma), obs=y)
        p.deterministic("twice", 2 * mu)

    return make_target(model, args, backend=backend)  # type: ignore[arg-type]


def mixture(backend: str) -> Target:
    """Two components with known weights."""
    if backend == "numpyro":
        import jax.numpy as xp
        import numpyro as p
        import numpyro.distributions as dist

        x: Any = xp.asarray(Y)
    else:
        import pyro as p  # type: ignore[no-redef]
        import pyro.distributions as dist  # type: ignore[no-redef]
        import torch as xp  # type: ignore[no-redef]

        x = xp.as_tensor(Y)

    def model(x: Any) -> None:
        array = xp.array if backend == "numpyro" else xp.tensor
        mu = p.sample("mu", dist.Normal(0, 5).expand([2]).to_event(1))
        sd = p.sample("sd", dist.HalfNormal(10.0))
        with p.plate("rows", 4):
            k = p.sample("k", dist.Categorical(array([0.3, 0.7])))
            p.sample("x", dist.Normal(mu[k], sd), obs=x)

    return make_target(model, (x,), backend=backend)  # type: ignore[arg-type]


BACKENDS = pytest.mark.parametrize("backend", ["numpyro", "pyro"])


BEYOND = pytest.mark.filterwarnings("ignore:Out-of-support values")  # which JAX sees outside of jit


def at(target: Target, z: Any) -> tuple[float, float, float]:
    with target.precision():
        z = target.start(0) * 0 + (
            z if target.backend == "numpyro" else __import__("torch").as_tensor(z)
        )
        prior, likelihood = target.log_parts(z)
        assert float(target.log_prior(z)) == pytest.approx(float(prior))
        assert float(target.log_likelihood(z)) == pytest.approx(float(likelihood))
        return float(prior), float(likelihood), float(target.log_joint(z))


@BACKENDS
def test_log_prior_and_likelihood_are_those_of_scipy(backend: str) -> None:
    target = schools(backend)
    z = np.array([1.0, 0.5, 3.0, -2.0, 0.0, 5.0])
    prior, likelihood, joint = at(target, z)
    tau = np.exp(0.5)
    by_hand = (
        norm(0, 5).logpdf(1)
        + halfcauchy(scale=5).logpdf(tau)
        + 0.5
        + norm(1, tau).logpdf(z[2:]).sum()
    )
    assert prior == pytest.approx(by_hand)
    assert likelihood == pytest.approx(norm(z[2:], SIGMA).logpdf(Y).sum())
    assert joint == pytest.approx(prior + likelihood)


@BACKENDS
def test_discrete_sites_are_summed_out(backend: str) -> None:
    target = mixture(backend)
    assert target.sites["k"].levels == 2
    prior, likelihood, joint = at(target, np.array([-1.0, 4.0, 1.5]))
    sd = np.exp(1.5)
    assert prior == pytest.approx(
        norm(0, 5).logpdf([-1, 4]).sum() + halfnorm(scale=10).logpdf(sd) + 1.5
    )
    each = 0.3 * norm(-1, sd).pdf(Y) + 0.7 * norm(4, sd).pdf(Y)
    assert likelihood == pytest.approx(np.log(each).sum())
    assert joint == pytest.approx(prior + likelihood)


def test_discrete_sites_of_numpyro_are_summed_out_whatever_funsor_computes_with() -> None:
    import funsor

    target = mixture("numpyro")
    before = at(target, np.zeros(3))
    funsor.set_backend("torch")  # as parts of Pyro do
    try:
        assert at(target, np.zeros(3)) == before
        assert funsor.get_backend() == "torch"
    finally:
        funsor.set_backend("jax")


@BACKENDS
def test_values_go_to_the_unconstrained_scale_and_back(backend: str) -> None:
    target = schools(backend)
    with target.precision():
        z = target.start(1)
        values = target.constrain(z, with_deterministic=True)
        assert float(values["twice"]) == pytest.approx(2 * float(values["mu"]))
        np.testing.assert_allclose(np.asarray(target.unconstrain(values)), np.asarray(z))
        assert np.asarray(target.draw_prior(3)).shape == (6,)
    assert target.coordinates == ["mu", "tau", *(f"theta[{i}]" for i in range(4))]


@BACKENDS
def test_sites_are_read_with_their_plates(backend: str) -> None:
    sites = schools(backend).sites
    assert {name: site.kind for name, site in sites.items()} == {
        "mu": "latent",
        "tau": "latent",
        "theta": "latent",
        "y": "observed",
        "twice": "deterministic",
    }
    (plate,) = sites["theta"].plates
    assert (plate.name, plate.dim, plate.size, plate.subsample) == ("schools", -1, 4, 4)


def test_states_that_numpyro_would_miscount_are_refused() -> None:
    p, dist = library("numpyro")

    def model(y: Any) -> None:
        m = p.sample("m", dist.Normal(0.0, 1.0))
        k = p.sample("k", dist.DiscreteUniform(2, 4))
        p.sample("y", dist.Normal(m + k, 1.0), obs=y)

    with pytest.raises(InputError, match=r"'k' takes the values \[2, 3, 4\]"):
        make_target(model, (np.array(3.0),), {}, "numpyro")


def test_states_are_summed_out_whatever_a_site_says() -> None:
    import torch

    p, dist = library("pyro")

    def model(y: Any) -> None:
        m = p.sample("m", dist.Normal(0.0, 1.0))
        k = p.sample("k", dist.Bernoulli(0.3), infer={"enumerate": "sequential"})
        p.sample("y", dist.Normal(m + k, 1.0), obs=y)

    target = make_target(model, (torch.tensor(1.0),), {}, "pyro")
    with target.precision():
        found = float(target.log_likelihood(torch.zeros(1)))
    want = np.log(0.7 * norm.pdf(1) + 0.3 * norm.pdf(0))
    assert found == pytest.approx(want, abs=1e-6)


def test_states_of_a_scan_are_summed_out_at_a_place_given_by_numpy() -> None:
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist
    from numpyro.contrib.control_flow import scan

    A, y = np.array([[0.7, 0.3], [0.2, 0.8]]), np.array([0.5, -1.0, 2.0])

    def model(y: Any) -> None:
        mu = numpyro.sample("mu", dist.Normal(0, 3).expand([2]).to_event(1))

        def step(before: Any, value: Any) -> Any:
            k = numpyro.sample("k", dist.Categorical(jnp.asarray(A)[before]))
            numpyro.sample("y", dist.Normal(mu[k], 1), obs=value)
            return k, None

        scan(step, 0, y)

    target = make_target(model, (jnp.asarray(y),), {}, "numpyro")
    mu = np.array([-0.5, 1.5])
    p = np.array([1.0, 0.0])
    for value in y:
        p = p @ A * norm.pdf(value, mu)
    with target.precision():
        found = float(target.log_joint(mu))
    assert found == pytest.approx(np.log(p.sum()) + norm.logpdf(mu, 0, 3).sum(), rel=1e-6)


def bounded_below(backend: str, kind: str) -> Target:
    """Two values above theta, which is Normal(0, 1), that do not check themselves where their
    library lets them."""
    p, dist = library(backend)
    if backend == "pyro":
        import torch as xp
        from torch.distributions.transforms import AffineTransform

        values: Any = xp.as_tensor(Y[:2])
        unchecked: dict[str, Any] = {}
    else:
        import jax.numpy as xp  # type: ignore[no-redef]
        from numpyro.distributions.transforms import AffineTransform  # type: ignore[assignment]

        values, unchecked = Y[:2], {"validate_args": False}

    def model(y: Any) -> None:
        theta = p.sample("theta", dist.Normal(0.0, 1.0))
        if kind == "pareto":
            fn = dist.Pareto(xp.exp(theta), 2.0, **unchecked)
        else:
            base = dist.Exponential(1.0 + 0 * values, **unchecked)
            fn = dist.TransformedDistribution(base, [AffineTransform(theta, 1.0)], **unchecked)
        p.sample("y", fn.expand((2,)).to_event(1), obs=y)

    return make_target(model, (values,), backend=backend)  # type: ignore[arg-type]


@BEYOND
@BACKENDS
@pytest.mark.parametrize("kind", ["pareto", "shifted"])
def test_values_beyond_a_bound_have_density_zero_whether_checked_or_not(
    backend: str, kind: str
) -> None:
    target = bounded_below(backend, kind)
    least, beyond = (np.log(7.0), np.log(9.0)) if kind == "pareto" else (7.0, 9.0)
    of = (lambda z: pareto.logpdf(Y[:2], 2, scale=np.exp(z))) if kind == "pareto" else (
        lambda z: expon.logpdf(Y[:2], z)
    )  # fmt: skip
    assert at(target, np.array([least]))[1] == pytest.approx(of(least).sum())
    assert np.isneginf(of(beyond).sum())
    assert np.isneginf(at(target, np.array([beyond]))[2])


@BEYOND
@BACKENDS
def test_a_bound_may_depend_on_a_state_that_is_summed_out(backend: str) -> None:
    import torch

    p, dist = library(backend)
    numbers: Any = np.array if backend == "numpyro" else torch.tensor

    def model(y: Any) -> None:
        end = p.sample("end", dist.LogNormal(0.0, 1.0))
        k = p.sample("k", dist.Categorical(numbers([0.3, 0.7])))
        with p.plate("rows", 2):
            p.sample("y", dist.Uniform(0.0, end * (1.0 + k)), obs=y)

    target = make_target(model, (numbers([2.5, 1.0]),), backend=backend)  # type: ignore[arg-type]
    for end, expected in ((2.0, np.log(0.7) - 2 * np.log(4.0)), (1.0, -np.inf)):
        assert at(target, np.array([np.log(end)]))[2] == pytest.approx(
            expected + norm.logpdf(np.log(end))
        )
