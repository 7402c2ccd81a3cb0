"""The NumPyro pair of the variational autoencoder against the Pyro pair and closed forms."""

from __future__ import annotations

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import numpyro
import pyro
import pytest
import torch
from numpyro.infer import Trace_ELBO
from numpyro.infer.util import log_density
from pyro import poutine
from scipy import stats

from ppgen.errors import InputError
from ppgen.inference import local_numpyro, local_pyro
from ppgen.inference.gradient import Schedule, finish, train
from ppgen.inference.local_objective import Objective
from ppgen.inference.local_sites_pyro import total
from ppgen.models.nets.held_out import Subset
from ppgen.models.nets.values import Values
from ppgen.models.nets.whitening import Whitening
from ppgen.models.vae import numpyro as twin
from ppgen.models.vae import pyro as torch_pair
from ppgen.models.vae.build import Architecture, build
from ppgen.models.vae.jax_training import JaxNets, unsupported
from ppgen.models.vae.nets_jax import Nets
from ppgen.models.vae.parts import Part
from ppgen.models.vae.priors import carried
from ppgen.models.vae.trained_nets import TrainedNets

from .vae_nets import elbo, iwae, kl_per_latent

N = 7
GAUSSIAN, LOGISTIC = Part("gaussian", 0, 4), Part("discretised_logistic", 0, 4, (16,), unit=0.3)
MIXED = (
    Part("gaussian", 0, 2),
    Part("bernoulli", 2, 4),
    Part("categorical", 4, 6, (3, 5)),
    Part("categorical", 6, 7, (80,)),  # too many levels for indicators
    Part("continuous_bernoulli", 7, 8),
    Part("discretised_logistic", 8, 10, (9,)),
)
SMALL = (Part("gaussian", 0, 2), Part("bernoulli", 2, 4))
CASES = {
    "gaussian-column": ((GAUSSIAN,), {"activation": "silu"}),
    "gaussian-shared": ((GAUSSIAN,), {"activation": "gelu", "noise": "shared"}),
    "gaussian-row": ((GAUSSIAN,), {"activation": "tanh", "noise": "row"}),
    "gaussian-number": ((GAUSSIAN,), {"activation": "elu", "noise": 0.3}),
    "bernoulli": ((Part("bernoulli", 0, 4),), {}),
    "bernoulli-images": ((Part("bernoulli", 0, 4),), {"shape": (1, 2, 2)}),  # no gaps in these
    "continuous_bernoulli": ((Part("continuous_bernoulli", 0, 4),), {}),
    "logistic-column": ((LOGISTIC,), {}),
    "logistic-row": ((LOGISTIC,), {"noise": "row"}),
    "logistic-number": ((LOGISTIC,), {"noise": 0.1}),
    "categorical-same": ((Part("categorical", 0, 4, (5,)),), {}),
    "categorical": ((Part("categorical", 0, 4, (2, 3, 4, 5)),), {}),
    "mixed": (MIXED, {}),
    "mixed-row": (MIXED, {"noise": "row"}),
    "small": (SMALL, {}),
    "mixture": (SMALL, {"prior": "mixture", "components": 3}),
    "two-layers": (SMALL, {"latent": (3, 2)}),
    "two-layers-mixture": (SMALL, {"latent": (3, 2), "prior": "mixture", "components": 3}),
    "context": (MIXED, {"context": 2, "prior": "mixture", "components": 3}),
    "context-two-layers": (SMALL, {"context": 2, "latent": (3, 2)}),
    "linear": (SMALL, {"hidden": (), "latent": (3, 2)}),
    "correlated": ((GAUSSIAN, Part("bernoulli", 4, 5)), {"noise": "full"}),
}
WHITENING = Whitening(
    np.array([0.5, 0.0, 1.0, -1.0]),
    np.tril(np.full((4, 4), 0.4)) + np.diag([0.2, 0.5, 1.0, 2.0]),
    np.ones(4),
)


@pytest.fixture
def double():
    with jax.enable_x64(True), pyro.validation_enabled(False):
        yield


def architecture(parts, **changes):
    return Architecture("mlp", tuple(parts), **{"latent": (3,), "hidden": (6, 5), **changes})


