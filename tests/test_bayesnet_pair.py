"""Parameters of a network: the conjugate posterior, and the pair of the two backends."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pyro
import pytest
import torch
from numpyro import handlers
from numpyro.infer.util import log_density
from pyro import poutine
from scipy import stats
from scipy.special import logsumexp
from torch.distributions import biject_to, constraints

from ppgen.inference.dag import DAG
from ppgen.models.bayesnet import numpyro as jax_pair
from ppgen.models.bayesnet import pyro as torch_pair
from ppgen.models.bayesnet.conditionals import LinearGaussian, Table
from ppgen.models.bayesnet.draws import network_of
from ppgen.models.bayesnet.families import families, statistics
from ppgen.models.bayesnet.network import Network
from ppgen.models.bayesnet.prior import ConjugatePrior, NormalInverseGamma

from .conjugate_priors import conjugate_prior

# b has two parents in an order that is not that of the nodes; y has parents of both kinds.
NAMES = ("a", "x", "b", "c", "y", "z")
EDGES = [("c", "b"), ("a", "b"), ("a", "x"), ("c", "y"), ("x", "y"), ("y", "z"), ("x", "z")]
DAG_ = DAG.of(NAMES, EDGES)
SIZES = (2, 0, 3, 2, 0, 0)
ASSUMED = {"ess": 2.0, "precision": 0.5, "shape": 1.5, "scale": 0.3}


def rows(n: int, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    codes = np.column_stack([rng.integers(k, size=n) if k else np.full(n, -1) for k in SIZES])
    x = np.where(np.array(SIZES) > 0, np.nan, rng.normal(size=(n, 6)))
    x[:, 4] += x[:, 1] - codes[:, 0]
    return codes, x


def prior(**how: float) -> ConjugatePrior:
    return conjugate_prior(DAG_, SIZES, **(ASSUMED | how))


def blank() -> Network:
    return Network(DAG_, prior().centre(), tuple(tuple(range(k)) for k in SIZES))


def test_tables_are_updated_by_counts_in_the_order_of_the_parents() -> None:
    codes, x = rows(60)
    w = np.random.default_rng(1).uniform(0.5, 2, 60)
    found = prior().updated(statistics(families(DAG_, SIZES), codes, x, w)).nodes[2]
    for c, a, b in product(range(2), range(2), range(3)):
        there = (codes[:, 3] == c) & (codes[:, 0] == a) & (codes[:, 2] == b)
        assert found.alpha[c, a, b] == pytest.approx(2 / 12 + w[there].sum())


def test_a_regression_is_updated_row_by_row() -> None:
    # The update by sums is that by Bayes' rule: the density at any parameters, times that of the
    # rows, is proportional to the posterior's.
    codes, x = rows(30)
    before = prior()
    after = before.updated(statistics(families(DAG_, SIZES), codes, x))
    node, rng = 4, np.random.default_rng(2)

    def density(of: NormalInverseGamma, beta: Any, s2: Any) -> Any:
        out = 0.0
        for u in range(2):
            covariance = s2[u] * np.linalg.inv(of.Lambda[u])
            out += stats.invgamma(of.a[u], scale=of.b[u]).logpdf(s2[u])
            out += stats.multivariate_normal(of.m[u], covariance).logpdf(beta[u])
        return out

    ratio = []
    for _ in range(3):
        beta, s2 = rng.normal(size=(2, 2)), rng.uniform(0.5, 2, 2)
        u = codes[:, 3]
        mean = beta[u, 0] + beta[u, 1] * x[:, 1]
        likelihood = stats.norm(mean, np.sqrt(s2[u])).logpdf(x[:, 4]).sum()
        prior_, posterior = (density(p.nodes[node], beta, s2) for p in (before, after))
        ratio.append(prior_ + likelihood - posterior)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)


def test_a_prior_of_nothing_gives_least_squares_and_shares() -> None:
    codes, x = rows(200)
    sums = statistics(families(DAG_, SIZES), codes, x)
    found = prior(ess=0.0, precision=0.0, shape=0.0, scale=0.0).updated(sums).centre()
    table, gaussian = found[0], found[4]
    assert isinstance(table, Table)
    assert isinstance(gaussian, LinearGaussian)
    np.testing.assert_allclose(table.probs, np.bincount(codes[:, 0]) / 200)
    for u in range(2):
        some = codes[:, 3] == u
        design = np.column_stack([np.ones(some.sum()), x[some, 1]])
        beta, (square,), *_ = np.linalg.lstsq(design, x[some, 4])
        np.testing.assert_allclose([gaussian.intercept[u], *gaussian.coefficients[u]], beta)
        assert gaussian.variance[u] == pytest.approx(square / some.sum())


def test_the_centre_maximises_what_it_says() -> None:
    codes, x = rows(40)
    assumed, of = prior(), families(DAG_, SIZES)
    centre = assumed.updated(statistics(of, codes, x)).centre()

    def objective(conditionals: Any) -> float:
        out = assumed.log_penalty(conditionals)
        for f, c in zip(of, conditionals, strict=True):
            if f.size:
                out += c.log_prob(codes[:, [*f.discrete, f.node]]).sum()
            else:
                u, z = codes[:, list(f.discrete)], x[:, list(f.continuous)]
                scale = np.sqrt(c.variance[tuple(u.T)])
                out += stats.norm(c.mean(u, z), scale).logpdf(x[:, f.node]).sum()
        return float(out)

    best, rng = objective(centre), np.random.default_rng(3)
    for _ in range(20):
        other = []
        for c in centre:
            if isinstance(c, Table):
                p = c.probs * np.exp(0.05 * rng.normal(size=c.probs.shape))
                other.append(Table(p / p.sum(axis=-1, keepdims=True)))
            else:
                parts = (c.intercept, c.coefficients, c.variance)
                a, b, s2 = (v * np.exp(0.05 * rng.normal(size=v.shape)) for v in parts)
                other.append(LinearGaussian(a, b, s2))
        assert objective(tuple(other)) < best


def test_draws_have_the_moments_of_the_posterior() -> None:
    codes, x = rows(50)
    after = prior().updated(statistics(families(DAG_, SIZES), codes, x))
    n = 4000
    draws = after.draw(np.random.default_rng(0), n)
    alpha = after.nodes[2].alpha
    np.testing.assert_allclose(
        draws["theta_b"].mean(axis=0), alpha / alpha.sum(axis=-1, keepdims=True), atol=0.02
    )
    node = after.nodes[5]
    variance = node.b / (node.a - 1) * np.linalg.inv(node.Lambda)
    np.testing.assert_allclose(np.cov(draws["b_z"].T), variance, rtol=0.15, atol=1e-3)
    np.testing.assert_allclose(draws["s2_z"].mean(axis=0), node.b / (node.a - 1), rtol=0.02)
    one = network_of(blank(), {name: draw[0] for name, draw in draws.items()})
    assert one.conditionals[4].coefficients.shape == (2, 1)  # type: ignore[union-attr]


def test_draws_of_tables_without_rows_are_finite_and_gaps_add_nothing() -> None:
    codes, x = rows(50)
    draws = prior(ess=1e-3).draw(np.random.default_rng(0), 100)
    np.testing.assert_allclose(draws["theta_b"].sum(axis=-1), 1.0)
    codes[7, 0], x[9, 1] = -1, np.nan
    sums = statistics(families(DAG_, SIZES), codes, x)
    found = [s.sum() if k else s[..., 0, 0].sum() for s, k in zip(sums, SIZES, strict=True)]
    assert found == [49, 48, 49, 50, 49, 49]


def with_gaps(codes: Any, x: Any, which: tuple[int, ...], seed: int = 5) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    codes, x = codes.copy(), x.copy()
    for node in which:
        lost = rng.random(len(codes)) < 0.4
        codes[lost, node], x[lost, node] = -1, np.nan
    return codes, x


def brute(conditionals: Any, codes: Any, x: Any) -> float:
    """The log density of a row: over all states of its discrete nodes, the normal density of its
    continuous ones, whose covariance comes from regressions solved at once."""
    of, total = families(DAG_, SIZES), []
    discrete = [i for i, k in enumerate(SIZES) if k]
    values = [i for i, k in enumerate(SIZES) if not k]
    seen = [j for j, i in enumerate(values) if not np.isnan(x[i])]
    for states in product(*(range(SIZES[i]) for i in discrete)):
        s = dict(zip(discrete, states, strict=True))
        if any(codes[i] >= 0 and codes[i] != s[i] for i in discrete):
            continue
        log_p, B, c, s2 = 0.0, np.zeros((3, 3)), np.zeros(3), np.zeros(3)
        for f, given in zip(of, conditionals, strict=True):
            u = tuple(s[p] for p in f.discrete)
            if f.size:
                log_p += np.log(given.probs[(*u, s[f.node])])
            else:
                j = values.index(f.node)
                c[j], s2[j] = given.intercept[u], given.variance[u]
                B[j, [values.index(p) for p in f.continuous]] = given.coefficients[u]
        inverse = np.linalg.inv(np.eye(3) - B)
        mean, covariance = inverse @ c, inverse @ np.diag(s2) @ inverse.T
        if seen:
            at = x[values][seen]
            log_p += stats.multivariate_normal(mean[seen], covariance[np.ix_(seen, seen)]).logpdf(
                at
            )
        total.append(log_p)
    return float(logsumexp(total))


GAPS = [(), (0, 2, 3), (1, 3), (0, 1, 2, 3, 4, 5)]


def arrays(values: Any) -> dict[str, Any]:
    return {name: jnp.asarray(value) for name, value in values.items()}


def tensors(values: Any) -> dict[str, Any]:
    return {name: torch.tensor(value) for name, value in values.items()}


def draw(seed: int = 0) -> dict[str, Any]:
    return {name: a[0] for name, a in prior(ess=30.0).draw(np.random.default_rng(seed), 1).items()}


def jitted(model: Any, data: Any, given: Any, theta: Any) -> float:
    return float(jax.jit(lambda t: log_density(model, data, given, t)[0])(arrays(theta)))


def numpyro_joint(theta: Any, data: Any, **given: Any) -> float:
    with jax.enable_x64(True):
        return jitted(jax_pair.model, data, {"prior": prior(), **given}, theta)


def pyro_joint(theta: Any, data: Any, **given: Any) -> float:
    data = [None if a is None else torch.tensor(a) for a in data]
    model = poutine.condition(torch_pair.model, tensors(theta))
    given = {"prior": prior().on(torch.tensor), **given}
    trace = poutine.trace(model).get_trace(*data, **given)
    return float(trace.log_prob_sum())


@pytest.mark.parametrize("gaps", GAPS)
def test_the_twins_have_one_log_joint_and_the_networks_density(gaps: Any) -> None:
    codes, x = with_gaps(*rows(12), gaps)
    w, theta = np.random.default_rng(1).uniform(0.5, 2, 12), draw()
    with_rows = pyro_joint(theta, (x, codes, w), gaps=gaps, n_total=30)
    assert with_rows == pytest.approx(
        numpyro_joint(theta, (x, codes, w), gaps=gaps, n_total=30), rel=1e-10
    )
    bare = pyro_joint(theta, (x, codes, np.zeros(12)), gaps=gaps)
    conditionals = network_of(blank(), theta).conditionals
    exact = [brute(conditionals, *row) for row in zip(codes, x, strict=True)]
    assert with_rows - bare == pytest.approx(30 / 12 * (w @ exact), rel=1e-9)


def test_the_twins_have_one_guide() -> None:
    codes, x = rows(40)
    after = prior(ess=30.0).updated(statistics(families(DAG_, SIZES), codes, x))
    theta = draw()
    with jax.enable_x64(True):
        guide = partial(jax_pair.guide, None, None, prior=prior(), start=arrays(after.numbers()))
        log_q = jitted(guide, (), {}, theta)
    with pyro.get_param_store().scope():
        given = {"prior": prior(), "start": tensors(after.numbers())}
        conditioned = poutine.condition(torch_pair.guide, tensors(theta))
        trace = poutine.trace(conditioned).get_trace(None, None, **given)
        assert float(trace.log_prob_sum().detach()) == pytest.approx(log_q, rel=1e-10)


def test_the_guide_starts_with_the_moments_of_the_posterior_of_rows_without_gaps() -> None:
    codes, x = rows(60)
    after = prior(ess=30.0).updated(statistics(families(DAG_, SIZES), codes, x))
    numbers, draws = after.numbers(), after.draw(np.random.default_rng(0), 4000)
    for site, support in (("theta_b", constraints.simplex), ("s2_y", constraints.positive)):
        free = biject_to(support).inv(torch.tensor(draws[site])).numpy()
        spread = numbers[f"{site}_scale"]
        np.testing.assert_allclose(
            free.mean(axis=0), numbers[f"{site}_loc"], atol=0.1 * spread.max()
        )
        np.testing.assert_allclose(free.std(axis=0), spread, rtol=0.06)
    root = numbers["b_z_root"]
    np.testing.assert_allclose(np.cov(draws["b_z"].T), root @ root.T, rtol=0.2, atol=2e-3)


@pytest.mark.parametrize("backend", ["pyro", "numpyro"])
def test_rows_drawn_from_the_model_follow_its_density(backend: str) -> None:
    # Of 4000 rows: chi-squared of the joint states of b and its parents, Kolmogorov-Smirnov of the
    # residuals of y and z. Three tests at 1e-4 raise a false alarm once in 3000 seeds.
    n, theta = 4000, draw()
    if backend == "pyro":
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = poutine.condition(torch_pair.model, tensors(theta))
            values, states = model(None, None, prior=prior().on(torch.tensor), n_total=n)
    else:
        with jax.enable_x64(True):
            model = handlers.substitute(jax_pair.model, data=arrays(theta))
            model = partial(handlers.seed(model, jax.random.key(0)), None, None)
            values, states = jax.jit(lambda: model(prior=prior(), n_total=n))()
    x = {i: np.asarray(v) for i, v in values.items()}
    s = {i: np.asarray(v) for i, v in states.items()}
    cells = np.ravel_multi_index((s[3], s[0], s[2]), (2, 2, 3))
    expected = np.einsum("c,a,cab->cab", theta["theta_c"], theta["theta_a"], theta["theta_b"])
    counts = np.bincount(cells, minlength=12)
    assert stats.chisquare(counts, n * expected.ravel()).pvalue > 1e-4
    b = theta["b_y"][s[3]]
    y = (x[4] - b[:, 0] - b[:, 1] * x[1]) / np.sqrt(theta["s2_y"][s[3]])
    b = theta["b_z"]
    z = (x[5] - b[0] - b[1] * x[4] - b[2] * x[1]) / np.sqrt(theta["s2_z"])
    assert stats.kstest(y, stats.norm.cdf).pvalue > 1e-4
    assert stats.kstest(z, stats.norm.cdf).pvalue > 1e-4
