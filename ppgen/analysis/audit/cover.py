"""A heavy-tailed cover of a model: a density that can be drawn from and known exactly, and is large
wherever the model draws rows.

    q(u, a, c) = (1 - s) / m sum_i t_4(u; u_i, S_i) prod_k wc(a_k; a_ik, r_k) prod_j P_j(c_j | c_ij)
                 + s t_3(u; m, (5/2)^2 S) prod_k 1 / (2 pi) prod_j P_j(c_j)

over m centres that the model drew: Student's t whose shape S_i is that of the draws around each,
wrapped Cauchy angles, levels that are the centre's own or any. How many draws make a neighbourhood
is chosen by the effective sample size of a pilot, whose draws are not used again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, logsumexp

from ...arrays import Floats
from .coordinates import Places

_CENTRES, _OTHER, _WIDE = 300, 0.2, 0.1
_NEAR, _FAR, _SPREAD = 4.0, 3.0, 2.5  # degrees of freedom of kernels and tail, and its width
_CELLS = 1 << 22


@dataclass(frozen=True)
class Cover:
    """The mixture q.

    Attributes:
        centres: m rows.
        factors: (m, d, d) lower-triangular factors of the S_i.
        middle, factor: (d,) and (d, d), of the tail.
        concentration: (k,) r of each circle.
        levels: P_j of each discrete column.
    """

    centres: Places
    factors: Floats
    middle: Floats
    factor: Floats
    concentration: Floats
    levels: tuple[Floats, ...]

    @classmethod
    def fit(
        cls, drawn: Places, n_levels: tuple[int, ...], neighbours: float, rng: np.random.Generator
    ) -> Cover:
        """The cover of rows that a model drew; `neighbours` is the share of them that shapes a
        kernel."""
        n, d = drawn.lines.shape
        chosen = rng.choice(n, min(_CENTRES, n), replace=False)
        centres, u = drawn.take(chosen), drawn.lines
        low, middle, high = np.quantile(u, [0.16, 0.5, 0.84], axis=0) if d else np.zeros((3, 0))
        scale = np.maximum((high - low) / 2, 1e-3 * u.std(axis=0) + 1e-300)
        near = np.clip((u - middle) / scale, -20.0, 20.0)
        whole = np.cov(near, rowvar=False).reshape(d, d) + 1e-3 * np.eye(d)
        k = min(n, max(int(neighbours * n), 4 * d + 8))
        shapes = np.empty((len(chosen), d, d))
        for i, row in enumerate(near[chosen]):
            distance = ((near - row) ** 2).sum(axis=1)
            around = near[np.argpartition(distance, k - 1)[:k]] - row
            shape = around.T @ around / k
            ridge = 0.02 * np.diag(shape) + 1e-8
            shapes[i] = shape + np.diag(ridge)
        back = np.diag(scale)
        spread = np.abs(np.exp(1j * drawn.angles).mean(axis=0)) if n else np.zeros(0)
        width = 0.3 * np.sqrt(np.maximum(-2 * np.log(np.clip(spread, 1e-12, 1.0)), 1e-4))
        tables = []
        for codes, size in zip(drawn.codes.T, n_levels, strict=True):
            share = np.bincount(codes, minlength=size) / n
            tables.append(0.5 * share + 0.5 / size)
        return cls(
            centres,
            back @ np.linalg.cholesky(shapes),
            middle,
            _SPREAD * back @ np.linalg.cholesky(whole),
            np.exp(-np.clip(width, 0.02, 1.0)),
            tuple(tables),
        )

    def draw(self, n: int, rng: np.random.Generator) -> Places:
        """n rows of q."""
        m, d = self.centres.lines.shape
        of = rng.integers(m, size=n)
        wide = rng.random(n) < _WIDE
        z = rng.standard_normal((n, d))
        lines = self.centres.lines[of] + np.einsum(
            "nij,nj->ni", self.factors[of], z * np.sqrt(_NEAR / rng.chisquare(_NEAR, n))[:, None]
        )
        tail = self.middle + (z * np.sqrt(_FAR / rng.chisquare(_FAR, n))[:, None]) @ self.factor.T
        lines[wide] = tail[wide]
        angles = self.centres.angles[of]
        cauchy = np.tan(np.pi * (rng.random(angles.shape) - 0.5))  # wrapped, it stays Cauchy
        angles = angles - np.log(self.concentration) * cauchy
        angles[wide] = rng.uniform(0, 2 * np.pi, angles.shape)[wide]
        codes = self.centres.codes[of]
        for j, table in enumerate(self.levels):
            other = wide | (rng.random(n) < _OTHER)
            codes[other, j] = rng.choice(len(table), size=int(other.sum()), p=table)
        return Places(lines, angles % (2 * np.pi), codes)

    def log_prob(self, at: Places) -> Floats:
        """(n,) log q, over the coordinates."""
        out = np.empty(len(at))
        step = max(1, _CELLS // (len(self.centres) * max(1, at.lines.shape[1])))
        for start in range(0, len(at), step):
            rows = slice(start, start + step)
            out[rows] = self._log_prob(at.take(rows))
        return out

    def marginal(self, j: int, u: Floats) -> tuple[Floats, Floats]:
        """(n,) distribution function and density of line j at u (n,)."""
        scale = np.sqrt((self.factors[:, j] ** 2).sum(axis=1))
        t = (u[:, None] - self.centres.lines[:, j]) / scale
        tail = math.sqrt(float((self.factor[j] ** 2).sum()))
        far = (u - self.middle[j]) / tail
        below = (1 - _WIDE) * _below_4(t).mean(axis=1) + _WIDE * _below_3(far)
        density = (1 - _WIDE) * (np.exp(_log_t(t**2, 1, _NEAR)) / scale).mean(axis=1)
        density = density + _WIDE * np.exp(_log_t(far**2, 1, _FAR)) / tail
        return np.asarray(below), np.asarray(density)

    def quantile(self, j: int, share: Floats) -> Floats:
        """(n,) places of line j below which these shares lie, by bisection."""
        reach = np.abs(self.centres.lines[:, j] - self.middle[j]).max()
        reach += 1e4 * math.sqrt(float((self.factor[j] ** 2).sum()))
        low = np.full(len(share), self.middle[j] - reach)
        high = np.full(len(share), self.middle[j] + reach)
        for _ in range(64):
            middle = 0.5 * (low + high)
            below = self.marginal(j, middle)[0] < share
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.asarray(0.5 * (low + high))

    def _log_prob(self, at: Places) -> Floats:
        d = at.lines.shape[1]
        near = np.full((len(at), len(self.centres)), -math.log(len(self.centres)))
        far = np.zeros(len(at))
        if d:
            inverse = np.linalg.inv(self.factors)
            apart = at.lines[:, None, :] - self.centres.lines
            squared = (np.einsum("mij,nmj->nmi", inverse, apart) ** 2).sum(axis=-1)
            near += _log_t(squared, d, _NEAR) - _log_diagonal(self.factors)
            squared = (np.linalg.solve(self.factor, (at.lines - self.middle).T) ** 2).sum(axis=0)
            far += _log_t(squared, d, _FAR) - _log_diagonal(self.factor)
        for k, r in enumerate(self.concentration):
            turn = np.cos(at.angles[:, k, None] - self.centres.angles[:, k])
            near += np.log((1 - r**2) / (1 + r**2 - 2 * r * turn)) - math.log(2 * math.pi)
            far -= math.log(2 * math.pi)
        for j, table in enumerate(self.levels):
            code = at.codes[:, j]
            own = code[:, None] == self.centres.codes[:, j]
            near += np.log((1 - _OTHER) * own + _OTHER * table[code][:, None])
            far += np.log(table[code])
        whole = logsumexp(near, axis=1) + math.log1p(-_WIDE)
        return np.asarray(np.logaddexp(whole, far + math.log(_WIDE)))


def _log_t(squared: Floats, d: int, nu: float) -> Floats:
    """Log density of Student's t in d dimensions, of unit shape, at squared distances."""
    constant = gammaln((nu + d) / 2) - gammaln(nu / 2) - d / 2 * math.log(nu * math.pi)
    return np.asarray(constant - (nu + d) / 2 * np.log1p(squared / nu))


def _below_4(t: Floats) -> Floats:
    """Distribution function of Student's t with 4 degrees of freedom."""
    squared = t**2 / (1 + t**2 / 4)
    return np.asarray(0.5 + 0.375 * np.copysign(np.sqrt(squared), t) * (1 - squared / 12))


def _below_3(t: Floats) -> Floats:
    """The same with 3."""
    x = t / math.sqrt(3.0)
    return np.asarray(0.5 + (x / (1 + x**2) + np.arctan(x)) / math.pi)


def _log_diagonal(factor: Floats) -> Floats:
    return np.asarray(np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(axis=-1))
