"""Chains of Gibbs sampling: where they start, and their sweeps over blocks.

A chain must start where the probability is positive. From states drawn uniformly, sweeps are made
with tables bounded below by exp(-c) of their largest entry, c rising, until no table is zero at the
state; a chain that does not get there starts where another of the same row does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Array, Floats, Ints, Mask
from ..settings import integer
from .buckets import Buckets
from .elimination import Scope
from .posterior_sampling import drawn_back

_BOUNDS = np.concatenate([np.linspace(1.0, 40.0, 40), np.full(60, 40.0)])  # c, in nats
_BATCHES = 100  # of draws of a chain, whose means are kept


@dataclass(frozen=True)
class ChainSettings:
    """How chains are run.

    Attributes:
        num_warmup, num_samples: sweeps over all blocks, a chain, that are dropped and kept.
        num_chains: chains of each row of evidence.
        block_cells: cells of the tables and messages of a block, of a chain: the more, the larger
            the blocks, the further chains move, and the longer a sweep takes.
    """

    num_warmup: int = 200
    num_samples: int = 1000
    num_chains: int = 16
    block_cells: int = 1 << 15

    def __post_init__(self) -> None:
        least = {"num_warmup": 0, "num_samples": 10, "num_chains": 2, "block_cells": 1}
        for name, minimum in least.items():
            integer(minimum).check(name, getattr(self, name))

    @property
    def num_batches(self) -> int:
        """Batches of draws of a chain whose means are kept."""
        return min(_BATCHES, self.num_samples)


class Block:
    """A block of variables, drawn from p(block | all others, e) for R states of all variables.

    Args:
        order: its variables, as they are eliminated.
        sizes, scopes, tables: of the model.
        virtual: variables with virtual evidence.
    """

    def __init__(
        self,
        order: Sequence[int],
        sizes: Sequence[int],
        scopes: Sequence[Scope],
        tables: Sequence[Array],
        virtual: Sequence[int],
    ) -> None:
        inside, batch = set(order), len(sizes)
        self.variables = list(order)[::-1]
        self.virtual = [v for v in virtual if v in inside]
        self._cut: list[tuple[Array, list[int], float]] = []
        reduced: list[Scope] = [(v,) for v in order]
        self._ones = [np.ones(sizes[v]) for v in order]
        for scope, table in zip(scopes, tables, strict=True):
            own, others = [v for v in scope if v in inside], [v for v in scope if v not in inside]
            if own:
                axes = [scope.index(v) for v in (*others, *own)]
                self._cut.append((np.transpose(table, axes), others, float(np.max(table))))
                reduced.append((*own, batch) if others else tuple(own))
        reduced += [(v, batch) for v in self.virtual]
        self._buckets = Buckets(sizes, reduced, order, batch)
        self._kept: dict[int, tuple[Array, Floats]] = {}

    def draw(
        self, x: Ints, lam: Mapping[int, Floats], u: Floats, bound: float | None = None
    ) -> list[Floats]:
        """Draw the block in x (R, V) in place, and give what the probabilities of the states of
        each variable, (R, k), are proportional to.

        Args:
            x: states of all variables.
            lam: virtual evidence, variable -> (R, k).
            u: (variables, R) uniform numbers.
            bound: tables are at least exp(-bound) of their largest entry.
        """
        tables, largest = list(self._ones), [1.0] * len(self._ones)
        for table, others, top in self._cut:
            part = table[tuple(x[:, v] for v in others)]
            tables.append(np.moveaxis(part, 0, -1) if others else part)
            largest.append(top or 1.0)
        for v in self.virtual:
            tables.append(lam[v].T)
            largest.append(float(lam[v].max()) or 1.0)
        if bound is not None:
            least = np.exp(-bound)
            tables = [np.maximum(t, least * top) for t, top in zip(tables, largest, strict=True)]
        factors, _ = self._buckets.sums(tables, self._kept if bound is None else None)
        states = {self._buckets.batch: np.arange(len(x))}
        found = [weights for _, weights in drawn_back(self._buckets, factors, states, u)]
        for v in self.variables:
            x[:, v] = states[v]
        return found


class Chains:
    """Chains of some rows of evidence that observe the same variables.

    Args:
        blocks: that cover the variables that are not observed.
        model: scopes and tables, by which it is known whether a state is possible.
        states: (n, V) states observed, -1 elsewhere.
        lam: virtual evidence, variable -> (n, k).
        settings: of the chains, C of each row.
        seeds: of each row.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        model: tuple[Sequence[Scope], Sequence[Array]],
        states: Ints,
        lam: Mapping[int, Floats],
        settings: ChainSettings,
        seeds: Sequence[Sequence[int]],
    ) -> None:
        self.blocks, self.settings = blocks, settings
        self._model = model
        self._x = np.repeat(states, settings.num_chains, axis=0)
        self._lam = {v: np.repeat(x, settings.num_chains, axis=0) for v, x in lam.items()}
        self._rngs = [np.random.default_rng(seed) for seed in seeds]

    def start(self, sizes: Sequence[int]) -> Mask:
        """(n,) for which rows the chains start at positive probability; the others are dropped."""
        free = sorted({v for block in self.blocks for v in block.variables})
        self._x[:, free] = (self._uniform(len(free)).T * np.array(sizes)[free]).astype(np.intp)
        for bound in _BOUNDS:
            self._sweep(bound)
            if (possible := self._possible()).all():
                break
        n, c = len(self._rngs), self.settings.num_chains
        possible = possible.reshape(n, c)
        count = possible.sum(axis=1)
        found: Mask = np.asarray(count > 0)
        # Chains that got there, over and over, in the place of those that did not.
        rank = np.argsort(~possible, axis=1, kind="stable")
        again = np.arange(c) % np.maximum(count, 1)[:, None]
        source = np.where(possible, np.arange(c), np.take_along_axis(rank, again, axis=1))
        keep = (source + c * np.arange(n)[:, None])[found].ravel()
        self._x = self._x[keep]
        self._lam = {v: x[keep] for v, x in self._lam.items()}
        self._rngs = [rng for rng, kept in zip(self._rngs, found, strict=True) if kept]
        return found

    def run(
        self, columns: Mapping[int, slice], report: Callable[[int, int], object] | None = None
    ) -> Floats:
        """(n, chains, batches, K) means over batches of draws of the conditional probabilities of
        states, those of a variable at `columns`. `report(done, total)` is called after each sweep.
        """
        how = self.settings
        length = -(-how.num_samples // how.num_batches)
        if len(self.blocks) > 1:
            warmup, once, copies = how.num_warmup, length, 1
        else:  # draws are independent: a batch is drawn at once
            warmup, once, copies = 0, 1, length
            self._x = np.repeat(self._x, copies, axis=0)
            self._lam = {v: np.repeat(x, copies, axis=0) for v, x in self._lam.items()}
        width = max((at.stop for at in columns.values()), default=0)
        shape = (len(self._rngs), how.num_chains, how.num_batches, width)
        sums = np.zeros(shape)
        drawn = [v for block in self.blocks for v in block.variables]
        total = warmup + how.num_batches * once
        for sweep in range(total):
            found = self._sweep(copies=copies)
            if sweep >= warmup:
                here = sums[:, :, (sweep - warmup) // once]
                for v, weights in zip(drawn, found, strict=True):
                    k = weights.shape[-1]
                    share = weights / weights.sum(axis=-1, keepdims=True)
                    share = np.broadcast_to(share, (len(self._x), k))
                    here[..., columns[v]] += share.reshape(*shape[:2], copies, k).sum(axis=2)
            if report is not None:
                report(sweep + 1, total)
        for v in columns:
            sums[..., columns[v]] /= length * max(1, drawn.count(v))
        return sums

    def _sweep(self, bound: float | None = None, copies: int = 1) -> list[Floats]:
        """Draw each block in turn; weights of the states of each variable, (R, k)."""
        found = []
        for block in self.blocks:
            u = self._uniform(len(block.variables), copies)
            found += block.draw(self._x, self._lam, u, bound)
        return found

    def _uniform(self, count: int, copies: int = 1) -> Floats:
        """(count, R) numbers in [0, 1), those of each row from a generator of its own."""
        shape = (count, self.settings.num_chains * copies)
        parts = [rng.random(shape) for rng in self._rngs]
        return np.concatenate(parts, axis=1) if parts else np.empty((count, 0))

    def _possible(self) -> Mask:
        """(R,) whether no table, and no virtual evidence, is zero at the states."""
        out = np.ones(len(self._x), bool)
        for scope, table in zip(*self._model, strict=True):
            out &= table[tuple(self._x[:, v] for v in scope)] > 0
        for v, lam in self._lam.items():
            out &= np.take_along_axis(lam, self._x[:, v, None], axis=1)[:, 0] > 0
        return out
