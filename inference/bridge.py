"""Functions of one backend inside programs of the other.

A function f: (..., D) -> (...) of torch becomes one of JAX that calls back to the host, and one of
JAX becomes an operation of torch. The gradient is that of the function's own backend, computed with
the value in one pass, so that

    d f(x) = sum_j (df/dx_j) dx_j

goes through `jit`, `vmap`, `grad` of JAX, and `backward` and `torch.func` of torch. There are no
second derivatives. Both compute in double precision on the processor; each call costs what the
function costs and the way to the host, some tenths of a millisecond, and batches are one call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from jax import Array
from torch import Tensor

from ..arrays import Floats


def torch_in_jax(function: Callable[[Tensor], Tensor]) -> Callable[[Array], Array]:
    """A function of torch, (..., D) -> (...), as one of JAX, whose gradient is torch's."""

    def value_on_host(x: Any) -> Any:
        with torch.no_grad():
            found = function(torch.tensor(np.asarray(x), dtype=torch.float64))
        return found.numpy().astype(x.dtype)

    def both_on_host(x: Any) -> Any:
        rows = torch.tensor(np.asarray(x), dtype=torch.float64, requires_grad=True)
        with torch.enable_grad():
            found = function(rows)
            (slope,) = torch.autograd.grad(found.sum(), rows)
        return found.detach().numpy().astype(x.dtype), slope.numpy().astype(x.dtype)

    def results(x: Array) -> tuple[jax.ShapeDtypeStruct, jax.ShapeDtypeStruct]:
        return jax.ShapeDtypeStruct(x.shape[:-1], x.dtype), jax.ShapeDtypeStruct(x.shape, x.dtype)

    @jax.custom_jvp
    def call(x: Array) -> Array:
        found: Array = jax.pure_callback(
            value_on_host, results(x)[0], x, vmap_method="broadcast_all"
        )
        return found

    @call.defjvp
    def call_with_tangent(primals: Any, tangents: Any) -> Any:
        (x,), (dx,) = primals, tangents
        value, slope = jax.pure_callback(both_on_host, results(x), x, vmap_method="broadcast_all")
        return value, (slope * dx).sum(-1)

    return call


def values_in_jax(function: Callable[[Floats], Floats], why: str) -> Callable[[Array], Array]:
    """A function of arrays, (..., D) -> (...), that has no gradient, as one of JAX; asking for one
    raises `TypeError`, which says `why`."""

    @jax.custom_jvp
    def call(x: Array) -> Array:
        shape = jax.ShapeDtypeStruct(x.shape[:-1], x.dtype)
        found: Array = jax.pure_callback(
            lambda x: function(np.asarray(x)).astype(x.dtype), shape, x, vmap_method="broadcast_all"
        )
        return found

    @call.defjvp
    def call_with_tangent(primals: Any, tangents: Any) -> Any:
        raise TypeError(why)

    return call


def draws_in_jax(
    draw: Callable[[int, int], Floats], size: int
) -> Callable[[Array, tuple[int, ...]], Array]:
    """Draws (n, size) of n and a seed as a function of a key and a shape, (*shape, size)."""

    def draws(key: Array, shape: tuple[int, ...]) -> Array:
        dtype = jnp.result_type(float)

        def on_host(bits: Any) -> Any:
            seed = int(np.asarray(bits)) >> 1
            return draw(int(np.prod(shape)), seed).reshape(*shape, size).astype(dtype)

        result = jax.ShapeDtypeStruct((*shape, size), dtype)
        bits = jax.random.bits(key, (), jnp.uint32)
        found: Array = jax.pure_callback(on_host, result, bits, vmap_method="sequential")
        return found

    return draws


def draws_in_torch(
    draw: Callable[[int, int], Floats], size: int
) -> Callable[[tuple[int, ...]], Tensor]:
    """Draws (n, size) of n and a seed as a function of a shape, (*shape, size); the seed is drawn
    by torch."""

    def draws(shape: tuple[int, ...]) -> Tensor:
        seed = int(torch.randint(2**31 - 1, ()))
        return torch.tensor(draw(int(np.prod(shape)), seed).reshape(*shape, size))

    return draws


def jax_in_torch(function: Callable[[Array], Array]) -> Callable[[Tensor], Tensor]:
    """A function of JAX, (..., D) -> (...), as one of torch, whose gradient is JAX's."""

    def total(x: Array) -> tuple[Array, Array]:
        found = function(x)
        return found.sum(), found

    both = jax.jit(jax.grad(total, has_aux=True))

    class Call(torch.autograd.Function):
        @staticmethod
        def forward(x: Tensor) -> tuple[Tensor, Tensor]:
            with jax.enable_x64(True):
                slope, found = both(jnp.asarray(x.detach().numpy(), jnp.float64))
            return torch.tensor(np.asarray(found)), torch.tensor(np.asarray(slope))

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.mark_non_differentiable(output[1])
            ctx.save_for_backward(output[1])

        @staticmethod
        def backward(ctx: Any, of_value: Tensor, of_slope: Tensor) -> Tensor:  # type: ignore[override]
            (slope,) = ctx.saved_tensors
            return of_value[..., None] * slope

        @staticmethod
        def vmap(info: Any, in_dims: Any, x: Tensor) -> tuple[Any, Any]:
            return Call.apply(x.movedim(in_dims[0], 0)), (0, 0)

    def call(x: Tensor) -> Tensor:
        found: Tensor = Call.apply(x)[0]
        return found

    return call
