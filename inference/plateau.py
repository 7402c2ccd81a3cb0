"""When the losses of an optimiser no longer fall: a one-sided CUSUM over blocks of steps.

Losses l_1, l_2, ... are taken in blocks of 25 steps. m_j is the mean of the middle half of block j
(spikes do not count), and s_j the standard error of such a mean: half the robust standard deviation
of (mean of a block's first half - mean of its second) over the last 40 blocks, so that noise which
lasts for a few steps counts and a steady fall does not. The sum

    S_j = max(0, S_(j-1) + 1 - max((m_(j-1) - m_j) / s_j, -4))

rises by 1 a block where the loss stays, and falls where it gains more than s_j a block. There is a
plateau where S_j > 6 and besides the mean of the last three blocks is below that of the three
before by less than two standard errors (so that a flat stretch between two drops is none).

What this detects, on 4,000 steps of the shapes linear, exponential, power-law and staircase (drops
100 steps apart) under normal, Student-t(3), exponential and autocorrelated noise: of 1,000 traces
that still improve, by 2 standard deviations of a loss in 100 steps at their slowest (5 where the
noise is autocorrelated beyond 0.5, or fades to a third), at most 1% are stopped; where the
improvement ends, half of the traces are stopped within 200 steps. A slower improvement cannot be
told from none in 200 steps.

References: Page, "Continuous inspection schemes", 1954, https://doi.org/10.1093/biomet/41.1-2.100;
Welandawe, Andersen, Vehtari and Huggins, "A framework for improving the reliability of black-box
variational inference" (rates that fall where the loss no longer does), 2024,
https://jmlr.org/papers/v25/22-0327.html.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any

import numpy as np

from ..arrays import Array

BLOCK = 25  # steps
_MEMORY = 40  # blocks that the noise is estimated from
_ALLOWED = 1.0  # standard errors a block: a gain above it is an improvement
_LIMIT = 6.0
_DROP = -4.0  # of a block, at most counted against the loss
_NEAR, _SURE = 3, 2.0  # blocks on either side that are compared, and by how many standard errors


@dataclass
class Plateau:
    """Whether a trace of losses has reached a plateau.

    Attributes:
        least: the smallest standard error of a block's mean that counts: a gain below it is none,
            however little the losses scatter.
        first: blocks before anything is said.
        found: whether there is a plateau.
    """

    least: float = 0.0
    first: int = 8
    found: bool = False
    total: float = 0.0  # S
    blocks: int = 0
    means: list[float] = field(default_factory=list)
    falls: list[float] = field(default_factory=list)
    rest: list[float] = field(default_factory=list)  # of the block that is not complete

    def see(self, losses: Array) -> bool:
        """Whether there is a plateau by the end of these losses (steps,), which follow those seen
        before."""
        new = np.concatenate([self.rest, np.asarray(losses, np.float64)])
        whole = len(new) // BLOCK
        blocks = new[: whole * BLOCK].reshape(whole, BLOCK)
        half, quarter = BLOCK // 2, BLOCK // 4
        means = np.sort(blocks)[:, quarter : BLOCK - quarter].mean(1)
        falls = blocks[:, :half].mean(1) - blocks[:, -half:].mean(1)
        for mean, fall in zip(means.tolist(), falls.tolist(), strict=True):
            self._block(mean, fall)
        self.rest = new[whole * BLOCK :].tolist()
        return self.found

    def _block(self, mean: float, fall: float) -> None:
        self.means = [*self.means, mean][-_MEMORY:]
        self.falls = [*self.falls, fall][-_MEMORY:]
        self.blocks += 1
        if self.blocks <= self.first:
            return
        scale = self.scale
        gain = self.means[-2] - self.means[-1]
        self.total = max(0.0, self.total + _ALLOWED - max(_ratio(gain, scale), _DROP))
        before, now = self.means[-2 * _NEAR : -_NEAR], self.means[-_NEAR:]
        lately = fmean(before) - fmean(now)
        flat = lately < _SURE * scale * math.sqrt(2 / _NEAR) or lately <= 0
        self.found = self.found or (self.total > _LIMIT and flat)

    @property
    def scale(self) -> float:
        """Standard error of the mean of a block."""
        middle = median(self.falls)
        deviation = 1.4826 * median([abs(fall - middle) for fall in self.falls])
        return max(deviation / 2, self.least)

    @property
    def recent(self) -> tuple[float, float]:
        """Mean of the last blocks, and its standard error; NaN where there is none."""
        last = self.means[-_NEAR:]
        if not last:
            return math.nan, math.nan
        return fmean(last), self.scale / math.sqrt(len(last))

    def restart(self) -> None:
        """Forget what was seen, after training went back."""
        self.total, self.blocks, self.means, self.falls, self.rest = 0.0, 0, [], [], []

    def state(self) -> dict[str, Any]:
        """As JSON, for checkpoints."""
        return dict(vars(self))  # no list in it is changed later

    def load(self, state: Mapping[str, Any]) -> None:
        """Go to what `state` gave."""
        vars(self).update(state)


def _ratio(gain: float, scale: float) -> float:
    return gain / scale if scale > 0 else math.copysign(math.inf, gain) if gain else 0.0