def some_rows(parts, n, rng, gaps=False):
    columns = []
    for part in parts:
        for j in range(part.stop - part.start):
            levels = part.levels[j % len(part.levels)] if part.levels else 0
            columns.append(
                {
                    "gaussian": lambda: rng.normal(1, 2, n),
                    "bernoulli": lambda: rng.integers(2, size=n),
                    "continuous_bernoulli": lambda: rng.choice([0.0, 0.3, 0.9, 1.0], n),
                    "discretised_logistic": lambda m=levels: (
                        2 * rng.integers(m, size=n) / (m - 1) - 1
                    ),
                    "categorical": lambda m=levels: rng.integers(m, size=n),
                }[part.kind]()
            )
    x = np.stack(columns, 1).astype(float)
    return np.where(rng.random(x.shape) < 0.3, np.nan, x) if gaps else x


class Both:
    """The two pairs with the same parameters, rows, context, weights and latents."""

    def __init__(self, name, gaps=False, samples=2, told=True):
        parts, changes = CASES[name]
        gaps = gaps and "shape" not in changes
        rng = np.random.default_rng(len(name))
        self.architecture = architecture(parts, missing=gaps and told, **changes)
        self.x = some_rows(parts, N, rng, gaps)
        width = self.architecture.context
        self.context = rng.normal(size=(N, width)) if width else None
        self.weights = rng.uniform(0.2, 2, N)
        known = WHITENING if self.architecture.noise == "full" else None
        self.torch = build(self.architecture, 0, torch.tensor(self.x), known).double().eval()
        for p in self.torch.parameters():  # far from where they start, where much is zero
            p.data.add_(torch.tensor(0.3 * rng.normal(size=tuple(p.shape))))
        found = {k: v.numpy() for k, v in self.torch.state_dict().items()}
        self.jax = Nets(self.architecture, {k: jnp.asarray(v) for k, v in found.items()})
        sizes = self.architecture.latent
        self.noise = [rng.normal(size=(samples, N, k)) for k in sizes]
        self.z = [1.5 * rng.normal(size=(N, k)) for k in sizes]

    @property
    def sites(self):
        return {f"z_{i}": z for i, z in enumerate(self.z, 1)}

    def torch_args(self):
        rows = (self.x, self.context)
        return (self.torch, *(None if a is None else torch.tensor(a) for a in rows))

    def jax_args(self):
        rows = (self.x, self.context)
        return (self.jax, *(None if a is None else jnp.asarray(a) for a in rows))


def torch_log_prob(program, both, sites, **kwargs):
    held = {k: torch.tensor(v) for k, v in sites.items()}
    program = poutine.condition(program, data=held)
    trace = poutine.trace(program).get_trace(*both.torch_args(), **kwargs)
    return trace.log_prob_sum().item()


def numpyro_log_prob(program, both, sites, **kwargs):
    program = numpyro.handlers.seed(program, 0)
    density = jax.jit(lambda args, sites: log_density(program, args, kwargs, sites)[0])
    return float(density(both.jax_args(), sites))


QUICK = (  # all kinds
    *("bernoulli-images", "mixed", "mixed-row", "two-layers-mixture", "context"),
    "correlated",
)


@pytest.mark.parametrize("name", QUICK)
def test_the_pairs_have_the_same_log_joint_and_log_guide(double, name):
    check_pair(Both(name, gaps=True), {})


@pytest.mark.slow
@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "gaps"])
@pytest.mark.parametrize("name", CASES)
def test_the_pairs_have_the_same_log_joint_in_every_case(double, name, gaps):
    check_pair(Both(name, gaps), {"n_total": 5 * N})


def check_pair(both, kwargs):
    for ours, theirs in ((twin.model, torch_pair.model), (twin.guide, torch_pair.guide)):
        expected = torch_log_prob(theirs, both, both.sites, **kwargs)
        assert np.isfinite(expected)
        found = numpyro_log_prob(ours, both, both.sites, **kwargs)
        np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_gaps_may_come_though_the_rows_fitted_had_none(double):
    both = Both("small", gaps=True, told=False)
    assert np.isnan(both.x).any()
    assert both.jax.arrays["encoder.0.weight"].shape == (6, 4)  # no mask
    check_pair(both, {})


def test_the_rows_in_all_scale_the_terms(double):
    check_pair(Both("two-layers"), {"n_total": 5 * N})


