"""Posteriors, their checks and their calibration.

Each function takes a fitted pair, an estimator with draws of its parameters, or a DataTree. What
needs rows of an estimator takes its `to_datatree(X)`. `plot_rank`, `plot_energy` and `plot_khat`
are drawn by the functions of `arviz_plots` of that name, to which what else is given goes. Values
that are missing have no place among replicates, and are left out. Bands hold simultaneously, 99% of
the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Array
from ..errors import InputError, did_you_mean
from ..estimator import Estimator
from ..inference.calibration import Calibration
from ..inference.leave_one_out import LeaveOneOut
from ..inference.predictive_checks import loo_pit, places
from ..models.pair import PairFit
from .prior_posterior import prior_posterior_panels
from .style import styled
from .uniform import OFF, Ranks, ranks_of_places, uniform_panels

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
    within the bands.

    Raises:
        InputError: if there is one chain.
    """
    tree = tree_of(fit, "posterior")
    if tree["posterior"].sizes["chain"] < 2:
        raise InputError("the draws are of one chain, and ranks compare chains; draw several.")
    made = _drawn("plot_rank", tree, **{"visuals": {"remove_axis": False}, **how})
    for axes in made.axes:
        axes.set_ylabel(OFF if axes.get_subplotspec().is_first_col() else "")
    return made


def plot_energy(fit: Any, **how: Any) -> Figure:
    """The energy of a Hamiltonian sampler beside its changes, which are to be as spread; E-BFMI."""
    made = _drawn("plot_energy", tree_of(fit, "sample_stats", has="energy"), **how)
    for axes in made.axes:
        if axes.get_title("left") == "BFMI":
            axes.set_xlabel("E-BFMI; left of the line, too low")
            axes.yaxis.get_major_locator().set_params(integer=True)
        else:
            axes.set_xlabel("energy, less its mean")
    return made


def plot_prior_posterior(
    fit: Any,
    var_names: str | Sequence[str] | None = None,
    *,
    most: int = _PANELS,
    title: str = "",
) -> Figure:
    """The prior of each parameter (grey) beside its posterior (line): where they are alike, the
    data said little of it.

    Args:
        fit: a fitted pair, an estimator with draws of its parameters, or a DataTree.
        var_names: the variables drawn; None takes all.
        most: numbers drawn.
        title: of the figure.

    Raises:
        InputError: if there is no prior, or no such variable.
    """
    return prior_posterior_panels(tree_of(fit, "posterior", "prior"), var_names, most, title)


def plot_khat(fit: Any, **how: Any) -> Figure:
    """Pareto k-hat of each row left out: up to 0.7, leave-one-out can be trusted.

    Args:
        fit: a fitted pair, or what its `loo` or `ppgen.loo` gave, or that of ArviZ.
    """
    found = fit.loo() if isinstance(fit, PairFit) else fit
    if isinstance(found, LeaveOneOut):
        found = found.to_arviz()
    lines = {"hline_values": [found.good_k], "visuals": {"hlines": {}}}
    made = _drawn("plot_khat", found, **{**lines, **how})
    if not how:
        (axes,) = made.axes
        axes.set(xlabel="row", ylabel=f"Pareto k-hat (line: {found.good_k:.2f})")
    return made


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
    if isinstance(fit, PairFit) and "log_q" in fit.stats:  # draws that are to be weighed
        return _of_places(fit.loo_pit(random_state=random_state), title)
    tree = tree_of(fit, "posterior_predictive", "observed_data", "log_likelihood")
    return _of_places(_places(tree, random_state, left_out=True), title)


def _places(tree: Any, seed: int, *, left_out: bool) -> dict[str, Array]:
    """Observed variable -> places of its values among their replicates; NaN where missing."""
    rng, found = np.random.default_rng([seed, 0x917]), {}
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
        found[str(name)] = loo_pit(values, reps, log_p.values.reshape(reps.shape), None, rng)
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
