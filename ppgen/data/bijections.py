"""The maps of one column: v -> y, one to one, onto the real line.

Each is a pair of functions of arrays: `forward` gives y and log |dy/dv|, `inverse` gives v. NaN
stays NaN.

| map | y | dy/dv |
|---|---|---|
| identity | v | 1 |
| log, v > 0 | log v | 1/v |
| logit, a < v < b | log((v - a) / (b - v)) | (b - a) / ((v - a) (b - v)) |
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from ..arrays import Floats as Floats

LARGEST_EXPONENT = 700.0  # exp of more than this overflows


class Bijection(ABC):
    """A differentiable map of an interval onto the line."""

    @abstractmethod
    def forward(self, v: Floats) -> tuple[Floats, Floats]:
        """(n,) images y of v, and log |dy/dv|."""

    @abstractmethod
    def inverse(self, y: Floats) -> Floats:
        """(n,) values v whose images are y."""


class Identity(Bijection):
    """y = v."""

    def forward(self, v: Floats) -> tuple[Floats, Floats]:
        return v, np.where(np.isnan(v), np.nan, 0.0)

    def inverse(self, y: Floats) -> Floats:
        return y


class Log(Bijection):
    """y = log v."""

    def forward(self, v: Floats) -> tuple[Floats, Floats]:
        y = np.log(v)
        return y, -y

    def inverse(self, y: Floats) -> Floats:
        return np.exp(np.clip(y, -LARGEST_EXPONENT, LARGEST_EXPONENT))


@dataclass(frozen=True)
class Logit(Bijection):
    """y = logit of v's place between a and b."""

    a: float
    b: float

    def forward(self, v: Floats) -> tuple[Floats, Floats]:
        log_left, log_right = np.log(v - self.a), np.log(self.b - v)
        return log_left - log_right, np.log(self.b - self.a) - log_left - log_right

    def inverse(self, y: Floats) -> Floats:
        small = np.exp(-np.abs(y))  # never overflows
        near = small / (1.0 + small)  # share of the way from the nearer edge
        offset = (self.b - self.a) * near
        return np.where(y < 0, self.a + offset, self.b - offset)
