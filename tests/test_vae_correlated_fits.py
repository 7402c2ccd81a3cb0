"""Fits of autoencoders with correlated noise."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import ppgen
from ppgen.errors import InputError

from .net_rows import collinear

VAE = {"hidden": (8,), "max_epochs": 2, "random_state": 0}


def test_correlated_noise_of_an_autoencoder_is_that_of_nearly_collinear_columns():
    x, test = np.split(collinear(900, noise=1e-3), [600])
    vae = ppgen.VAE(1, **VAE, noise="full").fit(x)
    assert vae.score(test) > ppgen.VAE(1, **VAE, noise="column").fit(x).score(test) + 5
    drawn = vae.sample(500)
    assert np.std(drawn[:, 3] - drawn[:, 0]) < 0.01
    # What is left of a row is as likely as in the rows without the column.
    test[:, 2] = np.nan
    assert np.isfinite(vae.score_samples(test)).all()


def test_a_row_in_which_collinear_columns_part_costs_an_autoencoder_hundreds_of_nats():
    x, held, test = np.split(collinear(600, noise=1e-3), [400, 500])
    how = {**VAE, "batch_size": 40, "max_epochs": 10, "noise": "full", "n_importance": 8}

    def parted(rows):
        rows = rows.copy()
        rows[7, 3] += 3.0  # thousands of standard deviations of the noise
        return rows

    clean = ppgen.VAE(1, **how).fit(x, validation=held).score(test)
    for seen, unseen in ((parted(x), held), (x, parted(held))):
        vae = ppgen.VAE(1, **how).fit(seen, validation=unseen)
        assert vae.score(test) > clean - 0.5
        far = vae.score_samples(parted(x)[7:8])[0]
        assert -1e3 < far < -30


def test_latents_beside_correlated_noise_are_woken_unless_told_otherwise():
    from ppgen.inference.local_objective import Objective
    from ppgen.models.vae.fitting import _waking

    def rises(objective, epochs):
        sizes = SimpleNamespace(training=SimpleNamespace(batch_size=10, max_epochs=epochs))
        return _waking(objective, sizes, 100).warm_up

    assert rises(Objective(), 40) == 40  # a tenth of 400 steps
    assert rises(Objective(), 10**6) == 150
    assert rises(Objective(warm_up=7), 10**6) == 7
    assert rises(Objective("iwae", 8), 10**6) == 0


def test_in_a_short_fit_or_with_a_bent_bound_latents_say_what_columns_have_in_common():
    x = collinear(900, noise=1e-3)
    assert ppgen.VAE(1, **VAE).fit(x).architecture_.noise == "column"
    long = {**VAE, "max_epochs": 1000, "batch_size": 800}
    vae = ppgen.VAE(1, **long, beta=0.1)
    assert vae.fit(x, budget=0.5).architecture_.noise == "column"


def test_correlated_noise_that_cannot_be_is_refused():
    x = collinear(100)
    x[5, 1] = np.nan
    with pytest.raises(InputError, match=r'noise is "full".*gaps'):
        ppgen.VAE(1, **VAE, noise="full").fit(x)
    with pytest.raises(InputError, match="for tables"):
        ppgen.VAE(1, **VAE, noise="full").fit(np.random.default_rng(0).normal(size=(60, 4, 4)))
