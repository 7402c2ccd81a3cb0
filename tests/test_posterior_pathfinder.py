"""Multi-path Pathfinder: its Gaussians, their mixture, and what weights make of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from ppgen.inference.posterior import pathfinder
from ppgen.inference.posterior.result import Posterior
from ppgen.models.pair.settings import Pathfinder
from ppgen.verdict import Verdict
from tests import posterior_targets as exact

HOW = Pathfinder(num_proposals=4000, max_steps=30, elbo_draws=10)


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return pathfinder.run(exact.linear_gaussian(), HOW, exact.fit())


def test_draws_and_evidence_of_a_gaussian_are_those_of_the_closed_form(
    posterior: Posterior,
) -> None:
    exact.check_moments(posterior.draws["w"], 700)
    assert posterior.log_evidence is not None
    error = posterior.log_evidence.value - exact.LOG_EVIDENCE
    assert abs(error) < 4 * posterior.log_evidence.stderr + 1e-9 < 0.02
    assert Verdict(tuple(posterior.reasons)).ok


def test_the_mean_of_each_gaussian_is_the_mode_once_the_curvature_is_known(
    posterior: Posterior,
) -> None:
    gap = posterior.guide["mean"] - exact.MEAN
    assert np.abs(gap / np.sqrt(np.diag(exact.COVARIANCE))).max() < 0.05
    # Of a Gaussian that is the posterior the ELBO is the evidence.
    assert np.abs(posterior.guide["elbo"] - exact.LOG_EVIDENCE).max() < 0.05


def test_the_density_of_the_mixture_is_the_mean_of_its_gaussians() -> None:
    rng = np.random.default_rng(0)
    covariances = [np.diag([1.0, 4.0]), np.array([[1.0, 0.5], [0.5, 1.0]])]
    paths = [
        pathfinder.Path(np.zeros(()), m, c, np.zeros(()))  # type: ignore[arg-type]
        for m, c in zip(rng.normal(size=(2, 2)), covariances, strict=True)
    ]
    z, log_q = pathfinder.mixture(paths, 50, rng)
    each = [multivariate_normal(np.asarray(p.mean), np.asarray(p.covariance)).pdf(z) for p in paths]
    np.testing.assert_allclose(np.exp(log_q), np.mean(each, axis=0), rtol=1e-10)


@pytest.mark.slow
def test_finds_both_modes_with_their_weights_and_few_paths_warn() -> None:
    posterior = pathfinder.run(exact.two_modes(), HOW, exact.fit())
    assert (posterior.draws["z"] < 0).mean() == pytest.approx(exact.SHARE, abs=0.04)
    assert posterior.log_evidence is not None
    assert posterior.log_evidence.value == pytest.approx(exact.TWO_MODES_LOG_EVIDENCE, abs=0.05)
    one = Pathfinder(num_paths=1, num_proposals=4000, max_steps=30, elbo_draws=10)
    verdict = Verdict(tuple(pathfinder.run(exact.two_modes(), one, exact.fit()).reasons))
    assert verdict.status == "warn"
    assert "missed modes" in str(verdict)


@pytest.mark.slow
def test_a_budget_keeps_the_paths_that_ended() -> None:
    posterior = pathfinder.run(exact.linear_gaussian(), HOW, exact.fit(budget=1e-3))
    assert posterior.why == "budget"
    assert len(posterior.guide["elbo"]) == 1
    assert not Verdict(tuple(posterior.reasons)).ok
