"""Flows that start from whitened columns: the layer, on torch and on JAX, and the fits."""

from __future__ import annotations

import numpy as np
import pytest

import ppgen
from ppgen.models.nets.whitening import BEND, Whitening

from .net_rows import D, collinear


@pytest.fixture(scope="module")
def layers():
    """The map, and the layer on torch."""
    torch = pytest.importorskip("torch")
    from ppgen.models.flow.transforms import Whiten

    found = Whitening.fit(collinear(300))
    return found, Whiten(torch.tensor(found.centre), torch.tensor(found.matrix))()


def far(n=50):
    return collinear(n, 1) + np.random.default_rng(2).normal(size=(n, D))  # many beyond the bend


def test_the_layer_of_flows_is_the_map(layers):
    import torch

    found, layer = layers
    x = torch.tensor(far())
    y, ladj = layer.call_and_ladj(x)
    assert (y.abs() > BEND).any()
    normal = -0.5 * (y**2 + np.log(2 * np.pi)).sum(1)
    np.testing.assert_allclose(normal + ladj, found.log_prob(x.numpy()), rtol=1e-10)
    np.testing.assert_allclose(layer.inv(y), x, atol=1e-9)
    for i in range(5):
        jacobian = torch.autograd.functional.jacobian(layer, x[i])
        np.testing.assert_allclose(torch.linalg.slogdet(jacobian)[1], ladj[i], atol=1e-9)


@pytest.mark.parametrize("name", ["whitening", "linear"])
def test_a_layer_goes_back_for_many_rows_without_a_matrix_for_each(layers, name, monkeypatch):
    import torch

    from ppgen.models.flow.transforms import LinearTransform

    layer = layers[1]
    if name == "linear":
        upper = torch.eye(D).double() + torch.ones(D, D).double().triu(1)
        shift = torch.arange(D).double()
        layer = LinearTransform(torch.eye(D).double()[[1, 0, 3, 2]], upper, torch.zeros(()), shift)
    shapes = []

    def watched(solve):
        def solved(matrix, rows, **how):
            shapes.append((*matrix.shape, *rows.shape))
            return solve(matrix, rows, **how)

        return solved

    x = torch.tensor(far(30)).reshape(5, 6, D)
    y = layer(x)
    for solver in ("solve", "solve_triangular"):
        monkeypatch.setattr(torch.linalg, solver, watched(getattr(torch.linalg, solver)))
    np.testing.assert_allclose(layer.inv(y), x, atol=1e-9)
    assert set(shapes) == {(D, D, D, 30)}


def test_the_layer_on_jax_is_that_on_torch(layers):
    import jax
    import jax.numpy as jnp
    import torch

    from ppgen.models.flow.numpyro import Whiten

    found, layer = layers
    x = far(3)
    with jax.enable_x64(True):
        twin = Whiten(jnp.asarray(found.centre), jnp.asarray(found.matrix))
        y, ladj = jax.vmap(twin.transform_and_log_det)(jnp.asarray(x))
        back, back_ladj = jax.vmap(twin.inverse_and_log_det)(y)
    expected = layer.call_and_ladj(torch.tensor(x))
    np.testing.assert_allclose(y, expected[0], rtol=1e-9)
    np.testing.assert_allclose(ladj, expected[1], rtol=1e-9)
    np.testing.assert_allclose(back, x, atol=1e-9)
    np.testing.assert_allclose(back_ladj, -ladj, rtol=1e-9)


FLOW = {"kind": "maf", "n_transforms": 1, "hidden": (8,), "max_epochs": 2, "random_state": 0}


def test_a_flow_of_nearly_collinear_columns_starts_at_their_gaussian(tmp_path):
    x, test = np.split(collinear(900, noise=1e-3), [600])
    flow = ppgen.NormalizingFlow(**FLOW).fit(x)
    assert flow.architecture_.whitened
    gaussian = ppgen.Gaussian(random_state=0).fit(x).score(test)
    assert flow.score(test) > gaussian - 0.2
    assert ppgen.NormalizingFlow(**FLOW, whiten=False).fit(x).score(test) < gaussian - 5
    flow.save(tmp_path / "run")
    back = ppgen.load(tmp_path / "run")
    np.testing.assert_array_equal(back.score_samples(test), flow.score_samples(test))
    drawn = flow.sample(500)
    assert np.std(drawn[:, 3] - drawn[:, 0]) < 0.01
    # A row where they are not is rare, not impossible.
    assert flow.score(np.array([[0.0, 0.0, 0.0, 3.0]])) > -1e3


def test_a_flow_of_independent_columns_is_not_whitened():
    x = np.random.default_rng(0).normal(size=(300, 2))
    assert not ppgen.NormalizingFlow(**FLOW).fit(x).architecture_.whitened
