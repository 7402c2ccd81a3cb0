"""Nested sampling: its evidence against closed forms, and modes with their weights."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from ppgen.errors import InputError
from ppgen.inference.posterior import nested
from ppgen.inference.posterior.result import Posterior
from ppgen.inference.posterior.target import make_target
from ppgen.models.pair.settings import Nested
from ppgen.verdict import Verdict
from tests import posterior_targets as exact

HOW = Nested(num_live=200)


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return nested.run(exact.linear_gaussian(), HOW, exact.fit())


def test_draws_and_evidence_are_those_of_the_closed_form(posterior: Posterior) -> None:
    assert posterior.why == "done"
    exact.check_moments(posterior.draws["w"], 300)
    evidence = posterior.log_evidence
    assert evidence is not None
    assert abs(evidence.value - exact.LOG_EVIDENCE) < 4 * evidence.stderr < 0.8
    assert Verdict(tuple(posterior.reasons)).ok


@pytest.mark.slow
def test_a_run_cut_short_fails_and_says_what_is_missing() -> None:
    cut = nested.run(
        exact.linear_gaussian(), Nested(num_live=200, remaining=1e-9), exact.fit(budget=1e-3)
    )
    assert cut.why == "budget"
    verdict = Verdict(tuple(cut.reasons))
    assert verdict.status == "failed"
    assert "live points" in str(verdict)


@pytest.mark.slow
def test_finds_both_modes_with_their_weights() -> None:
    posterior = nested.run(exact.two_modes(), HOW, exact.fit())
    assert (posterior.draws["z"] < 0).mean() == pytest.approx(exact.SHARE, abs=0.12)
    evidence = posterior.log_evidence
    assert evidence is not None
    assert abs(evidence.value - exact.TWO_MODES_LOG_EVIDENCE) < 4 * evidence.stderr


def test_an_improper_prior_is_an_error_that_names_the_site() -> None:
    def model(y: np.ndarray) -> None:
        flat = exact.dist.ImproperUniform(exact.dist.constraints.real, (), ())
        a = exact.numpyro.sample("a", flat)
        exact.numpyro.sample("y", exact.dist.Normal(a, 1.0), obs=y)

    with pytest.raises(InputError, match="'a'"):
        nested.run(make_target(model, (0.5,)), HOW, exact.fit())


@pytest.mark.slow
def test_standard_errors_of_the_evidence_cover_the_closed_form() -> None:
    target = exact.linear_gaussian()
    z = []
    for seed in range(20):
        evidence = nested.run(target, HOW, exact.fit(seed)).log_evidence
        assert evidence is not None
        z.append((evidence.value - exact.LOG_EVIDENCE) / evidence.stderr)
    assert abs(np.mean(z)) < 4 / np.sqrt(20)
    assert 0.5 < np.std(z) < 1.6


def test_new_points_that_are_where_moves_began_are_told_from_independent_ones() -> None:
    rng = np.random.default_rng(0)
    points = SimpleNamespace(position=rng.normal(size=(400, 2)) * [1, 50], loglikelihood=None)
    points.loglikelihood = rng.normal(size=400)
    alive = np.ones(400, bool)

    def some(seed: int) -> SimpleNamespace:
        at = np.random.default_rng(seed).integers(400, size=4000)
        return SimpleNamespace(position=points.position[at], loglikelihood=points.loglikelihood[at])

    with jax.enable_x64(True):
        same = np.asarray(nested._between(points, alive, some(1), some(1)))
        apart = np.asarray(nested._between(points, alive, some(1), some(2)))
    np.testing.assert_allclose(same, 1.0, atol=0.1)
    np.testing.assert_allclose(apart, 0.0, atol=0.1)
    (said,) = nested._correlated([np.tile(same, (20, 1))], ["a", "b"])
    assert said.status == "warn"
    assert nested._correlated([np.tile(apart, (20, 1))], ["a", "b"]) == []
