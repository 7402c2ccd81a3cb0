"""Hill climbing over graphs, with a tabu list and restarts.

A step adds, removes or turns one edge: the one with the best change of the score among the graphs
that are not on the list of those seen last. With the changes D[u, v] = local(v, P_v ^ u) - local(v,
P_v) of toggling each edge, a step costs D[u, v] or, turning u -> v, D[u, v] + D[v, u]; only the
columns of nodes whose parents changed are computed anew.

Steps equally good up to rounding are taken in the order of the nodes: whoever wants an answer that
does not depend on the order of columns sorts the nodes by what they hold.

References: Bouckaert, "Bayesian belief networks: from construction to inference", 1995,
https://dspace.library.uu.nl/handle/1874/845; Glover, "Tabu search, part I", 1989,
https://doi.org/10.1287/ijoc.1.3.190.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from ...arrays import Floats, Mask
from .constraints import Constraints
from .expiry import NEVER, Expiry
from .local_score import Found, LocalScore, Parents

ROUNDING = 1e-10  # of the score: changes nearer to each other than this are equal


class Graph:
    """A graph under search: its edges, which node is an ancestor of which, and D.

    Args:
        score: what is to be maximised.
        constraints: which graphs are admitted.
        parents: of each node, to begin with.
    """

    def __init__(
        self, score: LocalScore, constraints: Constraints, parents: Sequence[Sequence[int]]
    ) -> None:
        n = score.n_nodes
        self.score, self.constraints = score, constraints
        self.edges = np.zeros((n, n), bool)
        for child, own in enumerate(parents):
            self.edges[list(own), child] = True
        self.changes = np.empty((n, n))
        for node in range(n):
            self._renew(node)
        self._close()

    @property
    def parents(self) -> Parents:
        """Of each node, ascending."""
        return tuple(tuple(np.flatnonzero(column).tolist()) for column in self.edges.T)

    def steps(self) -> tuple[Floats, Floats]:
        """(n, n) twice: how the score changes when u -> v is toggled, and when it is turned;
        -inf where the graph would not be admitted."""
        edges, required = self.edges, self.constraints.required
        room = edges.sum(axis=0) < self.constraints.max_parents
        may_enter = self.constraints.allowed & room
        may_be_toggled = np.where(edges, ~required, may_enter & ~self.reaches.T)
        toggle = np.where(may_be_toggled, self.changes, -np.inf)
        # u -> v may be turned if it is the only way from u to v
        ways = self.reaches.astype(np.float32) @ edges.astype(np.float32)
        may_be_turned = edges & ~required & may_enter.T & (ways < 1.5)
        turn = np.where(may_be_turned, self.changes + self.changes.T, -np.inf)
        return toggle, turn

    def toggle(self, u: int, v: int) -> None:
        """Add u -> v or remove it."""
        self.edges[u, v] = not self.edges[u, v]
        self._renew(v)
        if self.edges[u, v]:
            self.reaches |= np.outer(self.reaches[:, u], self.reaches[v])
        else:
            self._close()

    def turn(self, u: int, v: int) -> None:
        """Turn u -> v."""
        self.toggle(u, v)
        self.toggle(v, u)

    def _renew(self, node: int) -> None:
        self.changes[:, node] = self.score.deltas(
            node, np.flatnonzero(self.edges[:, node]).tolist()
        )

    def _close(self) -> None:
        """Find which node leads to which, each to itself too."""
        n = len(self.edges)
        self.reaches: Mask = np.eye(n, dtype=bool)
        missing = self.edges.sum(axis=0)
        ready = np.flatnonzero(missing == 0).tolist()
        while ready:
            node = ready.pop()
            for child in np.flatnonzero(self.edges[node]).tolist():
                self.reaches[:, child] |= self.reaches[:, node]
                missing[child] -= 1
                if not missing[child]:
                    ready.append(child)


def climb(
    score: LocalScore,
    constraints: Constraints,
    start: Sequence[Sequence[int]] | None = None,
    *,
    tabu: int = 10,
    patience: int = 10,
    expired: Expiry = NEVER,
) -> Found:
    """Climb from a graph, the required edges alone if none is given.

    Args:
        score: what is to be maximised.
        constraints: which graphs are admitted.
        start: parents of each node, an admitted graph.
        tabu: how many graphs seen last are not to be returned to; 0 stops at the first summit.
        patience: steps without a better graph after which the search ends.
        expired: whether it is to end with the best graph so far, asked after each step.
    """
    if start is None:
        start = [np.flatnonzero(column).tolist() for column in constraints.required.T]
    best_parents: Parents = tuple(tuple(sorted(own)) for own in start)
    best = here = score.total(best_parents)
    trace, ties, since = [here], 0, 0
    with expired.heeding():
        graph = Graph(score, constraints, start)
        seen: deque[bytes] = deque([np.packbits(graph.edges).tobytes()], maxlen=max(tabu, 1))
        while since <= (patience if tabu else 0):
            step = _best_step(graph, seen if tabu else (), ROUNDING * abs(here))
            if step is None:
                break
            change, u, v, turned, tied = step
            if change <= ROUNDING * abs(here) and not tabu:
                break
            (graph.turn if turned else graph.toggle)(u, v)
            seen.append(np.packbits(graph.edges).tobytes())
            here += change
            trace.append(here)
            ties += tied
            since += 1
            if here > best + ROUNDING * abs(best):
                best, best_parents, since = here, graph.parents, 0
            if expired():
                break
    return Found(best_parents, score.total(best_parents), tuple(trace), ties)


def hill_climb(
    score: LocalScore,
    constraints: Constraints,
    *,
    tabu: int = 10,
    restarts: int = 0,
    rng: np.random.Generator | None = None,
    expired: Expiry = NEVER,
) -> Found:
    """The best graph of a climb and of further ones, each from the best so far with some edges
    toggled at random: as many as a tenth of its edges, four at least.

    Args:
        score: what is to be maximised.
        constraints: which graphs are admitted.
        tabu: how many graphs seen last are not to be returned to.
        restarts: how many further climbs.
        rng: for these.
        expired: whether it is to end with the best graph so far.
    """
    best = climb(score, constraints, tabu=tabu, expired=expired)
    rng = np.random.default_rng(0) if rng is None else rng
    with expired.heeding():
        for _ in range(restarts):
            if expired():
                break
            graph = Graph(score, constraints, best.parents)
            for _ in range(max(4, int(graph.edges.sum()) // 10)):
                toggle, _ = graph.steps()
                possible = np.argwhere(toggle > -np.inf)
                if len(possible):
                    graph.toggle(*map(int, rng.choice(possible)))
            other = climb(score, constraints, graph.parents, tabu=tabu, expired=expired)
            trace = best.trace + other.trace
            better = other.score > best.score + ROUNDING * abs(best.score)
            kept = other if better else best
            best = Found(kept.parents, kept.score, trace, best.ties + other.ties)
    return best


def _best_step(
    graph: Graph, seen: Sequence[bytes] | deque[bytes], rounding: float
) -> tuple[float, int, int, bool, bool] | None:
    """(change, u, v, whether u -> v is turned, whether another was as good) of the first of the
    best steps to a graph that was not seen; None if there is none."""
    both = np.concatenate([part.ravel() for part in graph.steps()])
    n = len(graph.edges)
    while True:
        best = both.max(initial=-np.inf)
        if best == -np.inf:
            return None
        equal = np.flatnonzero(both >= best - rounding)
        for k in equal.tolist():
            turned, u, v = bool(k // (n * n)), k % (n * n) // n, k % n
            if not (seen and _after(graph.edges, u, v, turned) in seen):
                return float(both[k]), u, v, turned, len(equal) > 1
        both[equal] = -np.inf


def _after(edges: Mask, u: int, v: int, turned: bool) -> bytes:
    """The graph after a step, as it is kept in the list."""
    after = edges.copy()
    after[u, v] = not after[u, v]
    if turned:
        after[v, u] = True
    return np.packbits(after).tobytes()
