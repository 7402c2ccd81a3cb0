"""SVI of any pair against closed forms, on both backends."""

from __future__ import annotations

import itertools
import math
from importlib import import_module

import numpy as np
import pytest
from numpyro import handlers
from pyro import poutine

from ppgen.errors import InputError
from ppgen.fitting import EngineFit
from ppgen.inference.posterior import svi
from ppgen.inference.posterior.approximation import of_log_weights
from ppgen.inference.posterior.minibatch import call_of, with_whole
from ppgen.inference.posterior.target import make_target
from ppgen.models.pair import Pair
from ppgen.models.pair.settings import SVI
from ppgen.progress import Clock
from tests import posterior_targets as exact

BACKENDS = ("numpyro", "pyro")
X = np.array([0.3, 1.4, -0.2, 2.2])
N = len(X)


def library(backend):
    return import_module(backend), import_module(f"{backend}.distributions")


def array(backend, x):
    if backend == "pyro":
        return import_module("torch").tensor(x)
    jax = import_module("jax")
    with jax.enable_x64(True):
        return jax.numpy.asarray(x)


# mu ~ Normal(0, 1), x_i ~ Normal(mu, 1): the posterior is Normal(sum x / (N + 1), 1 / sqrt(N + 1)).
MEAN, SD = X.sum() / (N + 1), 1 / math.sqrt(N + 1)
LOG_EVIDENCE = (
    -0.5 * N * math.log(2 * math.pi)
    - 0.5 * math.log(N + 1)
    - 0.5 * ((X**2).sum() - X.sum() ** 2 / (N + 1))
)


def mean_model(backend, name="mu"):
    p, dist = library(backend)

    def model(x, n_total=None):
        mu = p.sample(name, dist.Normal(0.0, 1.0))
        with p.plate("rows", n_total, subsample_size=len(x)):
            p.sample("x", dist.Normal(mu, 1.0), obs=x)

    return model


def exact_guide(backend):
    p, dist = library(backend)

    def guide(x, n_total=None):
        # The posterior itself, whatever the learnt shift starts from.
        shift = p.param("shift", array(backend, 0.0))
        p.sample("mu", dist.Normal(array(backend, MEAN) + shift, SD))

    return guide


# z_i ~ Normal(0, 1), x_i ~ Normal(z_i, 1): p(x_i) = Normal(0, sqrt 2), and z_i given x_i is
# Normal(x_i / 2, sqrt(1 / 2)).
def local_pair(backend):
    p, dist = library(backend)

    def model(x, n_total=None):
        bias = p.param("bias", array(backend, 0.0))
        with p.plate("rows", n_total, subsample_size=len(x)):
            z = p.sample("z", dist.Normal(array(backend, np.zeros(len(x))), 1.0))
            p.sample("x", dist.Normal(z + bias, 1.0), obs=x)

    def guide(x, n_total=None):
        slope = p.param("slope", array(backend, 0.5))
        with p.plate("rows", n_total, subsample_size=len(x)):
            p.sample("z", dist.Normal(slope * x, math.sqrt(0.5)))

    return model, guide


def target_of(backend, model, x=X):
    return make_target(model, (array(backend, x),), {"n_total": len(x)}, backend)


def learner(backend, model, guide, batch_size=None, x=X, **settings):
    target = target_of(backend, model, x)
    side = import_module(f"ppgen.inference.posterior.variational_{backend}")
    call = call_of(target, batch_size)
    with side.precision(True):
        return side.make_learner(target, guide, call, SVI(**settings), 0), side


