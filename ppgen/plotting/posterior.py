"""Posteriors, their checks and their calibration, drawn by ArviZ.

Each function takes a fitted pair, an estimator with draws of its parameters, or a DataTree, and
gives a figure; what else is given goes to the function of `arviz_plots` of that name. What needs
rows of an estimator takes its `to_datatree(X)`. Values that are missing have no place among
replicates, and are left out. Bands hold simultaneously, 99% of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array
from ..errors import InputError, did_you_mean
from ..estimator import Estimator
from ..inference.calibration import Calibration
from ..inference.leave_one_out import LeaveOneOut
from ..models.pair import PairFit
from .style import styled
from .uniform import Ranks, ranks_of_places, uniform_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS = 16  # of quantities, in a figure
_LEVEL = 0.01  # of bands of places
_STYLE = {
    "axes.facecolor": "white",  # which bands are a shade of
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
}


def plot_rank(fit: Any, **how: Any) -> Figure:
    """Ranks of each chain's draws among those of all, less what is expected: chains that agree lie
    within the bands."""
    return _drawn("plot_rank", tree_of(fit, "posterior"), **how)


def plot_energy(fit: Any, **how: Any) -> Figure:
    """The energy of a Hamiltonian sampler beside its changes, which are to be as spread; E-BFMI."""
    return _drawn("plot_energy", tree_of(fit, "sample_stats", has="energy"), **how)


def plot_prior_posterior(fit: Any, **how: Any) -> Figure:
    """The prior of each parameter beside its posterior: where they are alike, the data said little
    of it."""
    return _drawn("plot_prior_posterior", tree_of(fit, "prior", "posterior"), **how)


def plot_khat(fit: Any, **how: Any) -> Figure:
    """Pareto k-hat of each row left out: up to 0.7, leave-one-out can be trusted.

    Args:
        fit: a fitted pair, or what its `loo` or `ppgen.loo` gave, or that of ArviZ.
    """
    found = fit.loo() if isinstance(fit, PairFit) else fit
    if isinstance(found, LeaveOneOut):
        found = found.to_arviz()
    return _drawn("plot_khat", found, **how)


def plot_ppc_pit(fit: Any, **how: Any) -> Figure:
    """Where each value lies among its posterior predictive draws, which saw it: within the bands at
    most, where the model is right."""
    tree = tree_of(fit, "posterior_predictive", "observed_data")
    return _drawn("plot_ppc_pit", known(tree, "posterior_predictive"), **how)


def plot_loo_pit(fit: Any, **how: Any) -> Figure:
    """Where each value lies among predictive draws that have not seen it: uniform, and so within
    the bands, where the model is right.

    Args:
        fit: a fitted pair or its DataTree, or that of one column of an estimator; or what
            `PairFit.loo_pit` gave, which an approximation needs.
    """
    if isinstance(fit, Mapping) and not is_tree(fit):
        return _of_places(fit)
    groups = ("posterior", "posterior_predictive", "observed_data", "log_likelihood")
    if isinstance(fit, PairFit) and "log_q" in fit.stats:
        return _of_places(fit.loo_pit())
    tree = known(tree_of(fit, *groups), "posterior_predictive", "log_likelihood")
    if missing := [n for n in tree["observed_data"].data_vars if n not in tree["log_likelihood"]]:
        raise InputError(
            f"there are no log densities of {missing[0]!r} alone, but of whole rows. Give the tree "
            f"of one column, to_datatree(X, column={missing[0]!r})."
        )
    return _drawn("plot_loo_pit", tree, **how)


def _of_places(found: Mapping[str, Array]) -> Figure:
    """What `loo_pit` gave: places in (0, 1), by site."""
    ranks = {name: ranks_of_places(u, _LEVEL / len(found)) for name, u in found.items()}
    if lost := [name for name, one in ranks.items() if not len(one.values)]:
        raise InputError(f"no value of {', '.join(lost)} is known, so that none has a place.")
    return uniform_panels(
        ranks, below="place among predictive draws",
        title="Values among draws that have not seen them, and what uniform places leave (99%)",
    )  # fmt: skip


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


KINDS: dict[str, Callable[..., Any]] = {
    "rank": plot_rank,
    "energy": plot_energy,
    "prior_posterior": plot_prior_posterior,
    "khat": plot_khat,
    "ppc_pit": plot_ppc_pit,
    "loo_pit": plot_loo_pit,
}


def plot_posterior(fit: Any, kind: str, **how: Any) -> Figure:
    """A figure of a posterior by name: "rank", "energy", "prior_posterior", "khat", "ppc_pit" or
    "loo_pit".

    Raises:
        InputError: if there is no such figure.
    """
    if kind not in KINDS:
        raise InputError(
            f"kind is {kind!r}; expected one of {', '.join(KINDS)}.{did_you_mean(kind, KINDS)}"
        )
    figure: Figure = KINDS[kind](fit, **how)
    return figure


def is_tree(fit: Any) -> bool:
    """Whether it is a DataTree, which is a mapping too."""
    from xarray import DataTree

    return isinstance(fit, DataTree)


def tree_of(fit: Any, *groups: str, has: str = "") -> Any:
    """The DataTree of a fit with these groups.

    Raises:
        InputError: if a group, or a variable of the last one, is missing.
    """
    if is_tree(fit):
        tree = fit
    elif isinstance(fit, PairFit):
        tree = fit.to_datatree(groups=groups)
    elif isinstance(fit, Estimator):
        tree = fit.to_datatree()
    else:
        raise InputError(
            "expected a fitted pair, an estimator with draws of its parameters, or a DataTree of "
            f"one; got {type(fit).__name__}."
        )
    for group in groups:
        if group not in tree.children:
            why = f" It lacks {tree.attrs['missing']}." if "missing" in tree.attrs else ""
            give = "to_datatree(X)" if isinstance(fit, Estimator) else "to_datatree(data)"
            raise InputError(
                f"there is no group {group!r} to draw; there are {', '.join(tree.children)}."
                f"{why or f' Give its {give}, with the data it was fitted to.'}"
            )
    if has and has not in tree[groups[-1]].data_vars:
        raise InputError(f"{groups[-1]} has no {has!r}: the method does not record it.")
    return tree


def known(tree: Any, *groups: str) -> Any:
    """The tree with the values alone that are known of variables some of whose values are missing,
    in `observed_data` and in these groups."""
    from xarray import DataTree

    observed = tree["observed_data"].to_dataset()
    datasets = {name: node.to_dataset() for name, node in tree.children.items()}
    for name, values in observed.items():
        there = np.flatnonzero(np.isfinite(values.values.ravel()))
        if len(there) == values.size:
            continue
        flat, dims = f"known {name}", list(values.dims)
        for group in ("observed_data", *groups):
            one = datasets[group].get(name)
            if one is None or not {*dims} <= {*one.dims}:
                continue
            bare = one.drop_vars([c for c in one.coords if {*one[c].dims} & {*dims}])
            stacked = bare.stack({flat: dims}, create_index=False).isel({flat: there})
            datasets[group] = datasets[group].drop_vars(name).assign({name: stacked})
    found = DataTree.from_dict(datasets)
    found.attrs = tree.attrs
    return found


def _drawn(name: str, data: Any, **how: Any) -> Figure:
    """What a function of arviz_plots draws, in the style of the other figures; pyplot's list of
    figures is left as it was."""
    from matplotlib import pyplot

    draw: Any = getattr(import_module("arviz_plots"), name)
    how = {"backend": "matplotlib", **how}
    with styled(**_STYLE):
        figure: Figure = draw(data, **how).viz["figure"].item()
        pyplot.close(figure)
    return figure
