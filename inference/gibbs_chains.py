"""Chains of Gibbs sampling: where they start, and their sweeps over blocks.

A chain must start where the probability is positive. From states drawn uniformly, sweeps are made
with log tables bounded below by -c, c rising, until no table is zero at the state; a chain that
does not get there starts where another of the same row does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Floats, Ints, Mask
from ..settings import integer
from .categorical import drawn
from .gibbs_blocks import Block

_BOUNDS = np.concatenate([np.linspace(1.0, 40.0, 40), np.full(60, 40.0)])  # c, in nats
_BATCHES = 100  # of draws of a chain, whose means are kept


@dataclass(frozen=True)
class ChainSettings:
    """How chains are run.

    Attributes:
        num_warmup, num_samples: sweeps over all blocks, a chain, that are dropped and kept.
        num_chains: chains of each row of evidence.
        block_states: most states of a block of variables that depend on each other, and are drawn
            together so that chains move further; 1: only variables tied by zeros are.
    """

    num_warmup: int = 200
    num_samples: int = 1000
    num_chains: int = 16
    block_states: int = 64

    def __post_init__(self) -> None:
        least = {"num_warmup": 0, "num_samples": 10, "num_chains": 2, "block_states": 1}
        for name, minimum in least.items():
            integer(minimum).check(name, getattr(self, name))

    @property
    def num_batches(self) -> int:
        """Batches of draws of a chain whose means are kept."""
        return min(_BATCHES, self.num_samples)


class Conditional:
    """log p(block | all others, e) up to a constant, for R states of all variables.

    Args:
        block: whose conditional it is.
        sizes, scopes: of the model.
        logs: logarithm of each table.
    """

    def __init__(
        self,
        block: Block,
        sizes: Sequence[int],
        scopes: Sequence[Sequence[int]],
        logs: Sequence[Floats],
    ) -> None:
        self.variables = list(block.variables)
        self.states = block.states
        self.one_hot = np.concatenate(
            [np.eye(sizes[v])[block.states[:, j]] for j, v in enumerate(block.variables)], axis=1
        )
        self._inner = np.zeros(len(block.states))
        self._outer: list[tuple[Floats, list[int], Ints, Ints]] = []
        place = {v: j for j, v in enumerate(block.variables)}
        for scope, table in zip(scopes, logs, strict=True):
            inside = [v for v in scope if v in place]
            if not inside:
                continue
            stride = {v: int(np.prod(table.shape[a + 1 :])) for a, v in enumerate(scope)}
            steps = np.array([stride[v] for v in inside])
            offset: Ints = block.states[:, [place[v] for v in inside]] @ steps
            outside = [v for v in scope if v not in place]
            if outside:
                steps = np.array([stride[v] for v in outside])
                self._outer.append((table.ravel(), outside, steps, offset))
            else:
                self._inner = self._inner + table.ravel()[offset]

    def __call__(
        self, x: Ints, log_lam: Mapping[int, Floats], bound: float | None = None
    ) -> Floats:
        """(R, S) of states x (R, V) and virtual evidence (R, k); each log at least -`bound`."""
        parts = [
            table[(x[:, outside] @ steps)[:, None] + offset]
            for table, outside, steps, offset in self._outer
        ]
        parts += [
            log_lam[v][:, self.states[:, j]] for j, v in enumerate(self.variables) if v in log_lam
        ]
        out = np.repeat(self._inner[None], len(x), axis=0)
        for part in parts:
            out += part if bound is None else np.maximum(part, -bound)
        return out


class Chains:
    """Chains of some rows of evidence that observe the same variables.

    Args:
        conditionals: of the blocks of the variables that are not observed.
        states: (n, V) states observed; the others are not looked at.
        log_lam: logarithms of virtual evidence, variable -> (n, k).
        settings: of the chains, C of each row.
        seeds: of each row.
    """

    def __init__(
        self,
        conditionals: Sequence[Conditional],
        states: Ints,
        log_lam: Mapping[int, Floats],
        settings: ChainSettings,
        seeds: Sequence[Sequence[int]],
    ) -> None:
        self.conditionals, self.settings = conditionals, settings
        self._x = np.repeat(states, settings.num_chains, axis=0)
        self._log_lam = {v: np.repeat(x, settings.num_chains, axis=0) for v, x in log_lam.items()}
        self._rngs = [np.random.default_rng(seed) for seed in seeds]

    def start(self) -> Mask:
        """(n,) for which rows the chains start at positive probability; the others are dropped."""
        for conditional, u in zip(self.conditionals, self._uniform(), strict=True):
            chosen = (u * len(conditional.states)).astype(np.intp)
            self._x[:, conditional.variables] = conditional.states[chosen]
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
        other = np.take_along_axis(rank, again, axis=1)
        source = np.where(possible, np.arange(c), other)
        keep = (source + c * np.arange(n)[:, None])[found].ravel()
        self._x = self._x[keep]
        self._log_lam = {v: x[keep] for v, x in self._log_lam.items()}
        self._rngs = [rng for rng, kept in zip(self._rngs, found, strict=True) if kept]
        return found

    def run(self, report: Callable[[int, int], object] | None = None) -> Floats:
        """(n, chains, batches, K) means over batches of draws of the conditional probabilities of
        the states of all variables, in the order of the blocks. `report(done, total)` is called
        after each sweep."""
        how = self.settings
        total = how.num_warmup + how.num_samples
        width = sum(conditional.one_hot.shape[1] for conditional in self.conditionals)
        sums = np.zeros((how.num_batches, len(self._x), width))
        batch_of = np.arange(how.num_samples) * how.num_batches // how.num_samples
        for sweep in range(total):
            kept = sweep - how.num_warmup
            self._sweep(None, sums[batch_of[kept]] if kept >= 0 else None)
            if report is not None:
                report(sweep + 1, total)
        sums /= np.bincount(batch_of)[:, None, None]
        shape = (len(self._rngs), how.num_chains, how.num_batches, width)
        return sums.transpose(1, 0, 2).reshape(shape)

    def _sweep(self, bound: float | None, sums: Floats | None = None) -> None:
        """Draw each block in turn, and add its conditional probabilities to `sums`."""
        at = 0
        for conditional, u in zip(self.conditionals, self._uniform(), strict=True):
            logs = conditional(self._x, self._log_lam, bound)
            weights = np.exp(logs - logs.max(axis=1, keepdims=True))
            self._x[:, conditional.variables] = conditional.states[drawn(weights, u)]
            if sums is not None:
                width = conditional.one_hot.shape[1]
                share = weights / weights.sum(axis=1, keepdims=True)
                sums[:, at : at + width] += share @ conditional.one_hot
                at += width

    def _uniform(self) -> Floats:
        """(blocks, R) numbers in [0, 1), those of each row from a generator of its own."""
        shape = (len(self.conditionals), self.settings.num_chains)
        return np.concatenate([rng.random(shape) for rng in self._rngs], axis=1)

    def _possible(self) -> Mask:
        """(R,) whether no table is zero at the states."""
        out = np.ones(len(self._x), bool)
        for conditional in self.conditionals:
            current = (self._x[:, None, conditional.variables] == conditional.states).all(axis=2)
            out &= (np.isfinite(conditional(self._x, self._log_lam)) & current).any(axis=1)
        return out
