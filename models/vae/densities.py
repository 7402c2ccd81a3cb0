"""Densities and masses of single values given what a decoder says of them, for both backends.

Each kind is a class with `log_prob`, `mean` and `sample`, elementwise, of parameters that are the
natural ones of the net: unbounded locations and logits.

| kind | values | log p(x) |
|---|---|---|
| gaussian | real | -(x - l)^2 / (2 s^2) - log s - log(2 pi) / 2 |
| bernoulli | 0, 1 | x l - log(1 + e^l) |
| continuous_bernoulli | [0, 1] | x l - log((e^l - 1) / l) |
| discretised_logistic | -1, -1 + 2h ... 1 | log(sigma((x + h - l) / s) - sigma((x - h - l) / s)) |
| categorical | 0 ... L - 1 | l_x - log sum_j e^(l_j) |

The lowest and the highest level of the discretised logistic take what lies beyond them.

References: Loaiza-Ganem and Cunningham, "The continuous Bernoulli: fixing a pervasive error in
variational autoencoders", 2019, https://arxiv.org/abs/1907.06845; Salimans, Karpathy, Chen and
Kingma, "PixelCNN++", 2017, https://arxiv.org/abs/1701.05517 (discretised logistic).
"""

from __future__ import annotations

import math
from typing import Any

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Kind:
    """One kind of values.

    Args:
        xp: elementwise functions of a backend's arrays, and its draws (`observation.Torch`,
            `observation_jax.Jax`).
    """

    def __init__(self, xp: Any) -> None:
        self.xp = xp


class Gaussian(Kind):
    """Real values around l with standard deviation s."""

    def log_prob(self, x: Any, l: Any, log_s: Any) -> Any:
        return -0.5 * ((x - l) * self.xp.exp(-log_s)) ** 2 - log_s - HALF_LOG_2PI

    def mean(self, l: Any, log_s: Any) -> Any:
        return l

    def sample(self, l: Any, log_s: Any) -> Any:
        return l + self.xp.exp(log_s) * self.xp.normal(l)


class Bernoulli(Kind):
    """0 or 1 with log odds l."""

    def log_prob(self, x: Any, l: Any) -> Any:
        return x * l - self.xp.softplus(l)

    def mean(self, l: Any) -> Any:
        return self.xp.sigmoid(l)

    def sample(self, l: Any) -> Any:
        return self.xp.where(self.xp.uniform(l) < self.xp.sigmoid(l), 1.0, 0.0 * l)


class ContinuousBernoulli(Kind):
    """Values in [0, 1] with density proportional to e^(l x)."""

    def log_prob(self, x: Any, l: Any) -> Any:
        return x * l - self._log_norm(l)

    def _log_norm(self, l: Any) -> Any:
        """log((e^l - 1) / l) = l / 2 + log(sinh(u) / u), u = |l| / 2."""
        xp, u = self.xp, abs(l) / 2
        small = u < 0.1
        safe = xp.where(small, 1.0, u)
        large = safe + xp.log1p(-xp.exp(-2 * safe)) - xp.log(2 * safe)
        return l / 2 + xp.where(small, u**2 / 6 - u**4 / 180, large)

    def mean(self, l: Any) -> Any:
        small = abs(l) < 1e-2
        safe = self.xp.where(small, 1.0, l)
        return self.xp.where(small, 0.5 + l / 12, -1 / self.xp.expm1(-safe) - 1 / safe)

    def sample(self, l: Any) -> Any:
        xp = self.xp
        u, size = xp.uniform(l), xp.clip(abs(l), 1e-4, math.inf)
        below = xp.log1p((1 - u) * xp.expm1(-size)) / size  # x - 1 where l > 0
        return xp.clip(xp.where(l < 0, -below, 1 + below), 0.0, 1.0)

    def logit_of(self, mean: Any) -> Any:
        """The l of these means, which are kept within [0.01, 0.99]: by halving intervals."""
        wanted = self.xp.clip(mean, 0.01, 0.99)
        low, high = 0 * wanted - 101.0, 0 * wanted + 101.0
        for _ in range(60):
            l = (low + high) / 2
            below = self.mean(l) < wanted
            low, high = self.xp.where(below, l, low), self.xp.where(below, high, l)
        return (low + high) / 2


class DiscretisedLogistic(Kind):
    """Levels -1 ... 1 in steps of 2 h: the mass of a logistic around l of scale s in each cell."""

    def log_prob(self, x: Any, l: Any, log_s: Any, h: float) -> Any:
        # sigma(a) - sigma(b) = sigma(a) sigma(-b) (1 - e^(b - a)): nothing cancels.
        xp = self.xp
        inverse = xp.exp(-log_s)
        a, b = (x + h - l) * inverse, (x - h - l) * inverse
        below, above = xp.log_sigmoid(a), xp.log_sigmoid(-b)
        inside = below + above + xp.log(-xp.expm1(-2 * h * inverse))
        return xp.where(x < h - 1, below, xp.where(x > 1 - h, above, inside))

    def mean(self, l: Any, log_s: Any) -> Any:
        """That of the logistic cut off at -1 and 1, its area there by the softplus: at most h from
        that of the levels."""
        xp, s = self.xp, self.xp.exp(log_s)
        return xp.clip(s * (xp.softplus((l + 1) / s) - xp.softplus((l - 1) / s)) - 1, -1.0, 1.0)

    def sample(self, l: Any, log_s: Any, h: float) -> Any:
        xp = self.xp
        u = xp.clip(xp.uniform(l), 1e-6, 1 - 1e-6)
        x = xp.clip(l + xp.exp(log_s) * (xp.log(u) - xp.log1p(-u)), -1.0, 1.0)
        return xp.round((x + 1) / (2 * h)) * (2 * h) - 1


class Categorical(Kind):
    """One of the levels along the last axis of l; levels that a column lacks have l = -inf."""

    def log_prob(self, x: Any, l: Any) -> Any:
        return self.xp.gather(self.xp.log_softmax(l, -1), x)

    def mean(self, l: Any) -> Any:
        """The likeliest level."""
        return self.xp.largest(l)

    def sample(self, l: Any) -> Any:
        u = self.xp.clip(self.xp.uniform(l), 1e-20, 1.0)
        return self.xp.largest(l - self.xp.log(-self.xp.log(u)))


KINDS_OF: dict[str, Any] = {
    "gaussian": Gaussian,
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "discretised_logistic": DiscretisedLogistic,
    "categorical": Categorical,
}
