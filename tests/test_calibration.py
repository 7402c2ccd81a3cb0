"""Simulation-based calibration of engines in closed form: the right one, and planted faults."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from ppgen.inference.calibration import (
    Calibration,
    autocorrelations,
    most_correlated,
    ranks_among,
    reading,
    thinning,
)
from ppgen.inference.rank_uniformity import (
    critical_gamma,
    detectable,
    power,
    rank_bands,
    uniform_p_value,
)
from ppgen.inference.replications import Block, calibrate

# The uniformity of ranks


def test_the_chance_of_lying_within_bands_is_that_of_enumeration() -> None:
    n, largest, level = 4, 2, 0.3
    everything = np.stack(np.meshgrid(*[np.arange(largest + 1)] * n), axis=-1).reshape(-1, n)
    low, high = rank_bands(n, largest, level)
    below = np.stack([(everything < i).sum(axis=1) for i in (1, 2)], axis=1)
    outside = 1 - ((below >= low) & (below <= high)).all(axis=1).mean()
    assert outside <= level
    p = np.array([uniform_p_value(row, largest) for row in everything])
    assert ((p <= level) == ~((below >= low) & (below <= high)).all(axis=1)).all()
    # A p-value is the share of all outcomes that are at least as extreme.
    z = np.array([1, 2]) / 3
    tails = 2 * np.minimum(binom.cdf(below, n, z), binom.sf(below - 1, n, z)).min(axis=1)
    share = [(tails <= t * (1 + 1e-9)).mean() for t in tails]
    np.testing.assert_allclose(p, np.minimum(share, 1), rtol=1e-9)


def test_false_alarms_come_at_the_level() -> None:
    rng = np.random.default_rng(0)
    p = np.array([uniform_p_value(rng.integers(0, 20, 50), 19) for _ in range(1000)])
    for level in (0.01, 0.1, 0.5):
        assert binom.cdf((p <= level).sum(), 1000, level) < 1 - 1e-4
    assert binom.cdf((p <= 0.5).sum(), 1000, 0.5) > 1e-4  # not far below either
    assert critical_gamma(50, 19, 0.01) < 0.01


def test_power_is_that_of_simulation() -> None:
    rng = np.random.default_rng(1)
    theta, draws = rng.normal(size=(300, 60)), 0.4 + 0.8 * rng.normal(size=(300, 60, 19))
    ranks = (draws < theta[..., None]).sum(axis=-1)
    found = np.mean([uniform_p_value(r, 19) <= 0.05 for r in ranks])
    assert power(60, 19, 0.05, shift=-0.4, ratio=0.8) == pytest.approx(found, abs=0.1)
    assert power(60, 19, 0.05) <= 0.05
    bias, ratio = detectable(60, 19, 0.05)
    assert power(60, 19, 0.05, shift=bias) == pytest.approx(0.8, abs=0.02)
    assert power(60, 19, 0.05, ratio=ratio) == pytest.approx(0.8, abs=0.02)
    assert detectable(3, 3, 0.001) == (np.inf, 0.0)


# Ranks, their correlation, their meaning


def test_ties_are_broken_at_random() -> None:
    rng = np.random.default_rng(0)
    ranks = ranks_among(np.zeros((4000, 1)), np.zeros((4000, 9, 1)), rng)
    assert uniform_p_value(ranks[:, 0], 9) > 1e-4
    assert ranks_among([[2.0]], [[[1.0], [3.0], [-np.inf]]], rng).tolist() == [[2]]


def test_draws_are_thinned_until_they_are_nearly_independent() -> None:
    rng = np.random.default_rng(0)
    x = np.empty((400, 60, 2))
    x[:, 0] = rng.normal(size=(400, 2))
    for t in range(1, 60):
        x[:, t] = [0.5, 0.0] * x[:, t - 1] + np.sqrt([0.75, 1.0]) * rng.normal(size=(400, 2))
    for lag in range(1, 5):
        found = autocorrelations(x, lag).mean(axis=0)
        np.testing.assert_allclose(found, [0.5**lag, 0.0], atol=0.05)
    assert thinning(x, 10) in (4, 5)
    assert thinning(x, 2) == 2
    assert thinning(x[..., 1:], 10) == 1
    still = np.broadcast_to(rng.normal(size=(400, 1, 1)), (400, 60, 1))
    assert most_correlated(autocorrelations(still)) == 0.0  # a quantity that never moves
    stuck = np.where(np.arange(400)[:, None, None] < 200, still, x[..., 1:])
    assert most_correlated(autocorrelations(stuck)) == pytest.approx(0.5, abs=0.05)


def test_ranks_are_put_in_words() -> None:
    u = np.linspace(0, 1, 200)
    assert reading(np.round(20 * u**0.5), 20) == "draws too low"
    assert reading(np.round(20 * u**2), 20) == "draws too high"
    assert reading(np.round(10 + 10 * np.sin(np.pi * (u - 0.5))), 20) == "draws too narrow"
    assert reading(np.round(8 + 4 * u), 20) == "draws too wide"


# An engine in closed form, and faults

A = np.array([[1.0, 0.8], [0.0, 1.0]])
ROWS, SD, L = 6, 0.7, 31
Infer = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def posterior(
    y: np.ndarray, matrix: np.ndarray = A, prior_sd: float = 1.0, scale: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Means (b, 2) and covariance of theta ~ Normal(0, prior_sd^2), whose rows are Normal(matrix
    theta, SD^2), each counted `scale` times; y is (b, row, 2)."""
    weight = scale / SD**2
    precision = y.shape[1] * weight * matrix.T @ matrix + np.eye(2) / prior_sd**2
    covariance = np.linalg.inv(precision)
    return weight * y.sum(axis=1) @ matrix @ covariance, covariance


