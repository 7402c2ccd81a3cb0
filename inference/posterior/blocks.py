"""Chains in blocks of draws, so that between blocks a fit can report, stop at its deadline or be
interrupted.

A transition of a chain adapts while its number i is below num_warmup. As the state of a chain holds
what its random numbers come from, draws do not depend on how they fall into blocks. The first block
is small, the others take as long as a look at the clock may wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import Array
from .result import Why

CAPACITY = 256  # transitions of one chain in a block at most
_FIRST = 4
_SECONDS = 0.5  # between two looks at the clock

Records = dict[str, Array]


@dataclass(frozen=True)
class Advance:
    """How chains go on.

    Attributes:
        run: (i, n, states) -> (states, records) makes the transitions i, ..., i + n - 1 of each
            chain. A record is name -> (chain, at least n, ...), among them `z`, `lp`, and
            `n_steps`, the gradients taken.
        end_warmup: the states as they leave the warm-up where that ends early.
        num_warmup: transitions that adapt.
        method: how chains are run, in words.
    """

    run: Callable[[int, int, Any], tuple[Any, dict[str, Any]]]
    end_warmup: Callable[[Any], Any]
    num_warmup: int
    method: str


@dataclass(frozen=True)
class Run:
    """The records of chains.

    Attributes:
        records: name -> (chain, draw, ...), of the draws after the warm-up.
        num_warmup: transitions a chain that adapted.
        why: how the run ended.
        gradients: taken by all chains, warm-up included.
        seconds_to_first_draw: from the start, compilation and warm-up included.
    """

    records: Records
    num_warmup: int
    why: Why
    gradients: int
    seconds_to_first_draw: float


def run_blocks(
    advance: Advance,
    states: Any,
    num_samples: int,
    *,
    deadline: Callable[[], float | None],
    report: Callable[[int, Records], None],
    began: float,
) -> Run:
    """Run chains from `states` to `num_samples` draws each.

    Half of the time that is left at most goes to the warm-up. An interrupt ends the run and keeps
    its draws; where there are none, it passes on.

    Args:
        deadline: gives the seconds left, or None.
        report: called after each block with the transitions so far and the block's records.
        began: `time.perf_counter()` at the start of the fit.
    """
    allowed, gradients = deadline(), 0
    kept: list[Records] = []
    why: Why = "done"
    first = float("nan")
    num_warmup, done, size = advance.num_warmup, 0, _FIRST
    cut = 0  # transitions left out of the warm-up
    try:
        while done < num_warmup + num_samples:
            phase_ends = num_warmup if done < num_warmup else num_warmup + num_samples
            n, start = min(size, phase_ends - done), time.perf_counter()
            states, out = advance.run(done + cut, n, states)
            records = {name: np.asarray(a)[:, :n] for name, a in out.items()}
            now = time.perf_counter()
            done += n
            gradients += int(records["n_steps"].sum())
            if done > num_warmup:
                first = first if kept else now - began
                kept.append(records)
            report(done, records)
            left = deadline()
            if left is not None and allowed is not None:
                if done < num_warmup and left < allowed / 2:
                    states, why = advance.end_warmup(states), "warm-up"
                    cut, num_warmup = num_warmup - done, done
                elif left <= 0 and num_warmup < done < num_warmup + num_samples:
                    why = why if why == "warm-up" else "budget"
                    break
            if n != done:  # the first block is compiled as well
                size = _next_size(size, n, now - start, left)
    except KeyboardInterrupt:
        if not kept:
            raise
        why = "interrupted"
    joined = {name: np.concatenate([one[name] for one in kept], axis=1) for name in kept[0]}
    return Run(joined, num_warmup, why, gradients, first)


def _next_size(size: int, n: int, seconds: float, left: float | None) -> int:
    """Transitions of the next block, from what the last one, of n, took."""
    wanted = _SECONDS if left is None else min(_SECONDS, max(left / 10, 0.02))
    return max(1, min(CAPACITY, 4 * size, int(n * wanted / max(seconds, 1e-6))))
