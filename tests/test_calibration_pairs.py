"""Calibration of pairs, with engines in closed form, and what cannot be calibrated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pyro
import pyro.distributions as pyro_dist
import pytest
import torch

import ppgen
from ppgen.errors import FitError, InputError
from ppgen.inference.calibration import Calibration
from ppgen.inference.posterior.result import Posterior
from ppgen.inference.posterior.simulate import doubled_rows
from ppgen.inference.posterior.target import Target, make_target
from ppgen.models.pair import Replications, engines

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 2)) @ np.array([[1.0, 1.2], [0.0, 0.6]])
Y = RNG.normal(size=8)
SD = 0.7
EYE = np.eye(2)


def line(x: Any, y: Any = None, prior: float = 1.0, matrix: Any = EYE) -> None:
    b = numpyro.sample("b", dist.Normal(0.0, prior).expand([2]).to_event(1))
    with numpyro.plate("rows", len(x)):
        numpyro.sample("y", dist.Normal(x @ (matrix @ b), SD), obs=y)


def other_line(x: Any, y: Any = None) -> None:
    line(x, y)


def pyro_line(x: Any, y: Any = None, prior: float = 1.0) -> None:
    b = pyro.sample("b", pyro_dist.Normal(torch.zeros(2), prior).to_event(1))
    with pyro.plate("rows", len(x)):
        pyro.sample("y", pyro_dist.Normal(x @ b, SD), obs=y)


def exact(target: Target, settings: Any, fit: Any) -> Posterior:
    """Draws from the posterior of `line`, whose first argument is x."""
    values = target.model.values if target.backend == "numpyro" else target.model.args[0].values
    x, y = np.asarray(target.args[0]), np.asarray(values["y"])
    matrix = np.asarray(target.kwargs.get("matrix", np.eye(2)))
    x = x @ matrix
    precision = x.T @ x / SD**2 + np.eye(2) / target.kwargs.get("prior", 1.0) ** 2
    covariance = np.linalg.inv(precision)
    noise = fit.rng().normal(size=(settings.num_draws, 2))
    draws = covariance @ x.T @ y / SD**2 + noise @ np.linalg.cholesky(covariance).T
    return Posterior({"b": draws[None]})


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Puts a function in the place of the engine "laplace"."""

    def put(run: Any) -> None:
        monkeypatch.setattr(engines.Engine, "runner", lambda self, backend: run)

    return put


def calibrated(**how: Any) -> Calibration:
    given = {"method": "laplace", "replications": Replications(120, 31)} | how
    return ppgen.Pair(line).calibrate(X, Y, **given)


# What is calibrated


def test_other_data_take_the_place_of_those_observed() -> None:
    other = RNG.normal(size=8)
    target = make_target(line, (X, Y))
    z = np.array([0.3, -0.2])
    with target.precision():
        here = float(target.observing({"y": other}).log_joint(z))
        there = float(make_target(line, (X, other)).log_joint(z))
        assert here == pytest.approx(there, rel=1e-12)
        assert here != pytest.approx(float(target.log_joint(z)))
    twin = make_target(pyro_line, (torch.tensor(X), torch.tensor(Y)), backend="pyro")
    found = twin.observing({"y": other}).log_joint(torch.tensor(z))
    assert float(found) == pytest.approx(there, rel=1e-12)


def test_the_exact_posterior_of_a_pair_is_accepted(engine: Any) -> None:
    engine(exact)
    found = calibrated()
    assert found.verdict_.ok
    assert list(found.ranks) == ["b[0]", "b[1]", "log_likelihood", "log_joint"]
    assert (found.replications, found.num_draws) == (120, 31)
    np.testing.assert_array_equal(calibrated().ranks["b[0]"], found.ranks["b[0]"])


def test_a_simulator_that_is_not_the_model_is_rejected(engine: Any) -> None:
    engine(exact)
    matrix = np.array([[1.0, 2.0], [0.0, 1.0]])
    wide = calibrated(simulator=lambda x, y, prior: line(x, y, 3.0), prior=1.0)
    assert wide.verdict_.status == "failed"
    turned = calibrated(simulator=lambda x, y, matrix: line(x, y, 1.0, matrix.T), matrix=matrix)
    assert turned.verdict_.status == "failed"


def test_quantities_may_be_chosen(engine: Any) -> None:
    engine(exact)
    norm = {"norm": lambda values: (values["b"] ** 2).sum(), "b twice": lambda v: 2 * v["b"]}
    found = calibrated(replications=5, quantities=norm)
    data = ["log_likelihood", "log_joint"]
    assert list(found.ranks) == ["norm", "b twice[0]", "b twice[1]", *data]
    with pytest.raises(InputError, match="quantity 'c' is no latent site"):
        calibrated(quantities=["c"])


def test_an_engine_that_is_off_is_rejected(engine: Any) -> None:
    def prior(target: Target, settings: Any, fit: Any) -> Posterior:
        return Posterior({"b": fit.rng().normal(size=(1, settings.num_draws, 2))})

    engine(prior)
    assert set(calibrated().rejected) == {"log_likelihood", "log_joint"}


def test_pyro_pairs_are_calibrated(engine: Any) -> None:
    engine(exact)
    pair = ppgen.Pair(pyro_line, backend="pyro")
    found = pair.calibrate(X, Y, method="laplace", replications=Replications(40, 15))
    assert found.verdict_.ok
    wrong = pair.calibrate(
        X, Y, method="laplace", replications=Replications(40, 15), prior=1.0,
        simulator=lambda x, y, prior: pyro_line(x, y, 6.0),
    )  # fmt: skip
    assert wrong.verdict_.status == "failed"