@pytest.mark.parametrize("name", ["small", "context-two-layers"])
def test_the_terms_and_divergences_are_the_same_row_by_row(double, name):
    both = Both(name, gaps=True)
    args, z = both.torch_args(), {k: torch.tensor(v)[None] for k, v in both.sites.items()}
    q = local_pyro.replay(torch_pair.guide, *args, values=z)
    expected = local_pyro.terms(q, local_pyro.replay(torch_pair.model, *args, values=z))
    with torch.random.fork_rng(devices=[]):
        kl = kl_per_latent(*args)

    @jax.jit
    def ours(args, z):
        q = local_numpyro.replay(twin.guide, {}, *args, values=z)
        p = local_numpyro.replay(twin.model, {}, *args, values=z)
        closed = local_numpyro.divergences(q, p)
        return local_numpyro.terms(q, p), None if closed is None else closed[0]

    found, divergence = ours(both.jax_args(), {k: v[None] for k, v in both.sites.items()})
    np.testing.assert_allclose(found.log_x, expected.log_x.detach().numpy(), rtol=1e-10)
    for mine, theirs in ((found.log_p, expected.log_p), (found.log_q, expected.log_q)):
        for site, value in theirs.items():
            np.testing.assert_allclose(mine[site], value.detach().numpy(), rtol=1e-10)
    assert (divergence is None) == (kl is None) == (name != "small")
    if kl is not None:
        np.testing.assert_allclose(divergence, kl.detach().numpy(), rtol=1e-10, atol=1e-12)


OBJECTIVES = {
    "elbo": ("mixed", {"beta": 0.7}),
    "elbo-correlated": ("correlated", {"beta": 0.7}),
    "elbo-free": ("small", {"free_bits": 0.6}),
    "elbo-mixture": ("mixture", {"beta": 0.7}),
    "elbo-mixture-free": ("mixture", {"free_bits": 1e3}),
    "elbo-two-layers": ("context-two-layers", {"beta": 0.7}),
    "iwae": ("two-layers-mixture", None),
    "dreg": ("small", None),
    "dreg-two-layers": ("two-layers-mixture", None),
    "dreg-context": ("context-two-layers", None),
}
SLOW = (
    "dreg-context",
    "elbo",
    "elbo-correlated",
    "elbo-mixture",
    "elbo-mixture-free",
    "elbo-two-layers",
    "iwae",
    "dreg",
    "dreg-two-layers",
)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in OBJECTIVES],
)
def test_the_objectives_and_their_gradients_are_the_same(double, name):
    (case, settings), weighted = OBJECTIVES[name], len(name) % 2 == 0
    both = Both(case, gaps=True, samples=3)
    noise = dict(zip(("z_1", "z_2"), both.noise, strict=False))
    options = {"samples": 3, **(settings or {"doubly": name.startswith("dreg")})}
    weights = both.weights if weighted else None

    def torch_draw(site, fn, samples):
        return carried(fn, torch.tensor(noise[site]))

    def jax_draw(site, fn, key, samples):
        return fn.base_dist.loc + fn.base_dist.scale * noise[site]

    raised = iwae if settings is None else elbo
    scale = None if weights is None else torch.tensor(weights)
    value = raised(*both.torch_args(), **options, weights=scale, by=torch_draw)
    value.backward()
    pair, (nets, *rows) = local_numpyro.Pair(twin.model, twin.guide), both.jax_args()
    raise_ours = local_numpyro.iwae if settings is None else local_numpyro.elbo

    def ours(learnt):
        args = (pair, {"nets": learnt}, jr.key(0), nets, *rows)
        return raise_ours(*args, **options, weights=weights, by=jax_draw)

    found, grads = jax.jit(jax.value_and_grad(ours))(nets.learnt)
    np.testing.assert_allclose(float(found), value.item(), rtol=1e-10)
    parameters = dict(both.torch.named_parameters())
    assert set(grads) == set(parameters)
    for key, p in parameters.items():
        expected = torch.zeros_like(p) if p.grad is None else p.grad
        np.testing.assert_allclose(grads[key], expected.numpy(), rtol=1e-7, atol=1e-11)
    assert sum(float(jnp.abs(g).sum()) for g in grads.values()) > 0


