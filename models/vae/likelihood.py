"""p(x | z): a row's values, independent given the latents, each with a likelihood of its own kind.

    log p(x | z) = sum_j log p_j(x_j | decoder(z)),          over the values that are not missing.

With the noise "full", the numbers of a table have correlated noise (`correlated`).

Rows are (n, D): the continuous columns first, then level numbers of the discrete ones; or the
values of an image. What the decoder gives, (*, P), is cut up by the parts below. Written once for
both backends: `xp` has the functions of their arrays (see `densities`).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..nets.whitening import Whitening
from .correlated import FREEDOM, Correlated
from .densities import KINDS_OF
from .parts import SCALED, SMALLEST, Part

_LARGEST = 5.0  # log of the most noise, in standard deviations of the data


class Likelihood:
    """The likelihoods of a row's values.

    Attributes:
        parts: what they are, in order.
        noise: of the scaled kinds: "column" learns a scale for each value, "shared" one for all,
            "row" asks the decoder; a number is a standard deviation, in multiples of `Part.unit`;
            "full" learns a scale for each coordinate of the whitened numbers of a table.
        missing: whether NaN stands for a value that is not there.
        log_scales: those of each scaled part whose noise is learnt, by the part's number.
        whitening: m (d,), A^-1 and A (d, d) of noise that is "full", not learnt.
        log_freedom: log nu of it, (1,).
    """

    xp: ClassVar[Any]
    parts: tuple[Part, ...]
    noise: str | float
    missing: bool
    log_scales: Any
    whitening: Any
    log_freedom: Any

    @property
    def n_values(self) -> int:
        """D."""
        return self.parts[-1].stop

    @property
    def outputs(self) -> list[int]:
        """How many numbers each part takes of the decoder's."""
        return [self._width(part) for part in self.parts]

    @property
    def n_outputs(self) -> int:
        """P."""
        return sum(self.outputs)

    def _width(self, part: Part) -> int:
        if part.kind == "categorical":
            return sum(part.each_levels)
        return (part.stop - part.start) * (2 if part.kind in SCALED and self.noise == "row" else 1)

    def start_freedom(self) -> NDArray[np.float64]:
        """Where `log_freedom` begins."""
        return np.full(1, math.log(FREEDOM))

    def start_scales(self, whitening: Whitening | None = None) -> dict[str, NDArray[np.float64]]:
        """Where `log_scales` begin: the same share of the spread of each value."""
        if self.noise not in ("column", "shared", "full"):
            return {}
        if whitening is not None:
            first = math.exp(self.parts[0].first) * whitening.spread
            return {"0": np.log(np.maximum(first, math.exp(SMALLEST + 1)))}
        return {
            str(i): np.full(1 if self.noise == "shared" else part.stop - part.start, part.first)
            for i, part in enumerate(self.parts)
            if part.kind in SCALED
        }

    def _pieces(self, raw: Any, xp: Any = None) -> list[tuple[Part, Any, tuple[Any, ...]]]:
        """Each part, its kind, and what it is given of decoder outputs: location or logits, and log
        scale where there is one, (*, values)."""
        found, start = [], 0
        for i, part in enumerate(self.parts):
            stop = start + self._width(part)
            given = self._given(i, part, raw[..., start:stop])
            found.append((part, self._kind(part, xp or self.xp), given))
            start = stop
        return found

    def _kind(self, part: Part, xp: Any) -> Any:
        if self._correlated(part):
            return Correlated(xp, self.whitening, self.log_freedom)
        return KINDS_OF[part.kind](xp)

    def _given(self, i: int, part: Part, raw: Any) -> tuple[Any, ...]:
        if part.kind == "categorical":
            return (self.xp.padded(raw, *_places(part)),)
        if part.kind not in SCALED:
            return (raw,)
        log_s: Any = None
        if self.noise == "row":
            raw = raw.reshape(*raw.shape[:-1], -1, 2)
            raw, log_s = raw[..., 0], raw[..., 1]
        l = raw if part.unit == 1 else part.unit * raw
        if not isinstance(self.noise, str):
            return l, self.xp.scalar(part.stated(self.noise), raw)
        if self.noise != "row":
            log_s = self.log_scales[str(i)]
        return l, self.xp.clip(log_s + math.log(part.unit), SMALLEST, _LARGEST)

    def values(self, raw: Any, x: Any) -> Any:
        """(*, D) log p of each value of x (n, D) given decoder outputs (*, n, P); of numbers whose
        noise is correlated, one for all."""
        xp, found = self.xp, []
        for part, kind, given in self._pieces(raw):
            y = x[..., part.start : part.stop]
            if self._correlated(part):
                found.append(kind.log_prob(y, *given, gaps=self.missing)[..., None])
            elif self.missing:
                log_p = kind.log_prob(xp.nan_to_num(y), *given, *part.half)
                found.append(xp.where(xp.isnan(y), 0.0, log_p))
            else:
                found.append(kind.log_prob(y, *given, *part.half))
        return found[0] if len(found) == 1 else xp.join(found)

    def _correlated(self, part: Part) -> bool:
        return self.noise == "full" and part.kind == "gaussian"

    def log_prob(self, raw: Any, x: Any) -> Any:
        """(*, n) log p(x | z)."""
        if len(self.parts) == 1 and self.parts[0].kind == "bernoulli" and not self.missing:
            # x l summed is a product of matrices' work: one pass over the outputs less.
            return self.xp.vecdot(raw, x) - self.xp.softplus(raw).sum(-1)
        return self.values(raw, x).sum(-1)

    def mean(self, raw: Any) -> Any:
        """(*, D) expected values; the likeliest level of categorical ones."""
        return self.xp.join([kind.mean(*given) for _, kind, given in self._pieces(raw)])

    def mixed_mean(self, raw: Any, share: Any, x: Any) -> Any:
        """(n, D) means, and likeliest levels, of mixtures of decoder outputs (K, n, P) with shares
        (K, n, 1); of numbers whose noise is correlated, given those of x (n, D) that are there."""
        found = []
        for part, kind, given in self._pieces(raw):
            if part.kind == "categorical":
                mass = (share[..., None] * self.xp.exp(self.xp.log_softmax(given[0], -1))).sum(0)
                found.append(self.xp.largest(mass))
                continue
            y = x[..., part.start : part.stop]
            mean = kind.expected(y, *given) if self._correlated(part) else kind.mean(*given)
            mean = (share * mean).sum(0)
            found.append(self.xp.round(mean) if part.kind == "bernoulli" else mean)
        return self.xp.join(found)

    def drawn(self, raw: Any, xp: Any) -> Any:
        """(*, D) values drawn as `xp` draws."""
        pieces = self._pieces(raw, xp)
        return xp.join([kind.sample(*given, *part.half) for part, kind, given in pieces])

    def start(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """(P,) decoder outputs that give each value its share or mean in rows y (n, D): where a fit
        begins."""
        found: list[NDArray[np.float64]] = []
        for part in self.parts:
            x = np.asarray(y[:, part.start : part.stop], dtype=np.float64)
            known = ~np.isnan(x)
            if part.kind == "categorical":
                for j, count in enumerate(part.each_levels):
                    seen = np.maximum(x[known[:, j], j].astype(np.int64), 0)
                    shares = np.bincount(seen, minlength=count)[:count] + 1.0
                    found.append(np.log(shares / shares.sum()))
                continue
            n = known.sum(0)
            middle = 0.0 if part.kind in SCALED else 0.5
            mean = np.where(n > 0, np.where(known, x, 0.0).sum(0) / np.maximum(n, 1), middle)
            if self._correlated(part):
                mean = np.zeros_like(mean)
            if part.kind == "bernoulli":
                p = np.clip(mean, 1e-3, 1 - 1e-3)
                found.append(np.log(p) - np.log1p(-p))
            elif part.kind == "continuous_bernoulli":
                found.append(KINDS_OF[part.kind](np).logit_of(mean))
            else:
                mean = mean / part.unit
                scale = np.full_like(mean, part.first)
                twice = self._width(part) == 2 * len(mean)
                found.append(np.stack([mean, scale], -1).ravel() if twice else mean)
        return np.concatenate(found)


@lru_cache
def _places(part: Part) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(values, most levels): where the logits of each are, and which it lacks."""
    counts = np.asarray(part.each_levels)
    places = np.arange(counts.max())
    absent = places >= counts[:, None]
    first = np.cumsum(counts) - counts
    return np.where(absent, 0, first[:, None] + places), absent
