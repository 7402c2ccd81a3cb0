"""The components of a mixture's posterior draws in one order, by the rows that they hold.

With p_ik = p(z_i = k | row i) in one draw, and q their mean over the draws, calling component k by
the label l costs

    c_lk = - sum_i p_ik log q_il,

so that the numbering v of a draw minimises the Kullback-Leibler divergence sum_i sum_k
p_ik log(p_ik / q_i,v(k)) (`inference.relabel`). It starts from a pivot q, such as that of the draw
with the highest density.

References: Stephens, "Dealing with label switching in mixture models", 2000,
https://doi.org/10.1111/1467-9868.00265 (algorithm 2); Marin, Mengersen and Robert, "Bayesian
modelling and inference on mixtures of distributions", 2005,
https://doi.org/10.1016/S0169-7161(05)25016-2 (the pivot).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...arrays import Floats
from ...inference import relabel
from ...inference.relabel import Order, matched


def orders(p: Floats, pivot: Floats) -> Order:
    """The order of the components of each draw in which the draws agree best.

    Args:
        p: (draws, n, k) probabilities of the components for n rows, in each draw.
        pivot: (n, k) probabilities to start from.

    Returns:
        (draws, k): component `order[s, l]` of draw s is the l-th of all.
    """

    def cost(order: Order | None) -> Floats:
        q = pivot
        if order is not None:
            q = np.take_along_axis(p, order[:, None], axis=2).mean(axis=0)
        log_q = np.log(np.maximum(q, 1e-12))
        return -np.asarray(np.einsum("sik,il->slk", p, log_q, optimize=True))

    return matched(cost)


def reorder(
    posterior: Mapping[str, Floats], order: Order, shared: tuple[str, ...] = ()
) -> dict[str, Floats]:
    """Draws name -> (chain, draw, k, ...) with their components in the order (chain * draw, k) that
    `orders` gives; `shared` names have no components, such as a tied covariance."""
    axes = {name: (0,) for name in posterior if name not in shared}
    return relabel.reorder(posterior, order, axes)
