"""Label switching: numbering the components of posterior draws alike.

A posterior that is the same under any renumbering of its components has as many copies of each mode
as there are numberings, and a mean over raw draws may average different components. With costs
c_slk of calling component k of draw s by the label l, the numbering v_s of each draw minimises

    sum_l c_{s, l, v_s(l)},

an assignment problem. The costs depend on what the labels are in the other draws: they are computed
anew until no draw changes.

Reference: Stephens, "Dealing with label switching in mixture models", 2000,
https://doi.org/10.1111/1467-9868.00265.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..arrays import Floats

Order = NDArray[np.int64]

_TURNS = 20


def matched(cost: Callable[[Order | None], Floats]) -> Order:
    """The orders (draws, k) in which draws agree best: component `order[s, l]` of draw s is the
    l-th of all.

    Args:
        cost: of labels l and components k, (draws, l, k), given the orders so far; None at first,
            where a pivot stands for the other draws.
    """
    order, before = _assigned(cost(None)), None
    for _ in range(_TURNS):
        if before is not None and np.array_equal(order, before):
            break
        order, before = _assigned(cost(order)), order
    return order


def _assigned(costs: Floats) -> Order:
    return np.stack([linear_sum_assignment(each)[1] for each in costs])


def reorder(
    draws: Mapping[str, Floats], order: Order, axes: Mapping[str, tuple[int, ...]]
) -> dict[str, Floats]:
    """Draws name -> (chain, draw, ...) with their components in the order (chain * draw, k).

    Args:
        axes: name -> which axes of a value count components; other names stay as they are.
    """
    out = dict(draws)
    for name, which in axes.items():
        flat = draws[name].reshape(-1, *draws[name].shape[2:])
        for axis in which:
            shape = [1] * flat.ndim
            shape[0], shape[axis + 1] = order.shape
            flat = np.take_along_axis(flat, order.reshape(shape), axis=axis + 1)
        out[name] = flat.reshape(draws[name].shape)
    return out
