"""Annealing a pair: the lower bound against closed forms, and both bounds of simulated data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ppgen.inference.posterior import annealed, annealed_numpyro, annealed_pyro
from ppgen.inference.posterior.result import Posterior
from ppgen.models.pair.settings import AIS
from ppgen.verdict import Verdict
from tests import posterior_targets as exact

HOW = AIS(num_temperatures=150, num_simulated=2, num_draws=500)


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return annealed_numpyro.run(exact.linear_gaussian(), HOW, exact.fit())


def test_the_lower_bound_and_the_draws_are_those_of_the_closed_form(posterior: Posterior) -> None:
    evidence = posterior.log_evidence
    assert evidence is not None
    assert evidence.kind == "lower_bound"
    assert abs(evidence.value - exact.LOG_EVIDENCE) < 4 * evidence.stderr < 0.5
    assert posterior.draws["w"].shape == (1, 512, 2)
    exact.check_moments(posterior.draws["w"], 60)


def test_the_bounds_of_simulated_data_enclose_their_evidence(posterior: Posterior) -> None:
    gaps = posterior.guide["gaps"]
    assert len(gaps) == 2
    assert (np.abs(gaps) < 1.0).all()
    assert "simulated data sets" in str(posterior.reasons[-1])


def test_a_gap_is_what_lies_between_both_means_of_weights() -> None:
    forward, backward = np.log([1.0, 3.0]), np.log([0.25, 0.25])
    assert annealed.gap(forward, backward).value == pytest.approx(np.log(4) - np.log(2))


@pytest.mark.slow
def test_a_path_cut_short_is_weighed_for_the_rest() -> None:
    cut = annealed_numpyro.run(exact.linear_gaussian(), HOW, exact.fit(budget=1e-6))
    assert cut.why == "budget"
    assert cut.log_evidence is not None
    # Chains are weighed where the prior has put them: importance sampling, as it were.
    assert abs(cut.log_evidence.value - exact.LOG_EVIDENCE) < 4
    verdict = Verdict(tuple(cut.reasons))
    assert verdict.status != "ok"
    assert "temperature" in str(verdict)


@pytest.mark.slow
def test_an_interrupt_keeps_the_chains() -> None:
    seen: list[Any] = []

    def interrupt(record: Any) -> None:
        seen.append(record)
        if len(seen) == 8:  # after the pilot's six blocks
            raise KeyboardInterrupt

    cut = annealed_numpyro.run(exact.linear_gaussian(), HOW, exact.fit(progress=interrupt))
    assert cut.why == "interrupted"
    assert np.isfinite(cut.draws["w"]).all()


@pytest.mark.slow
def test_a_pyro_pair_is_annealed_by_the_same_formulas() -> None:
    how = AIS(num_temperatures=20, num_chains=64, num_leapfrog=3, num_simulated=1)
    posterior = annealed_pyro.run(exact.linear_gaussian("pyro"), how, exact.fit())
    evidence = posterior.log_evidence
    assert evidence is not None
    assert evidence.kind == "lower_bound"
    assert -5 * evidence.stderr - 1 < evidence.value - exact.LOG_EVIDENCE < 5 * evidence.stderr
    assert posterior.draws["w"].shape == (1, 64, 2)
    assert len(posterior.guide["gaps"]) == 1


def test_a_path_of_a_pyro_pair_that_is_cut_short_is_weighed_for_the_rest() -> None:
    how = AIS(num_temperatures=20, num_chains=200, num_leapfrog=1, num_simulated=1)
    cut = annealed_pyro.run(exact.linear_gaussian("pyro"), how, exact.fit(budget=1e-6))
    assert cut.why == "budget"
    assert cut.log_evidence is not None
    assert abs(cut.log_evidence.value - exact.LOG_EVIDENCE) < 4  # importance sampling, as it were
    assert "ended at temperature 0 of 1" in str(Verdict(tuple(cut.reasons)))
