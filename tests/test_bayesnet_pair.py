"""Parameters of a network: the conjugate posterior, and the pair of the two backends."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ppgen.inference.dag import DAG
from ppgen.models.bayesnet.conditionals import LinearGaussian, Table
from ppgen.models.bayesnet.families import families, statistics
from ppgen.models.bayesnet.prior import ConjugatePrior, NormalInverseGamma, conditionals_of

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
    return ConjugatePrior.of(DAG_, SIZES, **(ASSUMED | how))


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
    found = ConjugatePrior.nothing(DAG_, SIZES).updated(sums).centre()
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
    one = conditionals_of(after, {name: draw[0] for name, draw in draws.items()})
    assert one[4].coefficients.shape == (2, 1)


def test_draws_of_tables_without_rows_are_finite_and_gaps_add_nothing() -> None:
    codes, x = rows(50)
    draws = prior(ess=1e-3).draw(np.random.default_rng(0), 100)
    np.testing.assert_allclose(draws["theta_b"].sum(axis=-1), 1.0)
    codes[7, 0], x[9, 1] = -1, np.nan
    sums = statistics(families(DAG_, SIZES), codes, x)
    found = [s.sum() if k else s[..., 0, 0].sum() for s, k in zip(sums, SIZES, strict=True)]
    assert found == [49, 48, 49, 50, 49, 49]