# x = W z + b + s e with orthogonal columns of W: the posterior is diagonal and linear in x.
def linear_gaussian():
    rng = np.random.default_rng(3)
    d, k, s = 5, 2, 0.4
    w = np.linalg.qr(rng.normal(size=(d, k)))[0] * np.array([1.5, 0.7])
    b = rng.normal(size=d)
    variance = 1 / (1 + (w**2).sum(0) / s**2)
    gain = (variance[:, None] * w.T) / s**2
    arrays = {
        "features.centre": np.zeros(d),
        "features.gain": np.ones(()),
        "decoder.0.weight": w,
        "decoder.0.bias": b,
        "encoder.0.weight": np.concatenate([gain, np.zeros((k, d))]),
        "encoder.0.bias": np.concatenate([-gain @ b, 0.5 * np.log(variance)]),
    }
    a = architecture([Part("gaussian", 0, d)], latent=(k,), hidden=(), noise=s)
    nets = Nets(a, {name: jnp.asarray(v) for name, v in arrays.items()})
    return nets, stats.multivariate_normal(b, w @ w.T + s**2 * np.eye(d))


@pytest.mark.slow
def test_at_the_exact_posterior_every_bound_is_the_log_density(double):
    nets, truth = linear_gaussian()
    x = truth.rvs(30, random_state=1)
    mean = truth.logpdf(x).mean()

    @jax.jit
    def bounds(x):
        loss = Trace_ELBO().loss(jr.key(1), {}, twin.model, twin.guide, nets, x)
        pair = local_numpyro.Pair(twin.model, twin.guide)
        iwae = local_numpyro.iwae(pair, {}, jr.key(2), nets, x, samples=3)
        elbos = [
            local_numpyro.elbo(pair, {}, k, nets, x, samples=50) for k in jr.split(jr.key(3), 20)
        ]
        return iwae, loss, jnp.stack(elbos)

    iwae, loss, elbos = bounds(jnp.asarray(x))
    assert float(iwae) == pytest.approx(mean, rel=1e-10)
    assert float(loss) == pytest.approx(-30 * mean, rel=1e-10)
    # With the divergence in closed form only log p(x | z) is drawn: four standard errors.
    assert np.std(elbos) > 0
    assert abs(np.mean(elbos) - mean) < 4 * np.std(elbos) / math.sqrt(19)


def test_rows_of_the_model_have_its_mean_and_covariance(double):
    # Chi-square of the mean and, of the whitened rows, of each product: 1e-3 false alarms in all.
    nets, truth = linear_gaussian()
    n, d = 20_000, 5
    x = np.asarray(numpyro.handlers.seed(twin.model, 4)(nets, None, n_total=n))
    assert x.shape == (n, d)
    white = np.linalg.solve(np.linalg.cholesky(truth.cov), (x - truth.mean).T)
    assert n * (white.mean(1) ** 2).sum() < stats.chi2(d).isf(5e-4)
    products = np.einsum("in,jn->ijn", white, white)
    z = (products.mean(-1) - np.eye(d)) / (products.std(-1) / math.sqrt(n))
    assert np.abs(z).max() < stats.norm.isf(5e-4 / (d * (d + 1)))


UNITS = Values(3)
THREE = Architecture("mlp", (Part("gaussian", 0, 3),), (2,), hidden=(8,))


def subset(x, weights=None, numbers=None):
    numbers = np.arange(len(x)) if numbers is None else numbers
    return Subset(x, numbers, np.zeros(len(x)), None, weights, None, lambda: numbers)


def learner(a=THREE, units=UNITS, rows=None, held=None, **settings):
    rows = np.random.default_rng(0).normal(size=(40, 3)) if rows is None else rows
    vae = JaxNets(a, units, 0, rows)
    seen = subset(rows)
    unseen = None if held is None else subset(held)
    more = {name: settings.pop(name, None) for name in ("redraw", "augment")}
    return vae, vae.learner(seen, unseen, Objective(**settings), 5, **more)


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["elbo", "dreg"])
def test_a_short_fit_raises_the_held_out_bound(objective):
    # Two factors of five columns: the columns on their own leave 0.3 nats or more a column.
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 5)) + 0.3 * rng.normal(size=(300, 5))
    x /= x.std(0)
    alone = stats.norm.logpdf(x[200:], x[:200].mean(0), x[:200].std(0)).sum(1).mean()
    a = replace(THREE, parts=(Part("gaussian", 0, 5),), hidden=(16,))
    settings = {"name": objective, "samples": 1 if objective == "elbo" else 4}
    vae, made = learner(a, rows=x[:200], held=x[200:], **settings)
    start = made.evaluate().mean()
    loop = Schedule(batch_size=50, learning_rate=1e-2, max_epochs=100, evaluate_every=25)
    finish(train(made, 200, loop, seed=0, validation=made.evaluate))
    assert made.evaluate().mean() > max(start, alone) + 1
    np.testing.assert_array_equal(made.evaluate(), made.evaluate())
    vae.keep(made)
    np.testing.assert_array_equal(
        vae.arrays()["decoder.2.bias"], made.state()["['average']['decoder.2.bias']"]
    )


