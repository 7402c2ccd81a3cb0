"""The SVI learners against closed forms, and what they must leave alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ppgen.inference.gradient import Schedule, finish, train

N = 400


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(1.5, 1.0, N)


# mu ~ Normal(0, 1), x_i ~ Normal(mu, 1): the posterior is Normal(sum x / (N + 1), 1 / sqrt(N + 1)).
def posterior(x):
    return x.sum() / (N + 1), 1 / math.sqrt(N + 1)


def log_evidence(x):
    return (
        -0.5 * N * math.log(2 * math.pi)
        - 0.5 * math.log(N + 1)
        - 0.5 * ((x**2).sum() - x.sum() ** 2 / (N + 1))
    )


def pyro_pair():
    import pyro
    import pyro.distributions as dist
    import torch

    def model(x, n_total=None):
        mu = pyro.sample("mu", dist.Normal(torch.zeros((), dtype=x.dtype), 1.0))
        with pyro.plate("rows", n_total, subsample=x):
            pyro.sample("x", dist.Normal(mu, 1.0), obs=x)

    def guide(x, n_total=None):
        loc = pyro.param("loc", torch.tensor(1.4, dtype=x.dtype))
        start = torch.tensor(0.2, dtype=x.dtype)
        scale = pyro.param("scale", start, dist.constraints.positive)
        pyro.sample("mu", dist.Normal(loc, scale))

    return model, guide


def numpyro_pair():
    import numpyro
    import numpyro.distributions as dist

    def model(x, n_total=None):
        mu = numpyro.sample("mu", dist.Normal(0.0, 1.0))
        with numpyro.plate("rows", n_total, subsample_size=len(x)):
            numpyro.sample("x", dist.Normal(mu, 1.0), obs=x)

    def guide(x, n_total=None):
        loc = numpyro.param("loc", 1.4)
        scale = numpyro.param("scale", 0.2, constraint=dist.constraints.positive)
        numpyro.sample("mu", dist.Normal(loc, scale))

    return model, guide


def learner(backend, x, pair=None, **kwargs):
    if backend == "pyro":
        import torch

        from ppgen.inference.svi_pyro import PyroLearner

        return PyroLearner(*(pair or pyro_pair()), (torch.tensor(x),), seed=1, **kwargs)
    from ppgen.inference.svi_numpyro import NumpyroLearner

    return NumpyroLearner(*(pair or numpyro_pair()), (x,), seed=1, **kwargs)


def fitted(backend, x, epochs=400, **kwargs):
    made = learner(backend, x, **kwargs)
    settings = Schedule(batch_size=200, learning_rate=0.03, max_epochs=epochs, ema=0.99)
    finish(train(made, len(x), settings, seed=0))
    return made


@pytest.mark.parametrize("backend", ["pyro", "numpyro"])
def test_minibatches_find_the_posterior_of_all_rows(backend, x):
    # Without the scale N / |B| the posterior would be that of 200 rows: its sd 1.4 times as wide.
    found = fitted(backend, x).params()
    mean, sd = posterior(x)
    assert float(found["loc"]) == pytest.approx(mean, abs=0.5 * sd)
    assert float(found["scale"]) == pytest.approx(sd, rel=0.15)


@pytest.mark.parametrize("backend", ["pyro", "numpyro"])
def test_the_loss_is_the_negative_elbo_a_row(backend, x):
    # At the exact posterior the ELBO is the log evidence, whatever is drawn.
    made = learner(backend, x)
    mean, sd = posterior(x)
    state, best = made.state(), {"loc": mean, "scale": math.log(sd)}
    for name in state:
        if "weight" in name or "average" in name:
            one = next((value for site, value in best.items() if site in name), None)
            # On JAX few parameters are one vector, by the names of their sites.
            state[name] = np.asarray([*best.values()] if one is None else one)
    made.load(state)
    rows = np.arange(N)[None]
    loss = made.run(rows, np.zeros(1))
    assert loss[0] == pytest.approx(-log_evidence(x) / N, rel=1e-9)
    # Halves of the rows, each weighted by 2, agree on average; the draws cancel only in all rows.
    made.load(state)
    halves = made.run(rows.reshape(2, -1), np.zeros(2))
    assert halves.mean() == pytest.approx(loss[0], abs=0.05)


@pytest.mark.parametrize("backend", ["pyro", "numpyro"])
def test_enumerated_sites_are_summed_out(backend, x):
    expected = np.logaddexp(
        math.log(0.3) - 0.5 * (x + 1) ** 2, math.log(0.7) - 0.5 * (x - 2) ** 2
    ) - 0.5 * math.log(2 * math.pi)
    if backend == "pyro":
        import pyro
        import pyro.distributions as dist
        import torch
        from pyro.infer import TraceEnum_ELBO, config_enumerate

        loc = torch.tensor([-1.0, 2.0], dtype=torch.float64)

        @config_enumerate
        def model(x, n_total=None):
            shift = pyro.param("shift", torch.zeros((), dtype=torch.float64))
            with pyro.plate("rows", n_total, subsample=x):
                z = pyro.sample(
                    "z", dist.Categorical(torch.tensor([0.3, 0.7], dtype=torch.float64))
                )
                pyro.sample("x", dist.Normal(loc[z] + shift, 1.0), obs=x)

        elbo = TraceEnum_ELBO(max_plate_nesting=1)
    else:
        import jax.numpy as jnp
        import numpyro
        import numpyro.distributions as dist
        from numpyro.infer import TraceEnum_ELBO

        def model(x, n_total=None):
            shift = numpyro.param("shift", 0.0)
            with numpyro.plate("rows", n_total, subsample_size=len(x)):
                z = numpyro.sample(
                    "z", dist.Categorical(jnp.array([0.3, 0.7])), infer={"enumerate": "parallel"}
                )
                numpyro.sample("x", dist.Normal(jnp.array([-1.0, 2.0])[z] + shift, 1.0), obs=x)

        elbo = TraceEnum_ELBO(max_plate_nesting=1)
    made = learner(backend, x, (model, lambda x, n_total=None: None), elbo=elbo)
    rows = np.arange(100)[None]
    assert made.run(rows, np.zeros(1))[0] == pytest.approx(-expected[:100].mean(), rel=1e-6)


@pytest.mark.parametrize("backend", ["pyro", "numpyro"])
def test_autoguides_and_resuming_bit_for_bit(backend, x):
    if backend == "pyro":
        from pyro.infer.autoguide import AutoNormal

        model, _ = pyro_pair()
    else:
        from numpyro.infer.autoguide import AutoNormal

        model, _ = numpyro_pair()
    rows = np.random.default_rng(0).integers(N, size=(20, 50))
    rates = np.full(20, 0.02)

    def new():
        return learner(backend, x, (model, AutoNormal(model)))

    straight = new()
    straight.run(rows[:10], rates[:10])
    straight.average(0.9)
    half = straight.state()
    straight.run(rows[10:], rates[10:])
    resumed = new()
    resumed.load(half)
    resumed.run(rows[10:], rates[10:])
    assert set(half) == set(straight.state())
    for name, array in straight.state().items():
        np.testing.assert_array_equal(resumed.state()[name], array)
    other = new()
    other.run(rows[:10], rates[:10])
    np.testing.assert_array_equal(
        other.run(rows[10:], rates[10:]), resumed_losses(new, half, rows, rates)
    )


def resumed_losses(new, half, rows, rates):
    made = new()
    made.load(half)
    return made.run(rows[10:], rates[10:])


@pytest.mark.parametrize("backend", ["pyro", "numpyro"])
def test_redrawn_data_are_used(backend, x):
    def redraw(epoch):
        if backend == "pyro":
            import torch

            return (torch.tensor(x + epoch),) if epoch else None
        return (x + epoch,) if epoch else None

    made, plain = learner(backend, x, redraw=redraw), learner(backend, x)
    rows = np.arange(N)[None]
    for m in (made, plain):
        m.begin_epoch(0)
    np.testing.assert_array_equal(made.run(rows, np.zeros(1)), plain.run(rows, np.zeros(1)))
    made.begin_epoch(3)
    assert made.run(rows, np.zeros(1))[0] > plain.run(rows, np.zeros(1))[0] + 1


def test_pyro_leaves_the_process_as_found(x):
    import pyro
    import pyro.distributions as dist
    import torch

    pyro.clear_param_store()
    pyro.param("mine", torch.ones(2))
    for validated in (True, False):
        with pyro.validation_enabled(validated):
            before = torch.get_rng_state()
            numpy_before = np.random.get_state()[1].copy()
            made = fitted("pyro", x, epochs=2)
            made.state()
            assert torch.equal(torch.get_rng_state(), before)
            np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)
            assert list(pyro.get_param_store()) == ["mine"]
            assert dist.is_validation_enabled() is validated
            assert torch.distributions.Distribution._validate_args is validated
            assert torch.get_default_dtype() == torch.float32
            assert not pyro.settings.get("module_local_params")
    pyro.clear_param_store()


def test_numpyro_leaves_the_process_as_found(x):
    import jax

    before = jax.config.jax_enable_x64
    made = fitted("numpyro", x, epochs=2)
    assert np.asarray(made.params()["loc"]).dtype == np.float64
    assert jax.config.jax_enable_x64 == before


@pytest.mark.parametrize("backend", ["pyro", "numpyro"])
def test_evaluating_without_a_density_says_so(backend, x):
    with pytest.raises(ValueError, match="held-out rows"):
        learner(backend, x).evaluate()
