"""One row far out, beyond what single precision holds: its log density is -inf, and the scores of
the others are what they are without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ppgen import VAE, Autoencoder, GaussianMixture, NormalizingFlow
from ppgen.errors import InputError

from .zoo import each, fitted, numbers, pictures

ROWS = numbers(8, seed=1)
POWERS = ("gmm-student",)  # the tails fall as powers: a logarithm of -1700 nats is a number


@each("density")
@pytest.mark.parametrize("far", [3.4e38, -3.4e38, 1.7e308])
def test_a_row_far_out_is_impossible_and_alone(name: str, far: float) -> None:
    model = fitted(name)
    expected = model.score_samples(ROWS)
    rows = np.insert(ROWS, 3, [[far, 0.0]], axis=0)
    rows = np.insert(rows, 6, [[10.0, far]], axis=0)
    rows = np.append(rows, [[far, -far]], axis=0)
    values = model.score_samples(rows)
    if name in POWERS:
        assert (np.isneginf(values) | (np.exp(values) == 0))[[3, 6, 10]].all()
    else:
        assert np.isneginf(values[[3, 6, 10]]).all()
    others = np.delete(values, [3, 6, 10])
    np.testing.assert_allclose(others, expected, rtol=1e-5)  # nets: blocks of another size


SHORT: dict[str, Any] = {"hidden": (4,), "max_epochs": 1, "batch_size": 100, "random_state": 0}
FLOW: dict[str, Any] = {**SHORT, "n_transforms": 1, "whiten": True}
VARIANTS = {
    **{f"{k}, whitened": (NormalizingFlow, {**FLOW, "kind": k}) for k in ("nsf", "nsf-ar", "maf")},
    "realnvp, whitened": (NormalizingFlow, {**FLOW, "kind": "realnvp"}),
    "no LU": (NormalizingFlow, {**FLOW, "kind": "maf", "lu": False, "whiten": False}),
    **{f"noise {n}": (VAE, {**SHORT, "noise": n}) for n in ("full", "shared", "row", 0.3)},
    "noise full, flows": (VAE, {**SHORT, "noise": "full", "prior": "flow", "posterior": "flow"}),
    "noise full, two layers": (VAE, {**SHORT, "noise": "full", "latent_dim": (2, 1)}),
    "flow on jax": (NormalizingFlow, {**FLOW, "kind": "nsf", "backend": "numpyro"}),
    "vae on jax": (VAE, {**SHORT, "noise": "full", "backend": "numpyro"}),
}
PLACES = ((0, 1.0), (0, -1.0), (2, 1.0), (2, -1.0))  # columns, and signs
ON_JAX = [pytest.param(name, marks=pytest.mark.slow) for name in VARIANTS if "jax" in name]


@pytest.mark.parametrize("name", [*(n for n in VARIANTS if "jax" not in n), *ON_JAX])
def test_no_variant_of_a_net_gives_a_row_far_out_no_number(name: str) -> None:
    made, how = VARIANTS[name]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3))
    x[:, 2] = x[:, 0] - x[:, 1] + 1e-3 * x[:, 2]
    model = made(**how).fit(x)
    out = np.array([1e2, 1e5, 1e8, 1e12, 1e25, 3.4e38, 1e300])
    rows = np.concatenate([x[:9], *(sign * out[:, None] * np.eye(3)[k] for k, sign in PLACES)])
    values = model.score_samples(rows)
    assert not np.isnan(values).any()
    assert (values < 1e3).all()
    assert np.isneginf(values[9:].reshape(len(PLACES), -1)[:, 3:]).all()
    np.testing.assert_allclose(values[:9], model.score_samples(x[:9]), rtol=1e-5)


@each("density")
def test_rows_ever_further_out_have_numbers_until_they_are_impossible(name: str) -> None:
    far = 10.0 ** np.array([1, 5, 10, 19, 30, 38, 39, 77, 154, 200, 300])
    values = fitted(name).score_samples(np.column_stack([far, -far]))
    assert (values < 0).all()  # and none is NaN
    assert (np.diff(np.isneginf(values).astype(int)) >= 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tables_of_either_precision(dtype: type) -> None:
    far = np.insert(ROWS, 0, np.finfo(np.float32).max, axis=0).astype(dtype)
    for name in ("gmm", "flow-nsf", "vae"):
        values = fitted(name).score_samples(far)
        assert np.isneginf(values[0])
        assert np.isfinite(values[1:]).all()


@each("latents", per="class")
@pytest.mark.parametrize("far", [1e20, -3.4e38])
def test_what_is_seen_of_a_row_far_out_is_a_number_and_of_the_others_the_same(
    name: str, far: float
) -> None:
    model = fitted(name)
    rows = np.insert(ROWS, 3, [[far, 0.0]], axis=0)
    asked = [model.encode, model.reconstruct]
    asked += [model.reconstruction_error] if model.capabilities.errors else []
    for ask in asked:
        found, expected = np.asarray(ask(rows)), np.asarray(ask(ROWS))
        assert np.isfinite(found).all()
        np.testing.assert_allclose(np.delete(found, 3, axis=0), expected, rtol=1e-5, atol=1e-6)


def test_restoring_and_filling_a_row_far_out_give_numbers() -> None:
    model = fitted("diffusion")
    far = np.array([[3.4e38, 0.0], [10.0, -5.0]])
    assert np.isfinite(model.reconstruction_error(far)).all()
    with pytest.warns(UserWarning, match="effective particles"):
        filled = model.impute(np.array([[-3.4e38, np.nan], [10.0, -5.0]]))
    assert np.isfinite(filled).all()


def test_pictures_far_out_are_impossible_and_alone() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (60, 8, 8))
    images = (pictures(60) / 255 + noise).astype(np.float32)
    small: dict[str, Any] = {"hidden": (8,), "max_epochs": 2, "random_state": 0}
    rows = images[:6].copy()
    rows[[2, 4], 0, 0] = 3.4e38, -1e20
    vae = VAE(2, net="mlp", n_importance=16, **small).fit(images)
    with pytest.warns(UserWarning, match="another scale"):
        values = vae.score_samples(rows)
    assert np.isneginf(values[[2, 4]]).all()
    keep = [0, 1, 3, 5]
    np.testing.assert_allclose(values[keep], vae.score_samples(images[keep]), rtol=1e-5)
    autoencoder = Autoencoder(2, **small).fit(images)
    with pytest.warns(UserWarning, match="another scale"):
        errors = autoencoder.reconstruction_error(rows)
    assert np.isfinite(errors).all()
    assert errors[[2, 4]].min() > 1e10
    expected = autoencoder.reconstruction_error(images[keep])
    np.testing.assert_allclose(errors[keep], expected, rtol=1e-5)


def test_a_y_far_out_is_named() -> None:
    x = numbers(60)
    fit = NormalizingFlow(
        kind="realnvp", n_transforms=1, hidden=(4,), max_epochs=1, random_state=0
    ).fit(x, x[:, 0])
    y = x[:, 0].copy()
    y[7] = 3.4e38
    with pytest.raises(InputError, match=r"y has 3\.4e\+38 in row 7"):
        fit.log_density(x, y)


def test_a_row_far_out_among_those_fitted_leaves_the_others_their_density() -> None:
    rows, held = numbers(300), numbers(200, seed=2)
    small = {"max_epochs": 15, "hidden": (16,), "random_state": 0}
    made = {
        "flow": lambda: NormalizingFlow(kind="realnvp", n_transforms=2, **small),
        "vae": lambda: VAE(2, batch_size=50, learning_rate=1e-2, n_importance=32, **small),
    }
    for make in made.values():
        clean = make().fit(rows, validation=held).score(held)
        far = make().fit(np.append(rows, [[1e6, 0.0]], axis=0), validation=held).score(held)
        assert far > clean - 1  # short fits; a scale of 1e6 would cost hundreds
    one = GaussianMixture(1, random_state=0).fit(rows)
    assert np.isfinite(one.score_samples(held * 1e6)).all()  # what is far, but holds, is a number
