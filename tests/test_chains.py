"""Markov chains: against posteriors known in closed form, in blocks, and what is said of draws."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy.special import softmax

from ppgen.errors import InputError
from ppgen.fitting import EngineFit
from ppgen.inference.diagnostics import convergence, ebfmi, worst_by_site
from ppgen.inference.posterior import blocks, chees, fixed_length, low_rank, nuts
from ppgen.inference.posterior.broken_gradient import broken_gradient
from ppgen.inference.posterior.compiled import compiled
from ppgen.inference.posterior.improper import runaways
from ppgen.inference.posterior.result import Posterior
from ppgen.inference.posterior.target import Target, make_target
from ppgen.models.bayes import _nuts
from ppgen.models.gmm.bayes import _same_labels
from ppgen.models.gmm.posterior import log_prob_draws
from ppgen.models.gmm.prior import Prior
from ppgen.models.gmm.relabel import orders, reorder
from ppgen.models.gmm.settings import ENGINE_SETTINGS
from ppgen.models.pair.settings import HMC, NUTS, ChEES
from ppgen.models.problem import Problem
from tests.posterior_targets import density

Y = np.random.default_rng(0).normal(2.0, 1.0, 50)
COUNTS = np.array([12.0, 30.0, 8.0])
SMALL: dict[str, Any] = {"num_warmup": 40, "num_samples": 30, "num_chains": 2}
ENGINES = {
    "diag": (nuts, NUTS()),
    "dense": (nuts, NUTS(adaptation="dense")),
    "low_rank": (nuts, NUTS(adaptation="low_rank", max_rank=2)),
    "hmc": (fixed_length, HMC()),
}


def conjugate(y: Any, counts: Any) -> None:
    """Normal mean and multinomial probabilities, whose posteriors are Normal and Dirichlet."""
    mu = numpyro.sample("mu", dist.Normal(0.0, 10.0))
    numpyro.sample("y", dist.Normal(mu, 1.0), obs=y)
    p = numpyro.sample("p", dist.Dirichlet(jnp.ones(3)))
    numpyro.factor("counts", (counts * jnp.log(p)).sum())


@pytest.fixture(scope="module")
def target() -> Target:
    with jax.enable_x64(True):
        return make_target(conjugate, (jnp.asarray(Y), jnp.asarray(COUNTS)))


def draw(target: Target, engine: str = "diag", fit: Any = None, **given: Any) -> Posterior:
    module, settings = ENGINES[engine]
    values = {"num_warmup": 300, "num_samples": 500} | given
    settings = SimpleNamespace(**{**vars(settings), **values})
    found: Posterior = module.run(target, settings, fit or EngineFit(0))  # type: ignore[attr-defined]
    return found


class Watched(EngineFit):
    """A fit whose clock is a list of seconds left, interrupted after a number of blocks."""

    def __init__(self, left: Iterator[float] | None = None, interrupt: int = -1) -> None:
        super().__init__(0)
        self.left, self.interrupt = left, interrupt

    def deadline(self) -> float | None:
        return None if self.left is None else next(self.left)

    def report(self, progress: Any) -> None:
        super().report(progress)
        if len(self.trace) == self.interrupt:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    "engine",
    [
        "diag",
        "low_rank",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("dense", "hmc")),
    ],
)
def test_draws_follow_the_posterior(target: Target, engine: str) -> None:
    found = draw(target, engine)
    draws, table = found.draws, worst_by_site(found.draws)
    assert draws["mu"].shape == (4, 500)
    assert draws["p"].shape == (4, 500, 3)
    assert draws["mu"].dtype == np.float64
    assert not convergence(draws, found.stats)
    alpha = 1 + COUNTS
    p = alpha / alpha.sum()
    sd = np.sqrt(p * (1 - p) / (alpha.sum() + 1))
    # Means within five Monte Carlo standard errors: a false alarm in 400 000 seeds.
    error = 5 / np.sqrt(table["p"]["ess_bulk"])
    np.testing.assert_allclose(draws["p"].mean(axis=(0, 1)), p, atol=error * sd.max())
    np.testing.assert_allclose(draws["p"].std(axis=(0, 1)), sd, rtol=0.15)
    precision = 1 / 100 + len(Y)
    error = 5 / np.sqrt(table["mu"]["ess_bulk"] * precision)
    assert draws["mu"].mean() == pytest.approx(Y.sum() / precision, abs=error)
    assert draws["mu"].std() == pytest.approx(precision**-0.5, rel=0.15)
    assert found.gradients > found.stats["n_steps"].sum()
    if engine != "hmc":
        assert (found.stats["n_steps"] >= 2 ** (found.stats["tree_depth"] - 1)).all()


def test_draws_do_not_depend_on_blocks_nor_on_how_chains_run(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = draw(target, **SMALL)
    monkeypatch.setattr(blocks, "_FIRST", 7)
    monkeypatch.setattr(blocks, "_SECONDS", 0.0)
    watched = Watched()
    again = draw(target, fit=watched, **SMALL)
    np.testing.assert_array_equal(first.draws["mu"], again.draws["mu"])
    np.testing.assert_array_equal(first.stats["energy"], again.stats["energy"])
    assert len(watched.trace) > 40
    for method in ("vectorized", "parallel"):
        other = draw(target, chain_method=method, **SMALL)
        np.testing.assert_allclose(first.draws["mu"], other.draws["mu"], rtol=1e-6)
        assert other.gradients == first.gradients
        assert method in other.reasons[0].what


def test_a_deadline_shortens_the_warm_up_and_ends_the_draws(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "_FIRST", 10)
    monkeypatch.setattr(blocks, "_next_size", lambda *how: 10)
    left = iter([100.0, 70.0, 45.0, 30.0, 0.0])
    found = draw(target, fit=Watched(left), **SMALL)
    assert found.why == "warm-up"
    assert found.draws["mu"].shape == (2, 20)
    assert found.draws["p"].shape == (2, 20, 3)
    assert (np.ptp(found.stats["step_size"], axis=1) == 0).all()
    said = found.reasons[1].what
    assert "budget ended after 20 draws a chain, and cut the warm-up to 20" in said


def test_an_interrupt_keeps_the_draws_so_far(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "_FIRST", 20)
    monkeypatch.setattr(blocks, "_next_size", lambda *how: 20)
    watched = Watched(interrupt=3)
    found = draw(target, fit=watched, **SMALL)
    assert found.why == "interrupted"
    assert found.draws["mu"].shape == (2, 20)
    assert "interrupted after 20 draws" in found.reasons[1].what
    with pytest.raises(KeyboardInterrupt):  # nothing is drawn yet
        draw(target, fit=Watched(interrupt=1), **SMALL)


def test_places_without_a_density_are_said(target: Target) -> None:
    settings = NUTS(num_warmup=40, num_chains=2)
    with pytest.raises(InputError, match="not finite where the chains start"):
        nuts.run(target, settings, EngineFit(0), np.full((2, 3), np.inf))


def test_a_low_rank_metric_follows_strong_correlations() -> None:
    # Normal in 6 dimensions with scales over four decades and a correlation of 0.999.
    covariance = np.diag(np.logspace(-2, 2, 6))
    covariance[0, 5] = covariance[5, 0] = 0.999 * np.sqrt(covariance[0, 0] * covariance[5, 5])
    settings = NUTS(adaptation="low_rank", num_warmup=300)
    with jax.enable_x64(True):
        precision = jnp.asarray(np.linalg.inv(covariance))
        sampler = low_rank.low_rank_sampler(lambda z: -0.5 * z @ precision @ z, settings)
        keys = jax.random.split(jax.random.key(0), 4)
        states = jax.vmap(sampler.begin)(keys, jnp.ones((4, 6)))
        run = blocks.run_blocks(
            compiled(sampler, "vectorized", 4), states, 500,
            deadline=lambda: None, report=lambda step, records: None, began=0.0,
        )  # fmt: skip
    z = run.records["z"].reshape(-1, 6)
    assert run.records["n_steps"].mean() < 10  # the identity takes hundreds
    size = min(table["ess_bulk"] for table in worst_by_site({"z": run.records["z"]}).values())
    assert size > 1000
    # Elements of the correlation within five standard errors of 1 / sqrt(ESS) at most.
    scale = np.sqrt(np.diag(covariance))
    found = (z.T @ z) / len(z) / scale / scale[:, None]
    expected = covariance / scale / scale[:, None]
    np.testing.assert_allclose(found, expected, atol=5 * np.sqrt(2 / size))


def test_windows_of_a_warm_up_keep_the_one_before() -> None:
    plan = low_rank.windows(200)
    assert plan.end[:60].sum() == 6  # of ten each, in the first 30%
    assert (plan.oldest[20:30] == 10).all()
    assert not plan.due[170:].any()
    assert not plan.end[170:].any()
    assert plan.capacity == (np.arange(200) + 1 - plan.oldest)[plan.due].max()


@pytest.mark.parametrize("name", ["num_warmup", "num_samples", "num_chains"])
def test_counts_are_positive(name: str) -> None:
    with pytest.raises(InputError, match=name):
        ENGINE_SETTINGS["nuts"].check({name: 0})


def test_the_share_of_energy_that_momenta_change_is_that_by_hand() -> None:
    energy = np.array([[0.0, 1.0, 3.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    found = ebfmi(energy)
    assert found[0] == pytest.approx((1 + 4 + 9) / (1 + 0 + 4 + 1))
    assert np.isnan(found[1])
    rng = np.random.default_rng(0)
    fresh = rng.normal(size=(4, 500))  # E-BFMI near 2: each draw anew
    slow = fresh.cumsum(axis=1)
    stats = fake_stats((4, 500)) | {"energy": fresh}
    assert convergence({"x": rng.normal(size=(4, 500))}, stats) == []
    stats["energy"] = slow
    assert "E-BFMI of a chain is 0.0" in convergence({"x": fresh}, stats)[0].what


def test_the_scale_where_draws_diverge_is_named() -> None:
    rng = np.random.default_rng(0)
    draws = {
        "x": rng.normal(size=(4, 500)),
        "tau": rng.gamma(2.0, size=(4, 500)),
        "other": rng.gamma(2.0, size=(4, 500)),
    }
    stats = fake_stats((4, 500))
    stats["diverging"] = (draws["tau"] < 0.3) & (rng.random((4, 500)) < 0.5)
    said = convergence(draws, stats, ["other", "tau"])
    assert "They gather where tau is small" in said[0].what
    assert "value = location + tau * z" in said[0].advice
    stats["diverging"] = rng.random((4, 500)) < 0.02
    assert "gather" not in str(convergence(draws, stats, ["other", "tau"])[0])


def test_chains_that_never_move_have_failed() -> None:
    still = np.random.default_rng(0).normal(size=(4, 100))
    still[2] = 1.0
    said = convergence({"x": still}, fake_stats((4, 100)))
    assert [r.status for r in said] == ["failed"]
    assert "1 of 4 chains never moved" in said[0].what


def fake_stats(shape: tuple[int, int]) -> dict[str, Any]:
    return {name: np.zeros(shape, bool) for name in ("diverging", "reached_max_treedepth")}


def test_energies_of_chees_are_those_of_places_that_chains_were_at() -> None:
    # Steps far too long: proposals have energies of 1e10 and more, and are refused.
    with jax.enable_x64(True):
        chains = chees.Chains(lambda z: -0.5 * (z**2).sum(), ChEES(num_chains=4, max_steps=5))
        state = chains.begin(jax.random.key(0), jnp.ones((4, 2)))
        state = state._replace(size=jnp.asarray(10.0), steps=jnp.asarray(5.0))
        step = jax.jit(chains.step)
        kinetic = []
        for i in range(500, 510):  # after the warm-up
            state, record = step(i, state)
            assert record["diverging"].all()
            kinetic += (record["energy"] + record["lp"]).tolist()
    assert 0 < min(kinetic) < max(kinetic) < 20  # half a chi-squared of 2 degrees of freedom


def test_draws_that_are_no_numbers_have_failed() -> None:
    draws = np.random.default_rng(0).normal(size=(4, 500))
    bad = draws.copy()
    bad[1, 400:] = np.nan  # R-hat and ESS would leave the site out
    (said,) = convergence({"good": draws, "x": bad}, fake_stats((4, 500)))
    assert said.status == "failed"
    assert "100 of 2000 values of x" in said.what


def test_small_units_are_diagnosed_as_others_are() -> None:
    draws = np.random.default_rng(0).normal(size=(4, 500)) + 3 * np.arange(4)[:, None]
    table = worst_by_site({"x": draws, "in_small_units": 1e-15 * draws})
    assert table["in_small_units"]["rhat"] == pytest.approx(table["x"]["rhat"])


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


@pytest.mark.slow
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
        options = SimpleNamespace(
            **ENGINE_SETTINGS["nuts"].values(
                {"num_chains": 2, "num_warmup": 300, "num_samples": 400}
            )
        )
        runs.append(_nuts(problem, options, EngineFit(0), lambda record: None)[0])  # type: ignore[arg-type]
    raw = {name: np.concatenate([run[name] for run in runs]) for name in start}
    assert worst_by_site(raw)["mu"]["rhat"] > 1.5
    p = softmax(log_prob_draws(raw, "diag", x, codes, components=True), axis=-1)
    table = worst_by_site(reorder(raw, orders(p, p[0])))
    assert max(row["rhat"] for row in table.values()) < 1.03
    # `fit_bayes` does the same, to the numbering that it starts from.
    apart = _same_labels(raw, problem)
    assert max(row["rhat"] for row in worst_by_site(apart).values()) < 1.03
    np.testing.assert_allclose(apart["mu"].mean(axis=(0, 1))[:, 0], [2, -2], atol=0.6)


def test_chains_that_never_moved_say_nothing_of_an_improper_posterior() -> None:
    stuck = np.repeat(np.array([[[-1.0, 0.5]], [[2.0, 1.0]]]), 6, axis=1)
    assert runaways(density(lambda z: -0.5 * (z**2).sum(), 2), stuck, [0, 1]) == []
    assert runaways(density(lambda z: -0.5 * z[0] ** 2, 2), stuck, [0, 1]) == [1]


def rooted(z: Any) -> Any:
    """A Gaussian, the slope of which is NaN in half of the space: a root in a branch not taken."""
    side = jnp.where(z[0] > 0.5, jnp.sqrt(jnp.maximum(z[0] - 0.5, 0.0)), 0.0)
    return -0.5 * (z**2).sum() - 1e-9 * side


def test_a_gradient_that_is_not_finite_where_the_log_joint_is_has_failed() -> None:
    f = density(rooted, 2)
    z = np.random.default_rng(1).normal(size=(2, 200, 2))
    lp, diverging = f.log_joint(z.reshape(-1, 2)).reshape(2, 200), z[..., 0] > 1.5
    (reason,) = broken_gradient(f, z, lp, diverging)
    assert reason.status == "failed"
    assert "along z[0] is not finite at" in reason.what
    assert broken_gradient(f, z, lp, np.zeros_like(diverging)) == []  # nothing diverged
    whole = density(lambda z: -0.5 * (z**2).sum(), 2)
    assert broken_gradient(whole, z, lp, diverging) == []
