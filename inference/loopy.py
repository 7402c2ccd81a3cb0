"""Loopy belief propagation: approximate marginals where an exact answer costs too much memory.

In a factor graph of tables f over variables v, messages are exchanged

    m_{v->f}(x_v) = lambda_v(x_v) prod_{g != f at v} m_{g->v}(x_v),
    m_{f->v}(x_v) = sum_{x_u, u != v} f(x) prod_{u != v} m_{u->f}(x_u),

all at once, until none changes. Then P(x_v) is about prod_f m_{f->v}(x_v), and log Z about

    log Z = sum_f log Z_f + sum_v log Z_v - sum_{v, f} log Z_vf         (Bethe)

with Z_f, Z_v and Z_vf the sums of f prod_v m_{v->f}, of lambda_v prod_f m_{f->v} and of
m_{v->f} m_{f->v}. On a tree both are exact. With cycles they are approximations without a bound,
and messages may not settle. Messages are damped geometrically, m <- m_old^d m_new^(1-d), which
keeps zeros zero, and scaled to sum to 1, so that nothing underflows.

Reference: Kschischang, Frey and Loeliger, "Factor graphs and the sum-product algorithm", 2001,
https://doi.org/10.1109/18.910572; Yedidia, Freeman and Weiss, "Constructing free-energy
approximations and generalized belief propagation algorithms", 2005,
https://doi.org/10.1109/TIT.2005.850085.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np

from ..arrays import Array, Floats, Ints, Mask
from ..settings import integer, number
from ..verdict import Reason
from .evidence import Evidence, enter

_CELLS = 1 << 24  # of all tables and messages of the rows that are done at once


@dataclass(frozen=True)
class Loopy:
    """What loopy belief propagation gives: approximations.

    Attributes:
        log_z: () or (n,) Bethe approximation of log Z in nats; -inf where the messages show that
            the evidence has probability zero.
        probs: for each variable its approximate marginal, (k,) or (n, k); NaN where `log_z` is
            -inf.
        residual: () or (n,) the largest change of a message in the last iteration.
        converged: () or (n,) whether `residual` is at most the tolerance.
        iterations: () or (n,) how many were made.
    """

    log_z: Floats
    probs: tuple[Floats, ...]
    residual: Floats
    converged: Mask
    iterations: Ints

    def reasons(self) -> list[Reason]:
        """That the answers are approximate, and whether the messages settled."""
        what = "loopy belief propagation: marginals and log Z are approximate, without a bound."
        reasons = [Reason("warn", what, "Compare with exact inference or sampling.")]
        if not np.all(self.converged):
            left = int(np.sum(~self.converged))
            what = f"messages of {left} of {self.converged.size} rows did not settle."
            reasons.append(Reason("warn", what, "Raise damping (to 0.9) or max_iter."))
        return reasons


def loopy(
    sizes: Sequence[int],
    scopes: Sequence[Sequence[int]],
    tables: Sequence[Array],
    evidence: Evidence | None = None,
    *,
    damping: float = 0.3,
    tol: float = 1e-9,
    max_iter: int = 1000,
) -> Loopy:
    """Approximate marginals and log Z by loopy belief propagation.

    Args:
        sizes: how many states each variable has.
        scopes: the variables of each table, in the order of its axes.
        tables: of entries at least 0.
        evidence: variable -> hard or virtual evidence, as `Exact` takes it.
        damping: share of the old message, in [0, 1).
        tol: the largest change of a message, whose entries sum to 1, at which a row has converged.
        max_iter: iterations after which a row is left as it is.

    Raises:
        InputError: for a damping, tolerance or number of iterations out of range, or evidence that
            does not fit.
    """
    number(least=0, below=1).check("damping", damping)
    number(above=0).check("tol", tol)
    integer(1).check("max_iter", max_iter)
    entered = enter(evidence or {}, sizes, [str(v) for v in range(len(sizes))])
    n = 1 if entered.n is None else entered.n
    graph = _Graph.of(sizes, scopes, tables)
    step = max(1, _CELLS // graph.cells)
    parts = []
    for start in range(0, max(n, 1), step):
        rows = slice(start, min(start + step, n))
        lam = entered.rows(rows).by_row(sizes)
        parts.append(_settle(graph, lam, rows.stop - start, (damping, tol, max_iter)))
    beliefs, log_z, residual, iterations = (np.concatenate(p) for p in zip(*parts, strict=True))
    if entered.n is None:
        beliefs, log_z, residual, iterations = beliefs[0], log_z[0], residual[0], iterations[0]
    probs = tuple(beliefs[..., v, :k] for v, k in enumerate(sizes))
    return Loopy(log_z, probs, residual, np.asarray(residual <= tol), iterations)


@dataclass(frozen=True)
class _Graph:
    """A factor graph whose edges (v, f) are sorted by v; messages are padded to the most states.

    Attributes:
        sizes: (V,) states of each variable.
        variable: (E,) of each edge.
        groups: tables of one shape, (F, k_1, ..., k_m), with their edges, (F, m).
        log_constant: log of the product of tables without variables.
        cells: what one row takes.
    """

    sizes: Ints
    variable: Ints
    groups: tuple[tuple[Floats, Ints], ...]
    log_constant: float
    cells: int

    @classmethod
    def of(
        cls, sizes: Sequence[int], scopes: Sequence[Sequence[int]], tables: Sequence[Array]
    ) -> _Graph:
        ends = [v for scope in scopes for v in scope]
        order = np.argsort(ends, kind="stable")
        place = np.empty(len(ends), np.intp)
        place[order] = np.arange(len(ends))
        groups = defaultdict(list)
        edge = 0
        for scope, table in zip(scopes, tables, strict=True):
            table = np.asarray(table, float)
            groups[table.shape].append((table, place[edge : edge + len(scope)]))
            edge += len(scope)
        with np.errstate(divide="ignore"):
            log_constant = sum((float(np.log(table)) for table, _ in groups.pop((), [])), 0.0)
        stacked = tuple(
            (np.stack([t for t, _ in group]), np.stack([e for _, e in group]))
            for group in groups.values()
        )
        variable = np.asarray(ends, np.intp)[order]
        cells = 4 * (len(ends) + len(sizes)) * max(sizes) + sum(t.size for t, _ in stacked)
        return cls(np.asarray(sizes), variable, stacked, log_constant, cells)

    def start(self) -> Floats:
        """(E, K) messages to variables that say nothing."""
        k = self.sizes[self.variable][:, None]
        return np.where(np.arange(self.sizes.max()) < k, 1.0 / k, 0.0)

    def to_factors(self, m: Floats, lam: Floats) -> tuple[Floats, Floats]:
        """Messages to factors (n, E, K), and lambda_v prod_f m_{f->v} scaled to at most 1 and the
        log of the scale, (n, V, K + 1)."""
        log_m, zero = _log(m)
        total, zeros = _log(lam)
        if len(self.variable):
            present, first = np.unique(self.variable, return_index=True)
            total[:, present] += np.add.reduceat(log_m, first, axis=1)
            zeros[:, present] += np.add.reduceat(zero, first, axis=1)
        without = _scaled(total[:, self.variable] - log_m, zeros[:, self.variable] - zero)[0]
        at_variables = np.concatenate(_scaled(total, zeros), axis=-1)
        return _normalised(without), at_variables

    def to_variables(self, v2f: Floats) -> tuple[Floats, Floats]:
        """Messages to variables (n, E, K), scaled to sum to 1, and sum_f log Z_f, (n,)."""
        out = np.zeros_like(v2f)
        log_z = np.full(len(v2f), self.log_constant)
        for tables, edges in self.groups:
            m = edges.shape[1]
            received = [v2f[:, edges[:, i], : tables.shape[1 + i]] for i in range(m)]
            for i in range(m):
                sent = _contracted(tables, received, i)
                if i == 0:
                    with np.errstate(divide="ignore"):
                        log_z += np.log((sent * received[0]).sum(axis=-1)).sum(axis=-1)
                out[:, edges[:, i], : sent.shape[-1]] = _normalised(sent)
        return out, log_z


def _settle(
    graph: _Graph, lam: dict[int, Floats], n: int, how: tuple[float, float, int]
) -> tuple[Floats, Floats, Floats, Ints]:
    """Beliefs (n, V, K), log Z, last change and number of iterations, (n,) each, of n rows. Rows
    that have converged are left as they are, so that no answer depends on the other rows."""
    damping, tol, max_iter = how
    start = graph.start()
    evidence = np.broadcast_to(
        np.arange(graph.sizes.max()) < graph.sizes[:, None], (n, len(graph.sizes), start.shape[-1])
    ).astype(float)
    for v, x in lam.items():
        evidence[:, v, : graph.sizes[v]] *= x
    messages = np.repeat(start[None], n, axis=0)
    residual, iterations = np.full(n, np.inf), np.zeros(n, np.intp)
    active = np.arange(n)
    for _ in range(max_iter):
        old = messages[active]
        new, _ = graph.to_variables(graph.to_factors(old, evidence[active])[0])
        if damping:
            new = _normalised(old**damping * new ** (1 - damping))
        messages[active] = new
        residual[active] = np.abs(new - old).max(axis=(1, 2), initial=0.0)
        iterations[active] += 1
        active = active[residual[active] > tol]
        if not len(active):
            break
    v2f, at = graph.to_factors(messages, evidence)
    _, log_z = graph.to_variables(v2f)
    product, scale = at[..., :-1], at[..., -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_z += (np.log(product.sum(axis=-1)) + scale).sum(axis=-1)
        log_z -= np.log((messages * v2f).sum(axis=-1)).sum(axis=-1)
        beliefs = product / product.sum(axis=-1, keepdims=True)
    impossible = ~np.isfinite(log_z)
    log_z[impossible], beliefs[impossible] = -np.inf, np.nan
    return beliefs, log_z, residual, iterations


def _contracted(tables: Floats, received: Sequence[Floats], i: int) -> Floats:
    """(n, F, k_i) sums over all axes but i of tables times the messages along those axes."""
    out, left = tables[None], ascii_uppercase[: len(received)]
    for j, axis in reversed(list(enumerate(left))):
        if j != i:
            kept = left.replace(axis, "")
            out = np.einsum(f"nf{left},nf{axis}->nf{kept}", out, received[j])
            left = kept
    if len(out) != len(received[i]):  # a table of one variable
        out = np.repeat(out, len(received[i]), axis=0)
    return out


def _log(x: Floats) -> tuple[Floats, Ints]:
    """Logs, 0 where x is 0, and whether it is."""
    zero = x == 0
    return np.log(np.where(zero, 1.0, x)), zero.astype(np.intp)


def _scaled(log_x: Floats, zeros: Ints) -> tuple[Floats, Floats]:
    """exp of logs, 0 where there are zeros, scaled to at most 1; and the log of the scale (.., 1).
    All is 0 where all are zeros."""
    logs = np.where(zeros > 0, -np.inf, log_x)
    top = logs.max(axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    return np.exp(logs - top), top


def _normalised(x: Floats) -> Floats:
    """x scaled to sum to 1 along the last axis; 0 where all are 0."""
    total = x.sum(axis=-1, keepdims=True)
    out: Floats = x / np.where(total > 0, total, 1.0)
    return out
