"""Components without an order of their own, and posteriors without a finite mass."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from ppgen.inference.diagnostics import worst_by_site
from ppgen.inference.posterior.improper import improper_chains, runaways
from ppgen.inference.posterior.numeric import numeric
from ppgen.inference.posterior.result import Posterior
from ppgen.inference.posterior.target import Target, make_target
from ppgen.inference.relabel import matched, reorder
from ppgen.models.pair.relabel import exchangeable, relabelled
from tests.posterior_targets import density

K = 3
MEANS = np.array([-3.0, 0.0, 3.0])


def mixture(x: Any) -> None:
    w = numpyro.sample("w", dist.Dirichlet(jnp.ones(K)))
    with numpyro.plate("components", K):
        mu = numpyro.sample("mu", dist.Normal(0.0, 5.0))
        numpyro.sample("spare", dist.Normal(jnp.arange(3.0), 1.0))
    with numpyro.plate("rows", len(x)):
        parts = dist.Categorical(probs=w)
        numpyro.sample("x", dist.MixtureSameFamily(parts, dist.Normal(mu, 0.5)), obs=x)


def hidden(y: Any) -> None:
    """A hidden Markov model whose states are summed out by the forward recursion."""
    start = numpyro.sample("start", dist.Dirichlet(jnp.ones(K)))
    move = numpyro.sample("move", dist.Dirichlet(jnp.ones((K, K))).to_event(1))
    mu = numpyro.sample("mu", dist.Normal(0.0, 5.0).expand([K]).to_event(1))
    emitted = dist.Normal(mu, 0.5).log_prob(y[:, None])

    def forward(alpha: Any, here: Any) -> Any:
        return jax.nn.logsumexp(alpha[:, None] + jnp.log(move), axis=0) + here, None

    alpha, _ = jax.lax.scan(forward, jnp.log(start) + emitted[0], emitted[1:])
    numpyro.factor("y", jax.nn.logsumexp(alpha))


def regression(X: Any, y: Any) -> None:
    b = numpyro.sample("b", dist.Normal(0.0, 1.0).expand([K]).to_event(1))
    numpyro.sample("y", dist.Normal(X @ b, 1.0), obs=y)


def target(model: Any, *args: Any) -> Target:
    with jax.enable_x64(True):
        return make_target(model, tuple(map(jnp.asarray, args)))


def switching(draws: dict[str, Any], axes: dict[str, tuple[int, ...]]) -> Any:
    """Draws (chain, draw, ...) whose chains number their components differently."""
    rng = np.random.default_rng(1)
    chains, n = next(iter(draws.values())).shape[:2]
    order = np.repeat([rng.permutation(K) for _ in range(chains)], n, axis=0)
    order[: n // 3] = order[: n // 3, ::-1]  # and one of them switches on its way
    return reorder(draws, order, axes)


def test_the_components_of_a_mixture_are_numbered_alike() -> None:
    rng = np.random.default_rng(0)
    truth = {
        "w": rng.dirichlet([90, 40, 60], (4, 600)),
        "mu": rng.normal(MEANS, 0.2, (4, 600, K)),
        "spare": rng.normal(np.arange(3.0), 1.0, (4, 600, K)),
    }
    axes = {"mu": (0,), "w": (0,)}
    raw = switching(truth, axes)
    mixed = target(mixture, rng.normal(MEANS, 0.5, (5, K)).ravel())
    assert exchangeable(mixed, raw) == [axes]  # what differs by prior is not among them
    found = relabelled(mixed, Posterior(raw, {"lp": np.zeros((4, 600))}))
    for site, value in truth.items():
        np.testing.assert_array_equal(found.draws[site], value)
    assert "3 components of mu, w" in found.reasons[0].what
    assert found.reasons[0].status == "ok"
    agreed = Posterior(truth, {"lp": np.zeros((4, 600))})
    assert relabelled(mixed, agreed) is agreed


def test_the_states_of_a_hidden_markov_model_are_numbered_alike() -> None:
    rng = np.random.default_rng(0)
    truth = {
        "start": rng.dirichlet([2, 1, 1], (4, 150)),
        "move": np.stack([rng.dirichlet(a, (4, 150)) for a in 20 * np.eye(K) + 2], axis=2),
        "mu": rng.normal(MEANS, 0.2, (4, 150, K)),
    }
    axes = {"move": (0, 1), "mu": (0,), "start": (0,)}
    raw = switching(truth, axes)
    chain = target(hidden, rng.normal(MEANS.repeat(4), 0.5))
    assert exchangeable(chain, raw) == [axes]
    found = relabelled(chain, Posterior(raw, {"lp": np.zeros((4, 150))}))
    assert worst_by_site(raw)["mu"]["rhat"] > 1.5
    for site, value in truth.items():
        # Labels rise with the first feature, which is of the transitions: any numbering is as good.
        one = found.draws["mu"].mean(axis=(0, 1)).argsort()
        alike = found.draws[site]
        for axis in axes[site]:
            alike = np.take(alike, one, axis=axis + 2)
        np.testing.assert_array_equal(alike, value)


def test_coefficients_of_different_columns_keep_their_places() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(10, K)), rng.normal(size=10)
    draws = {"b": rng.normal(np.arange(4.0)[:, None, None], 1.0, (4, 100, K))}
    assert exchangeable(target(regression, *rows), draws) == []
    same = np.ones((10, K)), rows[1]
    assert exchangeable(target(regression, *same), draws) == [{"b": (0,)}]


def test_costs_are_computed_anew_until_no_order_changes() -> None:
    x = np.array([[0.0, 10.0], [9.0, 1.0], [4.0, 6.0]])
    asked = []

    def cost(order: Any) -> Any:
        asked.append(order)
        mean = x[0] if order is None else np.take_along_axis(x, order, axis=1).mean(axis=0)
        return (x[:, None] - mean[:, None]) ** 2

    np.testing.assert_array_equal(matched(cost), [[0, 1], [1, 0], [0, 1]])
    assert asked[0] is None
    assert len(asked) == 2


def line(x: Any, s: float = 1.0) -> Any:
    return -0.5 * jnp.sum((x / s) ** 2)


Y = np.random.default_rng(0).normal(size=20)
SIDE = np.where(np.sort(Y) > 0, 1.0, -1.0)
SPREAD = np.random.default_rng(1)
DENSITIES = {
    "a site without data": (lambda z: line(Y - z[0]), [1.0, 1e4], [1]),
    "a sum of two": (lambda z: line(Y - z[0] - z[1]), [1e3, 1e3], [0, 1]),
    "a tail of 1 / t": (lambda z: line(z[0]) - 0.5 * jnp.log1p(z[1] ** 2), [1.0, 1e3], [1]),
    "separated classes": (
        lambda z: -jnp.logaddexp(0.0, -SIDE * (z[0] + z[1] * np.sort(Y))).sum(),
        [1.0, 1e3],
        [0, 1],
    ),
    "Cauchy": (lambda z: line(z[0]) - jnp.log1p(z[1] ** 2), [1.0, 100.0], []),
    "a wide prior": (lambda z: line(z[0]) + line(z[1], 1e6), [1.0, 1e6], []),
    "two modes": (
        lambda z: line(z[0]) + jnp.logaddexp(line(z[1] - 20.0), line(z[1] + 20.0)),
        [1.0, 20.0],
        [],
    ),
    "a probability kept off 0": (
        lambda z: line(z[0]) + jnp.log(jnp.clip(jax.nn.sigmoid(z[1]), 1e-16, 1 - 1e-16))
        + jnp.log(jnp.clip(jax.nn.sigmoid(-z[1]), 1e-16, 1.0)),
        [1.0, 3.0],
        [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DENSITIES)
def test_lines_of_infinite_mass_are_told_from_long_tails(name: str) -> None:
    log_joint, spread, expected = DENSITIES[name]
    rng = np.random.default_rng(0)
    z = rng.normal(size=(4, 50, 2)) * spread
    if name == "a sum of two":
        z[..., 1] = rng.normal(size=(4, 50)) - z[..., 0]
    if name == "separated classes":
        z = np.abs(z)
    assert runaways(density(log_joint, 2), z, [0, 1]) == expected


def test_an_improper_posterior_has_failed_and_its_site_is_named() -> None:
    def model(y: Any) -> None:
        numpyro.sample("free", dist.ImproperUniform(dist.constraints.real, (), ()))
        numpyro.sample("y", dist.Normal(numpyro.sample("mu", dist.Normal(0.0, 1.0)), 1.0), obs=y)

    rng = np.random.default_rng(0)
    z = rng.normal(size=(4, 50, 2))
    free = target(model, Y)
    assert improper_chains(numeric(free), z) == []  # no chain has gone anywhere
    z[..., free.coordinates.index("free")] = rng.normal(size=(4, 50)).cumsum(axis=1)
    said = improper_chains(numeric(free), z)
    assert [r.status for r in said] == ["failed"]
    assert "along free, and" in said[0].what