def test_killed_training_goes_on_bit_for_bit():
    # Everything that a step may depend on: draws, dropout, filled cells, the warm-up's step.
    a = replace(THREE, dropout=0.2)
    rows = np.random.default_rng(1).integers(8, size=(40, 3)).astype(np.uint8)

    def new():
        units = Values(3, scale=8.0, filled=True)
        return learner(a, units, rows, warm_up=15, redraw=lambda e: (rows + e) % 8)[1]

    batches = np.random.default_rng(2).integers(40, size=(20, 10))
    rates = np.full(20, 0.01)
    straight = new()
    straight.begin_epoch(1)
    straight.run(batches[:10], rates[:10])
    straight.average(0.9)
    half = straight.state()
    assert int(half["['step']"]) == 10
    losses = straight.run(batches[10:], rates[10:])
    resumed = new()
    resumed.load(half)
    resumed.begin_epoch(1)
    np.testing.assert_array_equal(resumed.run(batches[10:], rates[10:]), losses)
    for name, array in straight.state().items():
        np.testing.assert_array_equal(resumed.state()[name], array)


def zeros(units, **changes):
    """Nets of zeros: z is standard normal, x is so whatever z is."""
    vae = JaxNets(replace(THREE, hidden=(), noise=1.0, **changes), units, 0)
    vae.load({name: np.zeros_like(v) for name, v in vae.arrays().items()})
    return vae


@pytest.mark.slow
def test_beta_rises_over_the_warm_up():
    # A decoder that is deaf to z, and q(z | x) = Normal(1, 1) of two latents: KL = 2 / 2.
    vae, x = zeros(UNITS), np.zeros((4, 3))
    vae.load(vae.arrays() | {"encoder.0.bias": np.array([1.0, 1, 0, 0])})
    t = Objective(beta=2.0, warm_up=4)
    made = vae.learner(subset(x), None, t, 0)
    losses = made.run(np.tile(np.arange(4), (7, 1)), np.zeros(7))
    expected = 1.5 * math.log(2 * math.pi) + np.array([t.beta_at(i) for i in range(7)])
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    assert losses[0] < losses[3] < losses[4] == losses[6]


@pytest.mark.slow
def test_weights_and_numbers_choose_the_rows():
    x = np.array([[1.0, 2, 3], [5.0, 5, 5], [9.0, 9, 9]])
    rows = subset(x, np.array([0.5, 100, 2]), np.array([2, 0]))
    made = zeros(UNITS).learner(rows, None, Objective(), 0)
    losses = made.run(np.array([[0], [1]]), np.zeros(2))
    each = -stats.norm.logpdf(x).sum(1)
    np.testing.assert_allclose(losses, [2 * each[2], 0.5 * each[0]], rtol=1e-6)


@pytest.mark.slow
def test_cells_are_filled_evenly():
    # The mean of (3 + u)^2 is 12 + 1 / 3. Five standard errors of 20,000 draws.
    rows = np.full((20_000, 1), 3, dtype=np.uint8)
    vae = zeros(Values(1, filled=True), parts=(Part("gaussian", 0, 1),), latent=(1,))
    made = vae.learner(subset(rows), None, Objective(), 0)
    loss = made.run(np.arange(len(rows))[None], np.zeros(1))[0]
    square = 2 * (loss - 0.5 * math.log(2 * math.pi))
    assert square == pytest.approx(12 + 1 / 3, abs=5 * 2.05 / math.sqrt(len(rows)))


