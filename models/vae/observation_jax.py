"""p(x | z) in JAX: the twin of `observation.py`, which has the formula and says what the parts are.

What torch keeps in modules is here a pytree: `log_scales` are its only arrays.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import Array
from jax.nn import softplus
from numpy.typing import NDArray

from .densities_jax import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Gaussian,
)
from .parts import SCALED, SMALLEST, Part


class Observation(eqx.Module):
    """The likelihoods of a row's values.

    Attributes:
        parts: what they are, in order.
        noise: of the scaled kinds: "column", "shared", "row", or a number.
        missing: whether NaN stands for a value that is not there.
        log_scales: of each scaled part whose noise is learnt, by the part's number.
    """

    parts: tuple[Part, ...] = eqx.field(static=True)
    noise: str | float = eqx.field(static=True)
    missing: bool = eqx.field(static=True)
    log_scales: dict[str, Array]

    @property
    def n_values(self) -> int:
        """D."""
        return self.parts[-1].stop

    @property
    def outputs(self) -> list[int]:
        """How many numbers each part takes of the decoder's."""
        return [self._width(part) for part in self.parts]

    def _width(self, part: Part) -> int:
        if part.kind == "categorical":
            return sum(part.each_levels)
        return (part.stop - part.start) * (2 if part.kind in SCALED and self.noise == "row" else 1)

    def start_scales(self) -> dict[str, NDArray[np.float64]]:
        """Where `log_scales` begin."""
        if self.noise not in ("column", "shared"):
            return {}
        return {
            str(i): np.full(part.stop - part.start if self.noise == "column" else 1, part.first)
            for i, part in enumerate(self.parts)
            if part.kind in SCALED
        }

    def _pieces(self, raw: Array) -> list[tuple[int, Part, Array]]:
        cut = jnp.split(raw, np.cumsum(self.outputs)[:-1], axis=-1)
        return [(i, part, out) for i, (part, out) in enumerate(zip(self.parts, cut, strict=True))]

    def _given(self, i: int, part: Part, raw: Array) -> tuple[Array, ...]:
        """Location or logits, and log scale where there is one, (*, values)."""
        if part.kind == "categorical":
            index, absent = _padded(part)
            return (jnp.where(absent, -jnp.inf, raw[..., index]),)
        if part.kind not in SCALED:
            return (raw,)
        if self.noise == "row":
            raw, log_s = jnp.moveaxis(raw.reshape(*raw.shape[:-1], -1, 2), -1, 0)
        if not isinstance(self.noise, str):
            return part.unit * raw, jnp.asarray(part.stated(self.noise), raw.dtype)
        if self.noise != "row":
            log_s = self.log_scales[str(i)]
        return part.unit * raw, jnp.clip(log_s + np.log(part.unit), SMALLEST, 5.0)

    def values(self, raw: Array, x: Array) -> Array:
        """(*, D) log p of each value of x (n, D) given decoder outputs (*, n, P)."""
        found = []
        for i, part, out in self._pieces(raw):
            y = x[..., part.start : part.stop]
            known = ~jnp.isnan(y) if self.missing else None
            y = jnp.nan_to_num(y) if self.missing else y
            log_p = _OF[part.kind].log_prob(y, *self._given(i, part, out), *part.half)
            found.append(log_p if known is None else jnp.where(known, log_p, 0.0))
        return jnp.concatenate(found, -1)

    def log_prob(self, raw: Array, x: Array) -> Array:
        """(*, n) log p(x | z)."""
        if len(self.parts) == 1 and self.parts[0].kind == "bernoulli" and not self.missing:
            # x l summed is a product of matrices' work: one pass over the outputs less.
            return jnp.vecdot(raw, x) - softplus(raw).sum(-1)
        return self.values(raw, x).sum(-1)

    def mean(self, raw: Array) -> Array:
        """(*, D) expected values; the likeliest level of categorical ones."""
        found = [_OF[p.kind].mean(*self._given(i, p, out)) for i, p, out in self._pieces(raw)]
        return jnp.concatenate(found, -1)

    def sample(self, key: Array, raw: Array) -> Array:
        """(*, D) drawn values."""
        found = [
            _OF[p.kind].sample(jr.fold_in(key, i), *self._given(i, p, out), *p.half)
            for i, p, out in self._pieces(raw)
        ]
        return jnp.concatenate(found, -1)

    def start(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """(P,) decoder outputs that give each value its share or mean in rows y (n, D): where a fit
        begins."""
        found = []
        for part in self.parts:
            x = y[:, part.start : part.stop]
            known = ~np.isnan(x)
            n = known.sum(0)
            if part.kind == "categorical":
                for j, count in enumerate(part.each_levels):
                    seen = np.maximum(x[known[:, j], j].astype(np.int64), 0)
                    shares = np.bincount(seen, minlength=count)[:count] + 1.0
                    found.append(np.log(shares / shares.sum()))
                continue
            middle = 0.0 if part.kind in SCALED else 0.5
            mean = np.where(n > 0, np.where(known, x, 0.0).sum(0) / np.maximum(n, 1), middle)
            if part.kind == "bernoulli":
                p = np.clip(mean, 1e-3, 1 - 1e-3)
                found.append(np.log(p) - np.log1p(-p))
            elif part.kind == "continuous_bernoulli":
                found.append(_logit_of(mean))
            else:
                twice, mean = self._width(part) == 2 * len(mean), mean / part.unit
                scale = np.full_like(mean, part.first)
                found.append(np.stack([mean, scale], -1).ravel() if twice else mean)
        return np.concatenate(found)


def _padded(part: Part) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(values, most levels): where the logits of each are, and which it lacks."""
    counts = np.asarray(part.each_levels)
    places = np.arange(counts.max())
    absent = places >= counts[:, None]
    first = np.cumsum(counts) - counts
    return np.where(absent, 0, first[:, None] + places), absent


def _logit_of(mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logits l of continuous Bernoullis with these means, by halving intervals."""
    low, high = np.full_like(mean, -101.0), np.full_like(mean, 101.0)
    wanted = np.clip(mean, 1e-2, 1 - 1e-2)
    for _ in range(60):
        l = (low + high) / 2
        small = np.abs(l) < 1e-2
        safe = np.where(small, 1.0, l)
        below = np.where(small, 0.5 + l / 12, -1 / np.expm1(-safe) - 1 / safe) < wanted
        low, high = np.where(below, l, low), np.where(below, high, l)
    return (low + high) / 2


_OF: dict[str, Any] = {
    "gaussian": Gaussian,
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "discretised_logistic": DiscretisedLogistic,
    "categorical": Categorical,
}
