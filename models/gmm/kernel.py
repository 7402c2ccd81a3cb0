"""The two sums of EM over rows without gaps, written once for NumPy and for jitted JAX.

With shifted rows x_n, weights v_n and responsibilities

    log r_nk = l_nk - logsumexp_k l_nk,     l_nk = constant_k - D_nk / 2 + sum_j log P_j[k, c_nj],
    D_nk = |A_k x_n - b_k|^2,

a pass gathers, for each component, N_k = sum v r, the first moments sum v r x, the second moments
sum v r x x^T (full: one matrix product of r-weighted copies of x; diag: squares only; tied: none,
as their total never changes) and the table counts. Whitened residuals rather than expanded
quadratics keep narrow clusters exact: the error grows with distance / width, not with its square.
With Student's t, the moments are of v r u in place of v r, of the u of `radial`.

Work: 2 n k d^2 operations each way for full covariances, n k exponentials. Of many columns, where
products of matrices are nearly all of it, they are left to BLAS, with half of the operations: A_k
is triangular, and second moments are products of a matrix with itself, over the rows that a
component has a part of, which in many columns are hardly more than its own. Memory: one block of
rows.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dtrmm

from .parameters import Floats, Whitening
from .radial import log_decay, log_tau

BLOCK = 1000  # rows whose responsibilities are held at a time; fits the cache
_LARGE = 1 << 17  # rows handed to a jitted pass at a time
FEW_LEVELS = 256  # up to which sums by level are a product with indicators
_JIT_FROM = 3_000_000  # n k d from which compiling pays
_WIDE = 64  # columns from which products of matrices are left to BLAS
_PART = 1e-30  # of the largest share of a block, up to which a row has no part of a component


class Moments(NamedTuple):
    """Sums over rows: N_k (k,), first (k, d) and second moments ((k, d, d), (k, d) or (0,)), counts
    (k, levels) each, and the weighted sum of log densities; with Student's t also sum v r u (k,),
    and sum v r (E[log tau] - u) (k,)."""

    n: Any
    first: Any
    second: Any
    counts: tuple[Any, ...]
    log_likelihood: Any
    pull: Any = None
    tail: Any = None


def distances(kind: str, w: Whitening, x: Any) -> Any:
    """(n, k) D_nk of shifted rows x (n, d)."""
    k, d = w.b.shape
    if kind == "full" and d >= _WIDE and isinstance(x, np.ndarray):
        return np.stack([_distance(w.A[:, c * d : (c + 1) * d], x, w.b[c]) for c in range(k)], 1)
    if kind == "full":
        y = (x @ w.A).reshape(x.shape[0], k, d) - w.b
    elif kind == "tied":
        y = (x @ w.A)[:, None, :] - w.b
    else:
        y = x[:, None, :] * w.A - w.b
    return (y * y).sum(axis=2)


def _distance(A: Floats, x: Floats, b: Floats) -> Floats:
    """(n,) D of one component, by BLAS, which is told that its A is upper triangular."""
    y = dtrmm(1.0, np.ascontiguousarray(A).T, x.T, lower=1).T
    y -= b
    return np.asarray(np.einsum("nd,nd->n", y, y))


def log_joint(xp: Any, w: Whitening, distance: Any, codes: Any) -> Any:
    """(n, k) l_nk of rows at distances (n, k) with table columns `codes` (n, c)."""
    out = w.constant + log_decay(xp, distance, w.b.shape[1], w.dof)
    for j, table in enumerate(w.tables):
        out = out + table.T[codes[:, j]]
    return out


def responsibilities(xp: Any, joint: Any) -> tuple[Any, Any]:
    """(n, k) r and (n,) log densities. A row that no component can hold has r = 0 and density
    -inf."""
    top = joint.max(axis=1, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0.0)
    e = xp.exp(joint - top)
    total = e.sum(axis=1, keepdims=True)
    log_prob = xp.where(total > 0, top + xp.log(xp.where(total > 0, total, 1.0)), -xp.inf)
    return e / xp.where(total > 0, total, 1.0), log_prob[:, 0]


def moments(xp: Any, kind: str, w: Whitening, x: Any, codes: Any, v: Any) -> Moments:
    """The sums over one block of rows with weights v (n,)."""
    d, distance = x.shape[1], distances(kind, w, x)
    r, log_prob = responsibilities(xp, log_joint(xp, w, distance, codes))
    r, pull, tail = r * v[:, None], None, None
    share = r
    if w.dof is not None:
        u = (w.dof + d) / (w.dof + distance)
        share = r * u
        pull, tail = share.sum(axis=0), (r * (xp.log(u) - u)).sum(axis=0)
    second = second_moments(xp, kind, share, x, w.dof is not None)
    counts = tuple(level_sums(xp, r, codes[:, j], t.shape[1]) for j, t in enumerate(w.tables))
    log_likelihood = (v * xp.where(v > 0, log_prob, 0.0)).sum()
    return Moments(r.sum(axis=0), share.T @ x, second, counts, log_likelihood, pull, tail)


def second_moments(xp: Any, kind: str, share: Any, x: Any, weighed: bool) -> Any:
    """sum share x x^T of each component; of a tied covariance with weighed rows, of all in one,
    (1, d, d), and otherwise none."""
    (n, d), k = x.shape, share.shape[1]
    if kind in ("diag", "spherical"):
        return share.T @ (x * x)
    if kind == "tied":
        return ((share.sum(axis=1)[:, None] * x).T @ x)[None] if weighed else xp.zeros(0, x.dtype)
    if xp is np and d >= _WIDE:
        return np.stack([_square(share[:, c], x) for c in range(k)])
    return ((share[:, :, None] * x[:, None, :]).reshape(n, k * d).T @ x).reshape(k, d, d)


def _square(share: Floats, x: Floats) -> Floats:
    """sum share x x^T as the product of a matrix with itself."""
    some = np.flatnonzero(share > _PART * share.max())
    root = x[some] * np.sqrt(share[some])[:, None]
    return np.asarray(root.T @ root)


def level_sums(xp: Any, r: Any, codes: Any, levels: int) -> Any:
    """(k, levels) sums of r (n, k) over the rows of each level; without indicators where these
    would take much memory."""
    if levels <= FEW_LEVELS:
        return r.T @ xp.eye(levels, dtype=r.dtype)[codes]
    if xp is np:
        sums = [np.bincount(codes, weights=of_one, minlength=levels) for of_one in r.T]
        return np.array(sums, dtype=r.dtype)
    return xp.zeros((levels, r.shape[1]), r.dtype).at[codes].add(r).T


def add(a: Moments, b: Moments) -> Moments:
    def plus(p: Any, q: Any) -> Any:
        if isinstance(p, tuple):
            return tuple(map(plus, p, q))
        return None if p is None else p + q

    return Moments(*map(plus, a, b))


def with_log_tau(moments: Moments, w: Whitening) -> Moments:
    """The sums with the part of E[log tau] that is the same for all rows."""
    if w.dof is None:
        return moments
    tail = moments.tail + moments.n * log_tau(w.b.shape[1], w.dof)
    return moments._replace(tail=tail)


class Pass:
    """Sums over all rows, in blocks; the rows are not copied but for the block at hand.

    Args:
        x: (n, d) rows, float32 or float64.
        codes: (n, c) table columns.
        v: (n,) weights, or None for ones.
        shift: (d,) taken off each row, so that moments are about the middle of the data.
        kind: covariance type.
        k: most components, which decides whether to compile.
    """

    def __init__(
        self,
        x: NDArray[Any],
        codes: NDArray[np.int32],
        v: Floats | None,
        shift: Floats,
        kind: str,
        k: int,
    ) -> None:
        self.x, self.codes, self.v, self.kind = x, codes, v, kind
        self.shift = shift
        n, d = x.shape
        self.jitted = n * k * max(1, d) >= _JIT_FROM and not (kind == "full" and d >= _WIDE)
        self.dtype = x.dtype if x.dtype == np.float32 and self.jitted else np.dtype(np.float64)
        self._held: list[tuple[Any, ...]] | None = None

    def __call__(self, w: Whitening) -> Moments:
        return with_log_tau(self._compiled(w) if self.jitted else self._plain(w), w)

    def wide(self) -> None:
        """Go on in double precision."""
        if self.dtype != np.float64:
            self.dtype, self._held = np.dtype(np.float64), None

    def _plain(self, w: Whitening) -> Moments:
        total: Moments | None = None
        step = max(64, BLOCK * 16 // max(1, w.b.size // 8))
        step = BLOCK if self.x.shape[1] >= _WIDE else step
        for start in range(0, len(self.x), step):
            part = moments(np, self.kind, w, *self._rows(start, start + step))
            total = part if total is None else add(total, part)
        assert total is not None  # there is at least one row
        return total

    def _compiled(self, w: Whitening) -> Moments:
        import jax

        cast = Whitening(*(_cast(part, self.dtype) for part in w))
        with jax.enable_x64(True):
            total: Moments | None = None
            for block in self._blocks():
                part = _jitted(self.kind)(cast, *block)
                total = part if total is None else add(total, part)
            assert total is not None
            return Moments(*(_cast(part, np.dtype(np.float64)) for part in total))

    def _blocks(self) -> Any:
        """Equal blocks of whole cache blocks, the last filled up with rows of weight zero; kept if
        they are few."""
        import jax.numpy as jnp

        if self._held is not None:
            return self._held
        n = len(self.x)
        size = -(-n // -(-n // _LARGE))
        size = -(-size // BLOCK) * BLOCK
        blocks = (self._padded(start, size, jnp) for start in range(0, n, size))
        if n <= 4 * _LARGE:
            self._held = list(blocks)
            return self._held
        return blocks

    def _padded(self, start: int, size: int, jnp: Any) -> tuple[Any, ...]:
        parts: tuple[NDArray[Any], ...] = self._rows(start, min(start + size, len(self.x)))
        short = size - len(parts[2])
        if short:
            parts = tuple(
                np.concatenate([p, np.zeros((short, *p.shape[1:]), p.dtype)]) for p in parts
            )
        return tuple(jnp.asarray(p) for p in parts)

    def _rows(self, start: int, stop: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        x = np.subtract(self.x[start:stop], self.shift, dtype=np.float64).astype(
            self.dtype, copy=False
        )
        v = (
            np.ones(len(x), self.dtype)
            if self.v is None
            else self.v[start:stop].astype(self.dtype, copy=False)
        )
        return x, self.codes[start:stop], v


def _cast(part: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(part, tuple):
        return tuple(np.asarray(p, dtype) for p in part)
    return None if part is None else np.asarray(part, dtype)


@lru_cache(maxsize=8)
def _jitted(kind: str) -> Any:
    import jax

    return jax.jit(partial(_scan, kind))


def _scan(kind: str, w: Whitening, x: Any, codes: Any, v: Any) -> Moments:
    """The sums over whole cache blocks, added in double precision."""
    import jax
    import jax.numpy as jnp

    def body(total: Moments, block: tuple[Any, Any, Any]) -> tuple[Moments, None]:
        part = moments(jnp, kind, w, *block)
        return jax.tree.map(lambda a, b: a + b.astype(a.dtype), total, part), None

    blocks = tuple(a.reshape(len(a) // BLOCK, BLOCK, *a.shape[1:]) for a in (x, codes, v))
    like = jax.eval_shape(lambda *b: moments(jnp, kind, w, *b), *(b[0] for b in blocks))
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, jnp.float64), like)
    total: Moments = jax.lax.scan(body, zeros, blocks)[0]
    return total


def log_prob(
    x: NDArray[Any], codes: NDArray[np.int32], w: Whitening, shift: Floats, kind: str
) -> tuple[Floats, Floats]:
    """(n, k) responsibilities and (n,) log densities of rows without gaps."""
    r = np.empty((len(x), len(w.b)))
    log_density = np.empty(len(x))
    step = max(64, BLOCK * 64 // max(1, w.b.size // 8))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        block = np.subtract(x[rows], shift, dtype=np.float64)
        joint = log_joint(np, w, distances(kind, w, block), codes[rows])
        r[rows], log_density[rows] = responsibilities(np, joint)
    return r, log_density
