"""Label switching: putting the components of posterior draws in one order.

The posterior of a mixture is the same under any renumbering of its components, so a mean over raw
draws may average different components. With p_ik = p(z_i = k | row i) in one draw, this finds for
each draw the numbering that brings its p closest to the mean q over the draws,

    min over permutations v of  sum_i sum_k p_ik log(p_ik / q_i,v(k)),

which is an assignment problem with the K x K costs - sum_i p_ik log q_il. Then q is computed anew,
until no draw changes. It starts from a pivot q, such as that of the draw with the highest density.

References: Stephens, "Dealing with label switching in mixture models", 2000,
https://doi.org/10.1111/1467-9868.00265 (algorithm 2); Marin, Mengersen and Robert, "Bayesian
modelling and inference on mixtures of distributions", 2005,
https://doi.org/10.1016/S0169-7161(05)25016-2 (the pivot).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ...arrays import Floats


def orders(p: Floats, pivot: Floats) -> NDArray[np.int64]:
    """The order of the components of each draw in which the draws agree best.

    Args:
        p: (draws, n, k) probabilities of the components for n rows, in each draw.
        pivot: (n, k) probabilities to start from.

    Returns:
        (draws, k): component `order[s, l]` of draw s is the l-th of all.
    """
    draws, _, k = p.shape
    order = np.tile(np.arange(k), (draws, 1))
    q = pivot
    for turn in range(20):
        cost = -np.einsum("sik,il->slk", p, np.log(np.maximum(q, 1e-12)), optimize=True)
        new = np.stack([linear_sum_assignment(c)[1] for c in cost])
        if turn > 0 and np.array_equal(new, order):
            break
        order = new
        q = np.take_along_axis(p, order[:, None], axis=2).mean(axis=0)
    return order


def reorder(
    posterior: Mapping[str, Floats], order: NDArray[np.int64], shared: tuple[str, ...] = ()
) -> dict[str, Floats]:
    """Draws name -> (chain, draw, k, ...) with their components in the order (chain * draw, k) that
    `orders` gives; `shared` names have no components, such as a tied covariance."""
    out = dict(posterior)
    for name in out.keys() - set(shared):
        draws = out[name]
        flat = draws.reshape(-1, *draws.shape[2:])
        index = order.reshape(*order.shape, *(1,) * (flat.ndim - 2))
        out[name] = np.take_along_axis(flat, index, axis=1).reshape(draws.shape)
    return out
