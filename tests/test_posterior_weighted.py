"""Importance sampling: evidence against closed forms, and proposals that miss are told off."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ppgen.errors import InputError
from ppgen.inference.posterior import weighted
from ppgen.inference.posterior.psis import resample, smooth
from ppgen.models.pair.settings import Importance
from ppgen.verdict import Verdict
from tests import posterior_targets as exact

ROOT = np.linalg.cholesky(exact.COVARIANCE)


def guide_of(backend: str, mean: Any, scale_tril: Any) -> Any:
    p, dist = exact.library(backend)
    if backend == "pyro":
        mean, scale_tril = torch.as_tensor(mean), torch.as_tensor(scale_tril)

    def guide(x: Any, y: Any) -> None:
        p.sample("w", dist.MultivariateNormal(mean, scale_tril=scale_tril))

    return guide


@pytest.mark.parametrize("backend", ["numpyro", pytest.param("pyro", marks=pytest.mark.slow)])
def test_weights_of_the_posterior_itself_are_all_the_evidence(backend: str) -> None:
    guide = guide_of(backend, exact.MEAN, ROOT)
    how = Importance(num_proposals=500, num_draws=400)
    posterior = weighted.run(exact.linear_gaussian(backend), guide, how, exact.fit())
    assert posterior.log_evidence is not None
    assert posterior.log_evidence.value == pytest.approx(exact.LOG_EVIDENCE, abs=1e-9)
    assert posterior.log_evidence.stderr < 1e-9
    exact.check_moments(posterior.draws["w"], 200)
    assert Verdict(tuple(posterior.reasons)).ok


@pytest.mark.parametrize("proposal", ["prior", pytest.param("laplace", marks=pytest.mark.slow)])
def test_draws_and_evidence_are_those_of_the_closed_form(proposal: Any) -> None:
    how = Importance(proposal=proposal, num_proposals=8000)
    posterior = weighted.run(exact.linear_gaussian(), None, how, exact.fit())
    assert posterior.log_evidence is not None
    error = posterior.log_evidence.value - exact.LOG_EVIDENCE
    assert abs(error) < 4 * posterior.log_evidence.stderr < 0.2
    exact.check_moments(posterior.draws["w"], 300)
    assert Verdict(tuple(posterior.reasons)).ok


def test_a_guide_that_misses_is_told_off() -> None:
    guide = guide_of("numpyro", exact.MEAN + 5, 0.1 * ROOT)
    how = Importance(num_proposals=1000)
    posterior = weighted.run(exact.linear_gaussian(), guide, how, exact.fit())
    verdict = Verdict(tuple(posterior.reasons))
    assert verdict.status == "failed"
    assert "k-hat" in str(verdict)


@pytest.mark.parametrize("backend", ["numpyro", "pyro"])
def test_a_guide_without_a_site_or_with_another_is_an_error_that_names_it(backend: str) -> None:
    p, dist = exact.library(backend)
    right = guide_of(backend, exact.MEAN, ROOT)

    def more(x: Any, y: Any) -> None:  # over both, the weights would be those of no density
        right(x, y)
        p.sample("other", dist.Normal(0.0, 1.0))

    target = exact.linear_gaussian(backend)
    for guide, named in ((lambda x, y: None, "site 'w'"), (more, "draws 'other'")):
        with pytest.raises(InputError, match=named):
            weighted.run(target, guide, Importance(num_proposals=50), exact.fit())


def test_modes_that_the_t_does_not_reach_are_told() -> None:
    posterior = weighted.run(exact.two_modes(), None, Importance(), exact.fit())
    verdict = Verdict(tuple(posterior.reasons))
    assert verdict.status == "warn"  # the weights around one mode are as they should be
    assert "25% of the posterior" in str(verdict)


def test_a_budget_ends_the_draws_and_keeps_those_there_are() -> None:
    how = Importance(proposal="prior", num_proposals=5000)
    posterior = weighted.run(exact.linear_gaussian(), None, how, exact.fit(budget=1e-6))
    assert posterior.why == "budget"
    assert posterior.draws["w"].shape == (1, 1000, 2)


def test_smoothed_weights_keep_their_order_and_resample_in_proportion() -> None:
    rng = np.random.default_rng(0)
    x = 1.3 * rng.standard_normal(4000)
    log_w = x**2 * (1 / 1.3**2 - 1) / 2
    smoothed = smooth(log_w)
    assert smoothed.weights.sum() == pytest.approx(1)
    # The largest weight stands for one of the largest quantiles.
    assert (np.argsort(smoothed.weights)[:3000] == np.argsort(log_w)[:3000]).mean() > 0.95
    chosen = smoothed.resample(2000, rng)
    counts = np.bincount(chosen, minlength=4000)
    assert np.abs(counts - 2000 * smoothed.weights).max() <= 1
    assert x[chosen].std() == pytest.approx(1, abs=0.07)


def test_copies_of_a_draw_stand_together_so_that_few_draws_count_as_few() -> None:
    from arviz_stats.base import array_stats

    rng = np.random.default_rng(0)
    weights = np.r_[np.full(20, 0.04), np.full(980, 0.2 / 980)]  # worth 31 draws
    chosen = resample(weights, 2000, rng)
    assert np.abs(np.bincount(chosen, minlength=1000) - 2000 * weights).max() < 1
    z = rng.normal(size=1000)[chosen]
    assert array_stats.ess(z[None], method="mean", chain_axis=0, draw_axis=1) < 100
    assert abs((chosen < 20)[:1000].mean() - 0.8) < 0.2  # in random order else