def test_a_replication_whose_fit_fails_is_left_out(engine: Any) -> None:
    fits = []

    def sometimes(target: Target, settings: Any, fit: Any) -> Posterior:
        fits.append(fit.seed)
        if len(fits) % 3 == 0:
            raise FitError("no mode")
        return exact(target, settings, fit)

    engine(sometimes)
    found = calibrated(replications=12)
    assert (found.replications, found.lost) == (8, 4)
    assert len(set(fits)) == 12


def test_an_interrupt_of_one_fit_ends_the_replications(engine: Any) -> None:
    fits = []

    def interrupted(target: Target, settings: Any, fit: Any) -> Posterior:
        # Engines keep the draws so far, which are not those that ranks are taken among.
        fits.append(fit.seed)
        found = exact(target, settings, fit)
        return replace(found, why="interrupted") if len(fits) == 3 else found

    engine(interrupted)
    found = calibrated(replications=12)
    assert (found.replications, found.why, len(fits)) == (2, "interrupted", 3)


# Around data


class Fit:
    """As much of a fit as calibration around it needs."""

    def __init__(self, pair: ppgen.Pair, draws: Mapping[str, Any], *data: Any) -> None:
        self.program, self.draws, self.target = pair, draws, pair.target(*data)

    def target_of(self, data: Any, named: Any) -> Target:
        return self.target


def test_posterior_calibration_takes_the_data_twice(engine: Any) -> None:
    seen = []

    def looked(target: Target, settings: Any, fit: Any) -> Posterior:
        seen.append((target.args[0].shape, np.asarray(target.model.values["y"])))
        return exact(target, settings, fit)

    engine(looked)
    pair = ppgen.Pair(line)
    target = make_target(line, (X, Y))
    target = target.observing({"y": Y})
    drawn = exact(target, engines.engine("laplace").declared(num_draws=200), _Seeded())
    fit = Fit(pair, drawn.draws, X, Y)
    found = pair.calibrate(method="laplace", replications=Replications(120, 31), around=fit)
    assert found.verdict_.ok
    shape, y = seen[0]
    assert shape == (16, 2)
    np.testing.assert_array_equal(y[:8], Y)
    assert (y[8:] != seen[1][1][8:]).all()
    # An engine that is wrong near these data alone: it ignores what was simulated.
    engine(lambda target, settings, fit: drawn)
    wrong = pair.calibrate(method="laplace", replications=Replications(120, 31), around=fit)
    assert wrong.verdict_.status == "failed"
    with pytest.raises(InputError, match="201 replications around a fit of 200 draws"):
        pair.calibrate(method="laplace", replications=201, around=fit)


class _Seeded:
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(0)


def test_the_number_of_rows_is_doubled_with_them() -> None:
    x, table = np.zeros((8, 2)), np.zeros((3, 8))
    found = doubled_rows({"x": jnp.asarray(x), "n_total": 8, "k": 8, "table": table}, 8)
    assert found["x"].shape == (16, 2)
    assert (found["n_total"], found["k"], found["table"].shape) == (16, 8, (3, 8))


def test_rows_that_are_not_independent_are_refused() -> None:
    def by_row(x: Any, y: Any = None) -> None:
        with numpyro.plate("rows", len(x)):
            b = numpyro.sample("b", dist.Normal(0.0, 1.0))
            numpyro.sample("y", dist.Normal(b, 1.0), obs=y)

    def walk(x: Any, y: Any = None) -> None:
        b = numpyro.sample("b", dist.Normal(0.0, 1.0).expand([2]).to_event(1))
        cover = 0.5 * jnp.eye(len(x)) + 0.5
        numpyro.sample("y", dist.MultivariateNormal(b[0] * jnp.ones(len(x)), cover), obs=y)

    for model, draws, said in (
        (by_row, {"b": np.zeros((1, 9, 8))}, "'b'"),
        (walk, {"b": np.zeros((1, 9, 2))}, "not independent given the latent sites"),
    ):
        pair = ppgen.Pair(model)
        with pytest.raises(InputError, match=said):
            pair.calibrate(method="laplace", replications=5, around=Fit(pair, draws, X, Y))


# What is refused


def test_what_cannot_be_simulated_is_refused() -> None:
    def factored(x: Any, y: Any = None) -> None:
        b = numpyro.sample("b", dist.Normal(0.0, 1.0))
        numpyro.factor("bonus", -(b**4))
        numpyro.sample("y", dist.Normal(b, 1.0).expand([8]), obs=y)

    def improper(x: Any, y: Any = None) -> None:
        b = numpyro.sample("b", dist.ImproperUniform(dist.constraints.real, (), ()))
        numpyro.sample("y", dist.Normal(b, 1.0).expand([8]), obs=y)

    def other(x: Any, y: Any = None) -> None:
        numpyro.sample("c", dist.Normal(0.0, 1.0))
        numpyro.sample("y", dist.Normal(0.0, 1.0).expand([8]), obs=y)

    with pytest.raises(InputError, match="'bonus' to its log density by factor"):
        ppgen.Pair(factored).calibrate(X, Y)
    with pytest.raises(InputError, match="improper"):
        ppgen.Pair(improper).calibrate(X, Y)
    with pytest.raises(InputError, match=r"site 'b'.* the simulator does not have it"):
        ppgen.Pair(line).calibrate(X, Y, simulator=other)
    with pytest.raises(InputError, match="replications"):
        ppgen.Pair(line).calibrate(X, Y, replications=0)
    pair, twin = ppgen.Pair(line), Fit(ppgen.Pair(other_line), {}, X, Y)
    with pytest.raises(InputError, match="another model"):
        pair.calibrate(around=twin)
    with pytest.raises(InputError, match="around and simulator"):
        pair.calibrate(around=Fit(pair, {}, X, Y), simulator=line)
