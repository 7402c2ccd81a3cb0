"""EM for the parameters of a network, where rows have gaps of any pattern and nodes are hidden.

The E step has the sums expected of the rows under the parameters so far (`expected_counts`), the M
step the `centre` of the prior updated by them, as for rows without gaps. So no step lowers

    L = sum_i w_i log p(row i) + what the prior adds (see `prior`),

the log likelihood where there is no prior.

A hidden node leaves several maxima, and nothing tells its states apart to begin with. Each start
draws a row for each of them and gives every row the state whose row it is most like in the hidden
node's neighbours: its parents, its children and their parents; at random, if none of these is seen.

References: Lauritzen, "The EM algorithm for graphical association models with missing data", 1995,
https://doi.org/10.1016/0167-9473(93)E0056-A; Dempster, Laird and Rubin, "Maximum likelihood from
incomplete data via the EM algorithm", 1977, https://doi.org/10.1111/j.2517-6161.1977.tb01600.x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...arrays import Floats, Mask
from ...fitting import Fit
from ...inference.dag import DAG
from ...inference.em import Iteration, em
from ...progress import Progress
from ...verdict import Reason
from .expected_counts import IncompleteRows, WeightedRows
from .families import families, statistics, sums
from .intervened import IntervenedRows
from .layout import NodeRows
from .network import Network
from .parameters import Assumed
from .prior import ConjugatePrior

_SAME = 1e-3  # nats a row, between maxima that count as one


@dataclass(frozen=True, eq=False)
class State:
    """Where EM is: a network, and the prior updated by what is expected under the one before."""

    network: Network
    posterior: ConjugatePrior


@dataclass(frozen=True, eq=False)
class Result:
    """How a fit ended.

    Attributes:
        network: fitted.
        prior, posterior: of the parameters; the posterior is the prior updated by the sums expected
            of the rows, and the true one where nothing is missing.
        objective: L a row.
        n_iter, converged: of the start that was kept.
        reasons: warnings.
    """

    network: Network
    prior: ConjugatePrior
    posterior: ConjugatePrior
    objective: float
    n_iter: int
    converged: bool
    reasons: list[Reason]


def steps(
    rows: IncompleteRows | IntervenedRows,
    start: State,
    prior: ConjugatePrior,
    *,
    floor: float = 0.0,
    max_iter: int,
    tol: float,
    deadline: Callable[[], float | None] = lambda: None,
) -> Iterator[Iteration[State]]:
    """EM from `start`; the objective is L a row. Variances are at least `floor`."""

    def step(state: State) -> tuple[State, float]:
        found, log_likelihood = rows.expected(state.network)
        posterior = prior.updated(found)
        better = replace(state.network, conditionals=posterior.centre(floor))
        objective = log_likelihood + prior.log_penalty(state.network.conditionals)
        return State(better, posterior), objective / rows.total

    return em(step, start, max_iter=max_iter, tol=tol, deadline=deadline)


def fit_em(
    dag: DAG,
    states: Sequence[tuple[object, ...]],
    rows: NodeRows,
    weights: Floats | None,
    assumed: Assumed,
    fit: Fit,
    *,
    floor: float = 0.0,
    max_iter: int = 200,
    tol: float = 1e-5,
    n_init: int = 4,
    offset: float = 0.0,
    outside: Mask | None = None,
) -> Result:
    """Fit the parameters of a graph.

    Args:
        states: of each node; empty for a continuous one.
        rows: n rows.
        weights: (n,), or None where all count alike.
        assumed: of the parameters.
        floor: the least variance.
        max_iter, tol: of EM: most iterations, and the gain a row that is worth another.
        n_init: starts, where nodes are hidden.
        offset: added to L where it is reported.
        outside: (n, N) which values were set from outside (see `intervened`).
    """
    sizes, rng = tuple(map(len, states)), fit.rng()
    of = families(dag, sizes)
    hidden = [node for node, size in enumerate(sizes) if size and not rows.known[:, node].any()]
    even = _at_random(rows, hidden, sizes, rng)
    seen = tuple(sums(of, even.codes, even.x, weights, outside))
    prior = assumed.prior(dag, sizes, seen)
    blank = Network(dag, prior.centre(floor), tuple(map(tuple, states)))
    incomplete = (
        IncompleteRows(blank, rows, weights)
        if outside is None
        else IntervenedRows(blank, rows, weights, outside)
    )

    best: Iteration[State] | None = None
    ends: list[float] = []
    falls = 0
    for start in range(n_init if hidden else 1):
        last = None
        with fit.heeding():
            begin = _start(incomplete.all, hidden, blank, assumed, floor, rng)
            for last in steps(
                incomplete, begin, prior, floor=floor, max_iter=max_iter, tol=tol,
                deadline=fit.deadline,
            ):  # fmt: skip
                falls += last.change < -1e-9 * max(1.0, abs(last.objective))
                loss, seconds = -(last.objective + offset), fit.clock.seconds()
                fit.report(Progress(step=last.number, loss=loss, seconds=seconds))
        if last is None:
            break
        ends.append(last.objective)
        if best is None or last.objective > best.objective:
            best = last
        if fit.deadline() == 0.0 and start + 1 < n_init:
            break
    if best is None:
        raise KeyboardInterrupt
    reasons = [] if fit.interrupted else _of_run(best, max_iter, tol, falls)
    reasons += _of_starts(ends, hidden, blank)
    state = best.state
    return Result(
        state.network, prior, state.posterior, best.objective, best.number, best.converged, reasons
    )


def _start(
    rows: WeightedRows,
    hidden: Sequence[int],
    blank: Network,
    assumed: Assumed,
    floor: float,
    rng: np.random.Generator,
) -> State:
    """Where EM starts: parameters from the rows that have all of a family, hidden nodes being in
    the states of the rows drawn for them. Every state that may be needed has some probability."""
    codes = rows.rows.codes.copy()
    for node in hidden:
        codes[:, node] = _most_like(rows.rows, node, blank, rng)
    seen = statistics(families(blank.dag, blank.sizes), codes, rows.rows.x, rows.weights)
    kind = assumed if assumed.kind == "bdeu" else Assumed("laplace")
    posterior = kind.prior(blank.dag, blank.sizes, seen).updated(seen)
    return State(replace(blank, conditionals=posterior.centre(floor)), posterior)


def _most_like(rows: NodeRows, node: int, network: Network, rng: np.random.Generator) -> np.ndarray:
    """(n,) a state of a hidden node for each row."""
    dag, k, n = network.dag, network.sizes[node], len(rows)
    near = {*dag.parents[node], *dag.children[node]}
    near |= {parent for child in dag.children[node] for parent in dag.parents[child]}
    seen = [v for v in sorted(near - {node}) if rows.known[:, v].any()]
    if not seen:
        return rng.integers(k, size=n)
    seeds = rng.choice(n, size=k, replace=n < k)
    distance = 1e-6 * rng.random((n, k))  # ties at random
    for v in seen:
        own = rows.codes[:, v] if network.sizes[v] else rows.x[:, v]
        both = rows.known[:, v, None] & rows.known[seeds, v]
        if network.sizes[v]:
            off = (own[:, None] != own[seeds]).astype(np.float64)
        else:
            off = np.square((own[:, None] - own[seeds]) / (np.nanstd(own) or 1.0))
        distance += np.where(both, off, 0.5)
    return np.asarray(distance.argmin(axis=1))


def _at_random(
    rows: NodeRows, hidden: Sequence[int], sizes: Sequence[int], rng: np.random.Generator
) -> NodeRows:
    """The rows with a state of each hidden node, whatever else they have."""
    codes = rows.codes.copy()
    for node in hidden:
        codes[:, node] = rng.integers(sizes[node], size=len(rows))
    return NodeRows(codes, rows.x)


def _of_run(last: Iteration[State], max_iter: int, tol: float, falls: int) -> list[Reason]:
    """Warnings of the iterations."""
    reasons = []
    if not last.converged and tol > 0:
        short = "max_iter" if last.number == max_iter else "the budget"
        what = f"EM had not converged after {last.number} iterations."
        reasons.append(Reason("warn", what, f"Raise {short}."))
    if falls:
        what = f"the likelihood fell in {falls} iterations."
        advice = "Raise reg_covar: a column is close to a function of others."
        reasons.append(Reason("warn", what, advice))
    return reasons


def _of_starts(ends: Sequence[float], hidden: Sequence[int], network: Network) -> list[Reason]:
    """What the starts say of hidden nodes: whether others ended where the best did."""
    if not hidden:
        return []
    names = ", ".join(repr(network.names[node]) for node in hidden)
    if len(ends) == 1:
        what = f"one start for the hidden {names}: there may be better maxima."
        return [Reason("warn", what, "Raise n_init.")]
    same = sum(end > max(ends) - _SAME for end in ends)
    what = (
        f"{same} of {len(ends)} starts for the hidden {names} end at the best likelihood; the "
        f"worst is {max(ends) - min(ends):.3g} nats a row below it."
    )
    if same > 1:
        return [Reason("ok", what)]
    return [Reason("warn", what, "Raise n_init: there may be better maxima.")]
