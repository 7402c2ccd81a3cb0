"""What `VAE` says of settings, rows and labels that it cannot take."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from ppgen import VAE, InputError

from .vae_linear import low_rank

SMALL = {"hidden": (8,), "max_epochs": 1, "random_state": 0}
X = low_rank(60)


@pytest.fixture(scope="module")
def vae():
    return VAE(1, **SMALL).fit(X)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"net": "mpl"}, ["net is 'mpl'", "auto, mlp, conv", "mean 'mlp'"]),
        ({"prior": "vmap"}, ["prior is 'vmap'", "mean 'vamp'"]),
        ({"posterior": "flows"}, ["posterior is 'flows'", "mean 'flow'"]),
        ({"objective": "iwea"}, ["objective is 'iwea'", "elbo, iwae, dreg", "mean 'iwae'"]),
        ({"backend": "numpyor"}, ["backend is 'numpyor'", "mean 'numpyro'"]),
        ({"activation": "rleu"}, ["activation is 'rleu'", "mean 'relu'"]),
        ({"likelihood": "bernouli"}, ["likelihood is 'bernouli'", "mean 'bernoulli'"]),
        ({"noise": "colum"}, ["noise is 'colum'", "column, shared, row"]),
        ({"noise": -0.1}, ["noise is -0.1", "positive"]),
        ({"noise": 0}, ["noise is 0"]),
        ({"n_samples": 0}, ["n_samples is 0", "integer >= 1"]),
        ({"n_importance": 1.5}, ["n_importance is 1.5"]),
        ({"components": -1}, ["components is -1"]),
        ({"flow_layers": True}, ["flow_layers is True"]),
        ({"batch_size": 0}, ["batch_size is 0"]),
        ({"max_epochs": "ten"}, ["max_epochs is 'ten'"]),
        ({"hidden": 64}, ["hidden is 64", "(64, 64)"]),
        ({"hidden": (8, 0)}, ["hidden is (8, 0)"]),
        ({"channels": ()}, ["channels is ()"]),
        ({"dropout": 1.0}, ["dropout is 1.0", "< 1"]),
        ({"beta": -1}, ["beta is -1"]),
        ({"free_bits": float("inf")}, ["free_bits is inf"]),
        ({"warm_up": float("nan")}, ["warm_up is nan"]),
        ({"learning_rate": 0}, ["learning_rate is 0", "positive"]),
        ({"latent_dim": 0}, ["latent_dim is 0", "(32, 16)"]),
        ({"latent_dim": (2, 1, 1)}, ["latent_dim is (2, 1, 1)", "two layers"]),
        ({"latent_dim": 5}, ["latent_dim is 5", "4 values", "at most 4"]),
        ({"objective": "dreg", "beta": 2.0}, ["'dreg'", "beta"]),
        ({"objective": "iwae", "free_bits": 0.1}, ["'iwae'", "free_bits"]),
        ({"net": "conv"}, ["conv", "table", "(n, height, width)"]),
        ({"augment": {"shift": 1}}, ["augment", "images", "table"]),
        ({"likelihood": "bernoulli"}, ["bernoulli", "x0", "Leave likelihood out", "X > X.mean()"]),
        ({"backend": "numpyro", "device": "cuda"}, ["numpyro", "pyro", "device"]),
        ({"backend": "numpyro", "prior": "vamp"}, ["vamp", "pyro"]),
        ({"backend": "numpyro", "posterior": "flow"}, ["flow", "pyro"]),
        ({"device": "gpu"}, ["device is 'gpu'", "cuda"]),
    ],
)
def test_a_setting_that_is_none_is_said_with_what_to_do(settings, words):
    with pytest.raises(InputError) as caught:
        VAE(**{"latent_dim": 1, **SMALL, **settings}).fit(X)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there(device):
    with pytest.raises(InputError, match=f"device is '{device}', and this machine has none"):
        VAE(1, device=device, **SMALL).fit(X)


def pictures(kind="levels"):
    x = np.random.default_rng(0).integers(0, 256, (40, 4, 4)).astype(np.uint8)
    return x if kind == "levels" else x / 100.0 - 1


@pytest.mark.parametrize(
    ("likelihood", "kind", "words"),
    [
        ("bernoulli", "levels", ["0 and 1", "256 levels", "X > 127.5", "discretised_logistic"]),
        ("bernoulli", "real", ["0 and 1", "gaussian"]),
        ("categorical", "real", ["levels", "gaussian"]),
        ("discretised_logistic", "real", ["levels", "0 ... 255", "gaussian"]),
        ("continuous_bernoulli", "real", ["[0, 1]", "X.max()", "gaussian"]),
    ],
)
def test_values_outside_the_support_are_said_with_the_fix(likelihood, kind, words):
    with pytest.raises(InputError) as caught:
        VAE(1, likelihood=likelihood, **SMALL).fit(pictures(kind))
    for word in words:
        assert word in str(caught.value)


def test_the_fix_for_bernoulli_works():
    x = pictures()
    assert VAE(1, likelihood="bernoulli", **SMALL).fit(x > 127.5).architecture_.parts[0].kind == (
        "bernoulli"
    )
    found = {
        "levels": VAE(1, **SMALL).fit(x),
        "binary": VAE(1, **SMALL).fit((x > 127).astype(np.uint8)),
        "real": VAE(1, **SMALL).fit(np.sqrt(x)),
    }
    kinds = {name: fit.architecture_.parts[0].kind for name, fit in found.items()}
    assert kinds == {
        "levels": "discretised_logistic",
        "binary": "bernoulli",
        "real": "gaussian",
    }


def test_more_latents_than_pixels():
    with pytest.raises(InputError, match="latent_dim is 17, and a row has 16 values"):
        VAE(17, **SMALL).fit(pictures())


def test_labels_of_another_length():
    y = np.arange(60) % 2
    with pytest.raises(InputError, match=r"59.*60|60.*59"):
        VAE(1, conditional=True, **SMALL).fit(X, y[:59])
    fit = VAE(1, conditional=True, **SMALL).fit(X, y)
    for use in (fit.log_density, fit.encode, fit.bound):
        with pytest.raises(InputError, match=r"59.*60|60.*59"):
            use(X, y[:59])
    with pytest.raises(InputError, match="give y"):
        fit.encode(X)
    with pytest.raises(InputError, match="give y"):
        fit.bound(X)
    with pytest.raises(InputError, match="fit without y"):
        fit.impute(X)


def test_labels_are_no_matter_where_nothing_is_conditioned_on():
    fit = VAE(1, **SMALL).fit(X, np.arange(60) % 2)
    assert fit.context_ is None
    np.testing.assert_array_equal(fit.encode(X), VAE(1, **SMALL).fit(X).encode(X))


def test_methods_and_numbers_that_are_none(vae):
    with pytest.raises(InputError, match=r"method is 'iwea'.*iwae, elbo, ais.*mean 'iwae'"):
        vae.log_density(X, method="iwea")
    for use, name in (
        (lambda n: vae.log_density(X, n_samples=n), "n_samples"),
        (lambda n: vae.impute(X, n_samples=n), "n_samples"),
        (lambda n: vae.amortisation_gap(X, n_steps=n), "n_steps"),
        (vae.sample_latents, "n"),
        (vae.density_gap, "n_rows"),
    ):
        for wrong in (0, -2, 1.5, True, "few"):
            said = f"^{name} is {wrong!r}; expected (None or )?an integer >= 1"
            with pytest.raises(InputError, match=said):
                use(wrong)
    with pytest.raises(InputError, match=r"shape \(3, 2\).*\(n, 1\)"):
        vae.decode(np.zeros((3, 2)))
    with pytest.raises(InputError, match="NaN"):
        vae.decode(np.full((3, 1), np.nan))
    with pytest.raises(InputError, match="n_temperatures is 1"):
        vae.density_gap(2, n_temperatures=1)
    with pytest.raises(InputError, match="n_chains is 'many'"):
        vae.density_gap(2, n_chains="many")


def test_rows_of_another_kind(vae):
    with pytest.raises(ValueError, match=r"3 features.*4 features"):
        vae.log_density(X[:, :3])
    images = VAE(1, **SMALL).fit(pictures())
    with pytest.raises(InputError, match=r"4.*5|5.*4"):
        images.log_density(np.zeros((2, 5, 5), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"4 features.*16 features"):
        images.log_density(X)


def test_what_rounding_cells_forbid_is_said_with_the_way_out():
    rng = np.random.default_rng(0)
    table = VAE(1, **SMALL).fit(pd.DataFrame({"a": rng.poisson(20, 80), "b": rng.normal(size=80)}))
    filled = VAE(1, likelihood="gaussian", **SMALL).fit(pictures())
    for fit, rows in ((table, table.sample(3)), (filled, pictures()[:3])):
        for use in (lambda: fit.log_density(rows, method="ais"), fit.density_gap):  # noqa: B023
            with pytest.raises(InputError, match=r'noise.*method="iwae"'):
                use()


def test_the_amortisation_gap_of_other_posteriors():
    fit = VAE((2, 1), **SMALL).fit(X)
    with pytest.raises(InputError, match='posterior="normal"'):
        fit.amortisation_gap(X)


def test_columns_that_say_nothing():
    with pytest.raises(InputError, match="constant"):
        VAE(1, **SMALL).fit(np.ones((30, 2)))


def test_weights_that_stay_as_they_began_are_said():
    x = np.random.default_rng(0).normal(size=(60, 3))
    fit = VAE(2, max_epochs=5, learning_rate=10.0, random_state=0).fit(x)
    assert "nothing was learnt" in str(fit.verdict_)
    assert fit.verdict_.status == "warn"