def losses(backend, made, side, batches):
    """The loss of each batch from the same state, at the same draws, and its gradient."""
    state, found = made.state(), []
    for rows in batches:
        made.load(state)
        if backend == "numpyro":
            import jax

            with side.precision(True):
                data = made.data
                weights, key = made.averaged(), jax.random.wrap_key_data(made._state["rng"])
                # The batch as the learner takes it.
                batch = made.batch(data, np.asarray(rows))
                value, slope = jax.value_and_grad(made._loss)(weights, key, batch, 0)
                found.append((float(value), {k: float(v) for k, v in slope.items()}))
        else:
            import torch

            with side.precision(True), made.inside():
                torch.manual_seed(3)
                value = made._loss(torch.tensor(rows), 0)
                names, ps = zip(*made.parameters.items(), strict=True)
                slopes = torch.autograd.grad(value, ps)
                found.append(
                    (value.item(), {n: s.item() for n, s in zip(names, slopes, strict=True)})
                )
    made.load(state)
    return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_batches_weigh_rows_as_all_rows(backend):
    # Over all batches of two of four rows, loss and gradient have the mean of the whole data's.
    pairs = [list(rows) for rows in itertools.combinations(range(N), 2)]
    model, guide = mean_model(backend), exact_guide(backend)
    each = losses(backend, *learner(backend, model, guide, 2), pairs)
    ((whole, slopes),) = losses(backend, *learner(backend, model, guide), [list(range(N))])
    assert np.mean([value for value, _ in each]) == pytest.approx(whole, rel=1e-12)
    for name, slope in slopes.items():
        assert np.mean([s[name] for _, s in each]) == pytest.approx(slope, rel=1e-9)
    # The guide is the posterior: the ELBO is the log evidence, whatever is drawn.
    assert whole == pytest.approx(-LOG_EVIDENCE / N, rel=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("objective", ["iwae", "dreg"])
def test_importance_weights_of_local_latents_are_those_of_rows(backend, objective):
    # With the posterior of each row as guide the bound is sum_i log p(x_i), at any draws and in any
    # batch; weights of a batch taken together would give the same only at one draw.
    log_p = -0.25 * X**2 - 0.5 * math.log(4 * math.pi)
    model, guide = local_pair(backend)
    made = learner(backend, model, guide, 2, objective=objective, num_particles=3)
    for (value, _), rows in zip(
        losses(backend, *made, [[0, 1], [1, 3]]), ([0, 1], [1, 3]), strict=True
    ):
        assert value == pytest.approx(-log_p[rows].mean(), rel=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_renyi_bound_of_the_posterior_is_the_log_evidence(backend):
    model, guide = mean_model(backend), exact_guide(backend)
    made = learner(backend, model, guide, objective="renyi", num_particles=3)
    ((value, _),) = losses(backend, *made, [list(range(N))])
    assert value == pytest.approx(-LOG_EVIDENCE / N, rel=1e-9)


def mixture(backend):
    p, dist = library(backend)
    infer = {"enumerate": "parallel"}

    def model(x, n_total=None):
        shift = p.sample("shift", dist.Normal(0.0, 1.0))
        with p.plate("rows", n_total, subsample_size=len(x)):
            z = p.sample("z", dist.Categorical(array(backend, np.array([0.3, 0.7]))), infer=infer)
            loc = array(backend, np.array([-1.0, 2.0]))[z]
            p.sample("x", dist.Normal(loc + shift, 1.0), obs=x)

    return model


def log_mixture(x, shift):
    return np.logaddexp(
        math.log(0.3) - 0.5 * (x + 1 - shift) ** 2, math.log(0.7) - 0.5 * (x - 2 - shift) ** 2
    ) - 0.5 * math.log(2 * math.pi)


@pytest.mark.parametrize("backend", BACKENDS)
def test_enumerated_sites_are_summed_out_in_weighted_batches(backend):
    # Under a point as guide the loss is minus the log joint, rows of a batch counting N / |B|.
    p, dist = library(backend)

    def guide(x, n_total=None):
        p.sample("shift", dist.Delta(p.param("at", array(backend, 0.4))))

    made = learner(backend, mixture(backend), guide, 2)
    ((value, _),) = losses(backend, *made, [[1, 2]])
    prior = -0.5 * 0.4**2 - 0.5 * math.log(2 * math.pi)
    expected = prior + 2 * log_mixture(X[[1, 2]], 0.4).sum()
    assert value == pytest.approx(-expected / N, rel=1e-7)


@pytest.fixture(scope="module")
def fits():
    """Fits of the mean by batches, each backend's."""
    how = {"method": "svi", "batch_size": 2, "num_draws": 400, "random_state": 1}
    steps = {"numpyro": 3000, "pyro": 600}
    return {
        backend: Pair(mean_model(backend), "normal", backend).fit(
            X, num_steps=steps[backend], **how
        )
        for backend in BACKENDS
    }


@pytest.mark.parametrize("backend", BACKENDS)
def test_batches_find_the_posterior_of_all_rows(backend, fits):
    # As if the two rows of a batch were all, the sd would be 1.3 times as wide.
    fit = fits[backend]
    draws = fit.draws["mu"]
    assert draws.shape == (1, 400)
    assert draws.mean() == pytest.approx(MEAN, abs=0.25 * SD)
    assert draws.std() == pytest.approx(SD, rel=0.2)
    # log_q is a normal density: a parabola, whose curvature says how high it is.
    bend, slope, level = np.polyfit(draws[0], fit.stats["log_q"][0], 2)
    assert fit.stats["log_q"][0] == pytest.approx(np.polyval((bend, slope, level), draws[0]))
    sd = math.sqrt(-0.5 / bend)
    top = level - slope**2 / (4 * bend)
    assert top == pytest.approx(-math.log(sd) - 0.5 * math.log(2 * math.pi), rel=1e-6)
    lp = -0.5 * draws**2 - 0.5 * ((X[:, None, None] - draws) ** 2).sum(0)
    assert fit.stats["lp"] == pytest.approx(lp - 0.5 * (N + 1) * math.log(2 * math.pi), rel=1e-9)
    bound = fit.log_evidence_
    assert bound.kind == "lower_bound"
    assert LOG_EVIDENCE - 0.2 < bound.value < LOG_EVIDENCE + 4 * bound.stderr
    assert any("k-hat" in reason.what for reason in fit.verdict_.reasons)


@pytest.mark.parametrize("backend", BACKENDS)
def test_fits_of_the_same_names_never_see_each_other(backend):
    how = {"method": "svi", "num_steps": 25, "num_draws": 5}
    first = Pair(mean_model(backend), exact_guide(backend), backend).fit(X, **how)
    Pair(mean_model(backend), exact_guide(backend), backend).fit(X + 5, **how)
    again = Pair(mean_model(backend), exact_guide(backend), backend).fit(X, **how)
    np.testing.assert_array_equal(first.draws["mu"], again.draws["mu"])
    np.testing.assert_array_equal(first.posterior.guide["shift"], again.posterior.guide["shift"])
    if backend == "pyro":
        assert not list(library(backend)[0].get_param_store())


def run(target, guide, **settings):
    return svi.run(target, guide, SVI(**settings), EngineFit(0))


@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_that_would_count_as_all_are_named(backend):
    p, dist = library(backend)

    def plated(x):
        mu = p.sample("mu", dist.Normal(0.0, 1.0))
        with p.plate("rows", len(x)):
            p.sample("x", dist.Normal(mu, 1.0), obs=x)

    def bare(x):
        mu = p.sample("mu", dist.Normal(0.0, 1.0))
        p.sample("x", dist.Normal(mu, 1.0).expand(x.shape).to_event(1), obs=x)

    for model, words in ((plated, "plate 'rows' of size 2"), (bare, "no plate of the 4 rows")):
        target = make_target(model, (array(backend, X),), {}, backend)
        with pytest.raises(InputError, match=f"site 'x'.*{words}.*subsample_size=len"):
            run(target, "normal", batch_size=2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_guides_that_do_not_fit_the_model_are_named(backend):
    p, dist = library(backend)
    target = target_of(backend, mean_model(backend))

    def misses(x, n_total=None):
        p.sample("nu", dist.Normal(p.param("loc", array(backend, 0.0)), 1.0))

    def adds(x, n_total=None):
        p.sample("mu", dist.Normal(p.param("loc", array(backend, 0.0)), 1.0))
        p.sample("extra", dist.Normal(0.0, 1.0))

    for guide, words in (
        (misses, "'mu'.*is a latent of the model"),
        (adds, "draws 'extra', which is no latent"),
        ("normall", "Did you mean 'normal'"),
        ("dais" if backend == "pyro" else "structured", "is (numpyro|pyro)'s"),
        ("flow", "needs two or more"),
    ):
        with pytest.raises(InputError, match=words):
            run(target, guide)
    with pytest.raises(InputError, match="site by site"):
        run(target, "delta", objective="dreg")
    local = target_of(backend, local_pair(backend)[0])
    with pytest.raises(InputError, match="local to the rows"):
        run(local, "normal", batch_size=2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_renyi_and_local_bounds_refuse_what_would_bias_them(backend):
    target = target_of(backend, mean_model(backend))
    with pytest.raises(InputError, match="biased"):
        run(target, "normal", objective="renyi", batch_size=2)
    with pytest.raises(InputError, match="knows no discrete sites"):
        run(target_of(backend, mixture(backend)), "normal", objective="renyi")


def test_a_loss_that_is_not_finite_leaves_the_last_good_weights():
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist

    def model(x):
        a = numpyro.sample("a", dist.Normal(0.0, 1.0))  # data draw it to 1, beyond which all is NaN
        numpyro.sample("x", dist.Normal(jnp.sqrt(1 - a), 0.1).expand([4]), obs=x)

    target = make_target(model, (array("numpyro", np.zeros(4)),), {}, "numpyro")
    found = run(target, "normal", num_steps=2000, learning_rate=0.1, num_draws=30)
    assert np.isfinite(found.draws["a"]).all()
    said = [str(reason) for reason in found.reasons]
    assert any("not finite" in words for words in said), said


def test_a_guide_that_starts_at_a_mode_searches_for_it_within_the_budget(monkeypatch):
    told = []
    monkeypatch.setattr(
        svi, "starting_modes", lambda f, n, fit, steps: told.append(fit.deadline()) or []
    )
    target = target_of("numpyro", mean_model("numpyro"))
    svi._modes(target, EngineFit(0, Clock(600.0)))
    svi._modes(target, EngineFit(0))
    assert 0 < told[0] <= 150
    assert told[1] is None


@pytest.mark.parametrize("backend", ["numpyro", pytest.param("pyro", marks=pytest.mark.slow)])
def test_a_dense_guide_has_the_spread_of_latents_that_are_nearly_one(backend):
    p, dist = library(backend)
    x = 1000.0 + np.arange(12.0)
    y = 3.0 + 0.5 * (x - 1000.0) + np.array([0.3, -0.2, 0.1, -0.4, 0.2, 0.0] * 2)

    def model(x, y):
        slope = p.sample("slope", dist.Normal(0.0, 10.0))
        level = p.sample("level", dist.Normal(0.0, 1e4))
        with p.plate("rows", len(x)):
            p.sample("y", dist.Normal(level + slope * x, 0.5), obs=y)

    fit = Pair(model, backend=backend).fit(
        array(backend, x), array(backend, y), method="svi", num_steps=100, num_draws=400
    )
    design = np.c_[x, np.ones(12)]  # slope and level, of correlation -0.999994
    covariance = np.linalg.inv(design.T @ design / 0.25 + np.diag([1e-2, 1e-8]))
    draws = np.stack([fit.posterior.draws[name].ravel() for name in ("slope", "level")])
    found = np.cov(np.linalg.solve(np.linalg.cholesky(covariance), draws))
    np.testing.assert_allclose(found, np.eye(2), atol=0.25)
    assert fit.verdict_.ok, fit.verdict_


def test_an_interrupted_fit_keeps_its_draws():
    class Interrupted(EngineFit):
        def report(self, progress):
            super().report(progress)
            if len(self.trace) == 2:
                raise KeyboardInterrupt

    target = target_of("pyro", mean_model("pyro"))
    found = svi.run(target, "normal", SVI(num_steps=1000, num_draws=5), Interrupted(0))
    assert found.why == "interrupted"
    assert found.draws["mu"].shape == (1, 5)
    assert any("interrupted" in reason.what for reason in found.reasons)


@pytest.mark.parametrize("backend", BACKENDS)
def test_latents_local_to_rows_are_judged_row_by_row(backend):
    # The guide is the posterior but for its width, 0.8 times too narrow: each row's k-hat is low,
    # though the product of a hundred rows' weights would have none.
    p, dist = library(backend)
    x = np.tile(X, 25)
    model, _ = local_pair(backend)

    def guide(x):
        bias = p.param("slope", array(backend, 0.5))
        with p.plate("rows", len(x)):
            p.sample("z", dist.Normal(bias * x, 0.8 * math.sqrt(0.5)))

    target = make_target(model, (array(backend, x),), {"n_total": len(x)}, backend)
    found = run(target, guide, num_steps=1, learning_rate=1e-9, num_draws=30)
    (said,) = [str(reason) for reason in found.reasons if "k-hat" in reason.what]
    assert "of 100 rows" in said
    assert "misses" not in said, said


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_common_weight_of_rows_does_not_stand_for_the_plate(backend):
    p, dist = library(backend)
    scale = (handlers if backend == "numpyro" else poutine).scale

    def model(x, n_total=None):
        mu = p.sample("mu", dist.Normal(0.0, 1.0))
        with scale(scale=2.0), p.plate("rows", len(x)):
            p.sample("x", dist.Normal(mu, 1.0), obs=x)

    target = target_of(backend, model)
    with pytest.raises(InputError, match="n_total"):
        svi.run(target, "normal", SVI(batch_size=2, num_steps=10), EngineFit(0))


def test_too_few_draws_to_judge_a_guide_are_no_good_sign():
    (said,) = of_log_weights(np.zeros(24), "the guide", "")
    assert said.status == "warn"


def test_modes_that_a_guide_does_not_reach_are_told():
    found = svi.run(exact.two_modes(), "multivariate_normal", SVI(num_steps=200), EngineFit(0))
    said = [reason for reason in found.reasons if "several modes" in reason.what]
    assert [reason.status for reason in said] == ["warn"]  # k-hat is that of one mode


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_array_as_long_as_the_rows_by_chance_stays_whole(backend):
    # Four knots beside four rows: the batch has two of the rows and all knots.
    p, dist = library(backend)

    def model(x, group, knots, n_total=None):
        mu = p.sample("mu", dist.Normal(0.0, 1.0))
        with p.plate("rows", n_total, subsample_size=len(x)):
            p.sample("x", dist.Normal(mu + knots[group], 1.0), obs=x)

    data = (X, np.array([3, 0, 3, 1]), np.array([5.0, 6.0, 7.0, 8.0]))
    arrays = tuple(array(backend, each) for each in data)
    target = make_target(model, arrays, {"n_total": N}, backend)
    side = import_module(f"ppgen.inference.posterior.variational_{backend}")
    call = with_whole(call_of(target, 2), lambda tried: side.batch_sites(target, tried)[0])
    assert call.kept == {2}
    assert [len(a) for a in call.first] == [2, 2, 4]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_plate_that_is_larger_than_the_data_is_told(backend):
    p, dist = library(backend)

    def model(x):
        mu = p.sample("mu", dist.Normal(0.0, 1.0))
        with p.plate("rows", 40, subsample_size=len(x)):
            p.sample("x", dist.Normal(mu, 1.0), obs=x)

    target = make_target(model, (array(backend, X),), {}, backend)
    with pytest.raises(InputError, match=r"size 40, and the data have 4 rows, so each .* 10 times"):
        run(target, "normal", batch_size=2)
