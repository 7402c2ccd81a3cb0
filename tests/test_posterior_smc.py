"""Tempered SMC: its evidence against closed forms, and modes with their weights."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen.inference.posterior import smc
from ppgen.inference.posterior.result import Posterior
from ppgen.models.pair.settings import SMC
from ppgen.verdict import Verdict
from tests import posterior_targets as exact

HOW = SMC(num_particles=100, num_runs=8, num_moves=3)


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return smc.run(exact.linear_gaussian(), HOW, exact.fit())


def test_draws_and_evidence_are_those_of_the_closed_form(posterior: Posterior) -> None:
    assert posterior.why == "done"
    assert posterior.draws["w"].shape == (8, 100, 2)
    exact.check_moments(posterior.draws["w"], 400)
    evidence = posterior.log_evidence
    assert evidence is not None
    assert evidence.kind == "estimate"
    assert abs(evidence.value - exact.LOG_EVIDENCE) < 4 * evidence.stderr < 0.6
    assert Verdict(tuple(posterior.reasons)).ok
    assert posterior.gradients > 800 * 3


def test_temperatures_rise_to_one(posterior: Posterior) -> None:
    b = posterior.guide["temperatures"]
    assert b[0] > 0
    assert (np.diff(b) >= 0).all()
    assert b[-1] == 1


@pytest.mark.slow
def test_a_path_cut_short_is_weighed_and_told_off() -> None:
    cut = smc.run(exact.linear_gaussian(), HOW, exact.fit(budget=1e-3))
    assert cut.why == "budget"
    assert cut.draws["w"].shape == (8, 100, 2)
    verdict = Verdict(tuple(cut.reasons))
    assert verdict.status != "ok"
    assert "temperature" in str(verdict)


@pytest.mark.slow
def test_an_interrupt_keeps_the_particles() -> None:
    def interrupt(record: object) -> None:
        raise KeyboardInterrupt

    cut = smc.run(exact.linear_gaussian(), HOW, exact.fit(progress=interrupt))
    assert cut.why == "interrupted"
    assert np.isfinite(cut.draws["w"]).all()
    assert cut.log_evidence is not None


@pytest.mark.slow
def test_finds_both_modes_with_their_weights() -> None:
    posterior = smc.run(exact.two_modes(), SMC(num_particles=200, num_moves=3), exact.fit())
    low = (posterior.draws["z"] < 0).mean(axis=1)
    assert abs(low.mean() - exact.SHARE) < 4 * low.std(ddof=1) / np.sqrt(len(low)) < 0.1
    evidence = posterior.log_evidence
    assert evidence is not None
    assert abs(evidence.value - exact.TWO_MODES_LOG_EVIDENCE) < 4 * evidence.stderr < 0.6


@pytest.mark.slow
def test_standard_errors_of_the_evidence_cover_the_closed_form() -> None:
    target = exact.linear_gaussian()
    z = []
    for seed in range(30):
        evidence = smc.run(target, HOW, exact.fit(seed)).log_evidence
        assert evidence is not None
        z.append((evidence.value - exact.LOG_EVIDENCE) / evidence.stderr)
    # Student's t with 7 degrees of freedom has a standard deviation of 1.18.
    assert abs(np.mean(z)) < 4 * 1.18 / np.sqrt(30)
    assert 0.7 < np.std(z) < 1.7
