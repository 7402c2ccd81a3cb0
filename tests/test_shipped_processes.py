"""Gaussian processes, hidden Markov models, mixtures and networks that ship, by hand."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as jax_dist
import pyro.distributions as dist
import pytest
import torch
from numpyro import handlers
from scipy import stats
from sklearn.gaussian_process.kernels import RBF, Matern

from ppgen.models.dirichlet_mixture.numpyro import log_weights as jax_log_weights
from ppgen.models.dirichlet_mixture.pyro import log_weights
from ppgen.models.gaussian_process import numpyro as jax_gp
from ppgen.models.gaussian_process import pyro as torch_gp
from ppgen.models.hmm import numpyro as jax_hmm
from ppgen.models.hmm import pyro as torch_hmm
from ppgen.models.hmm.smoothing import log_categorical, log_gaussian, smoothed
from tests.shipped_pairs import numpyro_run, pyro_run

RNG = np.random.default_rng(5)
X = RNG.normal(size=(7, 2))
X_NEW = RNG.normal(size=(3, 2))
KERNELS = {"rbf": RBF(1.0), "matern32": Matern(1.0, nu=1.5), "matern52": Matern(1.0, nu=2.5)}


def at(name: str, args: Any, kwargs: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """Values of the sites, drawn, and the log joint there."""
    drawn = pyro_run(name, (args, kwargs))
    return drawn.values, pyro_run(name, (args, kwargs), drawn.values).log_joint


# Gaussian processes


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_are_those_of_their_names_with_a_slope_of_0_at_0(kernel: str) -> None:
    expected = KERNELS[kernel](X, X_NEW)
    x, x_new = torch.tensor(X, requires_grad=True), torch.tensor(X_NEW)
    gram = torch_gp.gram(x, x_new, kernel)
    np.testing.assert_allclose(gram.detach(), expected, rtol=1e-10)
    (slope,) = torch.autograd.grad(torch_gp.gram(x, x.detach(), kernel).diagonal().sum(), x)
    assert (slope == 0).all()


def test_in_numpyro_a_kernel_has_a_slope_at_0() -> None:
    def diagonal(x: Any) -> Any:
        return jnp.diagonal(jax_gp.gram(x, jnp.asarray(X), "matern52")).sum()

    assert (jax.jit(jax.grad(diagonal))(jnp.asarray(X)) == 0).all()


def test_gaussian_process_regression_is_the_marginal_and_conditional_of_one_gaussian() -> None:
    v, log_joint = at("gp_regression", (X,), {"kernel": "rbf", "y_units": (3.0, 2.0)})
    assert v["amplitude"] == pytest.approx(2 * v["eta"])
    K = v["eta"] ** 2 * (RBF(1.0)(np.concatenate([X, X_NEW]) / v["ell"]) + 1e-6 * np.eye(10))
    C = 4 * (K + v["sigma"] ** 2 * np.eye(10))
    prior = stats.halfnorm.logpdf(v["eta"]) - v["sigma"]
    prior += stats.invgamma(3, scale=3).logpdf(v["ell"]).sum()
    seen = stats.multivariate_normal(np.full(7, 3.0), C[:7, :7]).logpdf(v["y"])
    assert log_joint == pytest.approx(prior + seen, rel=1e-8)
    y_new = np.array([2.0, 4.0, 3.5])
    both = stats.multivariate_normal(np.full(10, 3.0), C).logpdf([*v["y"], *y_new])
    given = {"kernel": "rbf", "y_units": (3.0, 2.0), "X_seen": X, "y_seen": v["y"]}
    new = pyro_run("gp_regression", ((X_NEW,), given), v | {"y": y_new})
    assert new.log_joint == pytest.approx(prior + both - seen, rel=1e-8)


def test_a_latent_gaussian_process_is_its_formula() -> None:
    v, log_joint = at("gp_counts", (X,), {})
    K = v["eta"] ** 2 * (Matern(1.0, nu=2.5)(X / v["ell"]) + 1e-6 * np.eye(7))
    L = np.linalg.cholesky(K)
    np.testing.assert_allclose(v["f"], v["alpha"] + L @ v["z"], rtol=1e-8)
    by_hand = stats.multivariate_normal(np.full(7, v["alpha"]), K).logpdf(v["f"])
    by_hand += np.log(np.diagonal(L)).sum() + stats.poisson(np.exp(v["f"])).logpmf(v["y"]).sum()
    by_hand += stats.norm(0, 2.5).logpdf(v["alpha"]) + stats.halfnorm.logpdf(v["eta"])
    by_hand += stats.invgamma(3, scale=3).logpdf(v["ell"]).sum()
    assert log_joint == pytest.approx(by_hand, rel=1e-8)


@pytest.mark.parametrize("backend", ["numpyro", "pyro"])
def test_at_new_inputs_a_latent_function_has_the_mean_and_covariance_given_the_old(
    backend: str,
) -> None:
    v, _ = at("gp_counts", (X,), {})
    theta = {site: v[site] for site in ("alpha", "eta", "ell", "z")}
    K = v["eta"] ** 2 * (
        Matern(1.0, nu=2.5)(np.concatenate([X, X_NEW]) / v["ell"]) + 1e-6 * np.eye(10)
    )
    weights = np.linalg.solve(K[:7, :7], K[:7, 7:])
    mean = v["alpha"] + weights.T @ (v["f"] - v["alpha"])
    C, n = K[7:, 7:] - weights.T @ K[:7, 7:], 4000
    if backend == "pyro":
        given: Any = ((X_NEW,), {"X_seen": X})
        f = np.stack([pyro_run("gp_counts", given, theta, s).values["f"] for s in range(n // 20)])
    else:
        placed = handlers.condition(jax_gp.counts, theta)

        def draw(key: Any) -> Any:
            trace = handlers.trace(handlers.seed(placed, key)).get_trace(X_NEW, X_seen=X)
            return trace["f"]["value"]

        with jax.enable_x64(True):
            f = np.asarray(jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(0), n)))
    whitened = np.linalg.solve(np.linalg.cholesky(C), (f - mean).T)
    for standard in whitened:
        assert stats.kstest(standard, "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(whitened) - np.eye(3)).max() < 5 / np.sqrt(len(f))


# Hidden Markov models


def by_paths(pi: Any, A: Any, log_b: Any) -> tuple[float, Any]:
    """log p(y) and p(s_t = k | y) of log b (T, K), by a sum over all paths."""
    T, K = log_b.shape
    p, states = 0.0, np.zeros((T, K))
    for path in itertools.product(range(K), repeat=T):
        one = pi[path[0]] * np.exp(log_b[range(T), path].sum())
        one *= np.prod([A[j, k] for j, k in itertools.pairwise(path)])
        p += one
        states[range(T), path] += one
    return float(np.log(p)), states / p


def test_a_hidden_markov_model_is_the_sum_over_all_paths_and_over_gaps() -> None:
    there = np.array([[True] * 5, [True, False, True, False, False]])
    shape = {"n_states": 3, "n_total": 2, "length": 5, "n_columns": 2, "there": there}
    v, log_joint = at("gaussian_hmm", (), shape | {"y_units": (1.0, 2.0), "stay": 2.0})
    by_hand = stats.dirichlet(np.ones(3)).logpdf(v["pi"])
    by_hand += sum(stats.dirichlet(1 + 2 * np.eye(3)[k]).logpdf(v["A"][k]) for k in range(3))
    by_hand += stats.norm(0, 1.5).logpdf(v["mu"]).sum()
    by_hand += stats.lognorm(1.0, scale=0.5).logpdf(v["sigma"]).sum()
    log_b = log_gaussian(v["y"], 1 + 2 * v["mu"], 2 * v["sigma"]) * there[..., None]
    for i in range(2):
        log_p, states = by_paths(v["pi"], v["A"], log_b[i])
        by_hand += log_p
        np.testing.assert_allclose(smoothed(v["pi"], v["A"], log_b[i]), states, rtol=1e-9)
    assert log_joint == pytest.approx(by_hand, rel=1e-9)
    log_p = torch_hmm.forward(*(torch.tensor(a) for a in (np.log(v["pi"]), np.log(v["A"]), log_b)))
    short = log_b[1, :3].copy()  # a sequence that ends earlier is the same
    assert float(log_p[1]) == pytest.approx(by_paths(v["pi"], v["A"], short)[0], rel=1e-10)


PI, A = np.array([0.7, 0.3]), np.array([[0.9, 0.1], [0.4, 0.6]])
B = np.array([[0.2, 0.8], [0.95, 0.05]])


@pytest.mark.parametrize("backend", ["numpyro", "pyro"])
def test_sequences_are_drawn_as_often_as_their_density_says(backend: str) -> None:
    n = 4000
    sequences = np.array(list(itertools.product(range(2), repeat=3)))
    exact = [by_paths(PI, A, log_categorical(y, B))[0] for y in sequences]
    if backend == "pyro":
        tensors = [torch.tensor(a) for a in (PI, A, B)]
        hidden = torch_hmm.Hidden(*tensors[:2], dist.Categorical(tensors[2]), 3, None)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            y = hidden.sample((n,)).numpy()
        log_p = hidden.log_prob(torch.tensor(sequences)).numpy()
    else:
        arrays = [jnp.asarray(a) for a in (PI, A, B)]
        told = jax_hmm.Hidden(*arrays[:2], jax_dist.Categorical(arrays[2]), 3, None)
        y = np.asarray(told.sample(jax.random.key(0), (n,)))
        log_p = np.asarray(told.log_prob(jnp.asarray(sequences)))
    np.testing.assert_allclose(log_p, exact, rtol=1e-5)
    observed = np.bincount(y @ [4, 2, 1], minlength=8)
    assert stats.chisquare(observed, n * np.exp(exact)).pvalue > 1e-3


# Mixtures and networks


def test_a_dirichlet_mixture_is_its_formula_given_the_labels() -> None:
    given = {"n_components": 4, "n_total": 9, "n_columns": 2, "y_units": (1.0, 2.0)}
    v, log_joint = at("dirichlet_mixture", (), given)
    beta = 1 - np.exp(-v["nu"])
    w = np.append(beta, 1.0) * np.concatenate([[1.0], np.cumprod(1 - beta)])
    np.testing.assert_allclose(v["w"], w, rtol=1e-10)
    assert v["truncation"] == pytest.approx(36 * np.exp(-3 / v["alpha"]))
    by_hand = -v["alpha"] + stats.beta(1, v["alpha"]).logpdf(beta).sum()
    by_hand += np.log(1 - beta).sum()  # d beta / d nu
    by_hand += stats.norm.logpdf(v["mu"]).sum()
    by_hand += stats.lognorm(1.0, scale=0.5).logpdf(v["sigma"]).sum() + np.log(w[v["z"]]).sum()
    by_hand += stats.norm(1 + 2 * v["mu"][v["z"]], 2 * v["sigma"][v["z"]]).logpdf(v["y"]).sum()
    assert log_joint == pytest.approx(by_hand, rel=1e-10)


def test_rows_of_one_column_may_be_a_vector() -> None:
    v, log_joint = at("dirichlet_mixture", (), {"n_components": 3, "n_total": 5})
    flat = pyro_run("dirichlet_mixture", ((), {"n_components": 3}), v | {"y": v["y"][:, 0]})
    assert flat.log_joint == log_joint
    in_jax = numpyro_run("dirichlet_mixture", ((), {"n_components": 3}), v | {"y": v["y"][:, 0]})
    assert in_jax.log_joint == pytest.approx(log_joint, rel=1e-8)


def test_a_stick_is_broken_whole() -> None:
    log_w = log_weights(-torch.log1p(-torch.tensor([0.5, 0.2, 0.9])))
    torch.testing.assert_close(log_w.exp(), torch.tensor([0.5, 0.1, 0.36, 0.04]))
    nu = np.array([900.0, 1e-30, 2.0])  # a share that is 1 in all digits, and one next to none
    far = [0.0, -900 + np.log(1e-30), -900 + np.log1p(-np.exp(-2)), -902.0]
    np.testing.assert_allclose(jax_log_weights(jnp.asarray(nu)), far, rtol=1e-6)


def test_a_network_is_its_formula() -> None:
    given = {"width": 3, "depth": 2, "x_units": np.array([[1.0, 2.0], [3.0, 4.0]])}
    v, log_joint = at("bnn_classification", (X,), given | {"n_classes": 4})
    h = (X - [1, 2]) / [3, 4]
    for l, m in enumerate((2, 3, 3), start=1):
        h = h @ (v["tau"][l - 1] * v[f"Z_{l}"]) / np.sqrt(m) + v[f"b_{l}"]
        h = np.tanh(h) if l < 3 else h
    p = np.exp(h) / np.exp(h).sum(axis=1, keepdims=True)
    by_hand = np.log(p[range(7), v["y"]]).sum() + stats.halfnorm.logpdf(v["tau"]).sum()
    by_hand += sum(stats.norm.logpdf(v[f"{k}_{l}"]).sum() for k in "Zb" for l in (1, 2, 3))
    assert log_joint == pytest.approx(by_hand, rel=1e-8)
