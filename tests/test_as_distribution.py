"""Fitted densities as distributions of NumPyro and Pyro: the same numbers, in the units of the
data, with gradients; draws of the same density."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp

import ppgen
from ppgen import InputError
from ppgen.checks import no_distribution

from . import zoo
from .distribution_rows import Backend, Floats, asked, of_every_kind, table, values

LEVEL = 1e-4  # of each Kolmogorov-Smirnov test of draws
STEP = 1e-5  # of finite differences


def stencil(x: Floats) -> Floats:
    """(n (1 + 2 D), D) rows, and each moved by `STEP` up and down along each column."""
    moved = np.concatenate([np.zeros((1, x.shape[1])), *(s * np.eye(x.shape[1]) for s in (1, -1))])
    return (x + STEP * moved[:, None]).reshape(-1, x.shape[1])


def keeps_the_contract(name: str, backend: Backend) -> None:
    model, x = zoo.fitted(name), zoo.numbers(4, seed=1)
    slopes = model.capabilities.distribution == "differentiable"
    rows = model.as_distribution(backend)
    assert (tuple(rows.batch_shape), tuple(rows.event_shape)) == ((), (2,))
    log_prob, slope, drawn = asked(rows, backend, stencil(x) if slopes else x, slopes, 600)
    # Nets score in single precision; flows that are integrated take steps to a tolerance.
    single = 1e-4 if slopes else 1e-2
    tolerance = single if "validation" in model.capabilities.uses else 1e-9
    np.testing.assert_allclose(log_prob[:4], model.score_samples(x), rtol=1e-9, atol=tolerance)
    if slopes:
        up, down = log_prob[4:].reshape(2, 2, 4)
        np.testing.assert_allclose(slope[:4], ((up - down) / (2 * STEP)).T, rtol=1e-5, atol=1e-6)
    real = model.sample(600, random_state=1)
    assert drawn.shape == (600, 2)
    pairs = [*zip(real.T, drawn.T, strict=True)]
    pairs += [[model.score_samples(each) for each in (real, drawn)]] if slopes else []
    assert min(ks_2samp(*pair).pvalue for pair in pairs) > LEVEL


@zoo.each("distribution", refits=True)
def test_in_pyro_a_fit_has_its_density_its_gradient_and_its_draws(name: str) -> None:
    keeps_the_contract(name, "pyro")


_PER_CLASS = zoo.named("distribution", per="class")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in _PER_CLASS else pytest.mark.slow)
        for name in zoo.named("distribution")
    ],
)
def test_in_numpyro_a_fit_has_its_density_its_gradient_and_its_draws(name: str) -> None:
    keeps_the_contract(name, "numpyro")


@pytest.mark.parametrize("name", ["independent", "gmm", "bayesnet"])
def test_values_are_in_the_units_of_the_data_and_levels_are_numbers(name: str) -> None:
    model, data = of_every_kind(name), table()
    right = model.score_samples(data)
    rows = model.as_distribution("pyro")
    log_prob, _, drawn = asked(rows, "pyro", values(data), False, 500)
    np.testing.assert_allclose(log_prob, right, rtol=1e-9, atol=1e-9)
    made = model.sample(500, random_state=1)
    made = values(ppgen.read(made if isinstance(made, dict) else dict(made), schema=data.schema))
    assert min(ks_2samp(*pair).pvalue for pair in zip(made.T, drawn.T, strict=True)) > LEVEL
    assert (made.min(0)[[1, 4]] == 0).all()
    if name == "gmm":
        rows = model.as_distribution("numpyro")
        log_prob, _, drawn = asked(rows, "numpyro", values(data), False, 500)
        np.testing.assert_allclose(log_prob, right, rtol=1e-9, atol=1e-9)
        assert min(ks_2samp(*pair).pvalue for pair in zip(made.T, drawn.T, strict=True)) > LEVEL
        assert bool(rows.support(drawn).all())


@cache
def with_ends() -> tuple[Any, Floats]:
    """Kernels over the columns of `table` that have no levels, and the values."""
    data = table("length", "share", "angle", "far")
    return ppgen.KernelDensity(random_state=0).fit(data), values(data)


def test_the_line_is_carried_onto_the_support_of_each_column() -> None:
    import torch
    from torch.distributions import biject_to

    model, x = with_ends()
    rows = model.as_distribution("pyro")
    onto, inside = biject_to(rows.support), torch.tensor(x[1:20])
    z = onto.inv(inside)
    torch.testing.assert_close(onto(z), inside)
    volumes = onto.log_abs_det_jacobian(z, inside)
    for row, volume in zip(z, volumes, strict=True):
        slope: Any = torch.autograd.functional.jacobian(onto, row)
        torch.testing.assert_close(torch.linalg.slogdet(slope)[1], volume)
    far = onto(torch.tensor([[900.0], [-900.0], [40.0]], dtype=torch.float64).expand(-1, 4))
    assert bool(rows.support.check(far).all())
    np.testing.assert_allclose(onto(torch.zeros(4).double())[:3], [1.0, 0.5, 180.0])
    outside = torch.tensor([[-1.0, 0.5, 180.0, 0.0], [1.0, 2.0, 180.0, 0.0]]).double()
    found = rows.log_prob(torch.cat([outside, inside[:1]]))
    assert found[:2].isneginf().all()
    torch.testing.assert_close(found[2:], rows.log_prob(inside[:1]))
    assert tuple(rows.expand([3]).log_prob(outside[:1]).shape) == (3,)
    with pytest.raises(InputError, match="kind, ringed has levels"):
        biject_to(of_every_kind("gmm").as_distribution("pyro").support)


def test_numpyro_carries_the_line_onto_the_same_support_and_gives_nothing_outside() -> None:
    import jax
    import torch
    from numpyro.distributions import biject_to

    model, x = with_ends()
    rows = model.as_distribution("numpyro")
    z = np.linspace(-2, 2, 20).reshape(5, 4)
    right = torch.distributions.biject_to(model.as_distribution("pyro").support)(torch.tensor(z))
    outside = x[:4] * [[-1, 1, 1, 1], [1, 2, 1, 1], [1, 1, -1, 1], [1, 1, 1, np.inf]]
    with jax.enable_x64(True):
        onto = biject_to(rows.support)
        np.testing.assert_allclose(onto(z), right, rtol=1e-12)
        np.testing.assert_allclose(onto.inv(onto(z)), z, rtol=1e-9)
        with pytest.warns(UserWarning, match="Out-of-support"):
            found = rows.log_prob(outside)
    assert np.isneginf(found).all()


def test_numpyro_computes_in_the_precision_of_its_use() -> None:
    import jax
    import jax.numpy as jnp

    model, x = zoo.fitted("gaussian"), zoo.numbers(4, seed=1) + 1e5
    rows = model.as_distribution("numpyro")
    assert jax.eval_shape(rows.log_prob, jnp.asarray(x)).dtype == jnp.float32
    found = asked(rows, "numpyro", x, False)[0]
    np.testing.assert_allclose(found, model.score_samples(x), rtol=1e-12)


def test_a_distribution_holds_numbers_of_its_own() -> None:
    x = zoo.numbers(60)
    model = ppgen.GaussianMixture(2, n_init=1, random_state=0).fit(x)
    rows = model.as_distribution("pyro")
    before = asked(rows, "pyro", x, False)[0]
    model.means_[:] += 1.0
    model.fit(x + 5)
    np.testing.assert_array_equal(asked(rows, "pyro", x, False)[0], before)


@cache
def conditional() -> tuple[Any, Floats]:
    x = zoo.numbers(80)
    small: dict[str, Any] = {
        "n_transforms": 1,
        "hidden": (8,),
        "max_epochs": 2,
        "bins": 4,
        "random_state": 0,
    }
    return ppgen.NormalizingFlow(**small).fit(x, zoo.labels(80)), x[:4]


@pytest.mark.parametrize("backend", ["pyro", "numpyro"])
def test_a_conditional_fit_is_given_one_row_or_a_batch(backend: Backend) -> None:
    model, x = conditional()
    y = zoo.labels(4)
    batch = model.as_distribution(backend, y)
    assert tuple(batch.batch_shape) == (4,)
    log_prob, _, drawn = asked(batch, backend, x, False, 3)
    np.testing.assert_allclose(log_prob, model.score_samples(x, y), atol=1e-4)
    assert drawn.shape == (3, 4, 2)
    one = model.as_distribution(backend, y=["left"])
    right = model.score_samples(x, np.repeat("left", 4))
    np.testing.assert_allclose(asked(one, backend, x, False)[0], right, atol=1e-4)


def test_a_network_is_what_is_left_of_it_given_others_and_without_some() -> None:
    model = of_every_kind("bayesnet")
    left = ["length", "share", "same", "angle", "ringed", "far"]
    for fit in (model.marginal(left), model.condition({"kind": "b"})):
        x = table(*left)
        found = asked(fit.as_distribution("pyro"), "pyro", values(x), True, 300)
        np.testing.assert_allclose(found[0], fit.score_samples(x), rtol=1e-9)
        drawn = fit.sample(300, random_state=1)
        assert ks_2samp(np.asarray(drawn["length"]), found[2][:, 0]).pvalue > LEVEL


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["pyro", "numpyro"])
@pytest.mark.parametrize("kind", ["flow", "nuts"])
def test_a_network_of_flows_or_of_a_posterior_has_its_density(kind: str, backend: Backend) -> None:
    settings: dict[str, Any] = {"conditionals": "flow"}
    if kind == "nuts":
        few = {"num_warmup": 50, "num_samples": 30, "num_chains": 1}
        settings = {"engine": "nuts", "engine_settings": few}
    edges = [("kind", "length"), ("length", "share"), ("kind", "share")]
    x = table("length", "kind", "share")
    fit = ppgen.BayesianNetwork(edges, random_state=0, **settings).fit(x, budget="20s")
    log_prob, slope, _ = asked(fit.as_distribution(backend), backend, values(x), True)
    np.testing.assert_allclose(log_prob, fit.score_samples(x), rtol=1e-9)
    step = STEP * np.array([1.0, 0.0, 0.0])
    moved = np.concatenate([values(x)[5:9] + step, values(x)[5:9] - step])
    up, down = asked(fit.as_distribution(backend), backend, moved, False)[0].reshape(2, 4)
    np.testing.assert_allclose(slope[5:9, 0], (up - down) / (2 * STEP), rtol=1e-4, atol=1e-6)


def test_what_is_no_density_is_refused_with_what_to_do() -> None:
    rng = np.random.default_rng(0)
    gaussian = zoo.fitted("gaussian")
    with pytest.raises(InputError, match="'stan'"):
        gaussian.as_distribution("stan")
    with pytest.raises(InputError, match="y would be ignored"):
        gaussian.as_distribution("pyro", y=[1])
    with pytest.raises(InputError, match="no y was given"):
        conditional()[0].as_distribution("pyro")
    share = {"kind": "interval", "lower": 0, "upper": 1}
    for column, kind, match in (
        (rng.poisson(40, 100), "count", 'counts.*"real"'),
        (np.array(list("ab"))[rng.integers(2, size=100)], "binary", "levels.*GaussianMixture"),
        (np.where(rng.random(100) < 0.3, 0.0, rng.random(100)), share, "mass of their own"),
        (np.ones(100), "real", "do not vary"),
    ):
        data = ppgen.read({"c": column}, schema={"c": kind})
        with pytest.raises(InputError, match=match):
            ppgen.FactorAnalysis(0).fit(data).as_distribution("numpyro")


def test_families_without_a_density_say_what_to_take() -> None:
    with pytest.raises(InputError, match=r"no density.*NormalizingFlow.*to the rows, and take"):
        zoo.fitted("autoencoder-linear").as_distribution("pyro")
    assert ppgen.VAE.capabilities.distribution is ppgen.GAN.capabilities.distribution is None
    assert "lower bounds" in no_distribution("VAE", ppgen.VAE.capabilities)
    assert "many of `sample(n)`" in no_distribution("GAN", ppgen.GAN.capabilities)


def test_a_network_that_is_no_density_is_refused() -> None:
    given = {
        "a": {"parents": [], "intercept": 0.0, "coefficients": [], "variance": 1.0},
        "b": {"parents": ["a"], "intercept": 0.0, "coefficients": [1.0], "variance": 0.0},
    }
    with pytest.raises(InputError, match="'b' is a function of its parents"):
        ppgen.BayesianNetwork.of(given).as_distribution("pyro")
