"""Laplace's approximation: exact for Gaussians, and told off where it is not the posterior."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from ppgen.inference.posterior import laplace, modes
from ppgen.inference.posterior.modes import Mode, others, same
from ppgen.inference.posterior.numeric import numeric
from ppgen.inference.posterior.target import Target, make_target
from ppgen.models.pair.settings import Laplace
from ppgen.verdict import Verdict
from tests import posterior_targets as exact

HOW = Laplace(num_starts=4, num_draws=1000)
Y8 = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])


def scalar(latents: Any, noise: float = 1.0) -> Target:
    """Eight observations of what `latents` draws."""
    p, dist = exact.library("numpyro")

    def model(y: Any) -> None:
        p.sample("y", dist.Normal(latents(p, dist), noise).to_event(1), obs=y)

    return make_target(model, (Y8,))


@pytest.mark.parametrize("backend", ["numpyro", pytest.param("pyro", marks=pytest.mark.slow)])
def test_is_exact_for_a_gaussian_posterior(backend: str) -> None:
    posterior = laplace.run(exact.linear_gaussian(backend), HOW, exact.fit())
    np.testing.assert_allclose(posterior.guide["mode"], exact.MEAN, atol=1e-8)
    precision = np.linalg.inv(exact.COVARIANCE)
    np.testing.assert_allclose(posterior.guide["precision"], precision, rtol=1e-8)
    assert posterior.log_evidence is not None
    assert posterior.log_evidence.value == pytest.approx(exact.LOG_EVIDENCE, abs=1e-8)
    assert posterior.log_evidence.stderr < 1e-8
    weights = posterior.stats["lp"] - posterior.stats["log_q"]
    np.testing.assert_allclose(weights, exact.LOG_EVIDENCE, atol=1e-8)
    exact.check_moments(posterior.draws["w"], 1000)
    assert Verdict(tuple(posterior.reasons)).ok


@pytest.mark.slow
def test_weights_correct_the_evidence_of_a_skewed_posterior() -> None:
    from scipy import integrate, stats

    target = scalar(lambda p, d: p.sample("a", d.HalfNormal(20.0)) * np.ones(8))
    posterior = laplace.run(target, Laplace(num_starts=4, num_draws=4000), exact.fit())
    assert posterior.log_evidence is not None

    def density(a: float) -> float:
        shift = stats.norm.logpdf(Y8, Y8.mean()).sum()
        return float(
            stats.halfnorm.pdf(a, scale=20) * np.exp(stats.norm.logpdf(Y8, a).sum() - shift)
        )

    total = np.log(integrate.quad(density, 0, 20, points=[Y8.mean()])[0])
    truth = total + stats.norm.logpdf(Y8, Y8.mean()).sum()
    assert posterior.log_evidence.kind == "estimate"
    error = posterior.log_evidence.value - truth
    assert abs(error) < 4 * posterior.log_evidence.stderr < 0.02
    assert (posterior.draws["a"] > 0).all()


def test_of_several_modes_takes_the_heaviest_and_says_what_the_others_hold() -> None:
    posterior = laplace.run(exact.two_modes(), Laplace(num_starts=8), exact.fit())
    verdict = Verdict(tuple(posterior.reasons))
    assert verdict.status == "warn"
    assert "25%" in str(verdict)
    assert (posterior.draws["z"] > 0).all()
    assert posterior.log_evidence is not None
    assert posterior.log_evidence.kind == "approximation"
    assert posterior.log_evidence.value == pytest.approx(exact.TWO_MODES_LOG_EVIDENCE, abs=1e-6)


def improper(p: Any, d: Any) -> Any:
    flat = d.ImproperUniform(d.constraints.real, (), ())
    p.sample("unseen", flat)
    return p.sample("seen", flat) * np.ones(8)


def centred(p: Any, d: Any) -> Any:
    tau = p.sample("tau", d.HalfCauchy(0.1))
    return p.sample("theta", d.Normal(0.0, tau).expand([8]).to_event(1))


@pytest.mark.parametrize(
    ("latents", "site"),
    [(improper, "unseen"), pytest.param(centred, "tau", marks=pytest.mark.slow)],
)
def test_a_posterior_without_a_mode_fails_and_the_site_is_named(latents: Any, site: str) -> None:
    posterior = laplace.run(scalar(latents, 15.0), HOW, exact.fit())
    verdict = Verdict(tuple(posterior.reasons))
    assert verdict.status == "failed"
    assert f"'{site}'" in str(verdict)
    assert posterior.log_evidence is None


@pytest.mark.slow
def test_the_same_seed_gives_the_same_draws() -> None:
    target = exact.linear_gaussian()
    one, two, other = (laplace.run(target, HOW, exact.fit(seed)).draws["w"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_ends_of_searches_along_a_flat_ridge_are_one_mode() -> None:
    # P has the eigenvalues 1 and 1e-12: ends 1e3 apart along the ridge are 0.001 sd apart.
    along = np.array([1.0, -1.0]) / np.sqrt(2)
    precision = np.eye(2) - (1 - 1e-12) * np.outer(along, along)
    here, there = (Mode(z, 0.0, precision, None) for z in (np.zeros(2), 1e3 * along))
    assert same(here, there)
    assert not same(here, Mode(np.ones(2), 0.0, precision, None))


def test_a_search_that_ended_higher_at_no_mode_is_told() -> None:
    mode = Mode(np.zeros(1), 0.0, np.eye(1), None)
    higher, lower = (Mode(np.full(1, -20.0), at, -np.eye(1), 0) for at in (3.0, -3.0))
    (said,) = others([mode, higher, lower])
    assert said.status == "warn"
    assert "3 nats above" in said.what
    assert others([mode, lower]) == []
    assert others([higher, lower]) == []


def test_an_interrupted_search_for_a_start_is_an_interrupted_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mode = Mode(np.zeros(1), 0.0, np.eye(1), None)
    monkeypatch.setattr(modes, "found_modes", lambda *_: ([mode], "interrupted"))
    with pytest.raises(KeyboardInterrupt):
        modes.required_mode(None, exact.fit())  # type: ignore[arg-type]


@pytest.mark.parametrize("narrow", [1.0, 1e-14])
def test_log_densities_of_t_draws_are_those_of_scipy_however_narrow(narrow: float) -> None:
    scale = np.diag([9.0, narrow])
    mode = Mode(np.array([-27.0, 0.0]), 0.0, np.linalg.inv(scale), None)
    z, log_q = mode.draw_t(50, 5.0, np.random.default_rng(0))
    units = np.sqrt(np.diag(scale))
    whitened = stats.multivariate_t(np.zeros(2), np.eye(2), 5.0).logpdf((z - mode.z) / units)
    assert np.allclose(log_q, whitened - np.log(units).sum(), rtol=1e-10)


def test_targets_with_other_data_run_the_programs_of_the_first() -> None:
    first, z = exact.linear_gaussian(), np.zeros((3, 2))
    others = [numeric(first.observing({"y": exact.Y + shift})) for shift in (0.0, 1.0, 2.0)]
    found = [f.log_joint(z) for f in others]
    np.testing.assert_allclose(found[0], numeric(first).log_joint(z), rtol=1e-12)
    assert np.abs(np.diff(found, axis=0)).min() > 0.1
    programs: Any = first.programs  # type: ignore[attr-defined]
    assert programs["log_joint"]._cache_size() == 2  # of its own data, and of all others
