"""Marginals of one structure, compiled: for many queries of the same tables, whatever is observed.

Evidence enters as a likelihood for every state of every variable, ones where nothing is observed,
so that one compiled function answers whichever variables are observed. It is kept for as long as
the process runs, by the structure alone: tables are arguments. A batch has `ROWS` rows at a time,
the last filled up, so that a structure is compiled once for single rows and once for batches.

On one core compiling takes seconds and then halves the time of a single row; of batches, NumPy
(`Exact.marginals`) takes less time, without compiling.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .contraction import forward, log_of_z
from .elimination import Scope
from .evidence import Evidence
from .exact import Exact, Marginals
from .reverse_pass import Sweep, reverse, seed

Array = Any
ROWS = 256  # at a time

_seen: set[tuple[Any, ...]] = set()


class CompiledMarginals:
    """log Z and the marginals of every variable, for tables that stay.

    Args:
        exact: sizes, scopes, order and memory.
        tables: of its scopes.
        report: is told, once a structure, how long compiling took.

    Raises:
        InputError: where `ROWS` rows at a time do not fit the memory.
    """

    def __init__(
        self,
        exact: Exact,
        tables: Sequence[Array],
        report: Callable[[str], None] | None = None,
    ) -> None:
        self.exact, self.report = exact, report
        self.seconds = 0.0
        sweep = _sweep(exact.sizes, exact.scopes, exact.order)
        exact.affordable(sweep.program, sweep.peak, ROWS)
        self._run = _function(exact.sizes, exact.scopes, exact.order)
        self._ends = np.cumsum(exact.sizes)
        with jax.enable_x64(True):
            self._tables = tuple(jnp.asarray(t, dtype=jnp.float64) for t in tables)

    def __call__(self, evidence: Evidence | None = None) -> Marginals:
        """As `Exact.marginals`."""
        entered = self.exact.entered(evidence)
        if entered.n is None:
            log_z, probs = self._rows(self._likelihoods(entered, 1))
            return Marginals(log_z[0], tuple(np.split(probs[:, 0], self._ends[:-1])))
        log_z, probs = np.empty(entered.n), np.empty((entered.n, self._ends[-1]))
        for start in range(0, entered.n, ROWS):
            rows = slice(start, min(start + ROWS, entered.n))
            part = entered.rows(rows)
            log_part, probs_part = self._rows(self._likelihoods(part, ROWS))
            log_z[rows] = log_part[: part.n]
            probs[rows] = probs_part[:, : part.n].T
        return Marginals(log_z, tuple(np.split(probs, self._ends[:-1], axis=1)))

    def _likelihoods(self, entered: Any, n: int) -> Array:
        """(sum of sizes, n) the likelihood of every state, 1 in rows that fill up."""
        out = np.ones((self._ends[-1], n))
        for v, (size, end) in enumerate(zip(self.exact.sizes, self._ends, strict=True)):
            block = out[end - size : end, : n if entered.n is None else entered.n]
            if v in entered.fixed:
                block[:] = np.eye(size)[:, np.atleast_1d(entered.fixed[v])]
            elif v in entered.likelihoods:
                block[:] = entered.likelihoods[v].reshape(size, -1)
        return out

    def _rows(self, likelihoods: Array) -> tuple[Array, Array]:
        key = (self.exact.sizes, self.exact.scopes, self.exact.order, likelihoods.shape)
        began = time.perf_counter()
        with jax.enable_x64(True):
            log_z, probs = self._run(self._tables, likelihoods)
        out = np.asarray(log_z), np.asarray(probs)
        if key not in _seen:
            _seen.add(key)
            self.seconds += time.perf_counter() - began
            if self.report is not None:
                self.report(
                    f"compiled for {likelihoods.shape[1]} rows at a time in {self.seconds:.1f} s"
                )
        return out


@lru_cache(maxsize=64)
def _sweep(sizes: tuple[int, ...], scopes: tuple[Scope, ...], order: str | Scope) -> Sweep:
    """The reverse pass down to the likelihood of every variable."""
    exact = Exact(sizes, scopes, order=order)
    n, batch = len(scopes), len(sizes)
    program = exact.program([*scopes, *((v, batch) for v in range(batch))])
    return Sweep(program, {n + v: [v] for v in range(batch)}, rows=True)


@lru_cache(maxsize=64)
def _function(
    sizes: tuple[int, ...], scopes: tuple[Scope, ...], order: str | Scope
) -> Callable[[tuple[Array, ...], Array], tuple[Array, Array]]:
    """Tables, likelihoods (sum of sizes, n) -> log Z (n,), marginals (sum of sizes, n)."""
    sweep = _sweep(sizes, scopes, order)
    ends = np.cumsum(sizes)

    def run(tables: tuple[Array, ...], likelihoods: Array) -> tuple[Array, Array]:
        split = jnp.split(likelihoods, ends[:-1])
        ahead = forward(sweep.program, [*tables, *split], jnp, keep=True)
        log_z = log_of_z(sweep.program, ahead, jnp)
        probs: list[Any] = [None] * len(sizes)
        for factor, A, dA in reverse(sweep, ahead, seed(sweep.program, ahead, 1.0, jnp), jnp):
            (v,) = sweep.read[factor]
            probs[v] = sweep.belief(factor, (v,))(A, dA, jnp).reshape(sizes[v], -1)
        dead = jnp.isneginf(log_z)
        return log_z, jnp.where(dead, jnp.nan, jnp.concatenate(probs))

    return jax.jit(run)
