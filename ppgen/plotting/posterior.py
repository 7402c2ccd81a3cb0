"""A pair's posterior, its checks and its calibration, drawn by ArviZ.

Each function takes a fitted pair, or its DataTree, and gives a figure; what else is given goes to
the function of `arviz_plots` of that name. Bands hold simultaneously, 99% of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import InputError, did_you_mean
from ..inference.calibration import Calibration
from ..inference.leave_one_out import LeaveOneOut
from .style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS = 16  # of quantities, in a figure
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


def plot_khat(fit: Any, **how: Any) -> Figure:
    """Pareto k-hat of each row left out: up to 0.7, leave-one-out can be trusted.

    Args:
        fit: a fitted pair, or what its `loo` gave, or that of ArviZ.
    """
    found = fit.loo() if "loo" in dir(fit) else fit
    if isinstance(found, LeaveOneOut):
        found = found.to_arviz()
    return _drawn("plot_khat", found, **how)


def plot_ppc_pit(fit: Any, **how: Any) -> Figure:
    """Where each value lies among its posterior predictive draws, which saw it: within the bands at
    most, where the model is right."""
    return _drawn("plot_ppc_pit", tree_of(fit, "posterior_predictive", "observed_data"), **how)


def plot_loo_pit(fit: Any, **how: Any) -> Figure:
    """Where each value lies among predictive draws that have not seen it: uniform, and so within
    the bands, where the model is right."""
    groups = ("posterior", "posterior_predictive", "observed_data", "log_likelihood")
    if "log_q" in getattr(fit, "stats", {}):
        raise InputError(
            "the draws are of an approximation, whose weights this figure does not know. Draw the "
            "fit's loo_pit() by arviz_plots.plot_ecdf_pit."
        )
    return _drawn("plot_loo_pit", tree_of(fit, *groups), **how)


def plot_calibration(found: Calibration, **how: Any) -> Figure:
    """Ranks of true values among an engine's draws, less what is expected, of the quantities that
    are least uniform."""
    p = found.p_values
    shown = sorted(sorted(p, key=lambda name: p[name])[:_PANELS], key=list(p).index)
    return _drawn("plot_ecdf_pit", found.to_datatree(), **{"var_names": shown, **how})


KINDS: dict[str, Callable[..., Any]] = {
    "rank": plot_rank,
    "energy": plot_energy,
    "khat": plot_khat,
    "ppc_pit": plot_ppc_pit,
    "loo_pit": plot_loo_pit,
}


def plot_posterior(fit: Any, kind: str, **how: Any) -> Figure:
    """A figure of a fitted pair by name: "rank", "energy", "khat", "ppc_pit" or "loo_pit".

    Raises:
        InputError: if there is no such figure.
    """
    if kind not in KINDS:
        raise InputError(
            f"kind is {kind!r}; expected one of {', '.join(KINDS)}.{did_you_mean(kind, KINDS)}"
        )
    figure: Figure = KINDS[kind](fit, **how)
    return figure


def tree_of(fit: Any, *groups: str, has: str = "") -> Any:
    """The DataTree of a fit with these groups.

    Raises:
        InputError: if a group, or a variable of the last one, is missing.
    """
    from xarray import DataTree

    tree = fit if isinstance(fit, DataTree) else fit.to_datatree(groups=groups)
    for group in groups:
        if group not in tree.children:
            raise InputError(
                f"there is no group {group!r} to draw; there are {', '.join(tree.children)}. Of a "
                "run that was loaded, give its to_datatree(data)."
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
