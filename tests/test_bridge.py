"""Functions of torch in JAX and of JAX in torch: values, gradients, batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from ppgen.inference.bridge import (
    draws_in_jax,
    jax_in_torch,
    map_in_jax,
    torch_in_jax,
    values_in_jax,
)

X = np.linspace(-1.0, 1.0, 12).reshape(2, 3, 2)
VALUE, SLOPE = np.sin(X).sum(-1), np.cos(X)


def test_a_function_of_torch_has_its_value_and_gradient_in_jax() -> None:
    function = torch_in_jax(lambda x: x.sin().sum(-1))
    with jax.enable_x64(True):
        x = jnp.asarray(X)
        np.testing.assert_allclose(jax.jit(function)(x), VALUE, rtol=1e-12)
        each = jax.jit(jax.vmap(jax.vmap(jax.value_and_grad(function))))
        value, slope = each(x)
        np.testing.assert_allclose(value, VALUE, rtol=1e-12)
        np.testing.assert_allclose(slope, SLOPE, rtol=1e-12)
        along = jax.jvp(function, (x,), (jnp.ones_like(x),))[1]
        np.testing.assert_allclose(along, SLOPE.sum(-1), rtol=1e-12)
        curved = jax.jit(jax.hessian(function))(x[0, 0])
        np.testing.assert_allclose(curved, -np.diag(np.sin(X[0, 0])), rtol=1e-12)


def test_a_map_of_torch_is_differentiated_in_reverse_in_jax() -> None:
    function = map_in_jax(lambda x: x.sin().cumsum(-1))
    with jax.enable_x64(True):
        value, slope = jax.jit(jax.value_and_grad(lambda x: function(x)[..., 1].sum()))(X)
        np.testing.assert_allclose(value, VALUE.sum(), rtol=1e-12)
        np.testing.assert_allclose(slope, SLOPE, rtol=1e-12)


def test_a_function_without_a_gradient_says_so() -> None:
    function = values_in_jax(lambda x: np.sin(x).sum(-1), "there is no gradient")
    with jax.enable_x64(True):
        np.testing.assert_allclose(function(jnp.asarray(X)), VALUE, rtol=1e-12)
        with pytest.raises(TypeError, match="there is no gradient"):
            jax.grad(lambda x: function(x).sum())(jnp.asarray(X))


def test_a_function_of_jax_has_its_value_and_gradient_in_torch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))  # or torch.func sets it for good
    function = jax_in_torch(lambda x: jnp.sin(x).sum(-1))
    x = torch.tensor(X, requires_grad=True)
    value = function(x)
    np.testing.assert_allclose(value.detach(), VALUE, rtol=1e-12)
    (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    np.testing.assert_allclose(slope.detach(), SLOPE, rtol=1e-12)
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.autograd.grad((slope + x).sum(), x)
    rows: Any = torch.func.vmap(torch.func.grad(function))(torch.tensor(X[0]))
    np.testing.assert_allclose(rows, SLOPE[0], rtol=1e-12)


def test_draws_on_the_host_follow_the_key() -> None:
    draws = draws_in_jax(lambda n, seed: np.random.default_rng(seed).normal(size=(n, 2)), 2)
    keys = jax.random.split(jax.random.key(0), 3)
    each = jax.jit(jax.vmap(lambda key: draws(key, (4,))))(keys)
    assert each.shape == (3, 4, 2)
    np.testing.assert_array_equal(draws(keys[1], (4,)), each[1])
    assert len(np.unique(each)) == each.size
