"""The map of encoded values to values in the units of the data, for arrays of any backend.

With z the encoded value of a continuous column (see `data.codec`),

    y = shift + scale unbent(z),    unbent(z) = sign(z) (b + exp(|z| - b) - 1) for |z| > b, else z,
    v = y,  exp y,  or  low + span sigmoid(y),
    x = v,  or  start + (v + cut - start) mod period  on a circle,

and x = z for levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from ...arrays import Array

_MOST = 700.0  # exp of more than this overflows


@dataclass(frozen=True, eq=False)
class Change:
    """The map of encoded values (..., D) to values. Its numbers are arrays (D,) of any backend, and
    `xp`, which the methods take, is `jax.numpy` or `torch`.

    Attributes:
        shift, scale, bend: of the standardisation; a bend is infinite where there is none.
        low, span: of columns between bounds.
        start, cut, period: of circles; a period is 1 elsewhere.
        positive, bounded, circular: which columns are so.
    """

    shift: Any
    scale: Any
    bend: Any
    low: Any
    span: Any
    start: Any
    cut: Any
    period: Any
    positive: Any
    bounded: Any
    circular: Any

    def on(self, convert: Callable[[Array], Any]) -> Self:
        """The same with arrays of a backend."""
        return replace(self, **{f.name: convert(getattr(self, f.name)) for f in fields(self)})

    def values(self, xp: Any, z: Any) -> Any:
        """Values x (..., D) of encoded z, strictly within their bounds."""
        y = self._line(xp, z)[0]
        v, of = y, xp.finfo(y.dtype)
        if self.positive.any():
            grown = xp.exp(xp.clip(xp.where(self.positive, y, 0.0), -_MOST, _MOST))
            v = xp.where(self.positive, xp.clip(grown, of.tiny, None), v)
        if self.bounded.any():
            small = xp.exp(-xp.abs(xp.where(self.bounded, y, 0.0)))
            offset, high = self.span * (small / (1 + small)), self.low + self.span
            inside = xp.where(y < 0, self.low + offset, high - offset)
            size = xp.where(xp.abs(self.low) > xp.abs(high), xp.abs(self.low), xp.abs(high))
            edge = 2 * of.eps * size  # the least step from an end
            v = xp.where(self.bounded, xp.clip(inside, self.low + edge, high - edge), v)
        if self.circular.any():
            around = self.start + (v + self.cut - self.start) % self.period
            v = xp.where(self.circular, around, v)
        return v

    def encoded(self, xp: Any, x: Any) -> Any:
        """z (..., D) of values within their support."""
        v = x
        if self.circular.any():
            eps = xp.finfo(x.dtype).eps
            turned = (x - self.cut) % self.period
            turned = xp.clip(turned, eps * self.period, (1 - eps) * self.period)
            v = xp.where(self.circular, turned, v)
        y = v
        if self.positive.any():
            y = xp.where(self.positive, xp.log(xp.where(self.positive, v, 1.0)), y)
        if self.bounded.any():
            inside = xp.where(self.bounded, v, self.low + 0.5 * self.span)
            logit = xp.log(inside - self.low) - xp.log(self.low + self.span - inside)
            y = xp.where(self.bounded, logit, y)
        z = (y - self.shift) / self.scale
        if not self._bends:
            return z
        beyond = xp.clip(xp.abs(z) - self.bend, 0.0, None)
        return xp.clip(z, -self.bend, self.bend) + xp.sign(z) * xp.log1p(beyond)

    def log_slope(self, xp: Any, z: Any) -> Any:
        """(...,) log |dx/dz| of encoded z, summed over the columns."""
        y, beyond = self._line(xp, z)
        slope = xp.log(self.scale) + beyond
        if self.positive.any():
            slope = slope + xp.where(self.positive, y, 0.0)
        if self.bounded.any():
            squeezed, zero = xp.where(self.bounded, y, 0.0), xp.zeros_like(y)
            sigmoids = -xp.logaddexp(zero, squeezed) - xp.logaddexp(zero, -squeezed)
            slope = slope + xp.where(self.bounded, xp.log(self.span) + sigmoids, 0.0)
        return (slope + xp.zeros_like(y)).sum(-1)

    @property
    def _bends(self) -> bool:
        return bool((self.bend < math.inf).any())

    def _line(self, xp: Any, z: Any) -> tuple[Any, Any]:
        """y, and |z| - b where that is positive."""
        if not self._bends:
            return self.shift + self.scale * z, xp.zeros_like(z)
        beyond = xp.clip(xp.abs(z) - self.bend, 0.0, _MOST)
        unbent = xp.clip(z, -self.bend, self.bend) + xp.sign(z) * xp.expm1(beyond)
        return self.shift + self.scale * unbent, beyond
