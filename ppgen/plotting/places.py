"""Where values lie among draws: data among predictive draws, true values among an engine's.

Values that are missing have no place, and are left out; ties are broken at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array
from ..errors import InputError
from ..inference.calibration import Calibration
from ..inference.predictive_checks import loo_pit, places
from .trees import is_tree, tree_of
from .uniform import Ranks, ranks_of_places, uniform_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS = 16  # of quantities, in a figure
_LEVEL = 0.01  # of bands of places


def plot_ppc_pit(fit: Any, *, random_state: int = 0) -> Figure:
    """Where each value lies among its posterior predictive draws, which saw it: within the bands at
    most, where the model is right. Ties are broken at random.

    Args:
        fit: a fitted pair, or a DataTree with replicates of what was observed.
        random_state: seed of ties.
    """
    tree = tree_of(fit, "posterior_predictive", "observed_data")
    title = "Values among draws that have seen them, and what uniform places leave (99%)"
    return _of_places(_places(tree, random_state, left_out=False), title)


def plot_loo_pit(fit: Any, *, random_state: int = 0) -> Figure:
    """Where each value lies among predictive draws that have not seen it: uniform, and so within
    the bands, where the model is right. Ties are broken at random.

    Args:
        fit: a fitted pair or its DataTree, that of one column of an estimator, or what
            `PairFit.loo_pit` gave.
        random_state: seed of ties.
    """
    title = "Values among draws that have not seen them, and what uniform places leave (99%)"
    if isinstance(fit, Mapping) and not is_tree(fit):
        return _of_places(fit, title)
    groups = ("posterior_predictive", "observed_data", "log_likelihood")
    tree = tree_of(fit, *groups, also=("sample_stats",))
    return _of_places(_places(tree, random_state, left_out=True), title)


def _places(tree: Any, seed: int, *, left_out: bool) -> dict[str, Array]:
    """Observed variable -> places of its values among their replicates; NaN where missing. Draws
    of an approximation are weighed by what is known of it."""
    rng, found = np.random.default_rng([seed, 0x917]), {}
    stats = tree["sample_stats"].to_dataset() if "sample_stats" in tree.children else {}
    weighed = "log_q" in stats and "lp" in stats
    ratio = (stats["lp"] - stats["log_q"]).values.ravel() if weighed else None
    for name, y in tree["observed_data"].to_dataset().items():
        draws = tree["posterior_predictive"].to_dataset().get(name)
        if draws is None:
            continue
        reps, values = draws.values.reshape(-1, y.size), y.values.ravel().astype(np.float64)
        if not left_out:
            found[str(name)] = places(values, reps, rng).mean(axis=0)
            continue
        log_p = tree["log_likelihood"].to_dataset().get(name)
        if log_p is None or log_p.shape != draws.shape:
            raise InputError(
                f"there are no log densities of the values of {name!r} alone. Of an estimator, "
                f"give the tree of one column, to_datatree(X, column={name!r})."
            )
        found[str(name)] = loo_pit(values, reps, log_p.values.reshape(reps.shape), ratio, rng)
    return found


def _of_places(found: Mapping[str, Array], title: str) -> Figure:
    """Places in (0, 1), by site."""
    ranks = {name: ranks_of_places(u, _LEVEL / len(found)) for name, u in found.items()}
    if lost := [name for name, one in ranks.items() if not len(one.values)]:
        raise InputError(f"no value of {', '.join(lost)} is known, so that none has a place.")
    return uniform_panels(ranks, below="place among predictive draws", title=title)


def plot_calibration(found: Calibration, *, most: int = _PANELS) -> Figure:
    """Ranks of true values among an engine's draws: those that leave the band, at the level of the
    calibration over all quantities together, are red, and the panel says what they tell of draws.

    Args:
        found: what `Pair.calibrate` gave.
        most: quantities drawn: the least uniform.

    Raises:
        InputError: if no replication was ranked.
    """
    if not found.replications:
        raise InputError("no replication was ranked; see the verdict_ of the calibration.")
    p, rejected = found.p_values, len(found.rejected)
    ordered = sorted(p, key=lambda name: p[name])
    # What Holm's method compares each p-value with.
    levels = {n: found.level / (len(p) - min(j, rejected)) for j, n in enumerate(ordered)}
    shown = sorted(ordered[:most], key=list(p).index)
    said = f"{rejected} of {len(p)} quantities are not uniform" if rejected else "all are uniform"
    more = f"; the {len(shown)} least uniform" if len(shown) < len(p) else ""
    return uniform_panels(
        {name: Ranks(found.ranks[name], found.num_draws, levels[name]) for name in shown},
        below="rank of the true value among draws, as a share", words=True,
        title=f"{found.replications} replications: {said} (level {found.level:g}){more}",
    )  # fmt: skip
