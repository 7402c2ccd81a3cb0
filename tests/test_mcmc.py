"""NUTS against posteriors known in closed form, and what its diagnostics say."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy.special import softmax

from ppgen.errors import InputError
from ppgen.inference.diagnostics import convergence, worst_by_site
from ppgen.inference.mcmc import ChainSettings, Draws, nuts
from ppgen.models.gmm.bayes import _same_labels
from ppgen.models.gmm.posterior import log_prob_draws
from ppgen.models.gmm.prior import Prior
from ppgen.models.gmm.relabel import orders, reorder
from ppgen.models.problem import Problem

Y = np.random.default_rng(0).normal(2.0, 1.0, 50)
COUNTS = np.array([12.0, 30.0, 8.0])


def conjugate(y: Any, counts: Any) -> None:
    """Normal mean and multinomial probabilities, whose posteriors are Normal and Dirichlet."""
    mu = numpyro.sample("mu", dist.Normal(0.0, 10.0))
    numpyro.sample("y", dist.Normal(mu, 1.0), obs=y)
    p = numpyro.sample("p", dist.Dirichlet(jnp.ones(3)))
    numpyro.factor("counts", (counts * jnp.log(p)).sum())


def draw(**settings: Any) -> Draws:
    how = {name: settings.pop(name) for name in ("deadline", "report") if name in settings}
    chains = ChainSettings(**{"num_warmup": 300, "num_samples": 500} | settings)
    return nuts(conjugate, (Y, COUNTS), chains, seed=0, **how)


def test_draws_follow_the_posterior() -> None:
    found = draw()
    posterior, table = found.posterior, worst_by_site(found.posterior)
    assert posterior["mu"].shape == (4, 500)
    assert posterior["p"].shape == (4, 500, 3)
    assert posterior["mu"].dtype == np.float64
    assert not found.reasons()
    alpha = 1 + COUNTS
    p = alpha / alpha.sum()
    sd = np.sqrt(p * (1 - p) / (alpha.sum() + 1))
    # Means within five Monte Carlo standard errors: a false alarm in 400 000 seeds.
    error = 5 / np.sqrt(table["p"]["ess_bulk"])
    np.testing.assert_allclose(posterior["p"].mean(axis=(0, 1)), p, atol=error * sd.max())
    np.testing.assert_allclose(posterior["p"].std(axis=(0, 1)), sd, rtol=0.15)
    precision = 1 / 100 + len(Y)
    error = 5 / np.sqrt(table["mu"]["ess_bulk"] * precision)
    assert posterior["mu"].mean() == pytest.approx(Y.sum() / precision, abs=error)
    assert posterior["mu"].std() == pytest.approx(precision**-0.5, rel=0.15)
    assert (found.stats["n_steps"] >= 2 ** (found.stats["tree_depth"] - 1)).all()


def test_the_seed_decides_and_how_chains_run_does_not() -> None:
    steps = []
    small = {"num_warmup": 40, "num_samples": 30, "num_chains": 2}
    first = draw(block=25, report=lambda step, energy: steps.append(step), **small)
    again = draw(block=70, chain_method="vectorized", **small)
    np.testing.assert_allclose(first.posterior["mu"], again.posterior["mu"], rtol=1e-6)
    assert steps == [25, 50, 70]


def test_a_deadline_shortens_the_warm_up_and_ends_the_draws() -> None:
    left = iter([100.0, 70.0, 60.0, 45.0, 40.0, 30.0, 10.0] + [0.0] * 100)
    small = {"num_warmup": 500, "num_samples": 500, "num_chains": 2, "block": 10}
    found = draw(deadline=lambda: next(left), **small)
    assert (found.why, found.num_warmup) == ("warm-up", 30)
    assert found.posterior["mu"].shape == (2, 40)
    assert found.posterior["p"].shape == (2, 40, 3)
    assert (np.ptp(found.stats["step_size"], axis=1) == 0).all()
    assert (
        "budget ended after 40 draws a chain, and cut the warm-up to 30" in found.reasons()[0].what
    )


def test_an_interrupt_passes_between_blocks() -> None:
    def stop(step: int, energy: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw(num_chains=1, report=stop)


@pytest.mark.parametrize("name", ["num_warmup", "num_samples", "num_chains"])
def test_counts_are_positive(name: str) -> None:
    with pytest.raises(InputError, match=name):
        draw(**{name: 0})


def test_a_start_of_no_density_is_said() -> None:
    def impossible() -> None:
        numpyro.sample("x", dist.Normal(0.0, 1.0))
        numpyro.factor("never", -jnp.inf)

    with pytest.raises(InputError, match="not finite"):
        nuts(impossible, (), ChainSettings(5, 5), seed=0, init={"x": 0.0})


def fake_stats(shape: tuple[int, int]) -> dict[str, Any]:
    return {name: np.zeros(shape, bool) for name in ("diverging", "reached_max_treedepth")}


def test_diagnostics_say_what_is_wrong() -> None:
    rng = np.random.default_rng(0)
    good = rng.normal(size=(4, 500, 2))
    good[..., 1] = 1.0  # an element that never varies is left out
    assert convergence({"x": good}, fake_stats((4, 500))) == []
    apart = good + np.arange(4)[:, None, None]
    said = " ".join(r.what for r in convergence({"good": good, "x": apart}, fake_stats((4, 500))))
    assert "R-hat of x" in said
    assert "effective draws of x (bulk)" in said
    stats = fake_stats((4, 500))
    stats["diverging"][0, :3] = True
    stats["reached_max_treedepth"][:, :10] = True
    said = " ".join(r.what for r in convergence({"x": good}, stats))
    assert "3 of 2000 draws diverged" in said
    assert "40 of 2000 draws reached" in said
    few = convergence({"x": good[:, :3]}, fake_stats((4, 3)))
    assert "too few draws" in few[0].what


def test_one_chain_is_not_called_a_disagreement() -> None:
    one = np.random.default_rng(0).normal(size=(1, 2000))
    said = " ".join(str(r) for r in convergence({"x": one}, fake_stats((1, 2000))))
    assert "one chain: R-hat cannot be known" in said
    assert "num_chains" in said
    assert "disagree" not in said
    assert "nan" not in said


def test_labels_that_switch_are_put_in_order() -> None:
    # Two groups alike; half of the chains start with their labels the other way round.
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(-2, 1, (100, 1)), rng.normal(2, 1, (100, 1))])
    codes = np.zeros((200, 0), dtype=np.int32)
    rows = (x, codes, None)
    prior = Prior(2, np.zeros(1), np.full(1, 2.0), np.ones(1), covariance_type="diag")
    runs = []
    for side in (1.0, -1.0):
        start = {
            "w": np.full(2, 0.5),
            "mu": side * np.array([[-2.0], [2.0]]),
            "sigma": np.ones((2, 1)),
        }
        problem = Problem("gmm", rows, prior, start, gaps=False)
        chains = ChainSettings(num_chains=2, num_warmup=300, num_samples=400)
        model, _ = problem.pair("numpyro")
        runs.append(nuts(model, rows, chains, seed=0, init=start).posterior)
    raw = {name: np.concatenate([run[name] for run in runs]) for name in start}
    assert worst_by_site(raw)["mu"]["rhat"] > 1.5
    p = softmax(log_prob_draws(raw, "diag", x, codes, components=True), axis=-1)
    table = worst_by_site(reorder(raw, orders(p, p[0])))
    assert max(row["rhat"] for row in table.values()) < 1.03
    # `fit_bayes` does the same, to the numbering that it starts from.
    apart = _same_labels(raw, problem)
    assert max(row["rhat"] for row in worst_by_site(apart).values()) < 1.03
    np.testing.assert_allclose(apart["mu"].mean(axis=(0, 1))[:, 0], [2, -2], atol=0.6)
