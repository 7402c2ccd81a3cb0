"""The mixture's pair: the two backends say the same, and what `Mixture` says."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pyro
import pytest
import torch
from numpyro import handlers
from numpyro.infer.util import log_density
from pyro import poutine
from scipy import stats

from ppgen.inference.torch_state import as_found
from ppgen.models.gmm import numpyro as jax_pair
from ppgen.models.gmm import pyro as torch_pair
from ppgen.models.gmm.parameters import COVARIANCE_TYPES, Mixture
from ppgen.models.gmm.posterior import log_prob_draws, mean_mixture, sites
from ppgen.models.gmm.posterior import parameters as posterior_parameters
from ppgen.models.gmm.prior import Prior
from ppgen.models.gmm.relabel import orders, reorder
from ppgen.models.gmm.weighted_rows import score

K, LEVELS = 3, (3, 2)
CASES = [(kind, 3) for kind in COVARIANCE_TYPES] + [("full", 1), ("tied", 1), ("full", 0)]


def parameters(
    kind: str, d: int, seed: int = 0, levels: tuple[int, ...] = LEVELS
) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    theta = {"w": rng.dirichlet(np.ones(K))}
    theta |= {f"B_{j}": rng.dirichlet(np.ones(v), size=K) for j, v in enumerate(levels)}
    if d == 0:
        return theta
    own = () if kind == "tied" else (K,)
    theta["mu"] = rng.normal(size=(K, d))
    theta["sigma"] = rng.uniform(0.5, 2, size=own if kind == "spherical" else (*own, d))
    if d > 1 and kind in ("full", "tied"):
        a = rng.normal(size=(*own, d, d))
        a = a @ np.swapaxes(a, -1, -2) + np.eye(d)
        s = np.sqrt(np.diagonal(a, axis1=-2, axis2=-1))
        theta["L"] = np.linalg.cholesky(a / s[..., None] / s[..., None, :])
    return theta


def rows(d: int, n: int = 40, seed: int = 1) -> tuple[Any, Any, Any]:
    """Rows with gaps, one of them empty, and weights."""
    rng = np.random.default_rng(seed)
    x = 2 * rng.normal(size=(n, d))
    x[rng.random((n, d)) < 0.2] = np.nan
    x[4] = np.nan
    codes = np.column_stack([rng.integers(-1, v, n) for v in LEVELS]).astype(np.int32)
    return x, codes, rng.uniform(0.5, 2, n)


def arguments(kind: str, d: int) -> dict[str, Any]:
    m, s, t = np.full(d, 0.1), np.full(d, 2.0), np.linspace(0.5, 1, d)
    prior = Prior(K, m, s, t, LEVELS, kind, alpha=1.5, beta=0.8, eta=2.0)
    return {"prior": prior, "gaps": True}


def tensors(values: Any) -> Any:
    if isinstance(values, dict):
        return {k: tensors(v) for k, v in values.items()}
    if isinstance(values, Prior):
        return replace(values, **{k: tensors(getattr(values, k)) for k in "mst"})
    return torch.tensor(values) if isinstance(values, np.ndarray) else values


def arrays(values: dict[str, Any]) -> dict[str, Any]:
    return {k: jnp.asarray(v) if isinstance(v, np.ndarray) else v for k, v in values.items()}


def pyro_joint(theta: dict[str, Any], data: tuple[Any, ...], given: dict[str, Any]) -> float:
    model = poutine.condition(torch_pair.model, tensors(theta))
    trace = poutine.trace(model).get_trace(*(tensors(a) for a in data), **tensors(given))
    return float(trace.log_prob_sum())


def numpyro_joint(theta: dict[str, Any], data: tuple[Any, ...], given: dict[str, Any]) -> float:
    with jax.enable_x64(True):
        joint = jax.jit(lambda t: log_density(jax_pair.model, data, arrays(given), t)[0])
        return float(joint(arrays(theta)))


@pytest.mark.parametrize(("kind", "d"), CASES)
def test_the_twins_have_one_log_joint(kind: str, d: int) -> None:
    theta, data, given = parameters(kind, d), rows(d), arguments(kind, d) | {"n_total": 1000}
    assert pyro_joint(theta, data, given) == pytest.approx(
        numpyro_joint(theta, data, given), rel=1e-10
    )


@pytest.mark.parametrize(("kind", "d"), [("full", 3), ("tied", 1), ("spherical", 3), ("full", 0)])
def test_the_twins_have_one_guide(kind: str, d: int) -> None:
    start, given = parameters(kind, d), arguments(kind, d)
    with pyro.get_param_store().scope(), torch.random.fork_rng():
        trace = poutine.trace(torch_pair.guide).get_trace(None, None, start=tensors(start), **given)
        ours = float(trace.log_prob_sum().detach())
        names = set(pyro.get_param_store().keys())
        theta = {name: trace.nodes[name]["value"].detach().numpy() for name in start}
    with jax.enable_x64(True):
        guide = partial(jax_pair.guide, None, None, start=arrays(start), **given)
        params: set[str] = set()

        def look() -> None:
            sites = handlers.trace(handlers.seed(guide, jax.random.key(0))).get_trace().items()
            params.update(name for name, site in sites if site["type"] == "param")

        jax.eval_shape(look)
        theirs = float(jax.jit(lambda t: log_density(guide, (), {}, t)[0])(arrays(theta)))
    assert names == params
    assert ours == pytest.approx(theirs, rel=1e-10)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_the_likelihood_is_the_mixtures(kind: str) -> None:
    theta, (x, codes, _), given = parameters(kind, 3), rows(3), arguments(kind, 3)
    draws = {name: value[None, None] for name, value in theta.items()}
    covariances = posterior_parameters(draws, kind)[2][0]
    tables = (theta["B_0"], theta["B_1"])
    mixture = Mixture(theta["w"], theta["mu"], covariances, kind, tables)
    exact = score(mixture, x, codes)[1]
    np.testing.assert_allclose(log_prob_draws(draws, kind, x, codes)[0], exact, rtol=1e-9)
    # What the rows add to the joint is the sum of their log densities.
    joint = numpyro_joint(theta, (x, codes, None), given)
    prior = numpyro_joint(theta, (x, codes, np.zeros(len(x))), given)
    assert joint - prior == pytest.approx(exact.sum(), rel=1e-9)
    for name, value in sites(mean_mixture(draws, kind)).items():
        np.testing.assert_allclose(value, theta[name], rtol=1e-2, atol=1e-3)


def test_a_weight_of_two_is_the_row_twice() -> None:
    theta, (x, codes, _), given = parameters("full", 3), rows(3, n=10), arguments("full", 3)
    weights = np.where(np.arange(10) < 4, 2.0, 1.0)
    twice = (np.concatenate([x, x[:4]]), np.concatenate([codes, codes[:4]]), None)
    for joint in (pyro_joint, numpyro_joint):
        weighted = joint(theta, (x, codes, weights), given)
        assert weighted == pytest.approx(joint(theta, twice, given), rel=1e-12)


def subsampling_error(joint: Any) -> float:
    """How far the mean of log joints over the minibatches is from that of all rows."""
    theta, data, given = parameters("diag", 3), rows(3, n=40), arguments("diag", 3)
    whole = joint(theta, data, given)
    parts = [
        joint(theta, tuple(a[i : i + 10] for a in data), given | {"n_total": 40})
        for i in range(0, 40, 10)
    ]
    return abs(float(np.mean(parts)) / whole - 1)


def test_minibatches_stand_for_all_rows() -> None:
    assert subsampling_error(pyro_joint) < 1e-12
    assert subsampling_error(numpyro_joint) < 1e-12


def test_a_dropped_subsampling_scale_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def dropped(scale: float) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    monkeypatch.setattr(torch_pair.poutine, "scale", dropped)
    monkeypatch.setattr(jax_pair.handlers, "scale", dropped)
    assert subsampling_error(pyro_joint) > 0.1
    assert subsampling_error(numpyro_joint) > 0.1


@pytest.mark.parametrize("backend", ["pyro", "numpyro"])
def test_rows_drawn_from_the_model_follow_its_density(backend: str) -> None:
    # Kolmogorov-Smirnov for each column and chi-squared for each table, of 4000 rows: five tests at
    # 1e-4 raise a false alarm once in 2000 seeds, and see a shift of 0.06 standard deviations.
    n, theta, given = 4000, parameters("full", 3), arguments("full", 3) | {"n_total": 4000}
    if backend == "pyro":
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = poutine.condition(torch_pair.model, tensors(theta))
            found = model(None, None, **tensors(given))
        x, codes = found[0].numpy(), [c.numpy() for c in found[1]]
    else:
        with jax.enable_x64(True):
            model = handlers.substitute(jax_pair.model, data=arrays(theta))
            draw = jax.jit(lambda key: handlers.seed(model, key)(None, None, **arrays(given)))
            found = draw(jax.random.key(0))
            x, codes = np.asarray(found[0]), [np.asarray(c) for c in found[1]]
    for j in range(3):

        def cdf(v: Any, j: int = j) -> Any:
            z = (v[:, None] - theta["mu"][:, j]) / theta["sigma"][:, j]
            return stats.norm.cdf(z) @ theta["w"]

        assert stats.kstest(x[:, j], cdf).pvalue > 1e-4
    for j, levels in enumerate(LEVELS):
        expected = n * theta["w"] @ theta[f"B_{j}"]
        assert stats.chisquare(np.bincount(codes[j], minlength=levels), expected).pvalue > 1e-4


def test_switched_labels_are_put_back() -> None:
    rng = np.random.default_rng(0)
    draws, n, k = 60, 50, 3
    p = np.repeat(rng.dirichlet(np.full(k, 0.3), size=n)[None], draws, axis=0)
    p = p * rng.uniform(0.9, 1.1, p.shape)
    p /= p.sum(axis=-1, keepdims=True)
    turn = np.stack([rng.permutation(k) for _ in range(draws)])
    switched = np.take_along_axis(p, turn[:, None], axis=2)
    order = orders(switched, p[0])
    np.testing.assert_array_equal(
        np.take_along_axis(turn, order, axis=1), np.tile(range(k), (draws, 1))
    )
    mu, sigma = rng.normal(size=(k, 2)), rng.normal(size=(2, 30, 3))
    switched_mu = mu[turn].reshape(2, 30, k, 2)
    out = reorder({"mu": switched_mu, "sigma": sigma}, order, shared=("sigma",))
    np.testing.assert_array_equal(out["mu"], np.broadcast_to(mu, (2, 30, k, 2)))
    assert out["sigma"] is sigma


@pytest.mark.parametrize("joint", [pyro_joint, numpyro_joint])
def test_rows_without_codes_are_the_rows_with_all_codes_missing(joint: Any) -> None:
    theta, (x, codes, weights), given = parameters("full", 3), rows(3), arguments("full", 3)
    gaps = np.full_like(codes, -1)
    assert joint(theta, (x, None, weights), given) == pytest.approx(
        joint(theta, (x, gaps, weights), given), rel=1e-12
    )
    nothing = np.full_like(x, np.nan)
    assert joint(theta, (None, codes, weights), given) == pytest.approx(
        joint(theta, (nothing, codes, weights), given), rel=1e-12
    )


def clusters() -> tuple[np.ndarray, dict[str, Any]]:
    """Two clusters, and the arguments of model and guide alike."""
    x = np.random.default_rng(0).normal(size=(200, 1)) + np.repeat([[-6.0], [6.0]], 100, axis=0)
    start = {"w": np.full(2, 0.5), "mu": np.array([[-2.0], [2.0]]), "sigma": np.ones((2, 1))}
    prior = Prior(2, np.zeros(1), np.full(1, 5.0), np.ones(1), covariance_type="diag")
    return x, {"prior": prior, "start": start}


def test_plain_numpyro_svi_fits_rows_given_without_codes() -> None:
    from numpyro.infer import SVI, Trace_ELBO
    from numpyro.optim import Adam

    x, given = clusters()
    with jax.enable_x64(True):
        prior, start = given["prior"], arrays(given["start"])
        model, guide = partial(jax_pair.model, prior=prior), partial(jax_pair.guide, prior=prior)
        svi = SVI(model, guide, Adam(0.2), Trace_ELBO())
        found = svi.run(
            jax.random.key(0), 80, jnp.asarray(x), None, progress_bar=False, start=start
        )
    np.testing.assert_allclose(found.params["mu_loc"][:, 0], [-6, 6], atol=1)


def test_plain_pyro_svi_fits_rows_given_without_codes() -> None:
    from pyro.infer import SVI, Trace_ELBO
    from pyro.optim import Adam

    x, given = clusters()
    arguments = {k: tensors(v) for k, v in given.items()}
    with as_found(), pyro.get_param_store().scope(), torch.random.fork_rng():
        torch.manual_seed(0)
        svi = SVI(torch_pair.model, torch_pair.guide, Adam({"lr": 0.1}), Trace_ELBO())
        for _ in range(150):
            svi.step(torch.tensor(x), None, **arguments)
        mu = pyro.param("mu_loc").detach().numpy()
    np.testing.assert_allclose(mu[:, 0], [-6, 6], atol=1)  # the prior: 0 and 5
