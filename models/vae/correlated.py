r"""Correlated noise of numbers whose decoder speaks of whitened ones, by arrays of either backend.

With m and Sigma = A A^T the mean and the covariance of the rows trained on (`nets.whitening`, which
is not learnt),

    x = m + A (l + w^-1/2 s e),     e ~ Normal(0, I),     w ~ Gamma(nu / 2, nu / 2),

one w a row: a Student-t of nu degrees of freedom around mu = m + A l, of the scale matrix
S = A diag(s)^2 A^T. With k numbers and Q = |diag(s)^-1 (A^-1 (x - m) - l)|^2,

    log p(x | z) = log Gamma((nu + k) / 2) - log Gamma(nu / 2) - k / 2 log(nu pi)
                   - sum_j log s_j - log |det A| - (nu + k) / 2 log(1 + Q / nu).

Where columns nearly determine each other, a row in which they part is thousands of s away. Of a
Gaussian it would have minus millions of nats, and a few such rows, held out, would say all of what
is chosen by them; trained on, they would set s. Here they have minus hundreds. nu is learnt: where
no row is far out, the noise becomes Gaussian.

Numbers that are not missing, o, have the same distribution with mu_o and S_oo, and what is expected
of the others is

    E[x | x_o, z] = mu + S_.o S_oo^-1 (x_o - mu_o).

Reference: Kotz and Nadarajah, "Multivariate t distributions and their applications", 2004,
https://doi.org/10.1017/CBO9780511550683.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from .densities import Kind

LOG_PI = math.log(math.pi)
FREEDOM = 30.0  # degrees that a fit begins with
_LEAST, _MOST = 2.0, 1000.0


class Correlated(Kind):
    """Numbers (*, d) around those of l (*, d), by log s (d,).

    Args:
        xp: functions of a backend's arrays, and its draws.
        whitening: m (d,), A^-1 and A (d, d).
        log_freedom: log nu, (1,).
    """

    def __init__(self, xp: Any, whitening: Any, log_freedom: Any) -> None:
        super().__init__(xp)
        self.centre, self.matrix, self.root = whitening
        self.freedom = xp.clip(xp.exp(log_freedom), _LEAST, _MOST)

    def log_prob(self, x: Any, l: Any, log_s: Any, *, gaps: bool) -> Any:
        """(*, n) log p of numbers x (*, n, d), jointly.

        Args:
            gaps: whether x may have some, NaN.
        """
        xp = self.xp
        missing = xp.isnan(x) if gaps else None
        y = (x if missing is None else xp.nan_to_num(x)) - self.centre
        square = (((y @ self.matrix.T - l) * xp.exp(-log_s)) ** 2).sum(-1)
        log_det = log_s.sum(-1) - xp.log(self.matrix.diagonal()).sum()
        log_p = self._student(square, log_det, float(y.shape[-1]))
        if missing is None:
            return log_p
        marginal = partial(self._marginal, y, l, log_s, ~missing)
        return xp.where_any(missing.any(-1), marginal, log_p)

    def _student(self, square: Any, log_det: Any, count: Any) -> Any:
        """log p of `count` numbers by Q and half the log-determinant of their scale matrix."""
        xp, nu = self.xp, self.freedom
        norm = xp.lgamma((nu + count) / 2) - xp.lgamma(nu / 2) - count / 2 * (xp.log(nu) + LOG_PI)
        return norm - log_det - (nu + count) / 2 * xp.log1p(square / nu)

    def _marginal(self, y: Any, l: Any, log_s: Any, known: Any) -> Any:
        """(*, n) log p of those of the numbers m + y that are known, the others integrated out."""
        xp = self.xp
        _, lower, away = self._known(y, l, log_s, known)
        square = (xp.solve_lower(lower, away) ** 2).sum(-1)
        log_det = xp.log(abs(xp.diagonals(lower))).sum(-1)
        return xp.like(self._student(square, log_det, xp.double(known).sum(-1)), y)

    def _known(self, y: Any, l: Any, log_s: Any, known: Any) -> tuple[Any, Any, Any]:
        """S (d, d), L (n, d, d) lower triangular with L L^T = S_oo, and y - E[y] (*, n, d), which
        is 0 where a number is not known; its row of S_oo is that of the identity."""
        xp = self.xp
        scaled, k = xp.double(self.root * xp.exp(log_s)), xp.double(known)
        rows = k[(0,) * (k.ndim - 2)]  # gaps of a row are the same in all draws
        # By a root of S_oo: squares of nearly collinear columns would lose their digits.
        lower = xp.lower(xp.join((rows[:, :, None] * scaled, xp.diagonal(1 - rows))))
        return scaled @ scaled.T, lower, k * xp.double(y - l @ self.root.T)

    def expected(self, x: Any, l: Any, log_s: Any) -> Any:
        """(K, n, d) E[x | x_o, z] of numbers x (n, d)."""
        xp = self.xp
        known = ~xp.isnan(x)
        covariance, lower, away = self._known(xp.nan_to_num(x) - self.centre, l, log_s, known)
        share = xp.solve_upper(lower, xp.solve_lower(lower, away))
        return self.mean(l, log_s) + xp.like(share @ covariance, x)

    def mean(self, l: Any, log_s: Any) -> Any:
        return self.centre + l @ self.root.T

    def sample(self, l: Any, log_s: Any) -> Any:
        spread = self.xp.exp(log_s) * self.xp.gamma(self.freedom / 2, l[..., :1]) ** -0.5
        return self.mean(l + spread * self.xp.normal(l), log_s)
