"""Encoders that see whitened numbers, with their gaps where the other numbers put them."""

from __future__ import annotations

import numpy as np
import pytest

from ppgen.models.nets.whitening import Whitening

from .net_rows import D, collinear


@pytest.mark.parametrize("bits", [0, 1])
def test_an_encoder_sees_gaps_of_whitened_numbers_where_the_others_put_them(bits):
    import torch

    from ppgen.models.nets.features import Features

    x = collinear(300)
    found = Whitening.fit(x)
    features = Features(D + bits, gaps=True, whitened=True).double()
    rows = torch.tensor(np.column_stack([x, *[x[:, 0] > 0] * bits]).astype(float))
    features.fit(rows, found)
    features.matrix[:D, :D] = torch.tensor(found.matrix)
    gone = rows.clone()
    gone[np.random.default_rng(0).random(gone.shape) < 0.4] = np.nan
    gone[0] = np.nan
    covariance = found.root @ found.root.T
    expected = np.zeros((300, D))
    for i, row in enumerate(gone[:, :D].numpy() - found.centre):
        o = ~np.isnan(row)
        part = covariance[:, o] @ np.linalg.solve(covariance[np.ix_(o, o)], row[o])
        expected[i] = np.where(o, row, part)
    expected = np.clip(expected @ found.matrix.T, -10, 10)
    np.testing.assert_allclose(features(gone)[:, :D], expected, atol=1e-5)
    assert torch.isfinite(features(gone)).all()


def test_the_encoder_on_jax_sees_gaps_as_the_one_on_torch():
    jax = pytest.importorskip("jax")
    import jax.numpy as jnp
    import torch

    from ppgen.models.nets.features import Features
    from ppgen.models.vae.build import Architecture
    from ppgen.models.vae.nets_jax import Nets, initial
    from ppgen.models.vae.parts import Part

    x = np.column_stack([collinear(40), np.arange(40) % 2])
    whitening = Whitening.fit(x[:, :D])
    features = Features(D + 1, gaps=True, whitened=True).double()
    features.fit(torch.tensor(x), whitening)
    features.matrix[:D, :D] = torch.tensor(whitening.matrix)
    parts = (Part("gaussian", 0, D), Part("bernoulli", D, D + 1))
    architecture = Architecture("mlp", parts, (2,), hidden=(4,), noise="full")
    gone = x.copy()
    gone[np.random.default_rng(0).random(x.shape) < 0.4] = np.nan
    with jax.enable_x64(True):
        start = initial(architecture, 0, x, whitening)
        twin = Nets(architecture, {name: jnp.asarray(array) for name, array in start.items()})
        for rows in (x, gone):
            expected = features(torch.tensor(rows)).numpy()
            np.testing.assert_allclose(twin.features(jnp.asarray(rows)), expected, atol=1e-6)
