"""What is selected is what is trained: held-out rows are judged by the objective, the bound is told
beside it, and both are in the units of the data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from ppgen import VAE, NormalizingFlow
from ppgen.inference import local_pyro
from ppgen.inference.local_objective import Objective

from .vae_nets import elbo, iwae, nets, pair, rows

SETTINGS = [
    {},
    {"beta": 0.01},
    {"beta": 4.0, "free_bits": 0.3},
    {"beta": 0.5, "free_bits": 3.0, "warm_up": 100},
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("made", [{}, {"prior": "mixture"}, {"latent": (3, 2)}])
def test_held_out_rows_are_judged_by_the_objective(settings, weighted, made):
    of = nets(**made)
    x = rows(of, 40)
    weights = torch.linspace(0.1, 1.9, 40, dtype=torch.float64) if weighted else None
    training = Objective(**settings)
    bend = {"beta": training.beta, "free_bits": training.free_bits, "weights": weights}
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        whole = elbo(of, x, samples=training.held_samples, **bend)
        torch.manual_seed(0)
        bound = elbo(of, x, samples=training.held_samples, weights=weights)
        torch.manual_seed(0)
        terms, sizes = local_pyro.held_terms(pair(of), training, of, x)
    shares = None if weights is None else weights.numpy()
    value, plain = training.judged(terms.numpy(), sizes, shares)
    share = 1.0 if shares is None else shares
    assert np.mean(value * share) == pytest.approx(float(whole), rel=1e-9)
    assert np.mean(plain * share) == pytest.approx(float(bound), rel=1e-9)


@pytest.mark.parametrize("objective", ["iwae", "dreg"])
def test_rows_of_an_importance_weighted_fit_are_judged_by_as_many_draws(objective):
    of, training = nets(), Objective(objective, samples=7)
    x = rows(of, 20)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        whole = iwae(of, x, samples=7)
        torch.manual_seed(0)
        terms, sizes = local_pyro.held_terms(pair(of), training, of, x)
    found = training.judged(terms.numpy(), sizes)[0]
    assert found.mean() == pytest.approx(float(whole), rel=1e-9)


def correlated(n=300):
    z = np.random.default_rng(0).normal(size=(n, 2))
    noise = np.random.default_rng(1).normal(size=(n, 6))
    return z @ np.random.default_rng(2).normal(size=(2, 6)) * 3 + 0.3 * noise


@pytest.mark.parametrize("backend", ["pyro", pytest.param("numpyro", marks=pytest.mark.slow)])
@pytest.mark.parametrize("settings", [{"beta": 0.01}, {"free_bits": 4.0}])
def test_a_bent_objective_keeps_the_weights_it_was_trained_to(settings, backend):
    x = correlated()
    small = {"hidden": (16,), "max_epochs": 40, "batch_size": 50, "learning_rate": 1e-2}
    made = VAE(2, backend=backend, random_state=0, **small, **settings)
    best = [r for r in made.fit(x).trace_ if r["best"]][-1]
    assert best["step"] > 0
    # A small beta spares what the bound pays; free bits charge what a latent does not hold.
    assert (best["bound"] < best["validation"]) == ("beta" in settings)
    assert np.mean((made.reconstruct(x) - x) ** 2) < 0.5 * x.var()  # that of the start: x.var()


@pytest.mark.slow
def test_a_small_beta_reconstructs_better_than_principal_components():
    images = load_digits().images[:1000]
    bits = (images > 8).astype(np.uint8)
    flat = bits.reshape(1000, -1).astype(float)
    flat -= flat.mean(0)
    left = np.square(np.linalg.svd(flat, compute_uv=False)[10:]).sum() / flat.size
    vae = VAE(10, net="mlp", hidden=(64,), random_state=0, max_epochs=60, beta=0.01).fit(bits)
    assert np.mean((vae.reconstruct(bits).reshape(bits.shape) - bits) ** 2) < left


@pytest.mark.parametrize("model", ["vae", "flow"])
def test_the_trace_is_in_the_units_of_the_data(model):
    small = {"hidden": (8,), "max_epochs": 3, "batch_size": 50, "random_state": 0}
    made = {
        "vae": lambda: VAE(1, **small),
        "flow": lambda: NormalizingFlow(kind="realnvp", n_transforms=1, **small),
    }[model]
    x, units = correlated(200)[:, :3], np.array([1e3, 1.0, 1e-6])
    some = made().fit(x[:150], validation=x[150:]).trace_
    other = made().fit(x[:150] * units, validation=x[150:] * units).trace_
    for a, b in zip(some, other, strict=True):
        for name in ("loss", "validation", "bound"):
            if a[name] is not None and np.isfinite(a[name]):
                shift = np.log(1e3 * 1e-6) * (-1 if name == "loss" else 1)
                assert b[name] == pytest.approx(a[name] - shift, abs=1e-3)
    assert len(some) == len(other)


def test_the_last_record_is_the_density_of_the_held_out_rows():
    # Positive columns go through a logarithm, whose slope is that of each row.
    x = np.exp(correlated(200)[:, :3] / 4)
    held = np.exp(correlated(260)[200:, :3] / 4)
    flow = NormalizingFlow(
        kind="realnvp", n_transforms=1, hidden=(8,), max_epochs=3, batch_size=50, random_state=0
    ).fit(x, validation=held)
    best = [r for r in flow.trace_ if r["best"]][-1]
    assert best["validation"] == pytest.approx(flow.score(held), abs=1e-4)