def of(infer: Infer, n: int = 400, *, seed: int = 0, parameters_only: bool = False) -> Calibration:
    """The calibration of an engine that draws from Normals."""

    def run(which: range) -> Block:
        rng = np.random.default_rng([seed, which.start])
        theta = rng.normal(size=(len(which), 2))
        y = theta @ A.T + SD * rng.normal(size=(ROWS, len(which), 2))
        y = y.transpose(1, 0, 2)
        mean, covariance = infer(y)
        root = np.linalg.cholesky(covariance)
        draws = mean[:, None] + rng.normal(size=(len(which), L, 2)) @ root.T

        def quantities(theta: np.ndarray) -> np.ndarray:  # (b, l, 2)
            error = y[:, None] - (theta @ A.T)[:, :, None]
            likelihood = -0.5 * (error**2).sum(axis=(2, 3)) / SD**2
            joint = likelihood - 0.5 * (theta**2).sum(axis=-1)
            found = np.concatenate([theta, likelihood[..., None], joint[..., None]], axis=-1)
            return found[..., :2] if parameters_only else found

        return Block(quantities(theta[:, None])[:, 0], quantities(draws))

    names = ["theta[0]", "theta[1]", "log_likelihood", "log_joint"]
    return calibrate(names[: 2 if parameters_only else 4], run, n, block=200, seed=seed)


def test_the_exact_posterior_is_accepted() -> None:
    found = of(posterior)
    assert found.verdict_.ok
    assert found.replications == 400
    assert "80% power" in found.verdict_.reasons[0].what
    assert abs(found.autocorrelation) < 0.05


FAULTS: dict[str, Infer] = {
    "a dropped plate size: half of the rows counted once": lambda y: posterior(y[:, ::2]),
    "a plate size counted twice": lambda y: posterior(y, scale=2.0),
    "a wrong prior scale": lambda y: posterior(y, prior_sd=0.4),
    "a transposed matrix": lambda y: posterior(y, A.T),
    "half of the variance": lambda y: (posterior(y)[0], posterior(y)[1] / 2),
    "the prior": lambda y: (np.zeros((len(y), 2)), np.eye(2)),
    "half of the rows ignored": lambda y: posterior(y[:, : ROWS // 2]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_rejected(fault: str) -> None:
    found = of(FAULTS[fault])
    assert found.verdict_.status == "failed"
    assert found.rejected


def test_ranks_of_parameters_alone_pass_the_prior() -> None:
    assert of(FAULTS["the prior"], parameters_only=True).verdict_.ok
    assert "log_likelihood" in of(FAULTS["the prior"]).rejected


def test_the_verdict_says_what_is_wrong() -> None:
    narrow = of(FAULTS["half of the variance"])
    assert "draws too narrow" in str(narrow.verdict_)
    shifted = of(lambda y: (posterior(y)[0] + 0.3, posterior(y)[1]))
    assert "theta[1] (draws too high)" in str(shifted.verdict_)


# Replications


def noise(which: range, width: int = 1) -> Block:
    rng = np.random.default_rng(which.start)
    shape = (len(which), width)
    return Block(rng.normal(size=shape), rng.normal(size=(len(which), 15, width)))


def test_an_interrupt_keeps_the_replications_done() -> None:
    def run(which: range) -> Block:
        if which.start >= 60:
            raise KeyboardInterrupt
        return noise(which)

    found = calibrate(["x"], run, 100, block=30, seed=0)
    assert (found.replications, found.why) == (60, "interrupted")
    assert "an interrupt ended the replications after 60 of 100" in str(found.verdict_)
    with pytest.raises(KeyboardInterrupt):
        calibrate(["x"], lambda which: run(range(60, 70)), 100, block=30, seed=0)


def test_a_deadline_keeps_the_replications_done() -> None:
    left, told = iter([5.0, 0.0]), []
    found = calibrate(
        ["x"], noise, 100, block=30, seed=0, deadline=lambda: next(left), report=told.append
    )
    assert (found.replications, found.why, told) == (60, "budget", [30, 60])


def test_draws_that_are_no_numbers_are_left_out_and_said() -> None:
    def run(which: range) -> Block:
        made = noise(which)
        made.draws[:3, 4] = np.nan
        return made

    found = calibrate(["x"], run, 50, block=25, seed=0)
    assert (found.replications, found.lost) == (44, 6)
    assert found.verdict_.status == "warn"
    assert "6 of 50 replications gave draws that are no numbers" in str(found.verdict_)

    def nothing(which: range) -> Block:
        return Block(np.full((len(which), 1), np.nan), noise(which).draws)

    none = calibrate(["x"], nothing, 50, block=25, seed=0)
    assert "none of 50 replications" in str(none.verdict_)


def test_correlated_draws_and_divergences_are_said() -> None:
    def run(which: range) -> Block:
        made = noise(which)
        return Block(made.truth, np.repeat(made.draws, 4, axis=1), np.full(len(which), 0.2))

    said = str(calibrate(["x"], run, 50, block=25, seed=0).verdict_)
    assert "Raise thin" in said
    assert "20.0% of draws diverged" in said
