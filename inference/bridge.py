"""Functions of one backend inside programs of the other.

A function f: (..., D) -> (...) of torch becomes one of JAX that calls back to the host, and one of
JAX becomes an operation of torch. The gradient is that of the function's own backend, computed with
the value in one pass, so that

    d f(x) = sum_j (df/dx_j) dx_j

goes through `jit`, `vmap`, `grad` of JAX, and `backward` and `torch.func` of torch. Second
derivatives are there for functions of torch in JAX, forward over reverse (`jax.hessian`, `jax.jvp`
of `jax.grad`); asking for others raises. The function computes in double precision on the
processor; a call costs what it costs and the way to the host, some tenths of a millisecond, and a
batch is one call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    def value_on_host(x: Floats) -> Sequence[Floats]:
        with torch.no_grad():
            return [function(torch.tensor(x)).numpy()]

    def both_on_host(x: Floats) -> Sequence[Floats]:
        rows = torch.tensor(x, requires_grad=True)
        with torch.enable_grad():
            found = function(rows)
            (slope,) = torch.autograd.grad(found.sum(), rows)
        return [found.detach().numpy(), slope.numpy()]

    def curved_on_host(x: Floats, dx: Floats) -> Sequence[Floats]:
        rows = torch.tensor(x, requires_grad=True)
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(function(rows).sum(), rows, create_graph=True)
            along = (slope * torch.tensor(dx)).sum()
            if not along.requires_grad:
                return [np.zeros_like(x)]
            (curved,) = torch.autograd.grad(along, rows, materialize_grads=True)
        return [curved.numpy()]

    @jax.custom_jvp
    def both(x: Array) -> tuple[Array, Array]:
        value, slope = _on_host(both_on_host, [x.shape[:-1], x.shape], x)
        return value, slope

    @both.defjvp
    def both_with_tangent(primals: Any, tangents: Any) -> Any:
        (x,), (dx,) = primals, tangents
        value, slope = both(x)
        (curved,) = _on_host(curved_on_host, [x.shape], x, dx)
        return (value, slope), ((slope * dx).sum(-1), curved)

    @jax.custom_jvp
    def call(x: Array) -> Array:
        return _on_host(value_on_host, [x.shape[:-1]], x)[0]

    @call.defjvp
    def call_with_tangent(primals: Any, tangents: Any) -> Any:
        (x,), (dx,) = primals, tangents
        value, slope = both(x)
        return value, (slope * dx).sum(-1)

    return call


def map_in_jax(function: Callable[[Tensor], Tensor]) -> Callable[[Array], Array]:
    """A map of torch, (..., D) -> (..., D), as one of JAX, for gradients in reverse mode: each
    computes the map again."""

    def value_on_host(x: Floats) -> Sequence[Floats]:
        with torch.no_grad():
            return [function(torch.tensor(x)).numpy()]

    def back_on_host(x: Floats, of_value: Floats) -> Sequence[Floats]:
        rows = torch.tensor(x, requires_grad=True)
        with torch.enable_grad():
            found = function(rows)
            weight = torch.tensor(of_value).to(found.dtype)
            (slope,) = torch.autograd.grad(found, rows, weight)
        return [slope.numpy()]

    @jax.custom_vjp
    def call(x: Array) -> Array:
        return _on_host(value_on_host, [x.shape], x)[0]

    def forward(x: Array) -> tuple[Array, Array]:
        return call(x), x

    def backward(x: Array, of_value: Array) -> tuple[Array]:
        return (_on_host(back_on_host, [x.shape], x, of_value)[0],)

    call.defvjp(forward, backward)
    return call


def values_in_jax(function: Callable[[Floats], Floats], why: str) -> Callable[[Array], Array]:
    """A function of arrays, (..., D) -> (...), that has no gradient, as one of JAX; asking for one
    raises `TypeError`, which says `why`."""

    @jax.custom_jvp
    def call(x: Array) -> Array:
        return _on_host(lambda x: [function(x)], [x.shape[:-1]], x)[0]

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
            drawn = draw(int(np.prod(shape)), seed).reshape(*shape, size)
            return _packed(drawn, dtype)

        bits = jax.random.bits(key, (), jnp.uint32)
        result = _bits_of((*shape, size), dtype)
        found = jax.pure_callback(on_host, result, bits, vmap_method="sequential")
        return jax.lax.bitcast_convert_type(found, dtype)

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
            ctx.save_for_backward(*inputs, output[1])

        @staticmethod
        def backward(ctx: Any, of_value: Any, of_slope: Any) -> Any:
            return of_value[..., None] * _applied(_Slope, *ctx.saved_tensors)

        @staticmethod
        def vmap(info: Any, in_dims: Any, x: Tensor) -> Any:
            return _applied(Call, x.movedim(in_dims[0], 0)), (0, 0)

    def call(x: Tensor) -> Tensor:
        found: Tensor = _applied(Call, x)[0]
        return found

    return call


class _Slope(torch.autograd.Function):
    """The gradient at x, which has itself none: it would else count as a constant."""

    @staticmethod
    def forward(x: Tensor, slope: Tensor) -> Tensor:
        return slope.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, of_slope: Any) -> Any:
        raise RuntimeError("a function of JAX has no second derivatives in torch.")

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, slope: Tensor) -> Any:
        both = zip((x, slope), in_dims, strict=True)
        return _applied(_Slope, *(each.movedim(dim, 0) for each, dim in both)), 0


def _applied(operation: Any, *given: Tensor) -> Any:
    return operation.apply(*given)


# A callback may run on a thread where JAX has single precision, whatever the program has, and would
# round what passes. So numbers pass as their bits.


def _on_host(
    function: Callable[..., Sequence[Floats]], shapes: Sequence[tuple[int, ...]], *args: Array
) -> list[Array]:
    """What a function of arrays in double precision gives on the host, arrays of some shapes; it
    takes batches."""
    dtype = args[0].dtype

    def on_host(*given: Any) -> Any:
        found = function(*(_unpacked(bits, dtype) for bits in given))
        return [_packed(each, dtype) for each in found]

    results = [_bits_of(shape, dtype) for shape in shapes]
    given = (jax.lax.bitcast_convert_type(each, jnp.uint32) for each in args)
    found = jax.pure_callback(on_host, results, *given, vmap_method="broadcast_all")
    return [jax.lax.bitcast_convert_type(bits, dtype) for bits in found]


def _bits_of(shape: tuple[int, ...], dtype: Any) -> Any:
    """What stands for an array of floats: 32 bits in an entry, the lower first."""
    words = (*shape, 2) if dtype == np.float64 else shape
    made: Any = jax.ShapeDtypeStruct
    return made(words, np.uint32)


def _packed(x: Floats, dtype: Any) -> Any:
    x = np.array(x, dtype, order="C")
    return x[..., None].view(np.uint32) if dtype == np.float64 else x.view(np.uint32)


def _unpacked(bits: Any, dtype: Any) -> Floats:
    x = np.array(bits, order="C").view(dtype)
    return np.asarray(x[..., 0] if dtype == np.float64 else x, dtype=np.float64)
