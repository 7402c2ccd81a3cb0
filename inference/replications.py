"""The replications of simulation-based calibration, a block at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from ..arrays import Array
from ..significance import LEVEL
from .calibration import Calibration, autocorrelations, most_correlated, ranks_among


class Block(NamedTuple):
    """Some replications.

    Attributes:
        truth: (b, k) test quantities of theta*.
        draws: (b, L, k) of the draws.
        diverging: (b,) share of draws that diverged, where the engine has it.
    """

    truth: Array
    draws: Array
    diverging: Array | None = None


def calibrate(
    names: Sequence[str],
    run: Callable[[range], Block],
    replications: int,
    *,
    block: int,
    seed: int,
    level: float = LEVEL,
    deadline: Callable[[], float | None] = lambda: None,
    report: Callable[[int], None] = lambda done: None,
) -> Calibration:
    """Run replications and rank their true values among the draws.

    Args:
        names: (k,) of the test quantities.
        run: runs the replications of these numbers.
        replications: how many.
        block: how many at once; an interrupt or the deadline keeps the blocks that are done.
        seed: breaks ties.
        level: chance of any false alarm.
        deadline: gives the seconds left, or None.
        report: called after each block with the replications done.
    """
    began, rng = time.perf_counter(), np.random.default_rng([seed, 0x5BC])
    ranks: list[Array] = []
    correlated: list[Array] = []
    diverging: list[Array] = []
    done = lost = largest = 0
    why: Literal["done", "budget", "interrupted"] = "done"
    try:
        while done < replications:
            one = run(range(done, min(done + block, replications)))
            lacking = np.asarray(
                np.isnan(one.draws).any(axis=(1, 2)) | np.isnan(one.truth).any(axis=1)
            )
            fine = np.flatnonzero(~lacking)
            ranks.append(ranks_among(one.truth[fine], one.draws[fine], rng))
            largest = one.draws.shape[1]
            if largest > 3:
                correlated.append(autocorrelations(one.draws[fine]))
            if one.diverging is not None:
                diverging.append(one.diverging)
            done, lost = done + len(lacking), lost + int(lacking.sum())
            report(done)
            left = deadline()
            if left is not None and left <= 0 and done < replications:
                why = "budget"
                break
    except KeyboardInterrupt:
        if not done:
            raise
        why = "interrupted"
    columns = np.concatenate(ranks).T
    return Calibration(
        dict(zip(names, columns, strict=True)), largest, replications, lost,
        most_correlated(np.concatenate(correlated)) if correlated else 0.0,
        float(np.concatenate(diverging).mean()) if diverging else 0.0,
        why, level, time.perf_counter() - began,
    )  # fmt: skip
