"""How many numbers a program of JAX holds on its way, before it is run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr

_PROGRAMS = (ClosedJaxpr, Jaxpr)


def largest(program: Any) -> int:
    """Numbers in the largest array that a program makes on its way."""
    return max((size for size, _ in _sizes(program)), default=1)


def total(program: Any) -> int:
    """Numbers in all of them, those of each step of a scan, of which a gradient keeps a part."""
    return max(1, sum(size * times for size, times in _sizes(program)))


def _sizes(program: Any, times: int = 1) -> Iterator[tuple[int, int]]:
    """Of each array, and how often it is made."""
    for equation in program.eqns:
        yield from ((math.prod(v.aval.shape), times) for v in equation.outvars)
        steps = equation.params["length"] if equation.primitive.name == "scan" else 1
        within = jax.tree.leaves(equation.params, is_leaf=lambda v: isinstance(v, _PROGRAMS))
        for inner in within:
            if isinstance(inner, _PROGRAMS):
                inner = inner.jaxpr if isinstance(inner, ClosedJaxpr) else inner
                yield from _sizes(inner, times * steps)