@pytest.mark.parametrize(
    ("name", "dropout"),
    [
        pytest.param("context-two-layers", 0.2, marks=pytest.mark.slow),
        pytest.param("mixed-row", 0.0, marks=pytest.mark.slow),
        pytest.param("two-layers-mixture", 0.2, marks=pytest.mark.slow),
        pytest.param("context", 0.0, marks=pytest.mark.slow),
    ],
)
def test_arrays_serve_both_backends(name, dropout):
    parts, changes = CASES[name]
    rng = np.random.default_rng(0)
    x = some_rows(parts, 30, rng, gaps=True)
    a = architecture(parts, missing=True, dropout=dropout, **changes)
    units = Values(x.shape[1])  # levels are whole numbers
    ours, theirs = JaxNets(a, units, 0, x), TrainedNets(a, units, 1, rows=x)
    shapes = {k: (v.shape, v.dtype) for k, v in theirs.arrays().items()}
    assert {k: (v.shape, v.dtype) for k, v in ours.arrays().items()} == shapes
    # Both start where the rows say.
    for key in ("features.centre", "features.gain", "decoder." + last_bias(ours)):
        np.testing.assert_allclose(ours.arrays()[key], theirs.arrays()[key], rtol=2e-5, atol=1e-5)
    theirs.load(ours.arrays())
    context = rng.normal(size=(30, a.context)) if a.context else None
    y, c = theirs.rows(x), theirs.context(context)
    with torch.random.fork_rng(), torch.no_grad():
        q = theirs.guided(y, c, 2)
        z = local_pyro.values_of(q)
        expected = total(theirs.modelled(y, c, z)) - total(q)
    c = None if c is None else c.numpy()
    found = ours.log_w(y.numpy(), c, {site: value.numpy() for site, value in z.items()})
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-3)
    other = JaxNets(a, units, 7)
    other.load(theirs.arrays())
    for key, array in ours.arrays().items():
        np.testing.assert_array_equal(other.arrays()[key], array)


def last_bias(vae):
    names = [k for k in vae.arrays() if k.startswith("decoder") and k.endswith("bias")]
    return max(names, key=lambda k: int(k.split(".")[-2])).removeprefix("decoder.")


def test_initial_weights_are_spread_as_torch_spreads_them():
    # Uniform in +-1 / sqrt(inputs): Kolmogorov's test, 1e-3 false alarms each.
    a = replace(THREE, parts=(Part("gaussian", 0, 50),), hidden=(40,), latent=(20,))
    arrays = JaxNets(a, UNITS, 3).arrays()
    for name, inputs in (("encoder.0", 50), ("encoder.2", 40), ("decoder.0", 20)):
        found = arrays[f"{name}.weight"].ravel() * math.sqrt(inputs)
        assert stats.kstest(found, stats.uniform(-1, 2).cdf).pvalue > 1e-3
    again, other = JaxNets(a, UNITS, 3).arrays(), JaxNets(a, UNITS, 4).arrays()
    np.testing.assert_array_equal(again["encoder.0.weight"], arrays["encoder.0.weight"])
    assert not np.array_equal(other["encoder.0.weight"], arrays["encoder.0.weight"])


@pytest.mark.slow
def test_dropout_is_on_in_training_only():
    nets = JaxNets(replace(THREE, dropout=0.5), UNITS, 0).nets
    x = jnp.ones((200, 3))
    whole = nets.encode(x)
    assert float(jnp.ptp(whole, axis=0).max()) < 1e-6
    dropped = [nets.given({}, jr.key(i)).encode(x) for i in (0, 0, 1)]
    np.testing.assert_array_equal(dropped[0], dropped[1])
    assert not np.array_equal(dropped[0], dropped[2])
    # Linear after the units dropped: the mean is that of the whole. Five standard errors.
    gap = np.abs(dropped[0].mean(0) - whole[0]) / (dropped[0].std(0) / math.sqrt(200))
    assert gap.max() < 5


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"net": "conv"}, "conv"), ({"prior": "vamp"}, "vamp"), ({"posterior": "flow"}, "flow")],
)
def test_what_has_no_twin_is_said(changes, said):
    a = replace(THREE, **changes)
    assert said in unsupported(a)
    assert "pyro" in unsupported(a)
    with pytest.raises(InputError, match=said):
        JaxNets(a, UNITS, 0)
    assert unsupported(THREE) is None
    with pytest.raises(InputError, match="augment"):
        learner(augment=lambda images, generator: images)
