"""Whether the gradient of a log joint is a number wherever the log joint is one.

The slope of a root, a norm or a power at 0 is not, nor is that of `where` if a branch that is not
taken has none. A path of Hamiltonian dynamics ends at such a place as where it diverges, so that
draws keep away from a part of the posterior. Where some diverged, places around them are tried.
"""

from __future__ import annotations

import numpy as np

from ...arrays import Array
from ...verdict import Reason
from .numeric import Numeric

_PLACES = 64
_NEAR, _FAR = 1e-3, 1.0  # distances of the places from draws, in spreads of the draws
_REACH = 50.0  # nats below the least of all draws


def broken_gradient(f: Numeric, z: Array, lp: Array, diverging: Array) -> list[Reason]:
    """A reason if the gradient of the log joint is not finite around draws, where its value is.

    Args:
        z: draws (chain, draw, p).
        lp: (chain, draw) the log joint of each.
        diverging: (chain, draw) whether the path of each diverged.
    """
    at = z[np.isfinite(z).all(axis=-1) & np.isfinite(lp)]
    if not len(at) or not diverging.any():
        return []
    rng = np.random.default_rng(0)
    spread = at.std(axis=0)
    away = np.geomspace(_NEAR, _FAR, _PLACES)[:, None] * rng.normal(size=(_PLACES, z.shape[-1]))
    value, slope = f.slopes(at[rng.integers(len(at), size=_PLACES)] + away * spread)
    reached = value >= lp[np.isfinite(lp)].min() - _REACH
    broken = ~np.isfinite(slope) & reached[:, None]
    places = int(broken.any(axis=1).sum())
    if not places:
        return []
    names = dict.fromkeys(f.target.coordinates[k] for k in np.flatnonzero(broken.any(axis=0)))
    what = (
        f"the gradient of the log joint along {', '.join(names)} is not finite at {places} of "
        f"{int(reached.sum())} places around the draws, where the log joint itself is: chains "
        "cannot pass there, and the draws leave out a part of the posterior."
    )
    advice = (
        "Look for a root, norm or power at 0, or a where() around one, and bound its argument away "
        "from 0."
    )
    return [Reason("failed", what, advice)]
