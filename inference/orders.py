"""Which order of elimination to take.

References: Kask et al., "Pushing the power of stochastic greedy ordering schemes for inference in
graphical models", 2011, https://doi.org/10.1609/aaai.v25i1.7828; Gray and Kourtis,
"Hyper-optimized tensor network contraction", 2021, https://arxiv.org/abs/2002.01935.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ..errors import InputError, did_you_mean
from .elimination import Plan, Scope, make_plan, min_fill

_SEARCH_FROM = 1 << 22  # cells of all cliques, below which min-fill is good enough
_RESTARTS_FROM = 1 << 26  # cells for each restart with ties broken by lot
_MOST_RESTARTS = 8


def find_plan(
    sizes: Sequence[int],
    scopes: Sequence[Scope],
    keep: Scope = (),
    order: str | Sequence[int] = "auto",
    batch: int | None = None,
) -> Plan:
    """The plan of an order, or of one that is found.

    Args:
        sizes: of the variables; that of `batch` is taken as 1.
        scopes: of the tables.
        keep: variables that are not summed out.
        order: all variables that are; or "min-fill", "weighted-min-fill", "opt_einsum" (its greedy
            paths), "cotengra" (an extra), or "auto": the cheapest, by cells of all cliques, of
            min-fill and, where that is not cheap, of the next two and of min-fill with ties broken
            by lot, more often the dearer it is.
        batch: the variable that numbers rows, which is kept where it occurs.

    Raises:
        InputError: if the order is unknown or lacks a variable, or cotengra is not installed.
    """
    free = [tuple(v for v in scope if v != batch) for scope in scopes]
    kept = tuple(keep)
    if batch is not None and any(batch in scope for scope in scopes):
        sizes = [*sizes[:batch], 1]
        kept = (*kept, batch)

    def plan(found: Sequence[int]) -> Plan:
        return make_plan(sizes, scopes, found, kept)

    if not isinstance(order, str):
        lacking = {v for scope in free for v in scope} - {*order, *keep}
        if lacking:
            raise InputError(
                f"the order of elimination lacks the variables {sorted(lacking)}; it must have all."
            )
        return plan(order)
    if order != "auto":
        return plan(_named(order)(sizes, free, keep))
    best = plan(min_fill(sizes, free, keep))
    if best.total < _SEARCH_FROM:
        return best
    others = [plan(find(sizes, free, keep)) for find in (_weighted, _opt_einsum)]
    best = min(best, *others, key=_total)
    rng = np.random.default_rng(0)
    for _ in range(min(best.total // _RESTARTS_FROM, _MOST_RESTARTS)):
        best = min(best, plan(min_fill(sizes, free, keep, rng=rng)), key=_total)
    return best


def _total(plan: Plan) -> int:
    return plan.total


Find = Callable[[Sequence[int], Sequence[Scope], Scope], Sequence[int]]


def _named(order: str) -> Find:
    found: dict[str, Find] = {
        "min-fill": min_fill,
        "weighted-min-fill": _weighted,
        "opt_einsum": _opt_einsum,
        "cotengra": _cotengra,
    }
    if order not in found:
        names = ["auto", *found]
        raise InputError(
            f"order {order!r} given; expected {', '.join(names)}, or the variables in order."
            + did_you_mean(order, names)
        )
    return found[order]


def _weighted(sizes: Sequence[int], scopes: Sequence[Scope], keep: Scope) -> Sequence[int]:
    return min_fill(sizes, scopes, keep, weighted=True)


def _opt_einsum(sizes: Sequence[int], scopes: Sequence[Scope], keep: Scope) -> Sequence[int]:
    from opt_einsum.paths import greedy

    path = greedy([frozenset(s) for s in scopes], frozenset(keep), dict(enumerate(sizes)))
    return _order_of(path, scopes, keep)


def _cotengra(sizes: Sequence[int], scopes: Sequence[Scope], keep: Scope) -> Sequence[int]:
    try:
        from cotengra import array_contract_path
    except ImportError as error:
        raise InputError(
            'order="cotengra" needs cotengra, which is not installed: pip install ppgen[cotengra], '
            'or take order="auto".'
        ) from error
    path = array_contract_path(scopes, keep, dict(enumerate(sizes)), optimize="auto-hq")
    return _order_of(path, scopes, keep)


def _order_of(path: Iterable[Sequence[int]], scopes: Sequence[Scope], keep: Scope) -> Sequence[int]:
    """The order in which a path of contractions sums variables out."""
    left = [set(scope) for scope in scopes]
    count = {v: sum(v in scope for scope in left) for scope in left for v in scope}
    order: list[int] = []
    for places in path:
        taken = [left.pop(place) for place in sorted(places, reverse=True)]
        whole = set().union(*taken)
        for v in sorted(whole):
            count[v] -= sum(v in scope for scope in taken)
            if not count[v] and v not in keep:
                order.append(v)
                whole.discard(v)
            else:
                count[v] += 1
        left.append(whole)
    return [*order, *sorted(set(count) - {*order, *keep})]
